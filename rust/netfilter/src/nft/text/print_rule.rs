//! Rules, expressions and values as nft prints them.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kdp_packet::Family;
use kdp_sim::Time;

use super::expression::{kind_of, kinds};
use super::print::duration;
use super::symbols::{self, Symbol, is_bitmask, of_type, word_of};
use crate::conntrack::Direction;
use crate::nft::{
    Comparison, CtField, Data, Element, Expr, Limit, Load, MapsTo, Nat, NatKind, Quota, Reject, Right, Rule,
    SetRef, Span, Statement, TableFamily, Transport, Type, UpdateOp,
};
use crate::{NatRange, PortRange};

/// A rule as it stands in a listing. `family` is its table's.
pub fn print_rule(family: TableFamily, rule: &Rule) -> String {
    let mut parts: Vec<String> = rule.statements.iter().map(|each| statement(family, each)).collect();
    if let Some(comment) = &rule.comment {
        parts.push(format!("comment \"{comment}\""));
    }
    parts.join(" ")
}

fn statement(family: TableFamily, statement: &Statement) -> String {
    match statement {
        Statement::Match { left, comparison, right } => matched(left, *comparison, right),
        Statement::Verdict(verdict) => verdict.to_string(),
        Statement::Vmap { key, map } => {
            format!("{} vmap {}", expr(key), set_ref(map, &kinds(key), Some(&MapsTo::Verdict)))
        }
        Statement::Set { target, value } => format!("{} set {}", load(&target.load()), expr(value)),
        Statement::Nat(nat) => self::nat(nat),
        Statement::Reject(reject) => self::reject(family, *reject),
        Statement::Update { op, set, key, timeout } => {
            let op = match op {
                UpdateOp::Add => "add",
                UpdateOp::Update => "update",
                UpdateOp::Delete => "delete",
            };
            let timeout = timeout.map_or(String::new(), |timeout| format!(" timeout {}", duration(timeout)));
            format!("{op} @{set} {{ {}{timeout} }}", expr(key))
        }
        Statement::Counter(None) => "counter packets 0 bytes 0".to_string(),
        Statement::Counter(Some(name)) => format!("counter name \"{name}\""),
        Statement::Limit(limit) => format!("limit {}", self::limit(*limit)),
        Statement::LimitName(name) => format!("limit name \"{name}\""),
        Statement::Quota(quota) => format!("quota {}", self::quota(*quota)),
        Statement::QuotaName(name) => format!("quota name \"{name}\""),
        Statement::Notrack => "notrack".to_string(),
        Statement::Log(options) => format!("log{options}"),
        Statement::CtTimeout(name) => format!("ct timeout set \"{name}\""),
    }
}

fn matched(left: &Expr, comparison: Comparison, right: &Right) -> String {
    let kind = kind_of(left);
    let sign = match comparison {
        Comparison::Equal => "==",
        Comparison::Unequal => "!=",
        Comparison::Less => "<",
        Comparison::AtMost => "<=",
        Comparison::Greater => ">",
        Comparison::AtLeast => ">=",
    };
    let implied = if comparison == Comparison::Equal { String::new() } else { format!("{sign} ") };
    match right {
        Right::Set(set) => format!("{} {implied}{}", expr(left), set_ref(set, &kinds(left), None)),
        Right::AnyBit(bits) => {
            let not = if comparison == Comparison::Equal { "" } else { "! " };
            format!("{} {not}{}", expr(left), bit_names(kind, *bits, ","))
        }
        Right::Span(span) => match left {
            Expr::Bits { of, mask, xor: 0 } if kind == Type::TcpFlag && mask.count_ones() > 1 => {
                let (set, mask) = (low(*span), bit_names(kind, *mask, ","));
                format!("{} {implied}{} / {mask}", expr(of), bit_names(kind, set, ","))
            }
            Expr::Bits { .. } => format!("{} {sign} {}", expr(left), value(kind, *span)),
            _ if is_bitmask(kind) => format!("{} {sign} {}", expr(left), exact_bits(kind, low(*span))),
            _ => format!("{} {implied}{}", expr(left), value(kind, *span)),
        },
    }
}

