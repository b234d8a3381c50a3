//! The lists of `-m recent`: which source addresses were seen, and when.
//!
//! Source of all of it: net/netfilter/xt_recent.c, v6.12, and recorded behaviour of Linux 6.18.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_sim::Time;

use crate::vm::Cells;
use crate::{Recent, RecentOp, Slot};

/// Addresses that a list holds: one more evicts the one seen longest ago. Source: `ip_list_tot`, its default.
const ADDRESSES_MAX: usize = 100;

/// Stamps of an address, unless a rule asks for more. Source: `recent_mt_check`.
const STAMPS_MAX: usize = 32;

/// Stamps are ticks of the kernel's clock. Source: `CONFIG_HZ=250`.
const TICK_NS: u64 = 4_000_000;
const TICKS_PER_SEC: i64 = 250;

/// All lists of a rule set. A copy is cheap until either side changes.
#[derive(Clone, Debug, Default)]
pub struct RecentLists(Arc<Cells<Arc<List>>>);

/// A list: its addresses, the one seen longest ago first.
#[derive(Clone, Debug, Default)]
struct List(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    addr: IpAddr,
    /// A ring; it is full before it goes round.
    stamps: Vec<i64>,
    /// Behind the newest stamp.
    next: usize,
}

impl Entry {
    fn newest(&self) -> i64 {
        self.stamps[self.next - 1]
    }

    fn stamp(&mut self, tick: i64, stamps_max: usize) {
        if self.next >= stamps_max {
            self.next = 0;
        }
        match self.stamps.get_mut(self.next) {
            Some(stamp) => *stamp = tick,
            None => self.stamps.push(tick),
        }
        self.next += 1;
    }

    /// Whether enough stamps are not before `since`.
    fn was_seen(&self, recent: &Recent, since: i64) -> bool {
        let hits = self.stamps.iter().filter(|stamp| recent.seconds.is_none() || **stamp >= since).count();
        hits >= recent.hitcount.map_or(1, |hits| hits.max(1) as usize)
    }
}

impl RecentLists {
    /// Runs the test `recent` on a packet from `addr`. `slot` is the place of its list.
    pub(crate) fn test(&mut self, slot: Slot, recent: &Recent, addr: IpAddr, now: Time) -> bool {
        let now = i64::try_from(now.as_nanos() / TICK_NS).expect("ticks of 4 ms fit 63 bits");
        if recent.op != RecentOp::Set && !self.knows(slot, addr) {
            return recent.invert;
        }
        let list = Arc::make_mut(&mut self.0).get_mut(slot, Arc::default);
        Arc::make_mut(list).test(recent, addr, now)
    }

    fn knows(&self, slot: Slot, addr: IpAddr) -> bool {
        self.0.get(slot).is_some_and(|list| list.place(addr).is_some())
    }

    /// The addresses of a list, the one seen longest ago first, each with its stamps in the order of the ring.
    pub fn entries(&self, slot: Slot) -> Vec<(IpAddr, Vec<Time>)> {
        let stamp = |tick: &i64| Time(tick.unsigned_abs() * TICK_NS);
        let entry = |entry: &Entry| (entry.addr, entry.stamps.iter().map(stamp).collect());
        self.0.get(slot).map_or_else(Vec::new, |list| list.0.iter().map(entry).collect())
    }
}

impl List {
    fn place(&self, addr: IpAddr) -> Option<usize> {
        self.0.iter().position(|entry| entry.addr == addr)
    }

    fn test(&mut self, recent: &Recent, addr: IpAddr, now: i64) -> bool {
        let stamps_max =
            STAMPS_MAX.max(recent.hitcount.map_or(0, |hits| (hits as usize).next_power_of_two()));
        let Some(place) = self.place(addr) else {
            assert_eq!(recent.op, RecentOp::Set, "an unknown address is left to --set alone");
            self.add(addr, now);
            return !recent.invert;
        };
        match recent.op {
            RecentOp::Set => {
                self.stamp(place, now, stamps_max);
                !recent.invert
            }
            RecentOp::Remove => {
                self.0.remove(place);
                !recent.invert
            }
            RecentOp::Rcheck | RecentOp::Update => self.check(recent, place, now, stamps_max),
        }
    }

    fn check(&mut self, recent: &Recent, place: usize, now: i64, stamps_max: usize) -> bool {
        let since = now - i64::from(recent.seconds.unwrap_or(0)) * TICKS_PER_SEC;
        let passes = self.0[place].was_seen(recent, since) != recent.invert;
        let update = recent.op == RecentOp::Update && passes;
        // At most the oldest entry goes, and only when it is stale itself. Source: `recent_entry_reap`.
        let reaped = recent.reap && !(place == 0 && update) && self.0[0].newest() < since;
        if reaped {
            self.0.remove(0);
        }
        if update {
            self.stamp(place - usize::from(reaped), now, stamps_max);
        }
        passes
    }

    fn add(&mut self, addr: IpAddr, now: i64) {
        if self.0.len() >= ADDRESSES_MAX {
            self.0.remove(0);
        }
        self.0.push(Entry { addr, stamps: vec![now], next: 1 });
    }

