//! Evaluators: what the rules say of a packet.
//!
//! Two of them, with one result in every respect. *Scan* walks from rule to rule, as the kernel does. *Indexed* looks up
//! which rules of a chain can match. Both report how many rules the kernel would have walked.

mod choose;
mod connection;
mod edit;
mod effects;
mod frame;
#[cfg(test)]
pub(crate) mod generate;
mod head;
mod indexed;
mod meet;
mod probability;
mod rewritable;
mod scan;
#[cfg(test)]
mod tests;
mod trace;
mod walk;

pub use self::choose::{Branch, CERTAIN, Choose, Explore, Explored, Run, explore};
pub use self::connection::Seen;
pub use self::edit::Edits;
pub(crate) use self::effects::Cells;
pub use self::effects::{Count, Effects};
pub use self::frame::{Frame, Locality, Verdict, Walk};
pub(crate) use self::head::Heads;
use self::indexed::Indexes;
pub use self::probability::Probability;
pub use self::rewritable::Rewritable;
use self::scan::Scan;
pub use self::trace::{Event, Outcome, Recorder, Silent, Step, Trace, What};
pub use self::walk::Surroundings;
use self::walk::walk;
use crate::{Hook, Ruleset, Table};
use kdp_packet::Family;

/// How rules are found. One engine belongs to one rule set.
#[derive(Clone, Debug, Default)]
pub struct Engine(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Scan,
    Indexed(Box<(Indexes<u32>, Indexes<u128>)>),
}

impl Engine {
    /// From rule to rule.
    pub fn scan() -> Engine {
        Engine(Kind::Scan)
    }

    /// By indexes, which are made as chains are walked.
    pub fn indexed() -> Engine {
        Engine(Kind::Indexed(Box::default()))
    }

    /// What `table` says of the packet at `hook`. A table without a base chain there accepts.
    ///
    /// Panics if the packet is not of the family of the rule set.
    pub fn evaluate<L: Locality, C: Choose, T: Trace>(
        &mut self,
        ruleset: &Ruleset,
        table: Table,
        hook: Hook,
        frame: &mut Frame<'_>,
        around: &mut Surroundings<'_, L, C, T>,
    ) -> Walk {
        let at = (table, hook);
        match (&mut self.0, ruleset.family()) {
            (Kind::Scan, Family::V4) => walk::<u32, _, _, _, _>(&mut Scan, ruleset, at, frame, around),
            (Kind::Scan, Family::V6) => walk::<u128, _, _, _, _>(&mut Scan, ruleset, at, frame, around),
            (Kind::Indexed(indexes), Family::V4) => walk(&mut indexes.0, ruleset, at, frame, around),
            (Kind::Indexed(indexes), Family::V6) => walk(&mut indexes.1, ruleset, at, frame, around),
        }
    }
}