fn low(span: Span) -> u32 {
    u32::try_from(span.first).expect("bits are 32 at most")
}

/// Bits that must be exactly these.
fn exact_bits(kind: Type, bits: u32) -> String {
    if kind == Type::TcpFlag && bits.count_ones() > 1 {
        format!("{bits:#x}")
    } else {
        bit_names(kind, bits, " | ")
    }
}

fn bit_names(kind: Type, bits: u32, between: &str) -> String {
    let names: Vec<&str> =
        of_type(kind).iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect();
    if names.is_empty() { format!("{bits:#x}") } else { names.join(between) }
}

fn expr(expr: &Expr) -> String {
    match expr {
        Expr::Load(load) => self::load(load),
        Expr::Value(kind, number) => value(*kind, Span::one(*number)),
        Expr::Bits { of, mask, xor } => {
            let (of_text, kind) = (self::expr(of), kind_of(of));
            let bits = |bits: u32| value(kind, Span::one(bits.into()));
            // Source: nftables 1.0.6, src/netlink_delinearize.c, `netlink_parse_bitwise_bool`.
            let (or, xor) = (xor & !mask, xor & mask);
            let and = mask | or;
            let mut text = of_text;
            for (sign, shown, number) in
                [("&", and != u32::MAX, and), ("^", xor != 0, xor), ("|", or != 0, or)]
            {
                if shown {
                    let _ = write!(text, " {sign} {}", bits(number));
                }
            }
            text
        }
        Expr::Concat(parts) => parts.iter().map(self::expr).collect::<Vec<_>>().join(" . "),
        Expr::Map { key, map } => {
            format!("{} map {}", self::expr(key), set_ref(&map.set, &kinds(key), Some(&map.data)))
        }
    }
}

fn load(load: &Load) -> String {
    let ip = |family: &Family| if *family == Family::V4 { "ip" } else { "ip6" };
    let icmp = |family: &Family| if *family == Family::V4 { "icmp" } else { "icmpv6" };
    let offset = |offset: u32| if offset == 0 { String::new() } else { format!(" offset {offset}") };
    match load {
        Load::Saddr(family) => format!("{} saddr", ip(family)),
        Load::Daddr(family) => format!("{} daddr", ip(family)),
        Load::Protocol(Family::V4) => "ip protocol".to_string(),
        Load::Protocol(Family::V6) => "ip6 nexthdr".to_string(),
        Load::IpLength => "ip length".to_string(),
        Load::Ttl(Family::V4) => "ip ttl".to_string(),
        Load::Ttl(Family::V6) => "ip6 hoplimit".to_string(),
        Load::Dscp(family) => format!("{} dscp", ip(family)),
        Load::Sport(transport) => format!("{} sport", self::transport(*transport)),
        Load::Dport(transport) => format!("{} dport", self::transport(*transport)),
        Load::TcpFlags => "tcp flags".to_string(),
        Load::IcmpType(family) => format!("{} type", icmp(family)),
        Load::IcmpCode(family) => format!("{} code", icmp(family)),
        Load::L4Proto => "meta l4proto".to_string(),
        Load::NfProto => "meta nfproto".to_string(),
        Load::Mark => "meta mark".to_string(),
        Load::Length => "meta length".to_string(),
        Load::InDevice => "iifname".to_string(),
        Load::OutDevice => "oifname".to_string(),
        Load::InIndex => "iif".to_string(),
        Load::OutIndex => "oif".to_string(),
        Load::Ct(field) => format!("ct {}", ct(*field)),
        Load::FibSaddrType => "fib saddr type".to_string(),
        Load::FibDaddrType => "fib daddr type".to_string(),
        Load::NumgenRandom { modulus, offset: by } => format!("numgen random mod {modulus}{}", offset(*by)),
        Load::Jhash { of, modulus, seed, offset: by } => {
            let seed = seed.map_or_else(String::new, |seed| format!(" seed {seed:#x}"));
            format!("jhash {} mod {modulus}{seed}{}", expr(of), offset(*by))
        }
        Load::NumgenInc { modulus, offset: by } => format!("numgen inc mod {modulus}{}", offset(*by)),
    }
}

const fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Sctp => "sctp",
        Transport::Udplite => "udplite",
        Transport::Any => "th",
    }
}

fn ct(field: CtField) -> String {
    let way = |direction| if direction == Direction::Original { "original" } else { "reply" };
    let ip = |family| if family == Family::V4 { "ip" } else { "ip6" };
    let counted = |direction: Option<Direction>, what: &str| match direction {
        Some(direction) => format!("{} {what}", way(direction)),
        None => what.to_string(),
    };
    match field {
        CtField::State => "state".to_string(),
        CtField::Status => "status".to_string(),
        CtField::Mark => "mark".to_string(),
        CtField::Direction => "direction".to_string(),
        CtField::Expiration => "expiration".to_string(),
        CtField::Packets(direction) => counted(direction, "packets"),
        CtField::Bytes(direction) => counted(direction, "bytes"),
        CtField::Saddr(direction, family) => format!("{} {} saddr", way(direction), ip(family)),
        CtField::Daddr(direction, family) => format!("{} {} daddr", way(direction), ip(family)),
        CtField::ProtoSrc(direction) => format!("{} proto-src", way(direction)),
        CtField::ProtoDst(direction) => format!("{} proto-dst", way(direction)),
    }
}

fn set_ref(set: &SetRef, key: &[Type], data: Option<&MapsTo>) -> String {
    match set {
        SetRef::Named(name) => format!("@{name}"),
        SetRef::Anonymous(elements) => {
            let elements: Vec<String> = elements.iter().map(|each| element(each, key, data)).collect();
            format!("{{ {} }}", elements.join(", "))
        }
    }
}

pub(super) fn element(element: &Element, key: &[Type], data: Option<&MapsTo>) -> String {
    let mut text = key_text(key, &element.key);
    if let Some(timeout) = element.timeout {
        let _ = write!(text, " timeout {}", duration(timeout));
    }
    if let Some(comment) = &element.comment {
        let _ = write!(text, " comment \"{comment}\"");
    }
    match (&element.data, data) {
        (Some(Data::Verdict(verdict)), _) => {
            let _ = write!(text, " : {verdict}");
        }
        (Some(Data::Values(values)), Some(MapsTo::Values(types))) => {
            let _ = write!(text, " : {}", key_text(types, values));
        }
        _ => {}
    }
    text
}

/// The parts of a key, as nft writes them.
pub(crate) fn key_text(types: &[Type], key: &[Span]) -> String {
    let parts = key.iter().enumerate();
    let kind = |place| types.get(place).copied().unwrap_or(Type::Integer);
    parts.map(|(place, span)| value(kind(place), *span)).collect::<Vec<_>>().join(" . ")
}

fn value(kind: Type, span: Span) -> String {
    match kind {
        Type::Ipv4Addr | Type::Ipv6Addr => addresses(kind, span),
        Type::IfName => device(span),
        Type::CtState | Type::CtStatus | Type::TcpFlag => bit_names(kind, low(span), ","),
        _ if span.is_one() => number(kind, span.first),
        _ => format!("{}-{}", number(kind, span.first), number(kind, span.last)),
    }
}

fn number(kind: Type, number: u128) -> String {
    if let Some(word) = word_of(of_type(kind), number) {
        return word.to_string();
    }
    match kind {
        Type::Mark => format!("{number:#010x}"),
        Type::Dscp => format!("{number:#04x}"),
        Type::Time => duration(Time(u64::try_from(number).unwrap_or(u64::MAX).saturating_mul(1_000_000))),
        _ => number.to_string(),
    }
}

