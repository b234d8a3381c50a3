//! Tables, chains and rules as they are installed.

mod apply;
mod hook;
mod lists;
mod names;
mod reach;
mod slots;
#[cfg(test)]
mod tests;

use kdp_packet::Family;
use smallvec::SmallVec;

pub use self::apply::Applied;
pub use self::hook::Hook;
use self::lists::Lists;
use self::names::{NameIndex, Names};
pub use self::reach::DEPTH_MAX;
pub use self::slots::Slot;
use self::slots::Slots;
use crate::vm::Heads;
use crate::{Name, Policy, Rule, Table};

/// A chain of a [`Ruleset`]. Numbers of deleted chains are given away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(u32);

impl ChainId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The iptables rules of one family in one network namespace.
///
/// The four tables and their base chains are always there for packets; a table is *listed* once a transaction named it.
#[derive(Clone)]
pub struct Ruleset {
    family: Family,
    chains: Vec<Option<Chain>>,
    free: Vec<ChainId>,
    tables: [TableChains; Table::ALL.len()],
    slots: Slots,
    lists: Lists,
    version: u64,
}

/// The chains of a table.
#[derive(Clone, Default)]
struct TableChains {
    /// Whether a transaction named the table.
    listed: bool,
    base: [Option<ChainId>; Hook::ALL.len()],
    /// All of them, in no order.
    members: Vec<ChainId>,
    names: NameIndex,
}

/// A chain and its rules.
#[derive(Clone)]
pub struct Chain {
    name: Name,
    table: Table,
    base: Option<(Hook, Policy)>,
    /// Whether the policy's decisions are counted.
    counts: bool,
    rules: Vec<Installed>,
    pub(crate) heads: Heads,
    version: u64,
    references: u32,
    /// At least the number of chains above it in the longest row from a base chain, itself included; 0: none known.
    level: u8,
    /// At least the hooks whose base chains reach it, as bits.
    hooks: u8,
    /// Its place in `TableChains::members`.
    member: usize,
}

/// A rule in its chain.
#[derive(Clone, Debug)]
pub struct Installed {
    rule: Rule,
    jump: Option<ChainId>,
    slot: Slot,
    /// The state of its `nth` and `recent` tests, in the order of those tests.
    cells: SmallVec<[Slot; 1]>,
}

impl Ruleset {
    /// Four empty tables that accept everything.
    pub fn new(family: Family) -> Ruleset {
        let mut ruleset = Ruleset {
            family,
            chains: Vec::new(),
            free: Vec::new(),
            tables: Default::default(),
            slots: Slots::default(),
            lists: Lists::default(),
            version: 0,
        };
        for table in Table::ALL {
            for hook in Hook::ALL.into_iter().filter(|hook| hook.is_in(table)) {
                let id = ruleset.put_chain(Name::text(hook.as_str()), table, Some((hook, Policy::Accept)));
                ruleset.tables[table as usize].base[hook as usize] = Some(id);
            }
        }
        ruleset
    }

    /// IPv4 or IPv6.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The base chain of `table` at `hook`, if the table has one there.
    pub fn base_chain(&self, table: Table, hook: Hook) -> Option<ChainId> {
        self.tables[table as usize].base[hook as usize]
    }

    /// The chain of `table` called `name`.
    pub fn find(&self, table: Table, name: &Name) -> Option<ChainId> {
        self.tables[table as usize].names.find(&self.chains, name).map(ChainId)
    }

    /// A chain that is there.
    pub fn chain(&self, id: ChainId) -> &Chain {
        self.chains[id.index()].as_ref().expect("a chain id is used while its chain exists")
    }

    /// Whether a transaction named `table`, so that listings have it.
    pub fn is_listed(&self, table: Table) -> bool {
        self.tables[table as usize].listed
    }

