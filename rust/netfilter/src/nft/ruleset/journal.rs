//! What a transaction did, so that it can be taken back.

use super::elements::Stored;
use super::{BaseChain, ChainContent, Content, Installed, Ruleset, SetContent};
use crate::Policy;
use crate::nft::Object;

use std::sync::Arc;

/// Something that was done, and what takes it back.
pub(super) enum Done {
    TableMade(u64),
    TableTaken(u64, Box<Content>),
    ChainMade(u64, u64),
    ChainTaken(u64, u64, Box<ChainContent>),
    PolicySet(u64, u64, Policy),
    RuleMade(u64, u64, usize),
    RuleTaken(u64, u64, usize, Installed),
    SetMade(u64, u64),
    SetTaken(u64, u64, Box<SetContent>),
    ElementMade(u64, u64, u64),
    ElementTaken(u64, u64, u64, Box<Stored>),
    ObjectMade(u64, Arc<str>),
    ObjectTaken(u64, (u64, Object)),
}

impl Ruleset {
    /// Takes one thing back.
    pub(super) fn take_back(&mut self, done: Done) {
        match done {
            Done::TableMade(table) => drop(self.take_table(table)),
            Done::TableTaken(table, content) => self.put_table(table, *content),
            Done::ChainMade(table, chain) => drop(self.take_chain(table, chain)),
            Done::ChainTaken(table, chain, content) => self.put_chain(table, chain, *content),
            Done::PolicySet(table, chain, policy) => drop(self.set_policy(table, chain, policy)),
            Done::RuleMade(table, chain, at) => drop(self.take_rule(table, chain, at)),
            Done::RuleTaken(table, chain, at, rule) => self.put_rule(table, chain, at, rule),
            Done::SetMade(table, set) => drop(self.take_set(table, set)),
            Done::SetTaken(table, set, content) => self.put_set(table, set, *content),
            Done::ElementMade(table, set, number) => drop(self.take_element(table, set, number)),
            Done::ElementTaken(table, set, number, stored) => self.put_element(table, set, number, *stored),
            Done::ObjectMade(table, name) => drop(self.content(table).objects.remove(&name)),
            Done::ObjectTaken(table, object) => {
                self.content(table).objects.insert(object.1.name.clone(), object);
            }
        }
    }

    pub(super) fn content(&mut self, table: u64) -> &mut Content {
        self.tables.get_mut(&table).expect("a table's number is used while it is there")
    }

    pub(super) fn chain_mut(&mut self, table: u64, chain: u64) -> &mut ChainContent {
        self.content(table).chains.get_mut(&chain).expect("a chain's number is used while it is there")
    }

    pub(super) fn set_mut(&mut self, table: u64, set: u64) -> &mut SetContent {
        self.content(table).sets.get_mut(&set).expect("a set's number is used while it is there")
    }

    pub(super) fn put_table(&mut self, id: u64, content: Content) {
        self.by_name.insert(content.table.clone(), id);
        let family = content.table.family;
        for (chain, content) in &content.chains {
            self.register(id, *chain, content, family);
        }
        self.tables.insert(id, content);
    }

    pub(super) fn take_table(&mut self, id: u64) -> Content {
        let content = self.tables.remove(&id).expect("a table is taken out once");
        self.by_name.remove(&content.table);
        self.bases.retain(|base| base.table != id);
        content
    }

    pub(super) fn put_chain(&mut self, table: u64, id: u64, content: ChainContent) {
        let family = self.content(table).table.family;
        self.register(table, id, &content, family);
        let home = self.content(table);
        home.chain_ids.insert(content.chain.name.clone(), id);
        home.chains.insert(id, content);
    }

    pub(super) fn take_chain(&mut self, table: u64, id: u64) -> ChainContent {
        self.bases.retain(|base| (base.table, base.chain) != (table, id));
        let home = self.content(table);
        let content = home.chains.remove(&id).expect("a chain is taken out once");
        home.chain_ids.remove(&content.chain.name);
        content
    }

    /// Source: net/netfilter/core.c, v6.12, `nf_hook_entries_grow`: a new chain goes before those of equal priority.
    fn register(
        &mut self,
        table: u64,
        chain: u64,
        content: &ChainContent,
        family: super::super::TableFamily,
    ) {
        let Some(base) = content.chain.base else { return };
        let order = |each: &BaseChain| (each.base.priority, std::cmp::Reverse(each.chain));
        let new = BaseChain { table, chain, base, family };
        let at = self.bases.partition_point(|each| order(each) < order(&new));
        self.bases.insert(at, new);
    }

    /// Sets a base chain's policy; gives what it was.
    pub(super) fn set_policy(&mut self, table: u64, chain: u64, policy: Policy) -> Policy {
        let base = self.chain_mut(table, chain).chain.base.as_mut().expect("a base chain has a policy");
        let was = std::mem::replace(&mut base.policy, policy);
        for each in self.bases.iter_mut().filter(|each| (each.table, each.chain) == (table, chain)) {
            each.base.policy = policy;
        }
        was
    }

    pub(super) fn put_rule(&mut self, table: u64, chain: u64, at: usize, rule: Installed) {
        self.content(table).count_rule(&rule.rule, 1);
        self.chain_mut(table, chain).rules.insert(at, rule);
    }

    pub(super) fn take_rule(&mut self, table: u64, chain: u64, at: usize) -> Installed {
        let rule = self.chain_mut(table, chain).rules.remove(at);
        self.content(table).count_rule(&rule.rule, -1);
        rule
    }

    pub(super) fn put_set(&mut self, table: u64, id: u64, content: SetContent) {
        let home = self.content(table);
        home.set_ids.insert(content.set.name.clone(), id);
        home.sets.insert(id, content);
    }

    pub(super) fn take_set(&mut self, table: u64, id: u64) -> SetContent {
        let home = self.content(table);
        let content = home.sets.remove(&id).expect("a set is taken out once");
        home.set_ids.remove(&content.set.name);
        content
    }

    pub(super) fn put_element(&mut self, table: u64, set: u64, number: u64, stored: Stored) {
        self.content(table).count_element(&stored.element, 1);
        self.set_mut(table, set).elements.put(number, stored);
    }

    pub(super) fn take_element(&mut self, table: u64, set: u64, number: u64) -> Stored {
        let stored = self.set_mut(table, set).elements.take(number);
        self.content(table).count_element(&stored.element, -1);
        stored
    }
}
