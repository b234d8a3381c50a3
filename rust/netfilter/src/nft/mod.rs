//! nftables: tables, chains, sets, maps and rules in nft's own nouns.
//!
//! A [`Transaction`] is the one way to change a rule set: the parser of `nft -f` scripts emits it, a proxy emits it. What is
//! not modelled is an error when the text is read, never a rule that is passed over.

mod element;
pub(crate) mod error;
mod eval;
mod expr;
mod noun;
mod rule;
mod ruleset;
pub(crate) mod text;
mod transaction;

pub use element::{Data, Element, Span, Spans};
pub use error::{Error, Noun};
pub use eval::{Around, Event, Listen, Outcome, Recorder, State, What};
pub use expr::{CtField, Expr, Load, MapRef, Transport};
pub use noun::{Base, Chain, ChainType, MapsTo, Object, ObjectKind, Set, SetFlags, Table, TableFamily, Type};
pub use rule::{
    Comparison, Limit, Nat, NatKind, Quota, Reject, Right, Rule, SetRef, Settable, Statement, UpdateOp,
    Verdict,
};
pub use ruleset::{BaseChain, Ruleset};
pub(crate) use text::survey;
pub use text::{load, parse, print, print_rule};
pub use transaction::{Op, Step, Transaction};
