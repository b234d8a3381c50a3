//! Sections and fixed rules in the order of kube-proxy's restore input, as the steps of a transaction.

use kdp_netfilter::{Name, Op, Rule, Ruleset, Table, Transaction};

use super::chains::{CHAINS, SERVICE_PREFIXES, Shared};
use super::fixed;
use super::jumps::jumps;
use super::section::Section;
use crate::config::Settings;

/// Which of the shared parts a transaction carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The chains that do not depend on Services.
    pub(crate) fixed: bool,
    /// Shared chains, by [`Shared`].
    pub(crate) shared: [bool; Shared::ALL.len()],
}

impl Scope {
    /// Everything: what kube-proxy writes at every sync, a partial one too.
    pub(crate) const WHOLE: Scope = Scope { fixed: true, shared: [true; Shared::ALL.len()] };
    /// Nothing but the sections.
    pub(crate) const SECTIONS: Scope = Scope { fixed: false, shared: [false; Shared::ALL.len()] };

    fn covers(self, chain: Shared) -> bool {
        self.shared[chain as usize]
    }
}

/// The steps that a full sync makes beside the restore input: canaries, chains that must be there, and the calls.
pub(crate) fn ensure(transaction: &mut Transaction, ruleset: &Ruleset) {
    for table in [Table::Mangle, Table::Nat, Table::Filter] {
        ensure_chain(transaction, ruleset, table, &CHAINS.canary);
    }
    for (table, _, called, _) in jumps() {
        ensure_chain(transaction, ruleset, table, called);
    }
    for (table, from, _, rule) in jumps() {
        transaction.push(table, Op::EnsureTop(Name::text(from), rule));
    }
}

/// Makes a chain if it is not there. One that is there is not emptied: KUBE-FIREWALL is kubelet's too.
fn ensure_chain(transaction: &mut Transaction, ruleset: &Ruleset, table: Table, name: &Name) {
    let op = Op::Chain(name.clone());
    if ruleset.find(table, name).is_none() && !transaction.ops.contains(&(table, op.clone())) {
        transaction.push(table, op);
    }
}

/// Whether the canaries of a former sync are still there.
pub fn canaries_live(ruleset: &Ruleset) -> bool {
    [Table::Mangle, Table::Nat, Table::Filter]
        .iter()
        .all(|table| ruleset.find(*table, &CHAINS.canary).is_some())
}

/// Chains of service ports in a rule set, by name.
pub(crate) fn service_chains(ruleset: &Ruleset) -> impl Iterator<Item = &Name> {
    let names = ruleset.chains(Table::Nat).into_iter().map(|id| ruleset.chain(id).name());
    names.filter(|name| SERVICE_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)))
}

/// What goes into one restore input.
pub(crate) struct Input<'a, I> {
    pub(crate) settings: &'a Settings,
    pub(crate) scope: Scope,
    /// Rules of shared chains, of all service ports in their order.
    pub(crate) shared: I,
    /// Changes inside shared chains that are out of scope.
    pub(crate) edits: Vec<(Table, Op)>,
    /// Sections whose own chains are written.
    pub(crate) sections: Vec<Section>,
    /// Chains that nobody calls any more.
    pub(crate) stale: Vec<Name>,
}

impl<'a, I: Iterator<Item = &'a (Shared, Rule)> + Clone> Input<'a, I> {
    /// Adds the steps.
    ///
    /// Rules of shared chains come before those of chains of one service port; kube-proxy takes them in turns. What the
    /// kernel has in the end is the same.
    pub(crate) fn write(mut self, transaction: &mut Transaction) {
        self.open(transaction, Table::Filter);
        if self.scope.fixed {
            append(transaction, Table::Filter, fixed::filter_first(self.settings));
        }
        self.append_shared(transaction, Table::Filter);
        if self.scope.fixed {
            append(transaction, Table::Filter, fixed::filter_last(self.settings));
        }
        self.open(transaction, Table::Nat);
        let chains = self.sections.iter().flat_map(Section::opened).chain(&self.stale);
        transaction.ops.extend(chains.map(|chain| (Table::Nat, Op::Chain(chain.clone()))));
        if self.scope.fixed {
            append(transaction, Table::Nat, fixed::nat_first(self.settings));
        }
        self.append_shared(transaction, Table::Nat);
        transaction.ops.extend(std::mem::take(&mut self.edits));
        for section in self.sections {
            let own = section.rules.into_iter().map(|(chain, rule)| (Table::Nat, Op::Append(chain, rule)));
            transaction.ops.extend(own);
        }
        transaction.ops.extend(self.stale.into_iter().map(|chain| (Table::Nat, Op::DeleteChain(chain))));
        if self.scope.covers(Shared::NatServices) {
            for rule in fixed::nat_services_last(self.settings) {
                transaction.push(Table::Nat, Op::Append(CHAINS.services.clone(), rule));
            }
        }
    }

    /// Makes or empties the chains of a table that are written.
    fn open(&self, transaction: &mut Transaction, table: Table) {
        for chain in
            Shared::ALL.into_iter().filter(|chain| chain.table() == table && self.scope.covers(*chain))
        {
            transaction.push(table, Op::Chain(chain.chain().clone()));
        }
        if self.scope.fixed {
            for chain in fixed::chains(self.settings, table) {
                transaction.push(table, Op::Chain(chain.clone()));
            }
        }
    }

    fn append_shared(&self, transaction: &mut Transaction, table: Table) {
        if !Shared::ALL.iter().any(|chain| chain.table() == table && self.scope.covers(*chain)) {
            return;
        }
        for (chain, rule) in self.shared.clone() {
            if chain.table() == table && self.scope.covers(*chain) {
                transaction.push(table, Op::Append(chain.chain().clone(), rule.clone()));
            }
        }
    }
}

fn append(transaction: &mut Transaction, table: Table, rules: Vec<(&'static Name, Rule)>) {
    let ops = rules.into_iter().map(|(chain, rule)| (table, Op::Append(chain.clone(), rule)));
    transaction.ops.extend(ops);
}