    /// Stamps an entry, which becomes the one seen last.
    fn stamp(&mut self, place: usize, now: i64, stamps_max: usize) {
        let mut entry = self.0.remove(place);
        entry.stamp(now, stamps_max);
        self.0.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    const SLOT: Slot = Slot { index: 0, born: 0 };

    fn rule(op: RecentOp) -> Recent {
        Recent { name: Name::text("L"), op, seconds: None, hitcount: None, reap: false, invert: false }
    }

    fn addr(n: u8) -> IpAddr {
        [10, 0, 0, n].into()
    }

    fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn an_address_is_known_until_its_seconds_are_over() {
        let mut lists = RecentLists::default();
        let check = Recent { seconds: Some(10), ..rule(RecentOp::Rcheck) };
        assert!(!lists.test(SLOT, &check, addr(1), at(0)));
        assert!(lists.test(SLOT, &rule(RecentOp::Set), addr(1), at(0)));
        assert!(lists.test(SLOT, &check, addr(1), at(10)), "a stamp that old is not older");
        assert!(!lists.test(SLOT, &check, addr(1), at(11)));
        assert!(!lists.test(SLOT, &check, addr(2), at(1)));
        let not = Recent { invert: true, ..check };
        assert!(lists.test(SLOT, &not, addr(2), at(1)));
    }

    #[test]
    fn update_stamps_what_it_finds() {
        let mut lists = RecentLists::default();
        lists.test(SLOT, &rule(RecentOp::Set), addr(1), at(0));
        let update = Recent { seconds: Some(10), ..rule(RecentOp::Update) };
        assert!(lists.test(SLOT, &update, addr(1), at(9)));
        assert!(lists.test(SLOT, &update, addr(1), at(18)));
        assert!(!lists.test(SLOT, &update, addr(1), at(40)));
        assert!(!lists.test(SLOT, &update, addr(1), at(41)), "a check that fails stamps nothing");
    }

    #[test]
    fn hitcount_counts_stamps_within_the_seconds() {
        let mut lists = RecentLists::default();
        let three = Recent { seconds: Some(60), hitcount: Some(3), ..rule(RecentOp::Update) };
        lists.test(SLOT, &rule(RecentOp::Set), addr(1), at(0));
        lists.test(SLOT, &rule(RecentOp::Set), addr(1), at(1));
        assert!(!lists.test(SLOT, &three, addr(1), at(2)));
        lists.test(SLOT, &rule(RecentOp::Set), addr(1), at(3));
        assert!(lists.test(SLOT, &three, addr(1), at(4)));
    }

    #[test]
    fn the_101st_address_evicts_the_one_seen_longest_ago() {
        let mut lists = RecentLists::default();
        for n in 0..100 {
            lists.test(SLOT, &rule(RecentOp::Set), addr(n), at(n.into()));
        }
        lists.test(SLOT, &rule(RecentOp::Set), addr(0), at(100));
        lists.test(SLOT, &rule(RecentOp::Set), addr(200), at(101));
        assert!(lists.test(SLOT, &rule(RecentOp::Rcheck), addr(0), at(102)));
        assert!(!lists.test(SLOT, &rule(RecentOp::Rcheck), addr(1), at(102)));
        assert_eq!(lists.entries(SLOT).len(), 100);
    }

    #[test]
    fn reap_removes_one_stale_entry_and_only_beside_a_known_address() {
        let mut lists = RecentLists::default();
        for n in 1..=3 {
            lists.test(SLOT, &rule(RecentOp::Set), addr(n), at(n.into()));
        }
        lists.test(SLOT, &rule(RecentOp::Set), addr(9), at(100));
        let reap = Recent { seconds: Some(10), reap: true, ..rule(RecentOp::Rcheck) };
        lists.test(SLOT, &reap, addr(8), at(101));
        assert_eq!(lists.entries(SLOT).len(), 4);
        assert!(lists.test(SLOT, &reap, addr(9), at(101)));
        let left: Vec<IpAddr> = lists.entries(SLOT).into_iter().map(|(addr, _)| addr).collect();
        assert_eq!(left, [addr(2), addr(3), addr(9)]);
    }

    #[test]
    fn remove_passes_for_what_was_there() {
        let mut lists = RecentLists::default();
        let remove = rule(RecentOp::Remove);
        lists.test(SLOT, &rule(RecentOp::Set), addr(1), at(0));
        assert!(lists.test(SLOT, &remove, addr(1), at(1)));
        assert!(!lists.test(SLOT, &remove, addr(1), at(2)));
    }

    #[test]
    fn the_ring_keeps_the_last_32_stamps() {
        let mut lists = RecentLists::default();
        for n in 0..40 {
            lists.test(SLOT, &rule(RecentOp::Set), addr(1), at(n));
        }
        let (_, stamps) = &lists.entries(SLOT)[0];
        assert_eq!(stamps.len(), 32);
        assert_eq!((stamps[0], stamps[7], stamps[8]), (at(32), at(39), at(8)));
        let copy = lists.clone();
        lists.test(SLOT, &rule(RecentOp::Remove), addr(1), at(50));
        assert_eq!((copy.entries(SLOT).len(), lists.entries(SLOT).len()), (1, 0));
    }
}