fn address(kind: Type, number: u128) -> IpAddr {
    match kind {
        Type::Ipv4Addr => Ipv4Addr::from(u32::try_from(number).expect("an IPv4 address has 32 bits")).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}

/// One address, a network, or a range.
fn addresses(kind: Type, span: Span) -> String {
    let bits: u32 = if kind == Type::Ipv4Addr { 32 } else { 128 };
    let differing = span.first ^ span.last;
    let host_bits = 128 - differing.leading_zeros();
    let all_hosts = 1u128.checked_shl(host_bits).map_or(u128::MAX, |above| above - 1);
    let first = address(kind, span.first);
    if span.is_one() {
        return first.to_string();
    }
    if differing == all_hosts && span.first & all_hosts == 0 {
        return format!("{first}/{}", bits - host_bits);
    }
    format!("{first}-{}", address(kind, span.last))
}

fn device(span: Span) -> String {
    let name: String =
        span.first.to_be_bytes().into_iter().take_while(|byte| *byte != 0).map(char::from).collect();
    if span.is_one() { format!("\"{name}\"") } else { format!("\"{name}*\"") }
}

fn nat(nat: &Nat) -> String {
    let mut text = match nat.kind {
        NatKind::Dnat => "dnat",
        NatKind::Snat => "snat",
        NatKind::Masquerade => "masquerade",
        NatKind::Redirect => "redirect",
    }
    .to_string();
    if let Some(family) = nat.family {
        text.push_str(if family == Family::V4 { " ip" } else { " ip6" });
    }
    match &nat.from {
        Some(from) => {
            let _ = write!(text, " to {}", expr(from));
        }
        None => text.push_str(&range(&nat.range)),
    }
    let flags = [
        (nat.range.random, "random"),
        (nat.range.random_fully, "fully-random"),
        (nat.range.persistent, "persistent"),
    ];
    let flags: Vec<&str> = flags.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
    if !flags.is_empty() {
        let _ = write!(text, " {}", flags.join(","));
    }
    text
}

fn range(range: &NatRange) -> String {
    let addrs = range.addrs.map(|(first, last)| {
        let brackets = first.is_ipv6() && range.ports.is_some();
        let one = |addr: IpAddr| if brackets { format!("[{addr}]") } else { addr.to_string() };
        if first == last { one(first) } else { format!("{}-{}", one(first), one(last)) }
    });
    match (addrs, range.ports.map(ports)) {
        (None, None) => String::new(),
        (addrs, ports) => {
            let ports = ports.map_or(String::new(), |ports| format!(":{ports}"));
            format!(" to {}{ports}", addrs.unwrap_or_default())
        }
    }
}

fn ports(range: PortRange) -> String {
    if range.first == range.last {
        range.first.to_string()
    } else {
        format!("{}-{}", range.first, range.last)
    }
}

fn reject(family: TableFamily, reject: Reject) -> String {
    if reject == Reject::default_of(family) {
        return "reject".to_string();
    }
    let with = |kind: &str, codes: &[Symbol], code: u8| {
        let word = word_of(codes, code.into()).map_or_else(|| code.to_string(), str::to_string);
        format!("reject with {kind} {word}")
    };
    match reject {
        Reject::Icmp(code) => with("icmp", symbols::REJECT_ICMP, code),
        Reject::Icmpv6(code) => with("icmpv6", symbols::REJECT_ICMPV6, code),
        Reject::Icmpx(code) => with("icmpx", symbols::REJECT_ICMPX, code),
        Reject::TcpReset => "reject with tcp reset".to_string(),
    }
}

pub(super) fn limit(limit: Limit) -> String {
    let over = if limit.over { "over " } else { "" };
    let unit = match limit.per_seconds {
        1 => "second",
        60 => "minute",
        3_600 => "hour",
        86_400 => "day",
        _ => "week",
    };
    let rate = if limit.bytes { bytes(limit.rate) } else { limit.rate.to_string() };
    let burst = match (limit.bytes, limit.burst) {
        (false, 5) | (true, 0) => String::new(),
        (false, burst) => format!(" burst {burst} packets"),
        (true, burst) => format!(" burst {}", bytes(burst)),
    };
    format!("rate {over}{rate}/{unit}{burst}")
}

pub(super) fn quota(quota: Quota) -> String {
    format!("{}{}", if quota.over { "over " } else { "" }, bytes(quota.bytes))
}

/// Source: nftables 1.0.6, src/statement.c, `get_rate`: the largest unit that divides it.
fn bytes(count: u64) -> String {
    let units = [("mbytes", 1u64 << 20), ("kbytes", 1 << 10)];
    match units.into_iter().find(|(_, size)| count > 0 && count.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{} {unit}", count / size),
        None => format!("{count} bytes"),
    }
}
