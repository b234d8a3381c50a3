//! The `recent` lists that rules name: a list lives as long as a rule names it.

use super::names::{NameIndex, Names};
use super::slots::{Slot, Slots};
use crate::Name;

/// All lists, with the number of rules that name them.
#[derive(Clone, Default)]
pub(super) struct Lists {
    all: Vec<Option<List>>,
    slots: Slots,
    names: NameIndex,
    /// Lists that lost their last rule in this transaction. One that gets a new rule before its end lives on.
    unused: Vec<Slot>,
}

#[derive(Clone)]
struct List {
    name: Name,
    slot: Slot,
    rules: u32,
}

impl Lists {
    /// The list called `name`, which one more rule names from now on.
    pub(super) fn hold(&mut self, name: &Name) -> Slot {
        if let Some(number) = self.names.find(&self.all, name) {
            let list = self.all[number as usize].as_mut().expect("a list in the index is there");
            list.rules += 1;
            return list.slot;
        }
        let slot = self.slots.take();
        let place = slot.index as usize;
        self.all.resize(self.all.len().max(place + 1), None);
        self.all[place] = Some(List { name: name.clone(), slot, rules: 1 });
        self.names.insert(&self.all, slot.index);
        slot
    }

    /// One rule fewer names the list.
    pub(super) fn let_go(&mut self, slot: Slot) {
        let list = self.all[slot.index as usize].as_mut().expect("a list that a rule names is there");
        list.rules -= 1;
        if list.rules == 0 {
            self.unused.push(slot);
        }
    }

    /// Ends the lists that no rule names.
    pub(super) fn settle(&mut self) {
        for slot in std::mem::take(&mut self.unused) {
            let place = slot.index as usize;
            if self.all[place].as_ref().is_some_and(|list| list.slot == slot && list.rules == 0) {
                self.names.remove(&self.all, slot.index);
                self.all[place] = None;
                self.slots.release(slot);
            }
        }
    }

    /// The list called `name`.
    pub(super) fn find(&self, name: &Name) -> Option<Slot> {
        let number = self.names.find(&self.all, name)?;
        self.all[number as usize].as_ref().map(|list| list.slot)
    }
}

impl Names for Vec<Option<List>> {
    fn name(&self, number: u32) -> &Name {
        &self[number as usize].as_ref().expect("a list in the index is there").name
    }
}
