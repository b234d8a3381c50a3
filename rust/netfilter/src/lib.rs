//! Rules, rule sets, their evaluators, connection tracking and NAT.
//!
//! netfilter knows no Service: it takes transactions on a rule set, and packets. What it does not model is an error
//! when the rules are loaded, never a rule that is passed over.

pub mod conntrack;
mod error;
pub mod ipset;
mod name;
pub mod nat;
pub mod nft;
pub mod recent;
mod rule;
mod ruleset;
pub mod text;
mod transaction;
pub mod vm;

pub use error::{CODES, Error, Place};
pub use name::Name;
pub use rule::{
    AddrType, AddrTypes, ConnBytes, ConnMark, ConnMeasure, ConntrackTest, CtState, CtStates, DevicePattern,
    DeviceSide, HeaderEdit, HeaderTest, IcmpType, Limit, Log, Match, NatRange, PortRange, PortSide,
    PrefixTranslation, Recent, RecentOp, RejectWith, ReversePath, Rule, SetSides, SetTest, Statistic, Target,
    TcpFlagTest, Test, TtlTest, Unknown, ZoneSide,
};
pub use ruleset::{Applied, Chain, ChainId, DEPTH_MAX, Hook, Installed, Ruleset, Slot};
pub use transaction::{Op, Policy, Table, Transaction};
