//! How deep jumps lead: what the kernel refuses to load.

use kdp_packet::Family;

use super::{ChainId, Hook, Ruleset};
use crate::{Error, HeaderEdit, PrefixTranslation, Rule, Table, Target};

/// How many user chains may follow one another below a base chain; `-g` counts as `-j` does.
/// Source: observed on Linux 6.18 (`NFT_JUMP_STACK_SIZE` is 16, the base chain included).
pub const DEPTH_MAX: usize = 15;

/// The level of a chain that may lie too deep.
const TOO_DEEP: u8 = 17;
const _: () = assert!(TOO_DEEP as usize == DEPTH_MAX + 2, "the base chain and one more than may follow");

impl Ruleset {
    /// Notes that a rule of `from` leads to `to`. False if a chain may now lie too deep, or below itself, or have a rule
    /// that a hook must not reach.
    ///
    /// Levels and hooks only grow, so they are upper bounds. That makes an edge cost what it changes; who meets a bound
    /// asks [`Ruleset::check_reach`], which counts anew.
    pub(super) fn raise(&mut self, from: ChainId, to: ChainId) -> bool {
        let mut sound = true;
        let mut waiting = vec![(from, to)];
        while let Some((from, to)) = waiting.pop() {
            let above = self.chain(from);
            let (level, hooks) = (above.level, above.hooks);
            let below = self.chain_mut(to);
            if level == 0 || below.level > level && below.hooks | hooks == below.hooks {
                continue;
            }
            below.hooks |= hooks;
            below.level = below.level.max((level + 1).min(TOO_DEEP - 1));
            if level + 1 >= TOO_DEEP {
                sound = false;
                continue;
            }
            let below = self.chain(to);
            sound &= below.rules.iter().all(|rule| allows(below.hooks, &rule.rule));
            waiting.extend(below.rules.iter().filter_map(|rule| Some((to, rule.jump?))));
        }
        sound
    }

    /// Counts the levels and the hooks of a table's chains from its base chains.
    pub(super) fn check_reach(&mut self, table: Table) -> Result<(), Error> {
        for id in self.tables[table as usize].members.clone() {
            let chain = self.chain_mut(id);
            chain.level = u8::from(chain.base.is_some());
            chain.hooks = chain.base.map_or(0, |(hook, _)| 1 << hook as u8);
        }
        for id in self.callers_first(table)? {
            self.check_hooks(id)?;
            let chain = self.chain(id);
            let (level, hooks) = (chain.level, chain.hooks);
            if usize::from(level) > DEPTH_MAX + 1 {
                let (chain, found) = (chain.name.to_string(), usize::from(level) - 1);
                return Err(Error::TooDeep { table, chain, found, allowed: DEPTH_MAX });
            }
            let below: Vec<ChainId> = chain.rules.iter().filter_map(|rule| rule.jump).collect();
            for to in below {
                let to = self.chain_mut(to);
                to.level = to.level.max(level + 1);
                to.hooks |= hooks;
            }
        }
        Ok(())
    }

    fn check_hooks(&self, id: ChainId) -> Result<(), Error> {
        let chain = self.chain(id);
        let Some(rule) = chain.rules.iter().find(|rule| !allows(chain.hooks, &rule.rule)) else {
            return Ok(());
        };
        let (table, name) = (chain.table, chain.name.to_string());
        let target = rule.rule.target.table().map_or("", |(target, _)| target);
        let allowed = rule.rule.target.hooks();
        let reaches = |hook: &Hook| chain.hooks >> *hook as u8 & 1 == 1 && !allowed.contains(hook);
        let found = Hook::ALL.into_iter().find(reaches).map_or("", Hook::as_str);
        let allowed = allowed.iter().map(|hook| hook.as_str()).collect::<Vec<_>>().join(", ");
        Err(Error::TargetNotAtHook { table, chain: name, target, found, allowed })
    }

    /// The chains that base chains reach, each before those that it leads to.
    fn callers_first(&self, table: Table) -> Result<Vec<ChainId>, Error> {
        let mut walk = Walk { met: vec![Met::No; self.chains.len()], done: Vec::new() };
        for hook in Hook::ALL {
            if let Some(base) = self.base_chain(table, hook) {
                walk.descend(self, base).map_err(|id| {
                    let chain = self.chain(id).name.to_string();
                    Error::JumpLoop { table, chain }
                })?;
            }
        }
        walk.done.reverse();
        Ok(walk.done)
    }
}

