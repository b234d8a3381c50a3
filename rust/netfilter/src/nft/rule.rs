//! Rules: statements in order.

use std::fmt;
use std::sync::Arc;

use kdp_packet::Family;

use super::{CtField, Element, Expr, Load, Span, Transport};
use crate::{Name, NatRange};

/// A rule: statements, one after another, until one does not match or decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Statements, in order.
    pub statements: Vec<Statement>,
    /// Its comment.
    pub comment: Option<Arc<str>>,
}

impl Rule {
    /// A rule without a comment.
    pub fn new(statements: Vec<Statement>) -> Rule {
        Rule { statements, comment: None }
    }

    /// The same with a comment.
    #[must_use]
    pub fn with_comment(self, comment: impl Into<Arc<str>>) -> Rule {
        Rule { comment: Some(comment.into()), ..self }
    }
}

/// A statement of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Goes on if the comparison holds: `ip daddr != 10.0.0.0/8`.
    Match {
        /// What is compared.
        left: Expr,
        /// How.
        comparison: Comparison,
        /// With what.
        right: Right,
    },
    /// A verdict.
    Verdict(Verdict),
    /// `KEY vmap MAP`: the verdict that the map gives; the rule ends where it gives none.
    Vmap {
        /// The key.
        key: Expr,
        /// The map.
        map: SetRef,
    },
    /// `meta mark set EXPR`.
    Set {
        /// What is set.
        target: Settable,
        /// To what.
        value: Expr,
    },
    /// `dnat`, `snat`, `masquerade`, `redirect`.
    Nat(Nat),
    /// `reject`.
    Reject(Reject),
    /// `update @SET { KEY timeout T }`.
    Update {
        /// What is done.
        op: UpdateOp,
        /// The set's name.
        set: Arc<str>,
        /// The key.
        key: Expr,
        /// How long the element lives; `None`: as the set says.
        timeout: Option<kdp_sim::Time>,
    },
    /// `counter`; with a name the table's counter of that name.
    Counter(Option<Arc<str>>),
    /// `limit rate …`.
    Limit(Limit),
    /// `limit name …`.
    LimitName(Arc<str>),
    /// `quota over …`.
    Quota(Quota),
    /// `quota name …`.
    QuotaName(Arc<str>),
    /// `notrack`.
    Notrack,
    /// `log …`: the packet is told of, and goes on. The options as nft lists them, each with a blank before it.
    Log(Arc<str>),
    /// `ct timeout set NAME`: a connection that is not confirmed yet takes the timeouts of the object.
    CtTimeout(Arc<str>),
}

impl Statement {
    /// `EXPR == value`.
    pub fn is(left: impl Into<Expr>, span: Span) -> Statement {
        Statement::Match { left: left.into(), comparison: Comparison::Equal, right: Right::Span(span) }
    }

    /// `EXPR != value`.
    pub fn is_not(left: impl Into<Expr>, span: Span) -> Statement {
        Statement::Match { left: left.into(), comparison: Comparison::Unequal, right: Right::Span(span) }
    }

    /// `EXPR @set`.
    pub fn in_set(left: impl Into<Expr>, set: impl Into<Arc<str>>) -> Statement {
        let right = Right::Set(SetRef::Named(set.into()));
        Statement::Match { left: left.into(), comparison: Comparison::Equal, right }
    }
}

/// How two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`: equal, or in the span or set.
    Equal,
    /// `!=`.
    Unequal,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    Greater,
    /// `>=`.
    AtLeast,
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// A value, or values from one to another.
    Span(Span),
    /// One of these bits (`ct state new`, `ct status dnat`, `tcp flags syn`): with [`Comparison::Equal`] one of them is set.
    AnyBit(u32),
    /// An element of a set.
    Set(SetRef),
}

/// A set or map that a rule looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetRef {
    /// `@name`.
    Named(Arc<str>),
    /// `{ … }`: elements of the rule's own.
    Anonymous(Arc<[Element]>),
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on behind this base chain.
    Accept,
    /// It is gone.
    Drop,
    /// The next rule.
    Continue,
    /// Back to the chain that called; the policy in a base chain.
    Return,
    /// The chain, then the next rule.
    Jump(Name),
    /// The chain, then back to the caller of this one.
    Goto(Name),
}

