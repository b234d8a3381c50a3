//! What base chains of nftables say of a packet.
//!
//! Source: net/netfilter/nf_tables_core.c, v6.12, `nft_do_chain`.

mod hash;
mod load;
mod lookup;
mod meters;
mod perform;
mod rewrite;
mod state;
#[cfg(test)]
mod tests;
mod trace;

use smallvec::SmallVec;

pub use self::state::State;
pub use self::trace::{Event, Listen, Outcome, Recorder, What};
use super::ruleset::{BaseChain, Content, Installed};
use super::{Ruleset, Verdict};
use crate::Policy;
use crate::vm::{self, Choose, Frame, Locality, Walk};

/// What a walk needs beside the rules and the packet.
pub struct Around<'a, L, C, T> {
    /// Whose addresses are whose.
    pub locality: &'a L,
    /// What sets, counters and limits remember.
    pub state: &'a mut State,
    /// Who decides what is left to chance.
    pub choose: &'a mut C,
    /// Who listens.
    pub trace: &'a mut T,
}

/// What comes after a rule.
enum Then {
    /// A statement did not match.
    Unmet,
    /// The next rule.
    Next,
    /// A verdict that leads on.
    Lead(Verdict),
    /// It is decided.
    Done(vm::Verdict),
}

/// A chain, and the place of the next rule in it.
#[derive(Clone, Copy)]
struct Place {
    chain: u64,
    next: usize,
}

impl Ruleset {
    /// What a base chain says of the packet.
    pub fn evaluate<L: Locality, C: Choose, T: Listen>(
        &self,
        base: &BaseChain,
        frame: &mut Frame<'_>,
        around: &mut Around<'_, L, C, T>,
    ) -> Walk {
        let home = self.table(base.table);
        let mut walker = Walker { home, around, rules_walked: 0, callers: SmallVec::new() };
        let verdict = walker.run(base.chain, frame).unwrap_or_else(|| walker.policy(base));
        Walk { verdict, rules_walked: walker.rules_walked }
    }
}

struct Walker<'w, 'a, L, C, T> {
    home: &'w Content,
    around: &'w mut Around<'a, L, C, T>,
    rules_walked: u64,
    /// Where to go on when a chain ends: no more than the rule set was checked for.
    callers: SmallVec<[Place; 16]>,
}

impl<L: Locality, C: Choose, T: Listen> Walker<'_, '_, L, C, T> {
    /// Walks until a rule decides; `None` if none does.
    fn run(&mut self, base: u64, frame: &mut Frame<'_>) -> Option<vm::Verdict> {
        let mut at = self.enter(base);
        loop {
            let rules = &self.home.chain(at.chain).rules;
            let Some(rule) = rules.get(at.next) else {
                self.tell(at.chain, || What::End);
                at = self.callers.pop()?;
                continue;
            };
            at.next += 1;
            self.rules_walked += 1;
            let then = self.perform(rule, frame);
            self.tell_rule(at, rule, &then, frame);
            match then {
                Then::Unmet | Then::Next | Then::Lead(Verdict::Continue) => {}
                Then::Done(verdict) => return Some(verdict),
                Then::Lead(Verdict::Accept) => return Some(vm::Verdict::Accept),
                Then::Lead(Verdict::Drop) => return Some(vm::Verdict::Drop),
                Then::Lead(Verdict::Return) => at = self.callers.pop()?,
                Then::Lead(Verdict::Jump(to)) => {
                    self.callers.push(at);
                    at = self.enter(self.home.chain_id(&to).expect("a chain that a rule leads to is there"));
                }
                Then::Lead(Verdict::Goto(to)) => {
                    at = self.enter(self.home.chain_id(&to).expect("a chain that a rule leads to is there"));
                }
            }
        }
    }

    fn enter(&mut self, chain: u64) -> Place {
        self.tell(chain, || What::Enter);
        Place { chain, next: 0 }
    }

    fn policy(&mut self, base: &BaseChain) -> vm::Verdict {
        let policy = base.base.policy;
        self.tell(base.chain, || What::Policy(policy));
        match policy {
            Policy::Accept => vm::Verdict::Accept,
            Policy::Drop => vm::Verdict::Drop,
        }
    }

    fn tell(&mut self, chain: u64, what: impl FnOnce() -> What) {
        let home = self.home;
        self.around.trace.event(|| Event {
            table: home.table.clone(),
            chain: home.chain(chain).chain.name.clone(),
            what: what(),
        });
    }

    fn tell_rule(&mut self, at: Place, rule: &Installed, then: &Then, frame: &Frame<'_>) {
        if T::ON && !matches!(then, Then::Unmet) {
            let family = self.home.table.family;
            let outcome = trace::outcome(&rule.rule, then, frame.mark);
            let text = super::print_rule(family, &rule.rule);
            self.tell(at.chain, || What::Rule { number: at.next, text, outcome });
        }
    }
}
