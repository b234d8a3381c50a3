//! Chains and lists found by name, without making the texts of hashed names.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::Name;

/// Length of the digest behind the prefix of a hashed name.
pub(super) const DIGEST_LEN: usize = 16;

/// What an index is of: names by number.
pub(super) trait Names {
    /// The name of what has this number, which is there.
    fn name(&self, number: u32) -> &Name;
}

/// Numbers by name: of the chains of one table, or of the lists.
///
/// Texts and recipes are kept apart. A text that may spell a hashed name is looked up in a third index, made when
/// somebody asks for it.
#[derive(Clone, Default)]
pub(super) struct NameIndex {
    texts: HashTable<u32>,
    recipes: HashTable<u32>,
    /// Prefixes of hashed names, with how many names have them.
    recipe_prefixes: BTreeMap<&'static str, u32>,
    /// What stands before the last 16 characters of texts, with how many names have it.
    text_prefixes: BTreeMap<Box<str>, u32>,
    spelled: OnceLock<HashTable<u32>>,
}

impl NameIndex {
    /// The number of `name`.
    pub(super) fn find(&self, of: &(impl Names + ?Sized), name: &Name) -> Option<u32> {
        match name.recipe() {
            None => self.find_text(of, name.as_str()),
            Some((prefix, seed)) => self.find_recipe(of, prefix, seed).or_else(|| {
                let spelled = self.text_prefixes.contains_key(prefix);
                spelled.then(|| lookup(&self.texts, of, name.as_str())).flatten()
            }),
        }
    }

    fn find_recipe(&self, of: &(impl Names + ?Sized), prefix: &str, seed: &str) -> Option<u32> {
        let same = |id: &u32| of.name(*id).recipe() == Some((prefix, seed));
        self.recipes.find(hash_recipe(prefix, seed), same).copied()
    }

    fn find_text(&self, of: &(impl Names + ?Sized), text: &str) -> Option<u32> {
        lookup(&self.texts, of, text).or_else(|| {
            let prefix = text_prefix(text)?;
            self.recipe_prefixes.get(prefix)?;
            lookup(self.spelled.get_or_init(|| self.spell(of)), of, text)
        })
    }

    /// Makes the text of every hashed name.
    fn spell(&self, of: &(impl Names + ?Sized)) -> HashTable<u32> {
        let mut spelled = HashTable::with_capacity(self.recipes.len());
        for id in &self.recipes {
            let by_text = |id: &u32| hash_text(of.name(*id).as_str());
            spelled.insert_unique(by_text(id), *id, by_text);
        }
        spelled
    }

    /// Puts a number in whose name is not in yet.
    pub(super) fn insert(&mut self, of: &(impl Names + ?Sized), id: u32) {
        let name = of.name(id);
        if let Some((prefix, _)) = name.recipe() {
            self.recipes.insert_unique(hash_of(name), id, |id| hash_of(of.name(*id)));
            *self.recipe_prefixes.entry(prefix).or_default() += 1;
            self.spelled.take();
        } else {
            self.texts.insert_unique(hash_of(name), id, |id| hash_of(of.name(*id)));
            if let Some(prefix) = text_prefix(name.as_str()) {
                *self.text_prefixes.entry(prefix.into()).or_default() += 1;
            }
        }
    }

    /// Takes a number out, whose name is still there.
    pub(super) fn remove(&mut self, of: &(impl Names + ?Sized), id: u32) {
        let name = of.name(id);
        let table = if name.recipe().is_some() { &mut self.recipes } else { &mut self.texts };
        let found = table.find_entry(hash_of(name), |other| *other == id);
        found.expect("everything is indexed by its name").remove();
        match name.recipe() {
            Some((prefix, _)) => {
                self.spelled.take();
                let count =
                    self.recipe_prefixes.get_mut(prefix).expect("the prefix of each hashed name is counted");
                *count -= 1;
                if *count == 0 {
                    self.recipe_prefixes.remove(prefix);
                }
            }
            None => self.forget_text_prefix(name.as_str()),
        }
    }

    fn forget_text_prefix(&mut self, text: &str) {
        let Some(prefix) = text_prefix(text) else { return };
        let count = self.text_prefixes.get_mut(prefix).expect("the prefix of each text is counted");
        *count -= 1;
        if *count == 0 {
            self.text_prefixes.remove(prefix);
        }
    }
}

fn lookup(table: &HashTable<u32>, of: &(impl Names + ?Sized), text: &str) -> Option<u32> {
    table.find(hash_text(text), |id| of.name(*id).as_str() == text).copied()
}

/// What would be the prefix if `text` spelled a hashed name.
fn text_prefix(text: &str) -> Option<&str> {
    let end = text.len().checked_sub(DIGEST_LEN)?;
    text.get(..end)
}

fn hash_of(name: &Name) -> u64 {
    match name.recipe() {
        Some((prefix, seed)) => hash_recipe(prefix, seed),
        None => hash_text(name.as_str()),
    }
}

fn hash_recipe(prefix: &str, seed: &str) -> u64 {
    FixedState::default().hash_one((prefix, seed))
}

fn hash_text(text: &str) -> u64 {
    FixedState::default().hash_one(text)
}
