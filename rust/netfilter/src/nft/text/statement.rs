//! Statements of a rule.

use std::net::IpAddr;

use kdp_packet::Family;

use super::cursor::Cursor;
use super::expression::{begins, expression, kind_of, kinds, mapped, set_ref, value_of};
use super::symbols::{self, is_bitmask};
use super::values;
use crate::nft::{
    Comparison, Element, Expr, Limit, Load, MapsTo, Nat, NatKind, Quota, Reject, Right, Rule, SetRef,
    Settable, Span, Statement, TableFamily, Transport, Type, UpdateOp,
};
use crate::{Error, NatRange, PortRange};

/// A rule up to the end of its line. `family` is its table's.
pub(super) fn rule(cursor: &mut Cursor<'_>, family: TableFamily) -> Result<Rule, Error> {
    let mut rule = Rule::default();
    while !cursor.at_end() {
        if cursor.take("comment") {
            rule.comment = Some(cursor.text("a comment")?.into());
        } else {
            rule.statements.push(statement(cursor, family)?);
        }
    }
    Ok(rule)
}

fn statement(cursor: &mut Cursor<'_>, family: TableFamily) -> Result<Statement, Error> {
    let Some(word) = cursor.peek() else { return cursor.wrong("a statement is missing") };
    if word == "ct" && matches!(cursor.peek_second(), Some("timeout")) {
        cursor.take("ct");
        cursor.take("timeout");
        cursor.need("set")?;
        return Ok(Statement::CtTimeout(cursor.text("a name")?.into()));
    }
    if begins(word) {
        return from_expression(cursor);
    }
    Ok(match word {
        "accept" | "drop" | "continue" | "return" | "jump" | "goto" => {
            Statement::Verdict(values::verdict(cursor)?)
        }
        "dnat" | "snat" | "masquerade" | "redirect" => Statement::Nat(nat(cursor, family)?),
        "reject" => Statement::Reject(reject(cursor, family)?),
        "update" | "add" | "delete" => update(cursor)?,
        "counter" => counter(cursor)?,
        "limit" => limit_statement(cursor)?,
        "quota" => quota_statement(cursor)?,
        "log" => super::log::log(cursor)?,
        "notrack" => {
            cursor.take("notrack");
            Statement::Notrack
        }
        other => return cursor.not_modelled(other),
    })
}

/// A comparison, a verdict map, or the setting of what was named.
fn from_expression(cursor: &mut Cursor<'_>) -> Result<Statement, Error> {
    let left = expression(cursor)?;
    if cursor.take("vmap") {
        let map = set_ref(cursor, &kinds(&left), Some(&MapsTo::Verdict))?;
        return Ok(Statement::Vmap { key: left, map });
    }
    if cursor.peek() == Some("set")
        && matches!(left, Expr::Load(Load::Sport(Transport::Any) | Load::Dport(Transport::Any)))
    {
        // nft does not know where the checksum is, and leaves it as it was.
        return cursor.not_modelled("th set");
    }
    if cursor.peek() == Some("set")
        && let Some(target) = settable(&left)
    {
        cursor.take("set");
        let value = value_of(cursor, kind_of(&left))?;
        return Ok(Statement::Set { target, value });
    }
    compared(cursor, left)
}

fn settable(expr: &Expr) -> Option<Settable> {
    match expr {
        Expr::Load(Load::Mark) => Some(Settable::Mark),
        Expr::Load(Load::Ct(crate::nft::CtField::Mark)) => Some(Settable::CtMark),
        Expr::Load(Load::Dscp(family)) => Some(Settable::Dscp(*family)),
        Expr::Load(Load::Ttl(family)) => Some(Settable::Ttl(*family)),
        Expr::Load(Load::Saddr(family)) => Some(Settable::Saddr(*family)),
        Expr::Load(Load::Daddr(family)) => Some(Settable::Daddr(*family)),
        Expr::Load(Load::Sport(transport)) => Some(Settable::Sport(*transport)),
        Expr::Load(Load::Dport(transport)) => Some(Settable::Dport(*transport)),
        _ => None,
    }
}

