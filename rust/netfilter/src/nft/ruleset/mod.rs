//! Tables with what is in them, and the change of them by transactions.

mod apply;
mod check;
mod elements;
mod journal;
mod reach;
#[cfg(test)]
mod tests;
mod uses;

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_packet::Family;
use kdp_sim::Time;

pub(crate) use self::elements::{Elements, Key};
pub(super) use self::reach::Reached;
use super::{Chain, ChainType, Object, ObjectKind, Rule, Set, Spans, State, Table, Transaction};
use crate::vm::Count;
use crate::{Error, Hook, Name};

/// nftables' rules of one box: tables of all families.
///
/// Everything has a number that is never given again, so that state kept outside (timeouts, counters) cannot be another's.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    tables: BTreeMap<u64, Content>,
    by_name: BTreeMap<Table, u64>,
    handles: u64,
    /// Base chains by priority; of equal ones the latest is first.
    bases: Vec<BaseChain>,
    counts_connections: bool,
}

/// A base chain, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseChain {
    pub(crate) table: u64,
    pub(crate) chain: u64,
    pub(crate) base: super::Base,
    family: super::TableFamily,
}

/// A table with what is in it, by number: the order in which it was made.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) table: Table,
    pub(crate) comment: Option<Arc<str>>,
    pub(crate) chains: BTreeMap<u64, ChainContent>,
    chain_ids: HashMap<Name, u64, FixedState>,
    pub(crate) sets: BTreeMap<u64, SetContent>,
    set_ids: HashMap<Arc<str>, u64, FixedState>,
    pub(crate) objects: BTreeMap<Arc<str>, (u64, Object)>,
}

/// A chain with its rules.
#[derive(Clone, Debug)]
pub(crate) struct ChainContent {
    pub(crate) chain: Chain,
    pub(crate) rules: Vec<Installed>,
    uses: u32,
    reached: Reached,
}

/// A rule in its place.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) handle: u64,
    pub(crate) rule: Arc<Rule>,
}

/// A set or map with its elements.
#[derive(Clone, Debug)]
pub(crate) struct SetContent {
    pub(crate) set: Set,
    pub(crate) elements: Elements,
    uses: u32,
    reached: Reached,
}

impl Ruleset {
    /// One without tables.
    pub fn new() -> Ruleset {
        Ruleset::default()
    }

    /// Does all of the transaction, or nothing of it. `now` is when timeouts of its elements begin.
    pub fn apply(&mut self, transaction: &Transaction, now: Time) -> Result<(), Error> {
        self.apply_steps(transaction, now).map_err(|(_, error)| error.into())
    }

    /// The same; an error comes with its step.
    pub(crate) fn apply_steps(
        &mut self,
        transaction: &Transaction,
        now: Time,
    ) -> Result<(), (usize, super::Error)> {
        apply::apply(self, transaction, now)
    }

    /// Whether a rule ever read how many packets or bytes a connection has had: then the kernel counts them from now on.
    /// Source: net/netfilter/nft_ct.c `nft_ct_get_init`, v6.12, `nf_ct_set_acct`.
    pub fn counts_connections(&self) -> bool {
        self.counts_connections
    }

    /// Whether there is a nat chain that sees packets of the family: then packets of it are translated.
    /// Source: net/netfilter/nf_nat_core.c, v6.12, `nf_nat_register_fn`: the first nat chain brings all hooks.
    pub fn has_nat(&self, family: Family) -> bool {
        self.bases.iter().any(|base| base.base.kind == ChainType::Nat && base.family.sees(family))
    }

    /// Whether there is no table.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Base chains that a hook calls for packets of a family, in order: those that translate (`nat`), or the others.
    pub fn bases(&self, hook: Hook, family: Family, nat: bool) -> impl Iterator<Item = &BaseChain> {
        self.bases.iter().filter(move |base| {
            base.base.hook == hook && (base.base.kind == ChainType::Nat) == nat && base.family.sees(family)
        })
    }

    /// Key types of a set or map, and what a map gives.
    pub fn shape(&self, table: &Table, set: &str) -> Option<(Vec<super::Type>, Option<super::MapsTo>)> {
        let content = &self.tables[self.by_name.get(table)?];
        let (_, content) = content.set_named(set)?;
        Some((content.set.key.clone(), content.set.data.clone()))
    }

    /// Named counters, quotas and limits of a table with what they counted, in the order in which they were made; `None` if there
    /// is no such table.
    pub fn objects(&self, table: &Table, state: &State) -> Option<Vec<(Object, Count)>> {
        let content = &self.tables[self.by_name.get(table)?];
        let mut objects: Vec<_> = content.objects.values().collect();
        objects.sort_by_key(|(number, _)| *number);
        Some(objects.into_iter().map(|(number, object)| (object.clone(), state.object(*number))).collect())
    }

    /// Sets the counters of a table back to zero; `false` if there is no such table.
    pub fn reset_counters(&self, table: &Table, state: &mut State) -> bool {
        let Some(content) = self.by_name.get(table).map(|number| &self.tables[number]) else { return false };
        for (number, object) in content.objects.values() {
            if object.kind == ObjectKind::Counter {
                state.forget_object(*number);
            }
        }
        true
    }

    /// Keys of a set or map that are alive, those that rules added behind its own; `None` if there is no such set.
    pub fn members(&self, table: &Table, set: &str, state: &State, now: Time) -> Option<Vec<Spans>> {
        let content = &self.tables[self.by_name.get(table)?];
        let (number, content) = content.set_named(set)?;
        let own = content.elements.listed().into_iter().filter(|stored| stored.is_alive(now));
        let own = own.map(|stored| stored.element.key.clone());
        let own = own.filter(|key| !state.knows(number, key));
        Some(own.chain(state.members(number, now)).collect())
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Content> {
        self.tables.values()
    }

    pub(crate) fn table(&self, id: u64) -> &Content {
        self.tables.get(&id).expect("a table's number is used while it is there")
    }

    pub(crate) fn has_set(&self, number: u64) -> bool {
        self.tables.values().any(|content| content.sets.contains_key(&number))
    }
}

impl BaseChain {
    /// Its type, hook, priority and policy.
    pub const fn base(&self) -> super::Base {
        self.base
    }
}

impl Content {
    fn new(table: Table, comment: Option<Arc<str>>) -> Content {
        Content {
            table,
            comment,
            chains: BTreeMap::new(),
            chain_ids: HashMap::default(),
            sets: BTreeMap::new(),
            set_ids: HashMap::default(),
            objects: BTreeMap::new(),
        }
    }

    pub(crate) fn chain(&self, id: u64) -> &ChainContent {
        self.chains.get(&id).expect("a chain's number is used while it is there")
    }

    pub(crate) fn chain_id(&self, name: &Name) -> Option<u64> {
        self.chain_ids.get(name).copied()
    }

    pub(crate) fn set_id(&self, name: &str) -> Option<u64> {
        self.set_ids.get(name).copied()
    }

    pub(crate) fn set_named(&self, name: &str) -> Option<(u64, &SetContent)> {
        let id = self.set_id(name)?;
        Some((id, &self.sets[&id]))
    }
}