    /// The chains of `table` in listing order: base chains in hook order, then the others by name.
    /// Source: iptables v1.8.9 (nf_tables), which sorts what the kernel gives it.
    pub fn chains(&self, table: Table) -> Vec<ChainId> {
        let mut ids = self.tables[table as usize].members.clone();
        ids.sort_by(|a, b| {
            let key = |id: &ChainId| {
                let chain = self.chain(*id);
                (chain.hook().is_none(), chain.hook())
            };
            key(a).cmp(&key(b)).then_with(|| self.chain(*a).name.as_str().cmp(self.chain(*b).name.as_str()))
        });
        ids
    }

    /// A number that grows with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The place of the `recent` list called `name`, while a rule names it.
    pub fn recent_list(&self, name: &Name) -> Option<Slot> {
        self.lists.find(name)
    }

    fn chain_mut(&mut self, id: ChainId) -> &mut Chain {
        self.chains[id.index()].as_mut().expect("a chain id is used while its chain exists")
    }

    fn tick(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Puts an empty chain in, whose name is free.
    fn put_chain(&mut self, name: Name, table: Table, base: Option<(Hook, Policy)>) -> ChainId {
        let chain = Chain {
            name,
            table,
            base,
            counts: false,
            rules: Vec::new(),
            heads: Heads::new(self.family),
            version: self.tick(),
            references: 0,
            level: u8::from(base.is_some()),
            hooks: base.map_or(0, |(hook, _)| 1 << hook as u8),
            member: 0,
        };
        let id = self.free.pop().unwrap_or_else(|| {
            self.chains.push(None);
            ChainId(u32::try_from(self.chains.len() - 1).expect("fewer than 2^32 chains"))
        });
        self.seat_chain(id, chain);
        id
    }

    /// Puts `chain` in under the free number `id`.
    fn seat_chain(&mut self, id: ChainId, mut chain: Chain) {
        let table = &mut self.tables[chain.table as usize];
        chain.member = table.members.len();
        table.members.push(id);
        self.chains[id.index()] = Some(chain);
        table.names.insert(&self.chains, id.0);
    }

    /// Takes a chain out; its number is not free yet.
    fn unseat_chain(&mut self, id: ChainId) -> Chain {
        let (table, member) = (self.chain(id).table, self.chain(id).member);
        let table = &mut self.tables[table as usize];
        table.names.remove(&self.chains, id.0);
        table.members.swap_remove(member);
        if let Some(moved) = table.members.get(member).copied() {
            self.chain_mut(moved).member = member;
        }
        self.chains[id.index()].take().expect("a chain that is taken out is there")
    }
}

impl Names for Vec<Option<Chain>> {
    fn name(&self, number: u32) -> &Name {
        &self[number as usize].as_ref().expect("a chain in the index is there").name
    }
}

impl Chain {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// The hook that calls it, if it is a base chain.
    pub fn hook(&self) -> Option<Hook> {
        self.base.map(|(hook, _)| hook)
    }

    /// Whether the policy's decisions are counted: iptables (nf_tables) makes base chains without counters, and gives them
    /// some when a text names the chain with its policy.
    /// Source: iptables 1.8.9, `nft_chain_set` in iptables/nft.c; observed with iptables-save -c.
    pub fn counts_policy(&self) -> bool {
        self.counts
    }

    /// Its policy, if it is a base chain.
    pub fn policy(&self) -> Option<Policy> {
        self.base.map(|(_, policy)| policy)
    }

    /// Its rules, in order.
    pub fn rules(&self) -> &[Installed] {
        &self.rules
    }

    /// A number that no other state of any chain of the rule set has: what is derived from the rules is stale if it
    /// has another.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many rules jump to it.
    pub fn references(&self) -> u32 {
        self.references
    }
}

impl Installed {
    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Where its target leads, if that is a chain.
    pub fn jump(&self) -> Option<ChainId> {
        self.jump
    }

    /// Where its counters are kept.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Where the state of its `nth` and `recent` tests is kept, in the order of those tests.
    pub(crate) fn cells(&self) -> &[Slot] {
        &self.cells
    }
}