fn compared(cursor: &mut Cursor<'_>, left: Expr) -> Result<Statement, Error> {
    const COMPARISONS: [(&str, Comparison); 6] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let kind = kind_of(&left);
    let plain = matches!(left, Expr::Load(_));
    if is_bitmask(kind) && plain && cursor.sign("!") {
        let bits = bit_list(cursor, kind)?;
        return Ok(Statement::Match { left, comparison: Comparison::Unequal, right: Right::AnyBit(bits) });
    }
    let sign = COMPARISONS.into_iter().find(|(sign, _)| cursor.sign(sign)).map(|(_, comparison)| comparison);
    let comparison = sign.unwrap_or(Comparison::Equal);
    if cursor.at_sign("{") || cursor.peek().is_some_and(|word| word.starts_with('@')) {
        let set = set_ref(cursor, &kinds(&left), None)?;
        let any_bit = plain && sign.is_none() && is_bitmask(kind);
        let right = lone_value(&set, any_bit).unwrap_or(Right::Set(set));
        return Ok(Statement::Match { left, comparison, right });
    }
    if is_bitmask(kind) {
        return bitmask(cursor, left, kind, sign);
    }
    if let Expr::Concat(_) = left {
        return cursor.not_modelled("comparison of a concatenation with a single value");
    }
    let masked = if plain { kind } else { Type::Integer };
    let span = values::span(cursor, if matches!(kind, Type::Mark) { kind } else { masked })?;
    Ok(Statement::Match { left, comparison, right: Right::Span(span) })
}

/// A set of the rule's own with one element is a comparison with that element.
/// Source: nftables 1.0.6, src/evaluate.c, `expr_evaluate_relational`.
fn lone_value(set: &SetRef, any_bit: bool) -> Option<Right> {
    let SetRef::Anonymous(elements) = set else { return None };
    let [Element { key, timeout: None, comment: None, data: None }] = &**elements else { return None };
    let [span] = key.as_slice() else { return None };
    let bits = u32::try_from(span.first).ok().filter(|_| any_bit);
    Some(bits.map_or(Right::Span(*span), Right::AnyBit))
}

fn bit_list(cursor: &mut Cursor<'_>, kind: Type) -> Result<u32, Error> {
    let mut bits = values::bits(cursor, kind)?;
    while cursor.sign(",") {
        bits |= values::bits(cursor, kind)?;
    }
    Ok(bits)
}

/// `ct state new,established`: one of the bits; `tcp flags == syn`: exactly these; `tcp flags syn / syn,ack`: these of those.
/// Source: nftables 1.0.6, src/netlink_linearize.c, `netlink_gen_flagcmp`.
fn bitmask(
    cursor: &mut Cursor<'_>,
    left: Expr,
    kind: Type,
    sign: Option<Comparison>,
) -> Result<Statement, Error> {
    let bits = bit_list(cursor, kind)?;
    let exact = Right::Span(Span::one(bits.into()));
    let comparison = sign.unwrap_or(Comparison::Equal);
    if cursor.take("/") {
        let mask = bit_list(cursor, kind)?;
        return Ok(Statement::Match { left: left.and(mask), comparison, right: exact });
    }
    if sign.is_none() && matches!(left, Expr::Load(_)) {
        return Ok(Statement::Match { left, comparison, right: Right::AnyBit(bits) });
    }
    match left {
        Expr::Bits { of, mask, xor: 0 } if bits == 0 => {
            let comparison =
                if comparison == Comparison::Unequal { Comparison::Equal } else { Comparison::Unequal };
            Ok(Statement::Match { left: *of, comparison, right: Right::AnyBit(mask) })
        }
        left => Ok(Statement::Match { left, comparison, right: exact }),
    }
}

fn nat(cursor: &mut Cursor<'_>, table: TableFamily) -> Result<Nat, Error> {
    let kind = match cursor.text("a translation")? {
        "dnat" => NatKind::Dnat,
        "snat" => NatKind::Snat,
        "masquerade" => NatKind::Masquerade,
        _ => NatKind::Redirect,
    };
    let mut nat = Nat::to(kind, NatRange::default());
    nat.family = nat_family(cursor);
    // Source: nftables 1.0.6, src/parser_bison.y: `ip addr . port to` is the older spelling of `ip to` with a map.
    if cursor.take("addr") {
        cursor.need(".")?;
        cursor.need("port")?;
    }
    if cursor.take("prefix") {
        return cursor.not_modelled("nat prefix");
    }
    if cursor.take("to") {
        to(cursor, &mut nat, table)?;
    }
    flags(cursor, &mut nat.range)?;
    // In a table of one family its name says nothing, unless address and port are looked up.
    let looked_up = matches!(&nat.from, Some(Expr::Map { map, .. }) if map.data_len() == 2);
    if table != TableFamily::Inet && !looked_up {
        nat.family = None;
    }
    Ok(nat)
}

