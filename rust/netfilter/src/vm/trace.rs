//! The steps of a walk, for those who want to see them.

use super::Verdict;
use crate::{ChainId, Name, Policy, Rule, Ruleset, Table};

/// Listens to a walk. A listener that is not [`ON`](Trace::ON) costs nothing.
pub trait Trace {
    /// Whether steps are reported at all.
    const ON: bool;

    /// A step, in order. The rule set is the one that is walked.
    fn step(&mut self, ruleset: &Ruleset, step: Step);
}

/// A step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where.
    pub chain: ChainId,
    /// What.
    pub what: What,
}

/// What happens in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The packet enters the chain.
    Enter,
    /// All tests of a rule passed.
    Rule {
        /// The rule's place in the chain, from 1.
        number: usize,
        /// What its target did.
        outcome: Outcome,
    },
    /// The chain ended: back to its caller.
    End,
    /// No rule decided: the base chain's policy did.
    Policy(Policy),
}

/// What a target did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: the next rule.
    Continue,
    /// The mark was changed.
    Mark {
        /// What it was.
        from: u32,
        /// What it is.
        to: u32,
    },
    /// Conntrack shall leave the packet alone.
    Notrack,
    /// On in another chain, and then back.
    Jump,
    /// On in another chain, and then back to this chain's caller.
    Goto,
    /// Back to the caller.
    Return,
    /// It was decided.
    Verdict(Verdict),
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Trace for Silent {
    const ON: bool = false;

    fn step(&mut self, _: &Ruleset, _: Step) {}
}

/// Keeps every step, in a form that outlives the rule set.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// The steps, in order.
    pub events: Vec<Event>,
}

/// A step with the things that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The table.
    pub table: Table,
    /// The chain.
    pub chain: Name,
    /// What happened.
    pub what: What,
    /// The rule, where a rule matched.
    pub rule: Option<Rule>,
}

impl Trace for Recorder {
    const ON: bool = true;

    fn step(&mut self, ruleset: &Ruleset, step: Step) {
        let chain = ruleset.chain(step.chain);
        let rule = match step.what {
            What::Rule { number, .. } => Some(chain.rules()[number - 1].rule().clone()),
            What::Enter | What::End | What::Policy(_) => None,
        };
        self.events.push(Event { table: chain.table(), chain: chain.name().clone(), what: step.what, rule });
    }
}
