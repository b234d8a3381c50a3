//! Expressions: what rules read of a packet and of the box, and how they combine it.

use kdp_packet::Family;

use super::{MapsTo, SetRef, Type};
use crate::conntrack::Direction;

/// An expression that gives one value, or several side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// Something that is read.
    Load(Load),
    /// A value as it stands.
    Value(Type, u128),
    /// `EXPR & mask ^ xor`, on 32 bits: what `and`, `or` and `xor` come down to.
    /// Source: net/netfilter/nft_bitwise.c, v6.12.
    Bits {
        /// What is changed.
        of: Box<Expr>,
        /// The bits that stay.
        mask: u32,
        /// The bits that are turned round then.
        xor: u32,
    },
    /// `A . B`: several values side by side.
    Concat(Vec<Expr>),
    /// `KEY map MAP`: what a map gives.
    Map {
        /// The key.
        key: Box<Expr>,
        /// The map, and what it gives.
        map: MapRef,
    },
}

/// A map in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRef {
    /// The map.
    pub set: SetRef,
    /// What it gives.
    pub data: MapsTo,
}

impl MapRef {
    /// How many values the map gives; none if it gives verdicts.
    pub fn data_len(&self) -> usize {
        match &self.data {
            MapsTo::Verdict => 0,
            MapsTo::Values(types) => types.len(),
        }
    }
}

impl Expr {
    /// `EXPR and mask`.
    #[must_use]
    pub fn and(self, mask: u32) -> Expr {
        Expr::Bits { of: Box::new(self), mask, xor: 0 }
    }

    /// `EXPR or bits`.
    #[must_use]
    pub fn or(self, bits: u32) -> Expr {
        Expr::Bits { of: Box::new(self), mask: !bits, xor: bits }
    }

    /// `EXPR xor bits`.
    #[must_use]
    pub fn xor(self, bits: u32) -> Expr {
        Expr::Bits { of: Box::new(self), mask: u32::MAX, xor: bits }
    }

    /// Several values side by side.
    pub fn concat(loads: &[Load]) -> Expr {
        Expr::Concat(loads.iter().cloned().map(Expr::Load).collect())
    }
}

impl From<Load> for Expr {
    fn from(load: Load) -> Expr {
        Expr::Load(load)
    }
}

/// The header whose ports are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `tcp`: packets of other protocols have none.
    Tcp,
    /// `udp`.
    Udp,
    /// `sctp`.
    Sctp,
    /// `udplite`.
    Udplite,
    /// `th`: whatever the transport is.
    Any,
}

/// Something that a rule reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// `ip saddr`, `ip6 saddr`.
    Saddr(Family),
    /// `ip daddr`, `ip6 daddr`.
    Daddr(Family),
    /// `ip protocol`, `ip6 nexthdr`.
    Protocol(Family),
    /// `ip length`.
    IpLength,
    /// `ip ttl`, `ip6 hoplimit`.
    Ttl(Family),
    /// `ip dscp`, `ip6 dscp`.
    Dscp(Family),
    /// `tcp sport`, `th sport`.
    Sport(Transport),
    /// `tcp dport`, `th dport`.
    Dport(Transport),
    /// `tcp flags`.
    TcpFlags,
    /// `icmp type`, `icmpv6 type`.
    IcmpType(Family),
    /// `icmp code`, `icmpv6 code`.
    IcmpCode(Family),
    /// `meta l4proto`.
    L4Proto,
    /// `meta nfproto`.
    NfProto,
    /// `meta mark`.
    Mark,
    /// `meta length`.
    Length,
    /// `iifname`.
    InDevice,
    /// `oifname`.
    OutDevice,
    /// `iif`: by the device's number, which nft finds by its name when the rule is loaded.
    InIndex,
    /// `oif`.
    OutIndex,
    /// `ct …`.
    Ct(CtField),
    /// `fib saddr type`.
    FibSaddrType,
    /// `fib daddr type`.
    FibDaddrType,
    /// `numgen random mod MODULUS offset OFFSET`.
    NumgenRandom {
        /// Numbers below it, each as likely as the others.
        modulus: u32,
        /// Added to them.
        offset: u32,
    },
    /// `jhash EXPR mod MODULUS [seed SEED] [offset OFFSET]`.
    Jhash {
        /// What is hashed.
        of: Box<Expr>,
        /// Numbers below it.
        modulus: u32,
        /// The seed; `None` is drawn by the kernel when the rule is loaded.
        seed: Option<u32>,
        /// Added to them.
        offset: u32,
    },
    /// `numgen inc mod MODULUS offset OFFSET`: counts the packets that ask.
    NumgenInc {
        /// Numbers below it, in turn.
        modulus: u32,
        /// Added to them.
        offset: u32,
    },
}

/// What is read of a packet's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtField {
    /// `ct state`.
    State,
    /// `ct status`.
    Status,
    /// `ct mark`.
    Mark,
    /// `ct direction`.
    Direction,
    /// `ct original ip saddr`.
    Saddr(Direction, Family),
    /// `ct original ip daddr`.
    Daddr(Direction, Family),
    /// `ct original proto-src`.
    ProtoSrc(Direction),
    /// `ct original proto-dst`.
    ProtoDst(Direction),
    /// `ct packets`, `ct original packets`: of one direction, or of both.
    Packets(Option<Direction>),
    /// `ct bytes`, `ct original bytes`.
    Bytes(Option<Direction>),
    /// `ct expiration`.
    Expiration,
}

impl Load {
    /// The type of what is read.
    pub const fn kind(&self) -> Type {
        match self {
            Load::Saddr(family) | Load::Daddr(family) => Type::addr(*family),
            Load::Protocol(_) | Load::L4Proto => Type::InetProto,
            Load::Dscp(_) => Type::Dscp,
            Load::Sport(_) | Load::Dport(_) => Type::InetService,
            Load::TcpFlags => Type::TcpFlag,
            Load::IcmpType(Family::V4) => Type::IcmpType,
            Load::IcmpType(Family::V6) => Type::Icmpv6Type,
            Load::NfProto => Type::NfProto,
            Load::Mark => Type::Mark,
            Load::InDevice | Load::OutDevice | Load::InIndex | Load::OutIndex => Type::IfName,
            Load::FibSaddrType | Load::FibDaddrType => Type::FibAddrType,
            Load::IpLength
            | Load::Length
            | Load::Ttl(_)
            | Load::IcmpCode(_)
            | Load::NumgenRandom { .. }
            | Load::Jhash { .. }
            | Load::NumgenInc { .. } => Type::Integer,
            Load::Ct(field) => field.kind(),
        }
    }
}

impl CtField {
    /// The type of what is read.
    pub const fn kind(self) -> Type {
        match self {
            CtField::State => Type::CtState,
            CtField::Status => Type::CtStatus,
            CtField::Mark => Type::Mark,
            CtField::Direction => Type::CtDir,
            CtField::Saddr(_, family) | CtField::Daddr(_, family) => Type::addr(family),
            CtField::ProtoSrc(_) | CtField::ProtoDst(_) => Type::InetService,
            CtField::Packets(_) | CtField::Bytes(_) => Type::Integer,
            CtField::Expiration => Type::Time,
        }
    }
}
