//! What base chains reach: no loops, no rows of chains that are too long, no statement at a hook that does not have it.
//!
//! Each chain and set remembers how deep below a base chain it lies at most, and from which kinds of base chains it is
//! reached. Both only grow, so that a change costs what it reaches anew; where a bound is broken, all are counted again
//! before anybody is told.

use super::uses::{Reference, of_element, of_rule};
use super::{Content, Ruleset};
use crate::Hook;
use crate::nft::error::Error;
use crate::nft::{ChainType, NatKind, Rule, Statement};

/// The longest row of chains below a base chain.
/// Source: include/net/netfilter/nf_tables.h, NFT_JUMP_STACK_SIZE is 16, the base chain counted.
const DEPTH_MAX: u8 = 15;

/// How a chain or set is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// One more than the greatest depth below a base chain; 0 if none reaches it.
    deep: u8,
    /// One bit for each hook, of nat chains first, then of the others.
    from: u16,
}

impl Reached {
    fn base(kind: ChainType, hook: Hook) -> Reached {
        let shift = if kind == ChainType::Nat { 0 } else { 5 };
        Reached { deep: 1, from: 1 << (hook as u16 + shift) }
    }

    fn covers(self, other: Reached) -> bool {
        self.deep >= other.deep && self.from & other.from == other.from
    }

    fn with(self, other: Reached) -> Reached {
        Reached { deep: self.deep.max(other.deep), from: self.from | other.from }
    }

    fn below(self) -> Reached {
        Reached { deep: self.deep + 1, ..self }
    }
}

const fn nat_at(hooks: &[Hook]) -> u16 {
    let (mut bits, mut i) = (0, 0);
    while i < hooks.len() {
        bits |= 1 << hooks[i] as u16;
        i += 1;
    }
    bits
}

/// Where a statement is allowed, and how one says that.
/// Source: net/netfilter/nft_nat.c, nft_masq.c, nft_redir.c, nft_reject.c, v6.12, the `_validate` functions.
fn allowed(statement: &Statement) -> Option<(u16, &'static str, &'static str)> {
    const DST: u16 = nat_at(&[Hook::Prerouting, Hook::Output]);
    const SRC: u16 = nat_at(&[Hook::Postrouting, Hook::Input]);
    const POST: u16 = nat_at(&[Hook::Postrouting]);
    match statement {
        Statement::Nat(nat) => Some(match nat.kind {
            NatKind::Dnat => (DST, "dnat", "nat chains of prerouting and output"),
            NatKind::Redirect => (DST, "redirect", "nat chains of prerouting and output"),
            NatKind::Snat => (SRC, "snat", "nat chains of postrouting and input"),
            NatKind::Masquerade => (POST, "masquerade", "nat chains of postrouting"),
        }),
        Statement::Reject(_) => {
            Some((!(POST | POST << 5), "reject", "chains of prerouting, input, forward and output"))
        }
        _ => None,
    }
}

/// Something that is to be reached, and the chains on the way to it.
struct Walk<'a> {
    table: &'a mut Content,
    path: Vec<u64>,
}

impl Ruleset {
    /// A base chain was made.
    pub(super) fn reach_base(&mut self, table: u64, chain: u64) -> Result<(), Error> {
        self.reach(table, |walk| walk.base(chain))
    }

    /// A chain has a new rule at a place.
    pub(super) fn reach_rule(&mut self, table: u64, chain: u64, at: usize) -> Result<(), Error> {
        self.reach(table, |walk| {
            let content = walk.table.chain(chain);
            let (reached, rule) = (content.reached, content.rules[at].rule.clone());
            walk.path.push(chain);
            if reached.deep > 0 { walk.rule(chain, &rule, reached) } else { Ok(()) }
        })
    }

    /// A set has a new element.
    pub(super) fn reach_element(&mut self, table: u64, set: u64, number: u64) -> Result<(), Error> {
        self.reach(table, |walk| {
            let content = &walk.table.sets[&set];
            if content.reached.deep > 0 { walk.element(set, number, content.reached) } else { Ok(()) }
        })
    }

