//! The steps of a walk, for those who want to see them.

use super::Then;
use crate::nft::{Rule, Settable, Statement, Table, Verdict};
use crate::vm::{self, Silent};
use crate::{Name, Policy};

/// Listens to a walk. A listener that is not [`ON`](Listen::ON) costs nothing.
pub trait Listen {
    /// Whether steps are reported at all.
    const ON: bool;

    /// A step, in order. `make` runs only if somebody listens.
    fn event(&mut self, make: impl FnOnce() -> Event);
}

/// A step of a walk, with the things that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The table.
    pub table: Table,
    /// The chain.
    pub chain: Name,
    /// What happened.
    pub what: What,
}

/// What happens in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The packet enters the chain.
    Enter,
    /// A rule was met to its end.
    Rule {
        /// The rule's place in the chain, from 1.
        number: usize,
        /// The rule, as nft prints it.
        text: String,
        /// What it did.
        outcome: Outcome,
    },
    /// The chain ended: back to its caller.
    End,
    /// No rule decided: the base chain's policy did.
    Policy(Policy),
}

/// What a rule did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing that shows: the next rule.
    Continue,
    /// The packet's mark was set.
    Mark(u32),
    /// A verdict that leads on: `jump`, `goto`, `return`, `continue`.
    Lead(Verdict),
    /// It was decided.
    Verdict(vm::Verdict),
}

pub(super) fn outcome(rule: &Rule, then: &Then, mark: u32) -> Outcome {
    let sets_mark = |each: &Statement| matches!(each, Statement::Set { target: Settable::Mark, .. });
    match then {
        Then::Done(verdict) => Outcome::Verdict(*verdict),
        Then::Lead(Verdict::Accept) => Outcome::Verdict(vm::Verdict::Accept),
        Then::Lead(Verdict::Drop) => Outcome::Verdict(vm::Verdict::Drop),
        Then::Lead(verdict) => Outcome::Lead(verdict.clone()),
        Then::Unmet | Then::Next if rule.statements.iter().any(sets_mark) => Outcome::Mark(mark),
        Then::Unmet | Then::Next => Outcome::Continue,
    }
}

impl Listen for Silent {
    const ON: bool = false;

    fn event(&mut self, _: impl FnOnce() -> Event) {}
}

/// Keeps every step.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// The steps, in order.
    pub events: Vec<Event>,
}

impl Listen for Recorder {
    const ON: bool = true;

    fn event(&mut self, make: impl FnOnce() -> Event) {
        self.events.push(make());
    }
}
