//! One cache line: four slots of a key and a tag each.

use super::key::{Key, REST};

/// A line as words: two for each slot. The second word of a slot holds the ports in its low half and the tag in its high one.
pub(super) type Line = [u64; 8];

/// Slots of a line.
pub(crate) const SLOTS: usize = 4;

/// What a slot says beside its key.
///
/// Bits 0..3 are the key's class, 0 in a free slot; 3 is the direction, 4 says that the slot is steady, 5..30 are the number of
/// its action, and 30..32 a part of the line's overflow count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) u32);

impl Tag {
    /// The tuple is the reply's.
    pub(crate) const REPLY: u32 = 1 << 3;
    /// Rows that find this slot are decided by its action.
    pub(crate) const STEADY: u32 = 1 << 4;
    /// The most actions that there are numbers for.
    pub(crate) const ACTIONS: u32 = 1 << 25;
    const CLASS: u32 = 7;
    const OVERFLOW: u32 = 3 << 30;

    /// Which action decides, if it is steady.
    #[inline(always)]
    pub(crate) fn action(self) -> u32 {
        self.0 >> 5 & (Tag::ACTIONS - 1)
    }

    /// This tag, steady with an action.
    pub(crate) fn steady(self, action: u32) -> Tag {
        debug_assert!(action < Tag::ACTIONS, "an action's number has 25 bits");
        Tag(self.0 & (Tag::OVERFLOW | Tag::CLASS | Tag::REPLY) | Tag::STEADY | action << 5)
    }

    /// This tag, no longer steady.
    pub(crate) fn unsteady(self) -> Tag {
        Tag(self.0 & !Tag::STEADY)
    }
}

/// Which slots hold the key: bit 0 is the first slot.
#[inline(always)]
pub(super) fn holders(line: &Line, key: Key) -> u32 {
    let mut found = 0;
    for slot in 0..SLOTS {
        let differs = (line[2 * slot] ^ key.addrs) | ((line[2 * slot + 1] ^ key.rest) & REST);
        found |= u32::from(differs == 0) << slot;
    }
    found
}

/// The first free slot.
pub(super) fn room(line: &Line) -> Option<usize> {
    (0..SLOTS).find(|slot| tag(line, *slot).0 & Tag::CLASS == 0)
}

pub(super) fn key(line: &Line, slot: usize) -> Key {
    Key { addrs: line[2 * slot], rest: line[2 * slot + 1] & REST }
}

#[inline(always)]
pub(super) fn tag(line: &Line, slot: usize) -> Tag {
    Tag((line[2 * slot + 1] >> 32) as u32)
}

pub(super) fn set_tag(line: &mut Line, slot: usize, tag: Tag) {
    let word = &mut line[2 * slot + 1];
    *word = *word & 0xffff_ffff | u64::from(tag.0) << 32;
}

/// Puts a key into a free slot, with the bits of its tag above the class.
pub(super) fn fill(line: &mut Line, slot: usize, key: Key, bits: u32) {
    let overflow = tag(line, slot).0 & Tag::OVERFLOW;
    line[2 * slot] = key.addrs;
    line[2 * slot + 1] = key.rest | u64::from(bits & !Tag::OVERFLOW & !Tag::CLASS | overflow) << 32;
}

/// Frees a slot; the line's overflow count stays.
pub(super) fn clear(line: &mut Line, slot: usize) {
    let overflow = tag(line, slot).0 & Tag::OVERFLOW;
    line[2 * slot] = 0;
    line[2 * slot + 1] = u64::from(overflow) << 32;
}

/// Whether a key that belongs here stands elsewhere.
#[inline(always)]
pub(super) fn overflows(line: &Line) -> bool {
    (line[1] | line[3] | line[5] | line[7]) >> 62 != 0
}

/// Changes the count of keys that passed this line by for want of room. Two bits of it stand in each slot; a count that is
/// full stays so, since nobody knows any longer how many there are.
pub(super) fn count_overflow(line: &mut Line, one_more: bool) {
    let mut count = 0;
    for slot in 0..SLOTS {
        count |= (line[2 * slot + 1] >> 62) << (2 * slot);
    }
    if count == FULL {
        return;
    }
    count = if one_more { count + 1 } else { count - 1 };
    for slot in 0..SLOTS {
        let word = &mut line[2 * slot + 1];
        *word = *word & !(3 << 62) | (count >> (2 * slot) & 3) << 62;
    }
}

const FULL: u64 = 255;
