//! Expressions: what is read of a packet, and how it is combined.

use kdp_packet::Family;

use super::cursor::Cursor;
use super::symbols;
use super::values;
use crate::Error;
use crate::conntrack::Direction;
use crate::nft::{CtField, Expr, Load, MapRef, MapsTo, SetRef, Transport, Type};

/// The words that an expression can begin with.
const BEGINNINGS: [&str; 20] = [
    "ip", "ip6", "tcp", "udp", "sctp", "udplite", "th", "icmp", "icmpv6", "meta", "iifname", "oifname",
    "iif", "oif", "ct", "fib", "numgen", "jhash", "mark", "l4proto",
];

pub(super) fn begins(word: &str) -> bool {
    BEGINNINGS.contains(&word)
}

/// An expression with its bit operations: `ip saddr . tcp dport`, `meta mark & 0xff`.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Expr, Error> {
    let mut parts = vec![part(cursor)?];
    while cursor.take(".") {
        parts.push(part(cursor)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Concat(parts) })
}

fn part(cursor: &mut Cursor<'_>) -> Result<Expr, Error> {
    let mut expr = Expr::Load(load(cursor)?);
    while let Some(op) = bit_op(cursor) {
        let bits = values::bits(cursor, kind_of(&expr))?;
        expr = combine(expr, op, bits);
    }
    Ok(expr)
}

#[derive(Clone, Copy)]
enum BitOp {
    And,
    Or,
    Xor,
}

fn bit_op(cursor: &mut Cursor<'_>) -> Option<BitOp> {
    for (sign, word, op) in [("&", "and", BitOp::And), ("|", "or", BitOp::Or), ("^", "xor", BitOp::Xor)] {
        if cursor.sign(sign) || cursor.take(word) {
            return Some(op);
        }
    }
    None
}

/// Several operations in a row are one mask and one xor.
/// Source: nftables 1.0.6, src/netlink_linearize.c, `netlink_gen_bitwise`.
fn combine(expr: Expr, op: BitOp, bits: u32) -> Expr {
    let (of, mask, xor) = match expr {
        Expr::Bits { of, mask, xor } => (of, mask, xor),
        other => (Box::new(other), u32::MAX, 0),
    };
    match op {
        BitOp::And => Expr::Bits { of, mask: mask & bits, xor: xor & bits },
        BitOp::Or => Expr::Bits { of, mask: mask & !bits, xor: xor & !bits | bits },
        BitOp::Xor => Expr::Bits { of, mask, xor: xor ^ bits },
    }
}

/// The type of an expression of one value.
pub(super) fn kind_of(expr: &Expr) -> Type {
    match expr {
        Expr::Load(load) => load.kind(),
        Expr::Value(kind, _) => *kind,
        Expr::Bits { of, .. } => kind_of(of),
        Expr::Concat(parts) => kind_of(&parts[0]),
        Expr::Map { map, .. } => match &map.data {
            MapsTo::Values(types) => types[0],
            MapsTo::Verdict => unreachable!("a verdict map gives no value"),
        },
    }
}

/// The types of an expression's values.
pub(crate) fn kinds(expr: &Expr) -> Vec<Type> {
    match expr {
        Expr::Concat(parts) => parts.iter().map(kind_of).collect(),
        one => vec![kind_of(one)],
    }
}

pub(super) fn load(cursor: &mut Cursor<'_>) -> Result<Load, Error> {
    let word = cursor.text("an expression")?;
    Ok(match word {
        "ip" => network(cursor, Family::V4)?,
        "ip6" => network(cursor, Family::V6)?,
        "tcp" if cursor.take("flags") => Load::TcpFlags,
        "tcp" => port(cursor, Transport::Tcp)?,
        "udp" => port(cursor, Transport::Udp)?,
        "sctp" => port(cursor, Transport::Sctp)?,
        "udplite" => port(cursor, Transport::Udplite)?,
        "th" => port(cursor, Transport::Any)?,
        "icmp" => icmp(cursor, Family::V4)?,
        "icmpv6" => icmp(cursor, Family::V6)?,
        "meta" => {
            let key = cursor.text("a key of meta")?;
            meta(cursor, key)?
        }
        "iifname" | "oifname" | "iif" | "oif" | "mark" | "l4proto" => meta(cursor, word)?,
        "ct" => Load::Ct(ct(cursor)?),
        "fib" => fib(cursor)?,
        "numgen" => numgen(cursor)?,
        "jhash" => jhash(cursor)?,
        other => return cursor.not_modelled(other),
    })
}

