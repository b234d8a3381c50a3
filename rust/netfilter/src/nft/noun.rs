//! Declarations: what tables, chains, sets, maps and named objects are, without their contents.

use std::fmt;
use std::sync::Arc;

use kdp_packet::Family;
use kdp_sim::Time;

use crate::conntrack::TimeoutPolicy;

use super::{Limit, Quota};
use crate::{Hook, Name, Policy};

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableFamily {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
}

impl TableFamily {
    /// Its word in nft.
    pub const fn as_str(self) -> &'static str {
        match self {
            TableFamily::Ip => "ip",
            TableFamily::Ip6 => "ip6",
            TableFamily::Inet => "inet",
        }
    }

    /// Whether a table of this family sees packets of `family`.
    pub const fn sees(self, family: Family) -> bool {
        matches!(
            (self, family),
            (TableFamily::Inet, _) | (TableFamily::Ip, Family::V4) | (TableFamily::Ip6, Family::V6)
        )
    }
}

impl From<Family> for TableFamily {
    fn from(family: Family) -> TableFamily {
        match family {
            Family::V4 => TableFamily::Ip,
            Family::V6 => TableFamily::Ip6,
        }
    }
}

/// A table: family and name are its identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    /// Which packets it sees.
    pub family: TableFamily,
    /// Its name.
    pub name: Arc<str>,
}

impl Table {
    /// The table of that family and name.
    pub fn new(family: impl Into<TableFamily>, name: impl Into<Arc<str>>) -> Table {
        Table { family: family.into(), name: name.into() }
    }
}

impl fmt::Display for Table {
    /// As nft names it: `ip kube-proxy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family.as_str(), self.name)
    }
}

/// What kind of base chain a chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainType {
    /// Accepts, drops, rejects.
    Filter,
    /// Sees the first packet of each connection, and may translate it.
    Nat,
    /// As filter; a change of the mark in it has the packet routed again.
    Route,
}

impl ChainType {
    /// Its word in nft.
    pub const fn as_str(self) -> &'static str {
        match self {
            ChainType::Filter => "filter",
            ChainType::Nat => "nat",
            ChainType::Route => "route",
        }
    }
}

/// Where the kernel calls a base chain, and what becomes of packets that no rule of it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its type.
    pub kind: ChainType,
    /// The hook that calls it.
    pub hook: Hook,
    /// Chains of one hook run from the lowest priority to the highest.
    pub priority: i32,
    /// What becomes of packets that no rule decides.
    pub policy: Policy,
}

impl Base {
    /// A base chain whose policy is accept.
    pub const fn new(kind: ChainType, hook: Hook, priority: i32) -> Base {
        Base { kind, hook, priority, policy: Policy::Accept }
    }
}

/// A chain, without its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: Name,
    /// `None` for a chain that only rules and maps lead to.
    pub base: Option<Base>,
    /// Its comment.
    pub comment: Option<Arc<str>>,
}

impl Chain {
    /// A chain that only rules and maps lead to.
    pub fn regular(name: impl Into<Name>) -> Chain {
        Chain { name: name.into(), base: None, comment: None }
    }

    /// A base chain.
    pub fn base(name: impl Into<Name>, base: Base) -> Chain {
        Chain { name: name.into(), base: Some(base), comment: None }
    }
}

/// The type of one part of a key, or of one part of a map's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `ipv4_addr`.
    Ipv4Addr,
    /// `ipv6_addr`.
    Ipv6Addr,
    /// `inet_proto`.
    InetProto,
    /// `inet_service`.
    InetService,
    /// `mark`.
    Mark,
    /// `ifname`.
    IfName,
    /// `ct_state`.
    CtState,
    /// `ct_status`.
    CtStatus,
    /// `ct_dir`.
    CtDir,
    /// `fib_addrtype`.
    FibAddrType,
    /// `icmp_type`.
    IcmpType,
    /// `icmpv6_type`.
    Icmpv6Type,
    /// `nf_proto`.
    NfProto,
    /// `tcp_flag`.
    TcpFlag,
    /// `dscp`.
    Dscp,
    /// A time, in milliseconds (`ct expiration`).
    Time,
    /// A plain number: lengths, counts, hashes. Not a type that sets can be declared with.
    Integer,
}

impl Type {
    /// The type of addresses of a family.
    pub const fn addr(family: Family) -> Type {
        match family {
            Family::V4 => Type::Ipv4Addr,
            Family::V6 => Type::Ipv6Addr,
        }
    }
}

/// What a map gives for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapsTo {
    /// A verdict: the map is a verdict map.
    Verdict,
    /// Values of these types.
    Values(Vec<Type>),
}

/// Flags of a set or map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "nft's four flags, each by itself")]
pub struct SetFlags {
    /// `constant`: elements do not change while rules use it.
    pub constant: bool,
    /// `interval`: elements are ranges.
    pub interval: bool,
    /// `dynamic`: rules add elements.
    pub dynamic: bool,
    /// `timeout`: elements may time out.
    pub timeout: bool,
}

impl SetFlags {
    /// `dynamic,timeout`: what rules fill and time empties.
    pub const DYNAMIC_TIMEOUT: SetFlags =
        SetFlags { constant: false, interval: false, dynamic: true, timeout: true };
}

/// A set or, with `data`, a map, without its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: Arc<str>,
    /// The parts of a key, in order.
    pub key: Vec<Type>,
    /// What a map gives; `None` for a set.
    pub data: Option<MapsTo>,
    /// Flags.
    pub flags: SetFlags,
    /// How long elements live that do not say otherwise.
    pub timeout: Option<Time>,
    /// How often the kernel looks for elements that timed out; nothing depends on it here.
    pub gc_interval: Option<Time>,
    /// `auto-merge`: adjacent ranges become one.
    pub auto_merge: bool,
    /// The largest number of elements.
    pub size: Option<u32>,
    /// Its comment.
    pub comment: Option<Arc<str>>,
}

impl Set {
    /// A set without flags.
    pub fn new(name: impl Into<Arc<str>>, key: &[Type]) -> Set {
        Set {
            name: name.into(),
            key: key.to_vec(),
            data: None,
            flags: SetFlags::default(),
            timeout: None,
            gc_interval: None,
            auto_merge: false,
            size: None,
            comment: None,
        }
    }

    /// A verdict map without flags.
    pub fn vmap(name: impl Into<Arc<str>>, key: &[Type]) -> Set {
        Set { data: Some(MapsTo::Verdict), ..Set::new(name, key) }
    }
}

/// A named counter, quota or limit of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: ObjectKind,
}

/// What a named object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// Counts packets and bytes.
    Counter,
    /// Matches above or below a sum of bytes.
    Quota(Quota),
    /// Matches above or below a rate.
    Limit(Limit),
    /// Timeouts that rules give to connections.
    CtTimeout(Arc<TimeoutPolicy>),
}