/// A walk in depth, on a stack of its own: chains may be a hundred thousand deep.
struct Walk {
    met: Vec<Met>,
    done: Vec<ChainId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    No,
    Open,
    Done,
}

impl Walk {
    /// Walks what `base` reaches. `Err` is a chain that leads to itself.
    fn descend(&mut self, ruleset: &Ruleset, base: ChainId) -> Result<(), ChainId> {
        if self.met[base.index()] == Met::Done {
            return Ok(());
        }
        self.met[base.index()] = Met::Open;
        let mut stack = vec![(base, 0)];
        while let Some((id, place)) = stack.pop() {
            let rules = &ruleset.chain(id).rules;
            let next = rules[place..].iter().position(|rule| rule.jump.is_some()).map(|skip| place + skip);
            let Some(next) = next else {
                self.met[id.index()] = Met::Done;
                self.done.push(id);
                continue;
            };
            stack.push((id, next + 1));
            let to = rules[next].jump.expect("the rule found has a jump");
            match self.met[to.index()] {
                Met::No => {
                    self.met[to.index()] = Met::Open;
                    stack.push((to, 0));
                }
                Met::Open => return Err(to),
                Met::Done => {}
            }
        }
        Ok(())
    }
}

/// Whether a rule may be reached from every hook of the set.
pub(super) fn allows(hooks: u8, rule: &Rule) -> bool {
    hooks & !allowed_hooks(rule) == 0
}

/// The hooks that may reach a rule, as bits.
pub(super) fn allowed_hooks(rule: &Rule) -> u8 {
    rule.target.hooks().iter().fold(0, |bits, hook| bits | 1 << *hook as u8)
}

impl Target {
    /// The name and the table of a target that one table alone has.
    pub(crate) fn table(&self) -> Option<(&'static str, Table)> {
        match self {
            Target::Reject(_) => Some(("REJECT", Table::Filter)),
            Target::Dnat(_) => Some(("DNAT", Table::Nat)),
            Target::Snat(_) => Some(("SNAT", Table::Nat)),
            Target::Masquerade(_) => Some(("MASQUERADE", Table::Nat)),
            Target::Redirect(_) => Some(("REDIRECT", Table::Nat)),
            Target::Netmap(_) => Some(("NETMAP", Table::Nat)),
            Target::Prefix(prefix) => Some((prefix.target_name(), Table::Mangle)),
            Target::Checksum => Some(("CHECKSUM", Table::Mangle)),
            Target::Trace => Some(("TRACE", Table::Raw)),
            Target::Notrack | Target::CtNotrack | Target::CtZone { .. } => Some(("CT", Table::Raw)),
            Target::Continue
            | Target::Edit(HeaderEdit::TcpMss(_))
            | Target::Accept
            | Target::Drop
            | Target::Return
            | Target::Jump(_)
            | Target::Goto(_)
            | Target::ConnMark(_)
            | Target::Log(_)
            | Target::Queue { .. }
            | Target::Mark { .. } => None,
            Target::Edit(edit) => Some((edit.target_name(Family::V4), Table::Mangle)),
        }
    }

    /// The hooks that may reach it.
    /// Source: the kernel's `struct xt_target`, member `hooks`: net/netfilter/xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c,
    /// net/ipv4/netfilter/ipt_REJECT.c and net/ipv6/netfilter/ip6t_NPT.c, v6.12.
    fn hooks(&self) -> &'static [Hook] {
        match self {
            Target::Dnat(_)
            | Target::Redirect(_)
            | Target::Prefix(PrefixTranslation { destination: true, .. }) => {
                &[Hook::Prerouting, Hook::Output]
            }
            Target::Snat(_) | Target::Prefix(_) => &[Hook::Input, Hook::Postrouting],
            Target::Masquerade(_) => &[Hook::Postrouting],
            Target::Netmap(_) => &[Hook::Prerouting, Hook::Input, Hook::Output, Hook::Postrouting],
            Target::Edit(HeaderEdit::TcpMss(None)) => &[Hook::Forward, Hook::Output, Hook::Postrouting],
            _ => &Hook::ALL,
        }
    }
}