fn network(cursor: &mut Cursor<'_>, family: Family) -> Result<Load, Error> {
    let word = cursor.text("a field")?;
    Ok(match (family, word) {
        (_, "saddr") => Load::Saddr(family),
        (_, "daddr") => Load::Daddr(family),
        (_, "dscp") => Load::Dscp(family),
        (Family::V4, "protocol") | (Family::V6, "nexthdr") => Load::Protocol(family),
        (Family::V4, "ttl") | (Family::V6, "hoplimit") => Load::Ttl(family),
        (Family::V4, "length") => Load::IpLength,
        _ => {
            return cursor
                .not_modelled(format!("{} {word}", if family == Family::V4 { "ip" } else { "ip6" }));
        }
    })
}

fn port(cursor: &mut Cursor<'_>, transport: Transport) -> Result<Load, Error> {
    match cursor.text("sport or dport")? {
        "sport" => Ok(Load::Sport(transport)),
        "dport" => Ok(Load::Dport(transport)),
        other => cursor.not_modelled(format!("transport header field {other}")),
    }
}

fn icmp(cursor: &mut Cursor<'_>, family: Family) -> Result<Load, Error> {
    match cursor.text("type or code")? {
        "type" => Ok(Load::IcmpType(family)),
        "code" => Ok(Load::IcmpCode(family)),
        other => cursor.not_modelled(format!("icmp {other}")),
    }
}

fn meta(cursor: &Cursor<'_>, key: &str) -> Result<Load, Error> {
    Ok(match key {
        "l4proto" => Load::L4Proto,
        "nfproto" => Load::NfProto,
        "mark" => Load::Mark,
        "length" => Load::Length,
        "iifname" => Load::InDevice,
        "oifname" => Load::OutDevice,
        "iif" => Load::InIndex,
        "oif" => Load::OutIndex,
        other => return cursor.not_modelled(format!("meta {other}")),
    })
}

fn ct(cursor: &mut Cursor<'_>) -> Result<CtField, Error> {
    Ok(match cursor.text("a key of ct")? {
        "state" => CtField::State,
        "status" => CtField::Status,
        "mark" => CtField::Mark,
        "direction" => CtField::Direction,
        "expiration" => CtField::Expiration,
        "packets" => CtField::Packets(None),
        "bytes" => CtField::Bytes(None),
        "original" => ct_tuple(cursor, Direction::Original)?,
        "reply" => ct_tuple(cursor, Direction::Reply)?,
        other => return cursor.not_modelled(format!("ct {other}")),
    })
}

fn ct_tuple(cursor: &mut Cursor<'_>, direction: Direction) -> Result<CtField, Error> {
    let word = cursor.text("a part of the tuple")?;
    let family = if word == "ip6" { Family::V6 } else { Family::V4 };
    Ok(match word {
        "proto-src" => CtField::ProtoSrc(direction),
        "proto-dst" => CtField::ProtoDst(direction),
        "packets" => CtField::Packets(Some(direction)),
        "bytes" => CtField::Bytes(Some(direction)),
        "ip" | "ip6" => match cursor.text("saddr or daddr")? {
            "saddr" => CtField::Saddr(direction, family),
            "daddr" => CtField::Daddr(direction, family),
            other => return cursor.not_modelled(format!("ct {other}")),
        },
        other => return cursor.not_modelled(format!("ct original {other}")),
    })
}