fn nat_family(cursor: &mut Cursor<'_>) -> Option<Family> {
    // `dnat ip to …`; but `snat ip saddr map …` begins an expression.
    let family = match cursor.peek()? {
        "ip" => Family::V4,
        "ip6" => Family::V6,
        _ => return None,
    };
    if !matches!(cursor.peek_second(), Some("to" | "addr" | "prefix")) {
        return None;
    }
    cursor.take(if family == Family::V4 { "ip" } else { "ip6" });
    Some(family)
}

fn to(cursor: &mut Cursor<'_>, nat: &mut Nat, table: TableFamily) -> Result<(), Error> {
    let Some(word) = cursor.peek() else { return cursor.wrong("an address is missing") };
    if begins(word) {
        let family = nat.family.unwrap_or(if table == TableFamily::Ip6 { Family::V6 } else { Family::V4 });
        let key = expression(cursor)?;
        if !cursor.take("map") {
            return cursor.not_modelled("nat to an expression without a map");
        }
        let addr = Type::addr(family);
        // With a named family the map gives an address and a port.
        let gives: &[Type] = if nat.family.is_some() { &[addr, Type::InetService] } else { &[addr] };
        nat.from = Some(mapped(cursor, key, gives)?);
        return Ok(());
    }
    cursor.text("an address")?;
    let Some((addrs, ports)) = endpoint(word) else {
        if word.chars().all(|c| c.is_ascii_alphabetic()) {
            return cursor.not_modelled(word);
        }
        return cursor.wrong(format!("{word:?} is not ADDRESS[-ADDRESS][:PORT[-PORT]]"));
    };
    (nat.range.addrs, nat.range.ports) = (addrs, ports);
    Ok(())
}

type Endpoint = (Option<(IpAddr, IpAddr)>, Option<PortRange>);

/// `10.0.0.1-10.0.0.5:80-90`, `[fd00::1]:80`, `fd00::1`, `:80`.
fn endpoint(text: &str) -> Option<Endpoint> {
    if let Some(ports) = text.strip_prefix(':').filter(|rest| !rest.contains(':')) {
        return Some((None, Some(port_range(ports)?)));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Some((addr_range(text), None));
    }
    let (addrs, ports) = match text.rsplit_once("]:") {
        Some((addrs, ports)) => (format!("{addrs}]"), Some(ports)),
        None if text.contains('.') => match text.split_once(':') {
            Some((addrs, ports)) => (addrs.to_string(), Some(ports)),
            None => (text.to_string(), None),
        },
        None => (text.to_string(), None),
    };
    let ports = match ports {
        Some(ports) => Some(port_range(ports)?),
        None => None,
    };
    Some((Some(addr_range(&addrs)?), ports))
}

fn addr_range(text: &str) -> Option<(IpAddr, IpAddr)> {
    let addr = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    match text.split_once('-') {
        Some((first, last)) => Some((addr(first)?, addr(last)?)),
        None => addr(text).map(|addr| (addr, addr)),
    }
}

fn port_range(text: &str) -> Option<PortRange> {
    match text.split_once('-') {
        Some((first, last)) => {
            let range = PortRange { first: first.parse().ok()?, last: last.parse().ok()? };
            (range.first <= range.last).then_some(range)
        }
        None => text.parse().ok().map(PortRange::one),
    }
}

fn flags(cursor: &mut Cursor<'_>, range: &mut NatRange) -> Result<(), Error> {
    loop {
        match cursor.peek() {
            Some("random") => range.random = true,
            Some("fully-random") => range.random_fully = true,
            Some("persistent") => range.persistent = true,
            _ => return Ok(()),
        }
        cursor.text("a flag")?;
        cursor.sign(",");
    }
}

fn reject(cursor: &mut Cursor<'_>, family: TableFamily) -> Result<Reject, Error> {
    cursor.need("reject")?;
    if !cursor.take("with") {
        return Ok(Reject::default_of(family));
    }
    let kind = cursor.text("icmp, icmpv6, icmpx or tcp")?;
    if kind == "tcp" {
        cursor.need("reset")?;
        return Ok(Reject::TcpReset);
    }
    cursor.take("type");
    let word = cursor.text("a code")?;
    let (codes, made): (_, fn(u8) -> Reject) = match kind {
        "icmp" => (symbols::REJECT_ICMP, Reject::Icmp),
        "icmpv6" => (symbols::REJECT_ICMPV6, Reject::Icmpv6),
        "icmpx" => (symbols::REJECT_ICMPX, Reject::Icmpx),
        other => return cursor.not_modelled(format!("reject with {other}")),
    };
    let code = symbols::number_of(codes, word).or_else(|| word.parse().ok());
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(made(code)),
        None => cursor.wrong(format!("{word:?} is not a code of {kind}")),
    }
}

