//! Places for the state of rules, kept outside of the rules.

/// A place for state that belongs to one rule, or to one list: what was there before is told apart by `born`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it is.
    pub index: u32,
    /// How often the place was given away before.
    pub born: u32,
}

/// Gives places away and takes them back.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    born: Vec<u32>,
    free: Vec<u32>,
}

impl Slots {
    pub(super) fn take(&mut self) -> Slot {
        let index = self.free.pop().unwrap_or_else(|| {
            self.born.push(0);
            u32::try_from(self.born.len() - 1).expect("fewer than 2^32 rules")
        });
        Slot { index, born: self.born[index as usize] }
    }

    /// Gives `slot` back: state under the old number is void from now on.
    pub(super) fn release(&mut self, slot: Slot) {
        let born = &mut self.born[slot.index as usize];
        assert_eq!(*born, slot.born, "a slot is released once");
        *born += 1;
        self.free.push(slot.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_given_away_again_has_another_number() {
        let mut slots = Slots::default();
        let (a, b) = (slots.take(), slots.take());
        assert_ne!(a.index, b.index);
        slots.release(a);
        let c = slots.take();
        assert_eq!((c.index, c.born), (a.index, a.born + 1));
    }
}
