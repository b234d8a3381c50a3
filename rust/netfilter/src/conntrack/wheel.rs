//! When entries are to be looked at: by whole seconds, in buckets that are coarser the farther away they are.
//!
//! Nothing is moved when a packet refreshes a timeout: an entry is looked at when the timeout that it had would have run out,
//! and filed again under the one that it has.

use std::collections::BTreeMap;

use kdp_sim::Time;

/// A whole second of virtual time.
pub(super) type Tick = u32;

/// Slots by the tick at which they are to be looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Wheel {
    buckets: BTreeMap<Tick, Vec<u32>>,
    /// Buckets before this tick are gone.
    next: Tick,
}

/// A distance is cut into this many parts at least: a bucket may come early by as much.
const PARTS: u32 = 16;

impl Wheel {
    /// The second in which `time` lies.
    pub(super) fn tick(time: Time) -> Tick {
        Tick::try_from(time.as_nanos() / 1_000_000_000).unwrap_or(Tick::MAX)
    }

    /// When a second begins.
    pub(super) fn begins(tick: Tick) -> Time {
        Time(u64::from(tick) * 1_000_000_000)
    }

    /// The first second that was not taken off yet.
    pub(super) fn next(&self) -> Tick {
        self.next
    }

    /// Files a slot under a tick no later than `tick`, and later than what was taken off; gives it.
    pub(super) fn file(&mut self, slot: u32, tick: Tick) -> Tick {
        let distance = tick.saturating_sub(self.next);
        let coarse = (distance / PARTS).next_power_of_two();
        let at = (tick / coarse * coarse).max(self.next);
        self.buckets.entry(at).or_default().push(slot);
        at
    }

    /// The next bucket at or before `tick`, taken off.
    pub(super) fn pop(&mut self, tick: Tick) -> Option<(Tick, Vec<u32>)> {
        self.next = self.next.max(tick.saturating_add(1));
        let first = self.buckets.first_entry().filter(|first| *first.key() <= tick)?;
        Some(first.remove_entry())
    }

    /// What is to be looked at in the second that follows those taken off.
    pub(super) fn soon(&self) -> &[u32] {
        self.buckets.get(&self.next).map_or(&[], |slots| slots)
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.values().map(|slots| slots.capacity() * size_of::<u32>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_comes_late_nor_is_lost(ticks in prop::collection::vec(0u32..2_000, 1..100), step in 1u32..300) {
            let mut wheel = Wheel::default();
            for (slot, tick) in (0..).zip(&ticks) {
                prop_assert!(wheel.file(slot, *tick) <= *tick);
            }
            let mut gone = vec![false; ticks.len()];
            let mut now = 0;
            while now < 2_400 {
                while let Some((at, slots)) = wheel.pop(now) {
                    prop_assert!(at <= now);
                    for slot in slots {
                        let tick = ticks[slot as usize];
                        if tick <= now {
                            gone[slot as usize] = true;
                        } else {
                            prop_assert!(wheel.file(slot, tick) > now);
                        }
                    }
                }
                let due = ticks.iter().zip(&gone).filter(|(tick, gone)| **tick <= now && !**gone).count();
                prop_assert_eq!(due, 0, "at {}", now);
                now += step;
            }
            prop_assert!(gone.iter().all(|gone| *gone));
        }
    }
}
