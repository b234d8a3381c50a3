//! The one way to change rules: parsers emit transactions, the proxy emits transactions.

use std::fmt;
use std::sync::Arc;

use kdp_packet::Family;

use crate::{Match, Name, Rule};

/// A table of iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Before connection tracking.
    Raw,
    /// Changes of headers and marks.
    Mangle,
    /// Translation: sees the first packet of each connection.
    Nat,
    /// Accept, drop, reject.
    Filter,
    /// What a security module adds; behind the filter.
    Security,
}

impl Table {
    /// All, in the order in which a packet meets them.
    pub const ALL: [Table; 5] = [Table::Raw, Table::Mangle, Table::Nat, Table::Filter, Table::Security];

    /// All, in the order in which iptables-save lists them.
    /// Source: iptables 1.8.9 (nf_tables), `enum nft_table_type` in iptables/nft.h.
    pub const LISTING: [Table; 5] = [Table::Mangle, Table::Security, Table::Raw, Table::Filter, Table::Nat];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Table::Raw => "raw",
            Table::Mangle => "mangle",
            Table::Nat => "nat",
            Table::Filter => "filter",
            Table::Security => "security",
        }
    }

    /// The chains that the kernel calls from its hooks, in hook order.
    pub const fn base_chains(self) -> &'static [&'static str] {
        match self {
            Table::Raw => &["PREROUTING", "OUTPUT"],
            Table::Mangle => &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
            Table::Nat => &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
            Table::Filter | Table::Security => &["INPUT", "FORWARD", "OUTPUT"],
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a base chain does with a packet that no rule decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It goes on.
    #[default]
    Accept,
    /// It is gone.
    Drop,
}

/// A change of a rule set; all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// iptables or ip6tables.
    pub family: Family,
    /// The steps, in order.
    pub ops: Vec<(Table, Op)>,
}

/// One step, in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Empties the whole table (what iptables-restore does without `--noflush`).
    FlushTable,
    /// `:NAME - [0:0]`: makes the chain if it is not there, empties it if it is.
    Chain(Name),
    /// `-N`: makes the chain, which must not be there.
    NewChain(Name),
    /// `:INPUT DROP [0:0]`: sets a base chain's policy, and keeps its rules.
    Policy(Name, Policy),
    /// `-A`: a rule at the end.
    Append(Name, Rule),
    /// `-I`: a rule at the top.
    Prepend(Name, Rule),
    /// `-I CHAIN n`: a rule that becomes the n-th, from 1; at most one behind the last.
    Insert(Name, usize, Rule),
    /// `-I` unless an equal rule is anywhere in the chain: how kube-proxy puts its jumps in.
    EnsureTop(Name, Rule),
    /// `-D`: the first rule equal to this.
    Delete(Name, Rule),
    /// `-D CHAIN n`: the n-th rule, from 1.
    DeleteAt(Name, usize),
    /// `-F`: takes every rule out of a chain, or of every chain of the table.
    Flush(Option<Name>),
    /// `-X CHAIN`: a chain that is empty and that nobody calls.
    DeleteChain(Name),
    /// `-X`: every user chain of the table.
    DeleteChains,
}

impl Transaction {
    /// Whether it puts in a rule that asks how much connections carried.
    pub fn counts_connections(&self) -> bool {
        let counts = |rule: &Rule| rule.matches.iter().any(|test| matches!(test, Match::ConnBytes(_)));
        self.ops.iter().any(|(_, op)| match op {
            Op::Append(_, rule) | Op::Prepend(_, rule) | Op::Insert(_, _, rule) | Op::EnsureTop(_, rule) => {
                counts(rule)
            }
            _ => false,
        })
    }

    /// The first set that a rule of it asks for and `known` does not know, with the rule's chain.
    pub fn missing_set(&self, known: impl Fn(&str) -> bool) -> Option<(String, Arc<str>)> {
        self.ops.iter().find_map(|(table, op)| {
            let (Op::Append(chain, rule)
            | Op::Prepend(chain, rule)
            | Op::Insert(chain, _, rule)
            | Op::EnsureTop(chain, rule)) = op
            else {
                return None;
            };
            let missing = rule.matches.iter().find_map(|test| match test {
                Match::Set(test) if !known(&test.set) => Some(test.set.clone()),
                _ => None,
            });
            missing.map(|set| (format!("table {table}, chain {chain}"), set))
        })
    }

    /// An empty one.
    pub fn new(family: Family) -> Transaction {
        Transaction { family, ops: Vec::new() }
    }

    /// Adds a step.
    pub fn push(&mut self, table: Table, op: Op) {
        self.ops.push((table, op));
    }
}