fn update(cursor: &mut Cursor<'_>) -> Result<Statement, Error> {
    let op = match cursor.text("add, update or delete")? {
        "add" => UpdateOp::Add,
        "update" => UpdateOp::Update,
        _ => UpdateOp::Delete,
    };
    let Some(set) = cursor.text("a set")?.strip_prefix('@') else {
        return cursor.wrong("a set begins with \"@\"");
    };
    cursor.need_sign("{")?;
    let key = expression(cursor)?;
    let timeout = if cursor.take("timeout") { Some(values::duration(cursor)?) } else { None };
    if !cursor.sign("}") {
        let word = cursor.peek().unwrap_or("statement").to_string();
        return cursor.not_modelled(format!("{word} of an element"));
    }
    Ok(Statement::Update { op, set: set.into(), key, timeout })
}

fn counter(cursor: &mut Cursor<'_>) -> Result<Statement, Error> {
    cursor.need("counter")?;
    if cursor.take("name") {
        return Ok(Statement::Counter(Some(cursor.text("a name")?.into())));
    }
    counts(cursor)?;
    Ok(Statement::Counter(None))
}

/// `packets N bytes N`: read and not kept.
pub(super) fn counts(cursor: &mut Cursor<'_>) -> Result<(), Error> {
    if cursor.take("packets") {
        cursor.number("packets")?;
        cursor.need("bytes")?;
        cursor.number("bytes")?;
    }
    Ok(())
}

fn limit_statement(cursor: &mut Cursor<'_>) -> Result<Statement, Error> {
    cursor.need("limit")?;
    if cursor.take("name") {
        return Ok(Statement::LimitName(cursor.text("a name")?.into()));
    }
    Ok(Statement::Limit(limit(cursor)?))
}

/// `rate [over] N[ kbytes]/second [burst N packets]`.
pub(super) fn limit(cursor: &mut Cursor<'_>) -> Result<Limit, Error> {
    cursor.need("rate")?;
    let over = cursor.take("over");
    let text = cursor.text("a rate")?;
    let (number, unit, bytes) = if let Some((number, unit)) = text.split_once('/') {
        (number, unit, None)
    } else {
        let unit = cursor.text("a unit")?;
        let Some((bytes, unit)) = unit.split_once('/') else { return cursor.wrong("a rate is N/UNIT") };
        (text, unit, Some(bytes))
    };
    let per_seconds = match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        other => return cursor.wrong(format!("{other:?} is not second, minute, hour, day or week")),
    };
    let Ok(rate) = number.parse::<u64>() else { return cursor.wrong(format!("{number:?} is not a number")) };
    let factor = match bytes {
        None => 1,
        Some(word) => byte_factor(cursor, word)?,
    };
    // Source: nftables 1.0.6, src/parser_bison.y: a burst of packets is 5 unless said otherwise.
    let mut burst = if bytes.is_none() { 5 } else { 0 };
    if cursor.take("burst") {
        let count = cursor.number("a burst")?;
        let unit = cursor.text("a unit")?;
        burst = if unit == "packets" { count } else { count * byte_factor(cursor, unit)? };
    }
    Ok(Limit { over, rate: rate * factor, per_seconds, burst, bytes: bytes.is_some() })
}

fn byte_factor(cursor: &Cursor<'_>, word: &str) -> Result<u64, Error> {
    match word {
        "bytes" => Ok(1),
        "kbytes" => Ok(1 << 10),
        "mbytes" => Ok(1 << 20),
        other => cursor.wrong(format!("{other:?} is not bytes, kbytes or mbytes")),
    }
}

fn quota_statement(cursor: &mut Cursor<'_>) -> Result<Statement, Error> {
    cursor.need("quota")?;
    if cursor.take("name") {
        return Ok(Statement::QuotaName(cursor.text("a name")?.into()));
    }
    Ok(Statement::Quota(quota(cursor)?))
}

/// `[over|until] N bytes`.
pub(super) fn quota(cursor: &mut Cursor<'_>) -> Result<Quota, Error> {
    let over = cursor.take("over");
    cursor.take("until");
    let number = cursor.number("a quota")?;
    let unit = cursor.text("a unit")?;
    let bytes = number * byte_factor(cursor, unit)?;
    if cursor.take("used") {
        cursor.number("bytes used")?;
        cursor.text("a unit")?;
    }
    Ok(Quota { over, bytes })
}
