//! The one way to change nftables' rules.

use std::sync::Arc;

use super::{Chain, Element, Object, Rule, Set, Table, TableFamily};
use crate::Name;

/// A change of a rule set; all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `flush ruleset`: every table, or those of one family.
    FlushRuleset(Option<TableFamily>),
    /// A step in one table.
    In(Table, Op),
}

/// A step in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// `add table`, with its comment: makes it unless it is there.
    AddTable(Option<Arc<str>>),
    /// `delete table`.
    DeleteTable,
    /// `destroy table`: the same, if it is there.
    DestroyTable,
    /// `flush table`: takes every rule out of every chain.
    FlushTable,
    /// `add chain`: makes it unless it is there; a base chain that is there gets the policy.
    AddChain(Chain),
    /// `flush chain`: takes its rules out.
    FlushChain(Name),
    /// `delete chain`: its rules go with it; nobody may refer to it.
    DeleteChain(Name),
    /// `destroy chain`: the same, if it is there.
    DestroyChain(Name),
    /// `add rule`: at the end.
    AddRule(Name, Rule),
    /// `insert rule`: at the top.
    InsertRule(Name, Rule),
    /// `delete rule CHAIN handle N`.
    DeleteRule(Name, u64),
    /// `add set`, `add map`: makes it unless it is there.
    AddSet(Set),
    /// `flush set`: takes its elements out.
    FlushSet(Arc<str>),
    /// `delete set`: nobody may refer to it.
    DeleteSet(Arc<str>),
    /// `destroy set`: the same, if it is there.
    DestroySet(Arc<str>),
    /// `add element`: one that is there is left as it is, and must give the same data.
    AddElements(Arc<str>, Vec<Element>),
    /// `create element`: none of them may be there.
    CreateElements(Arc<str>, Vec<Element>),
    /// `delete element`: each must be there; only their keys count.
    DeleteElements(Arc<str>, Vec<Element>),
    /// `destroy element`: the same, those that are there.
    DestroyElements(Arc<str>, Vec<Element>),
    /// `add counter`, `add quota`, `add limit`.
    AddObject(Object),
    /// `delete counter`, `delete quota`, `delete limit`.
    DeleteObject(Arc<str>),
}

impl Transaction {
    /// An empty one.
    pub fn new() -> Transaction {
        Transaction::default()
    }

    /// Adds a step in a table.
    pub fn push(&mut self, table: &Table, op: Op) {
        self.steps.push(Step::In(table.clone(), op));
    }
}