impl fmt::Display for Verdict {
    /// As nft writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Accept => f.write_str("accept"),
            Verdict::Drop => f.write_str("drop"),
            Verdict::Continue => f.write_str("continue"),
            Verdict::Return => f.write_str("return"),
            Verdict::Jump(chain) => write!(f, "jump {chain}"),
            Verdict::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
}

/// What a statement can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settable {
    /// `meta mark`.
    Mark,
    /// `ct mark`.
    CtMark,
    /// `ip dscp`, `ip6 dscp`.
    Dscp(Family),
    /// `ip ttl`, `ip6 hoplimit`.
    Ttl(Family),
    /// `ip saddr`, `ip6 saddr`.
    Saddr(Family),
    /// `ip daddr`, `ip6 daddr`.
    Daddr(Family),
    /// `tcp sport` and the like.
    Sport(Transport),
    /// `tcp dport` and the like.
    Dport(Transport),
}

impl Settable {
    /// What reads the field that it sets.
    pub const fn load(self) -> Load {
        match self {
            Settable::Mark => Load::Mark,
            Settable::CtMark => Load::Ct(CtField::Mark),
            Settable::Dscp(family) => Load::Dscp(family),
            Settable::Ttl(family) => Load::Ttl(family),
            Settable::Saddr(family) => Load::Saddr(family),
            Settable::Daddr(family) => Load::Daddr(family),
            Settable::Sport(transport) => Load::Sport(transport),
            Settable::Dport(transport) => Load::Dport(transport),
        }
    }
}

/// Which translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKind {
    /// Another destination.
    Dnat,
    /// Another source.
    Snat,
    /// The source of the device it leaves by.
    Masquerade,
    /// This host as its destination.
    Redirect,
}

/// A translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    /// Which.
    pub kind: NatKind,
    /// The family that is named: `dnat ip to`, as tables of the family `inet` must, and lookups of address and port.
    pub family: Option<Family>,
    /// Addresses, ports and flags. `random_fully` is `fully-random`.
    pub range: NatRange,
    /// Where address and port come from instead: `numgen random mod 2 map { 0 : 10.0.0.1 . 80 , … }`. One value is an address, two
    /// are an address and a port.
    pub from: Option<Expr>,
}

impl Nat {
    /// A translation to what `range` says.
    pub fn to(kind: NatKind, range: NatRange) -> Nat {
        Nat { kind, family: None, range, from: None }
    }
}

/// What a rejected packet's sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// `with icmp`: ICMP destination unreachable with this code.
    Icmp(u8),
    /// `with icmpv6`.
    Icmpv6(u8),
    /// `with icmpx`: ICMP or ICMPv6, as the packet is; the code is nft's own.
    Icmpx(u8),
    /// `with tcp reset`.
    TcpReset,
}

impl Reject {
    /// What `reject` alone means in a table of a family.
    pub const fn default_of(family: super::TableFamily) -> Reject {
        match family {
            super::TableFamily::Ip => Reject::Icmp(3),
            super::TableFamily::Ip6 => Reject::Icmpv6(4),
            // Source: include/uapi/linux/netfilter/nf_tables.h, NFT_REJECT_ICMPX_PORT_UNREACH.
            super::TableFamily::Inet => Reject::Icmpx(1),
        }
    }
}

/// What is done to a set by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOp {
    /// `add`: an element that is there keeps its timeout.
    Add,
    /// `update`: an element that is there gets a new timeout.
    Update,
    /// `delete`.
    Delete,
}

/// `limit rate [over] RATE/UNIT burst BURST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Matches what is above the rate instead of what is below.
    pub over: bool,
    /// Packets, or bytes.
    pub rate: u64,
    /// A time in seconds, for `rate` of them: 1, 60, 3600, 86400 or 604800.
    pub per_seconds: u32,
    /// Packets, or bytes, that may come at once.
    pub burst: u64,
    /// Whether bytes are counted.
    pub bytes: bool,
}

/// `quota over N bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Matches above the sum instead of below it.
    pub over: bool,
    /// The sum.
    pub bytes: u64,
}
