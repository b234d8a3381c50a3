//! How deep jumps lead: what the kernel refuses to load.

use super::{ChainId, Hook, Ruleset};
use crate::{Error, Table};

/// How many user chains may follow one another below a base chain; `-g` counts as `-j` does.
/// Source: observed on Linux 6.18 (`NFT_JUMP_STACK_SIZE` is 16, the base chain included).
pub const DEPTH_MAX: usize = 15;

/// The level of a chain that may lie too deep.
const TOO_DEEP: u8 = DEPTH_MAX as u8 + 2;

impl Ruleset {
    /// Notes that a rule of `from` leads to `to`. False if a chain may now lie too deep, or below itself.
    ///
    /// Levels only rise, so they are upper bounds. That makes an edge cost what it changes; who meets the bound asks
    /// [`Ruleset::check_reach`], which counts anew.
    pub(super) fn raise(&mut self, from: ChainId, to: ChainId) -> bool {
        let mut sound = true;
        let mut waiting = vec![(from, to)];
        while let Some((from, to)) = waiting.pop() {
            let above = self.chain(from).level;
            if above == 0 || self.chain(to).level > above {
                continue;
            }
            if above + 1 >= TOO_DEEP {
                self.chain_mut(to).level = TOO_DEEP - 1;
                sound = false;
                continue;
            }
            self.chain_mut(to).level = above + 1;
            waiting.extend(self.chain(to).rules.iter().filter_map(|rule| Some((to, rule.jump?))));
        }
        sound
    }

    /// Counts the levels of a table's chains from its base chains.
    pub(super) fn check_reach(&mut self, table: Table) -> Result<(), Error> {
        for id in self.tables[table as usize].members.clone() {
            let chain = self.chain_mut(id);
            chain.level = u8::from(chain.base.is_some());
        }
        let order = self.callers_first(table)?;
        for id in order {
            let level = self.chain(id).level;
            if usize::from(level) > DEPTH_MAX + 1 {
                let chain = self.chain(id).name.to_string();
                return Err(Error::TooDeep {
                    table,
                    chain,
                    found: usize::from(level) - 1,
                    allowed: DEPTH_MAX,
                });
            }
            let below: Vec<ChainId> = self.chain(id).rules.iter().filter_map(|rule| rule.jump).collect();
            for to in below {
                let to = self.chain_mut(to);
                to.level = to.level.max(level + 1);
            }
        }
        Ok(())
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
