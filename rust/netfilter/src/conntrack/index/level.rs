//! A table of lines of one size. Slots never move in it.

use super::key::{Key, second};
use super::line::{self, Line, SLOTS, Tag};
use super::memory::Lines;

/// A slot of a level: its line times four, and its place in the line.
pub(crate) type SlotId = u32;

/// Lines, and the entry of each slot.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(super) lines: Lines,
    entries: Vec<u32>,
}

impl Level {
    /// An empty level of so many lines, not none.
    pub(super) fn new(lines: usize) -> Level {
        assert!(
            lines > 0 && lines < 1 << 28,
            "a level has lines, and fewer than 2^28: its slots have 31 bits"
        );
        Level { lines: Lines::zeroed(lines), entries: vec![0; lines * SLOTS] }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The first line of a hash.
    #[inline(always)]
    pub(crate) fn first(&self, hash: u64) -> usize {
        scaled(hash, self.len())
    }

    #[inline(always)]
    pub(crate) fn line(&self, at: usize) -> &Line {
        self.lines.get(at)
    }

    /// Asks memory for a line, and for the entries of its slots.
    #[inline(always)]
    pub(crate) fn prefetch(&self, at: usize) {
        self.lines.prefetch(at);
    }

    pub(crate) fn prefetch_entries(&self, slot: SlotId) {
        super::memory::prefetch(&self.entries, slot as usize);
    }

    #[inline(always)]
    pub(crate) fn entry(&self, slot: SlotId) -> u32 {
        self.entries[slot as usize]
    }

    pub(crate) fn tag(&self, slot: SlotId) -> Tag {
        line::tag(self.line(slot as usize / SLOTS), slot as usize % SLOTS)
    }

    pub(crate) fn set_tag(&mut self, slot: SlotId, tag: Tag) {
        line::set_tag(self.lines.get_mut(slot as usize / SLOTS), slot as usize % SLOTS, tag);
    }

    pub(super) fn key(&self, slot: SlotId) -> Key {
        line::key(self.line(slot as usize / SLOTS), slot as usize % SLOTS)
    }

    /// Finds a narrow key whose first line is known; gives its slot and what that says.
    #[inline(always)]
    pub(crate) fn found(&self, first: usize, key: Key, hash: impl Fn() -> u64) -> Option<(SlotId, Tag)> {
        let line = self.line(first);
        let holders = line::holders(line, key);
        if holders != 0 {
            let place = holders.trailing_zeros() as usize % SLOTS;
            return Some((slot_id(first, place), line::tag(line, place)));
        }
        if !line::overflows(line) {
            return None;
        }
        let slot = self.find_beyond(key, hash(), &|_| true)?;
        Some((slot, self.tag(slot)))
    }

    /// No slot is steady any longer.
    pub(super) fn clear_steady(&mut self) {
        for slot in 0..slot_id(self.len(), 0) {
            self.set_tag(slot, self.tag(slot).unsteady());
        }
    }

    /// Finds a key whose entry passes `is_it`: several wide tuples may have one key.
    #[inline(always)]
    pub(crate) fn find(&self, key: Key, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<SlotId> {
        let first = self.first(hash);
        self.find_in(first, key, &is_it).or_else(|| {
            line::overflows(self.line(first)).then(|| self.find_beyond(key, hash, &is_it)).flatten()
        })
    }

    /// The same, where the first line did not hold it.
    #[inline(never)]
    pub(crate) fn find_beyond(&self, key: Key, hash: u64, is_it: &impl Fn(u32) -> bool) -> Option<SlotId> {
        for at in self.path(hash).skip(1) {
            let found = self.find_in(at, key, is_it);
            if found.is_some() || !line::overflows(self.line(at)) {
                return found;
            }
        }
        None
    }

    #[inline(always)]
    fn find_in(&self, at: usize, key: Key, is_it: &impl Fn(u32) -> bool) -> Option<SlotId> {
        let mut holders = line::holders(self.line(at), key);
        while holders != 0 {
            let slot = slot_id(at, holders.trailing_zeros() as usize);
            if is_it(self.entry(slot)) {
                return Some(slot);
            }
            holders &= holders - 1;
        }
        None
    }

    /// Puts a key in, into the first line of its path that has room.
    pub(super) fn put(&mut self, key: Key, hash: u64, bits: u32, entry: u32) -> SlotId {
        for at in self.path(hash) {
            let line = self.lines.get_mut(at);
            if let Some(place) = line::room(line) {
                line::fill(line, place, key, bits);
                let slot = slot_id(at, place);
                self.entries[slot as usize] = entry;
                return slot;
            }
            line::count_overflow(line, true);
        }
        unreachable!("an index grows long before every slot is taken")
    }

    /// Frees a slot. The lines of its key's path before it had no room when it was put in, and counted it: the walk meets the
    /// slot's line at the same step as then.
    pub(super) fn take(&mut self, slot: SlotId, hash: u64) {
        let own = slot as usize / SLOTS;
        for at in self.path(hash).take_while(|at| *at != own) {
            line::count_overflow(self.lines.get_mut(at), false);
        }
        line::clear(self.lines.get_mut(own), slot as usize % SLOTS);
    }

    /// The lines that a key may stand in, in order: the first, the second, and those behind the second.
    fn path(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let (first, from, lines) = (self.first(hash), scaled(second(hash), self.len()), self.len());
        std::iter::once(first).chain((0..lines).map(move |step| (from + step) % lines))
    }
}

#[inline(always)]
pub(crate) fn slot_id(line: usize, place: usize) -> SlotId {
    #[expect(clippy::cast_possible_truncation, reason = "a level has fewer than 2^28 lines")]
    {
        (line * SLOTS + place) as SlotId
    }
}

/// A fraction of 2^64 as a place among `lines`.
#[inline(always)]
fn scaled(fraction: u64, lines: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "it is below `lines`")]
    {
        ((u128::from(fraction) * lines as u128) >> 64) as usize
    }
}
