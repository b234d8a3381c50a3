//! Sets of ipset: addresses, networks, ports and devices that rules ask for with `-m set`.
//!
//! Source of all of it: net/netfilter/ipset, v6.12, and ipset 7.17; observed on Linux 6.18.

mod element;
mod kind;
mod set;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_sim::Time;

use self::set::Set;
pub(crate) use self::text::survey;
use crate::vm::Frame;
use crate::{Error, SetSides, SetTest};

/// The sets of a network namespace, by name. A copy is cheap until either side changes.
#[derive(Clone, Debug, Default)]
pub struct Sets(BTreeMap<Arc<str>, Arc<Set>>);

impl Sets {
    /// Whether there is a set of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Does what a text of `ipset restore` says, which is called `source` in errors: `create`, `add`, `del`, `flush`.
    /// Timeouts begin at `now`. On an error the sets are as they were before.
    // DEVIATION(ipset-restore-whole): ipset restore keeps what the lines before the error did.
    pub fn load(&mut self, text: &str, source: &str, now: Time) -> Result<(), Error> {
        let mut sets = self.clone();
        text::run(&mut sets, text, source, now)?;
        *self = sets;
        Ok(())
    }

    /// The sets as `ipset -sorted save` prints them at `now`, by name; sets of sets stand behind the others.
    pub fn print(&self, now: Time) -> String {
        let (lists, others): (Vec<_>, Vec<_>) = self.0.iter().partition(|(_, set)| set.kind.is_list());
        let mut out = String::new();
        others.into_iter().chain(lists).for_each(|(name, set)| text::put_set(&mut out, name, set, now));
        out
    }

    /// Whether the packet is in the set that a rule asks for.
    pub(crate) fn test(&mut self, test: &SetTest, frame: &Frame<'_>) -> bool {
        self.holds(&test.set, &test.sides, frame) != test.invert
    }

    fn holds(&mut self, name: &str, sides: &SetSides, frame: &Frame<'_>) -> bool {
        let set = self.0.get(name).expect("a set that a rule names was there when the rule came, and stays");
        let found = match set.members(frame.now) {
            Some(members) => members.into_iter().find(|key| {
                let member = element::member(key);
                self.holds(member, sides, frame)
            }),
            None => set.find(sides, frame),
        };
        let Some(key) = found else { return false };
        let set = self.0.get_mut(name).expect("the set was just there");
        if set.counters {
            Arc::make_mut(set).count(&key, frame.headers.length);
        }
        !set.is_nomatch(&key)
    }
}
