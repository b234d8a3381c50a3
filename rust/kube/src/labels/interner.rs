//! Texts as numbers, freed when nobody holds them any more.
//!
//! Label values such as `pod-template-hash` come and go with every rollout: an interner that only grows would leak.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The number of a text, valid while somebody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(pub(crate) u32);

struct Entry {
    text: Box<str>,
    holders: u32,
}

/// A table of texts with a count of holders for each.
#[derive(Default)]
pub(crate) struct Interner {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    hasher: FixedState,
}

impl Interner {
    /// The number of a text, with one more holder.
    pub(crate) fn hold(&mut self, text: &str) -> Text {
        let hash = self.hasher.hash_one(text);
        if let Some(found) = self.table.find(hash, |i| *self.entries[*i as usize].text == *text) {
            self.entries[*found as usize].holders += 1;
            return Text(*found);
        }
        let id = self.place(text);
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.table.insert_unique(hash, id, |i| hasher.hash_one(&*entries[*i as usize].text));
        Text(id)
    }

    fn place(&mut self, text: &str) -> u32 {
        let entry = Entry { text: text.into(), holders: 1 };
        if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            return id;
        }
        self.entries.push(entry);
        u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 texts are interned at once")
    }

    /// One holder less; the last one frees the text.
    pub(crate) fn release(&mut self, id: Text) {
        let entry = &mut self.entries[id.0 as usize];
        entry.holders -= 1;
        if entry.holders > 0 {
            return;
        }
        let text = std::mem::take(&mut entry.text);
        let hash = self.hasher.hash_one(&*text);
        let slot = self.table.find_entry(hash, |i| *i == id.0).expect("a held text is in the table");
        slot.remove();
        self.free.push(id.0);
    }

    /// The text of a number.
    pub(crate) fn text(&self, id: Text) -> &str {
        &self.entries[id.0 as usize].text
    }

    /// Number of texts held now.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}