fn fib(cursor: &mut Cursor<'_>) -> Result<Load, Error> {
    let address = cursor.text("saddr or daddr")?;
    let load = match address {
        "saddr" => Load::FibSaddrType,
        "daddr" => Load::FibDaddrType,
        other => return cursor.not_modelled(format!("fib {other}")),
    };
    if cursor.take("type") {
        return Ok(load);
    }
    let asked = cursor.peek().unwrap_or("").to_string();
    cursor.not_modelled(format!("fib {address} {asked}"))
}

/// A part of what is hashed. Numbers that are drawn or hashed are none, so that no text nests without end.
fn hashed(cursor: &mut Cursor<'_>) -> Result<Expr, Error> {
    match cursor.peek() {
        Some("jhash" | "numgen") => cursor.not_modelled("jhash of a number that is drawn"),
        _ => Ok(Expr::Load(load(cursor)?)),
    }
}

fn jhash(cursor: &mut Cursor<'_>) -> Result<Load, Error> {
    let mut parts = vec![hashed(cursor)?];
    while cursor.take(".") {
        parts.push(hashed(cursor)?);
    }
    let of = Box::new(if parts.len() == 1 { parts.remove(0) } else { Expr::Concat(parts) });
    cursor.need("mod")?;
    let modulus = cursor.small("a modulus")?;
    if modulus == 0 {
        return cursor.wrong("a modulus is not zero");
    }
    let seed = if cursor.take("seed") { Some(cursor.small("a seed")?) } else { None };
    let offset = if cursor.take("offset") { cursor.small("an offset")? } else { 0 };
    Ok(Load::Jhash { of, modulus, seed, offset })
}

fn numgen(cursor: &mut Cursor<'_>) -> Result<Load, Error> {
    let kind = cursor.text("random or inc")?;
    cursor.need("mod")?;
    let modulus = cursor.small("a modulus")?;
    if modulus == 0 {
        return cursor.wrong("a modulus is not zero");
    }
    let offset = if cursor.take("offset") { cursor.small("an offset")? } else { 0 };
    match kind {
        "random" => Ok(Load::NumgenRandom { modulus, offset }),
        "inc" => Ok(Load::NumgenInc { modulus, offset }),
        other => cursor.not_modelled(format!("numgen {other}")),
    }
}

/// `map { … }` or `map @name` behind a key.
pub(super) fn mapped(cursor: &mut Cursor<'_>, key: Expr, gives: &[Type]) -> Result<Expr, Error> {
    let data = MapsTo::Values(gives.to_vec());
    let set = set_ref(cursor, &kinds(&key), Some(&data))?;
    Ok(Expr::Map { key: Box::new(key), map: MapRef { set, data } })
}

/// `@name`, or `{ … }`.
pub(super) fn set_ref(cursor: &mut Cursor<'_>, key: &[Type], data: Option<&MapsTo>) -> Result<SetRef, Error> {
    if let Some(name) = cursor.peek().and_then(|word| word.strip_prefix('@')) {
        let name = SetRef::Named(name.into());
        cursor.text("a set")?;
        return Ok(name);
    }
    let mut elements = values::elements(cursor, key, data)?;
    super::values::merge(&mut elements);
    Ok(SetRef::Anonymous(elements.into()))
}

/// `meta mark set EXPR`: a value as it stands, or an expression, of the type.
pub(super) fn value_of(cursor: &mut Cursor<'_>, kind: Type) -> Result<Expr, Error> {
    let symbol = cursor.peek().is_some_and(|word| symbols::number_of(symbols::of_type(kind), word).is_some());
    if symbol || !cursor.peek().is_some_and(begins) {
        return Ok(Expr::Value(kind, values::span(cursor, kind)?.first));
    }
    let expr = expression(cursor)?;
    if cursor.take("map") { mapped(cursor, expr, &[kind]) } else { Ok(expr) }
}