    fn reach(
        &mut self,
        table: u64,
        work: impl FnOnce(&mut Walk<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let content = self.content(table);
        let tried = work(&mut Walk { table: content, path: Vec::new() });
        if tried.is_ok() { tried } else { content.recount() }
    }
}

impl Content {
    /// Counts anew from all base chains.
    pub(super) fn recount(&mut self) -> Result<(), Error> {
        self.chains.values_mut().for_each(|chain| chain.reached = Reached::default());
        self.sets.values_mut().for_each(|set| set.reached = Reached::default());
        let bases: Vec<u64> =
            self.chains.iter().filter(|(_, each)| each.chain.base.is_some()).map(|(id, _)| *id).collect();
        let mut walk = Walk { table: self, path: Vec::new() };
        bases.into_iter().try_for_each(|base| walk.base(base))
    }
}

impl Walk<'_> {
    fn base(&mut self, chain: u64) -> Result<(), Error> {
        let base = self.table.chain(chain).chain.base.expect("only base chains begin a walk");
        self.chain(chain, Reached::base(base.kind, base.hook))
    }

    fn chain(&mut self, id: u64, from: Reached) -> Result<(), Error> {
        let content = self.table.chains.get_mut(&id).expect("a chain that is referred to is there");
        if content.reached.covers(from) && !self.path.contains(&id) {
            return Ok(());
        }
        let (table, chain) = (self.table.table.to_string(), content.chain.name.to_string());
        if self.path.contains(&id) {
            return Err(Error::JumpLoop { table, chain });
        }
        if from.deep > DEPTH_MAX + 1 {
            return Err(Error::TooDeep { table, chain, allowed: DEPTH_MAX });
        }
        let reached = content.reached.with(from);
        content.reached = reached;
        self.path.push(id);
        self.rules(id, reached)?;
        self.path.pop();
        Ok(())
    }

    fn rules(&mut self, id: u64, reached: Reached) -> Result<(), Error> {
        let rules: Vec<_> = self.table.chain(id).rules.iter().map(|each| each.rule.clone()).collect();
        rules.iter().try_for_each(|rule| self.rule(id, rule, reached))
    }

    fn rule(&mut self, id: u64, rule: &Rule, reached: Reached) -> Result<(), Error> {
        for statement in &rule.statements {
            self.statement(id, statement, reached)?;
        }
        let mut references = Vec::new();
        of_rule(rule, &mut |reference| references.push(reference));
        references.iter().try_for_each(|reference| self.reference(reference, reached))
    }

    fn statement(&self, id: u64, statement: &Statement, reached: Reached) -> Result<(), Error> {
        let Some((hooks, statement, allowed)) = allowed(statement) else { return Ok(()) };
        if reached.from & !hooks == 0 {
            return Ok(());
        }
        let (table, chain) = (self.table.table.to_string(), self.table.chain(id).chain.name.to_string());
        Err(Error::NotAtHook { table, chain, statement, allowed })
    }

    fn reference(&mut self, reference: &Reference<'_>, reached: Reached) -> Result<(), Error> {
        match reference {
            Reference::Chain(name) => self.chain(self.table.chain_ids[*name], reached.below()),
            Reference::Set(name) => self.set(self.table.set_ids[*name], reached),
            Reference::Object(_) => Ok(()),
        }
    }

    /// A set lies as deep as the chains whose rules look it up.
    fn set(&mut self, id: u64, from: Reached) -> Result<(), Error> {
        let content = self.table.sets.get_mut(&id).expect("a set that is referred to is there");
        if content.set.data.is_none() || content.reached.covers(from) {
            return Ok(());
        }
        content.reached = content.reached.with(from);
        let (reached, numbers) = (content.reached, content.elements.numbers());
        numbers.into_iter().try_for_each(|number| self.element(id, number, reached))
    }

    fn element(&mut self, set: u64, number: u64, reached: Reached) -> Result<(), Error> {
        let stored = self.table.sets[&set].elements.get(number).expect("the element was just put in");
        let element = stored.element.clone();
        let mut references = Vec::new();
        of_element(&element, &mut |reference| references.push(reference));
        references.iter().try_for_each(|reference| self.reference(reference, reached))
    }
}
