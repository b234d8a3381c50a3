//! The index: from a tuple to its entry, in one cache line for most.
//!
//! A line holds four slots. A key stands in the line of its hash; if that is full, in a second one, and then in those behind it;
//! each line counts the keys that passed it by, so that a lookup knows when to go on. Slots do not move but when the table
//! grows, and it grows a few lines at a time: a larger level takes over the lines of the old one in their own order, which
//! their new places keep.

#![allow(
    clippy::inline_always,
    reason = "parts of one loop, which is compiled whole for each instruction set"
)]

mod key;
mod level;
mod line;
mod memory;

pub(crate) use key::Key;
pub(crate) use level::{Level, SlotId, slot_id};
pub(crate) use line::{SLOTS, Tag};
pub(crate) use memory::prefetch;

#[cfg(test)]
mod tests;

/// Keys, each with the entry that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    level: Level,
    /// The level that is being replaced.
    old: Option<Old>,
    keys: usize,
    /// Keys for which lines are not moved, because a batch is on its way: see [`Index::make_room`].
    pinned: bool,
    /// The bits of a hash that count: all of them but in tests.
    cut: u64,
}

/// A level of which the lines below `moved` are empty: their keys stand in the new one.
#[derive(Clone, Debug)]
struct Old {
    level: Level,
    moved: usize,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) u32);

impl Place {
    const OLD: u32 = 1 << 31;

    /// A slot of the level that is not being replaced.
    #[inline(always)]
    pub(crate) fn current(slot: SlotId) -> Place {
        Place(slot)
    }

    fn old(slot: SlotId) -> Place {
        Place(slot | Place::OLD)
    }
}

/// Keys of a hundred slots at which the table grows: beyond it too many keys stand outside of their first line.
const LOAD_PERCENT: usize = 55;
const LINES_MIN: usize = 16;
/// Lines that are moved for each key that is put in: enough for the old level to be empty before the new one is full.
const LINES_A_KEY: usize = 4;

impl Default for Index {
    fn default() -> Index {
        Index { level: Level::new(LINES_MIN), old: None, keys: 0, pinned: false, cut: u64::MAX }
    }
}

impl Index {
    /// A table in which keys collide: their hashes have four bits.
    #[cfg(test)]
    pub(crate) fn colliding() -> Index {
        Index { cut: 0xf << 60, ..Index::default() }
    }

    /// Keys in it.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.keys
    }

    /// Lines of the level that keys are put into.
    pub(crate) fn lines(&self) -> usize {
        self.level.len()
    }

    /// Bytes that its lines and the entries of their slots take.
    pub(crate) fn bytes(&self) -> usize {
        let of = |level: &Level| level.len() * (64 + SLOTS * size_of::<u32>());
        of(&self.level) + self.old.as_ref().map_or(0, |old| of(&old.level))
    }

    /// The level that holds every key, if there is only one.
    #[inline(always)]
    pub(crate) fn whole(&self) -> Option<&Level> {
        if self.old.is_none() { Some(&self.level) } else { None }
    }

    #[inline(always)]
    pub(crate) fn hash(&self, key: Key) -> u64 {
        key.hash() & self.cut
    }

    /// Finds the key of an entry that passes `is_it`.
    pub(crate) fn find(&self, key: Key, is_it: impl Fn(u32) -> bool) -> Option<Place> {
        let hash = self.hash(key);
        let old = self.old.as_ref().and_then(|old| old.level.find(key, hash, &is_it));
        old.map(Place::old).or_else(|| self.level.find(key, hash, &is_it).map(Place::current))
    }

    /// The entry at a place.
    pub(crate) fn entry(&self, place: Place) -> u32 {
        let (level, slot) = self.level_of(place);
        level.entry(slot)
    }

    /// What the slot at a place says.
    pub(crate) fn tag(&self, place: Place) -> Tag {
        let (level, slot) = self.level_of(place);
        level.tag(slot)
    }

    /// Changes what the slot at a place says.
    pub(crate) fn set_tag(&mut self, place: Place, tag: Tag) {
        match &mut self.old {
            Some(old) if place.0 & Place::OLD != 0 => old.level.set_tag(place.0 & !Place::OLD, tag),
            _ => self.level.set_tag(place.0, tag),
        }
    }

    /// No slot is steady any longer.
    pub(crate) fn clear_steady(&mut self) {
        self.level.clear_steady();
        if let Some(old) = &mut self.old {
            old.level.clear_steady();
        }
    }

    /// Puts a key in. It may stand there already, for another entry, if it is wide.
    pub(crate) fn insert(&mut self, key: Key, reply: bool, entry: u32) {
        if !self.pinned {
            self.grow_if_full(1);
            self.move_lines(LINES_A_KEY);
        }
        self.level.put(key, self.hash(key), if reply { Tag::REPLY } else { 0 }, entry);
        self.keys += 1;
    }

    /// Takes the key of an entry out.
    pub(crate) fn remove(&mut self, key: Key, is_it: impl Fn(u32) -> bool) -> bool {
        let Some(place) = self.find(key, is_it) else { return false };
        let hash = self.hash(key);
        match &mut self.old {
            Some(old) if place.0 & Place::OLD != 0 => old.level.take(place.0 & !Place::OLD, hash),
            _ => self.level.take(place.0, hash),
        }
        self.keys -= 1;
        true
    }

    /// Makes room for so many keys, of which none moves another until [`Index::release`].
    pub(crate) fn make_room(&mut self, keys: usize) {
        self.grow_if_full(keys);
        self.move_lines(LINES_A_KEY * keys);
        self.pinned = true;
    }

    /// Keys may move again.
    pub(crate) fn release(&mut self) {
        self.pinned = false;
    }

    /// Whether keys move when room is made for so many.
    pub(crate) fn moves(&self, keys: usize) -> bool {
        self.old.is_some() || self.is_full(keys)
    }

    /// Whether keys move when one is put in, or two.
    pub(crate) fn moves_at_insert(&self) -> bool {
        !self.pinned && self.moves(2)
    }

    fn is_full(&self, more: usize) -> bool {
        (self.keys + more) * 100 > self.level.len() * SLOTS * LOAD_PERCENT
    }

    fn grow_if_full(&mut self, more: usize) {
        while self.is_full(more) {
            self.move_lines(usize::MAX);
            let larger = Level::new(self.level.len() * 2);
            self.old = Some(Old { level: std::mem::replace(&mut self.level, larger), moved: 0 });
        }
    }

    /// Empties the next lines of the old level.
    fn move_lines(&mut self, count: usize) {
        let Some(old) = &mut self.old else { return };
        let end = old.moved.saturating_add(count).min(old.level.len());
        for at in old.moved..end {
            for place in 0..SLOTS {
                let slot = slot_id(at, place);
                let (tag, key) = (old.level.tag(slot), old.level.key(slot));
                if key.rest >> 32 == key::FREE {
                    continue;
                }
                let hash = key.hash() & self.cut;
                let entry = old.level.entry(slot);
                old.level.take(slot, hash);
                self.level.put(key, hash, tag.0, entry);
            }
        }
        old.moved = end;
        if end == old.level.len() {
            self.old = None;
        }
    }

    fn level_of(&self, place: Place) -> (&Level, SlotId) {
        match &self.old {
            Some(old) if place.0 & Place::OLD != 0 => (&old.level, place.0 & !Place::OLD),
            _ => (&self.level, place.0),
        }
    }
}
