//! Parsers of matches: each takes the options that are its own.

use std::sync::Arc;

use kdp_packet::{Family, Proto};

use super::arguments::{Arguments, Opt};
use super::values::{marked, need_number, ports};
use super::{Problem, connection, effects, header, limit, packet_matches, ports_match};
use crate::{AddrType, AddrTypes, DeviceSide, Match, Test};

/// A match on its way.
pub(super) trait Module {
    /// Takes `option` and its values, if it is this match's.
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem>;

    /// The match, once all its options were read.
    fn finish(self: Box<Self>) -> Result<Match, Problem>;

    /// The protocol that the rule must have.
    fn needs(&self) -> Option<Proto> {
        None
    }

    /// Refuses a rule whose protocol does not fit.
    ///
    /// Source: the kernel's `struct xt_match`, member `proto`; iptables lets `! -p tcp -m tcp` pass, which nothing matches.
    fn check(&self, proto: Option<Test<Proto>>) -> Result<(), Problem> {
        match self.needs() {
            Some(needed) if proto.is_none_or(|test| test.value != needed) => {
                let name = super::values::protocol_name(needed);
                Err(Problem::syntax(format!("match {name} needs -p {name}")))
            }
            _ => Ok(()),
        }
    }
}

/// `-m name`.
pub(super) fn module(name: &str, family: Family) -> Option<Box<dyn Module>> {
    Some(match name {
        "tcp" => Box::new(ports_match::Ports::of(Proto::TCP)),
        "udp" => Box::new(ports_match::Ports::of(Proto::UDP)),
        "sctp" => Box::new(ports_match::Ports::of(Proto::SCTP)),
        "comment" => Box::<Comment>::default(),
        "conntrack" => Box::<connection::Conntrack>::default(),
        "connbytes" => Box::<super::connbytes::ConnBytesTest>::default(),
        "connmark" => Box::<connection::ConnMarkTest>::default(),
        "tos" => Box::new(header::Field::of("tos", "--tos")),
        "dscp" => Box::new(header::Field::of("dscp", "--dscp")),
        "tcpmss" => Box::new(header::Field::of("tcpmss", "--mss")),
        "ttl" if family == Family::V4 => Box::new(header::Field::of("ttl", "--ttl")),
        "hl" if family == Family::V6 => Box::new(header::Field::of("hl", "--hl")),
        "iprange" => Box::<header::Ranges>::default(),
        "quota" => Box::<limit::Quotas>::default(),
        "limit" => Box::<limit::Limits>::default(),
        "rpfilter" => Box::<limit::ReversePaths>::default(),
        "mark" => Box::<Mark>::default(),
        "addrtype" => Box::new(AddressTypes { family, src: None, dst: None, side: None }),
        "nfacct" => Box::<Nfacct>::default(),
        "multiport" => Box::<packet_matches::Multiport>::default(),
        "length" => Box::<packet_matches::Length>::default(),
        "state" => Box::<packet_matches::State>::default(),
        "icmp" if family == Family::V4 => Box::new(packet_matches::Icmp::of(family)),
        "icmp6" | "icmpv6" if family == Family::V6 => Box::new(packet_matches::Icmp::of(family)),
        "statistic" => Box::<effects::Statistics>::default(),
        "set" => Box::<super::set::SetMatch>::default(),
        "recent" => Box::<effects::Recents>::default(),
        _ => Box::new(super::unknown::Unknowns::of(name)?),
    })
}

/// The match that `-p` brings in when an option needs it.
pub(super) fn implied(proto: Proto) -> Option<Box<dyn Module>> {
    match proto {
        Proto::TCP | Proto::UDP | Proto::SCTP => Some(Box::new(ports_match::Ports::of(proto))),
        Proto::ICMP => Some(Box::new(packet_matches::Icmp::of(Family::V4))),
        Proto::ICMPV6 => Some(Box::new(packet_matches::Icmp::of(Family::V6))),
        _ => None,
    }
}

/// What an option that must be there was not.
pub(super) fn missing(module: &str, option: &str) -> Problem {
    Problem::syntax(format!("match {module}: {option} must be given"))
}

/// Puts `value` in, unless the option was there before.
pub(super) fn once<T>(place: &mut Option<T>, option: &Opt<'_>, value: T) -> Result<bool, Problem> {
    if place.is_some() {
        return Err(Problem::syntax(format!("{} may be given once", option.name)));
    }
    *place = Some(value);
    Ok(true)
}

#[derive(Default)]
struct Comment(Option<Arc<str>>);

impl Module for Comment {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != "--comment" {
            return Ok(false);
        }
        option.plain()?;
        let text = arguments.value(option.name)?;
        if text.len() > 255 {
            return Err(Problem::syntax(format!("--comment: {} bytes; at most 255 are allowed", text.len())));
        }
        let text = arguments.interner.text(text);
        once(&mut self.0, option, text)
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::Comment).ok_or_else(|| missing("comment", "--comment"))
    }
}

/// A list of names with commas between.
pub(super) fn set<T: Copy>(option: &str, text: &str, names: &[(T, &str)]) -> Result<Vec<T>, Problem> {
    let of = |word: &str| {
        let found = names.iter().find(|(_, name)| name.eq_ignore_ascii_case(word));
        found.map(|(value, _)| *value).ok_or_else(|| {
            let allowed: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
            Problem::syntax(format!("{option}: {word:?} is not one of {}", allowed.join(", ")))
        })
    };
    text.split(',').map(of).collect()
}

#[derive(Default)]
struct Mark(Option<Test<(u32, u32)>>);

impl Module for Mark {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != "--mark" {
            return Ok(false);
        }
        let value = marked(option.name, arguments.value(option.name)?)?;
        once(&mut self.0, option, Test { invert: option.invert, value })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::Mark).ok_or_else(|| missing("mark", "--mark"))
    }
}

struct AddressTypes {
    family: Family,
    src: Option<Test<AddrTypes>>,
    dst: Option<Test<AddrTypes>>,
    side: Option<DeviceSide>,
}

impl Module for AddressTypes {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let place = match option.name {
            "--src-type" => &mut self.src,
            "--dst-type" => &mut self.dst,
            "--limit-iface-in" => return self.limit(option, DeviceSide::In),
            "--limit-iface-out" => return self.limit(option, DeviceSide::Out),
            _ => return Ok(false),
        };
        let text = arguments.value(option.name)?;
        let types = set(option.name, text, &AddrType::ALL)?;
        if self.family == Family::V6 && types.iter().any(|kind| NOT_IN_IPV6.contains(kind)) {
            return Err(Problem::syntax(format!("{}: IPv6 has no addresses of type {text}", option.name)));
        }
        let value = AddrTypes::of(&types);
        once(place, option, Test { invert: option.invert, value })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        if self.src.is_none() && self.dst.is_none() {
            return Err(missing("addrtype", "--src-type or --dst-type"));
        }
        let (src, dst) = (self.src, self.dst);
        Ok(self.side.map_or(Match::AddrType { src, dst }, |side| Match::AddrTypeOn { src, dst, side }))
    }
}

/// Source: net/netfilter/xt_addrtype.c `addrtype_mt_checkentry_v1`, v6.12.
const NOT_IN_IPV6: [AddrType; 6] = [
    AddrType::Broadcast,
    AddrType::Blackhole,
    AddrType::Prohibit,
    AddrType::Throw,
    AddrType::Nat,
    AddrType::Xresolve,
];

impl AddressTypes {
    fn limit(&mut self, option: &Opt<'_>, side: DeviceSide) -> Result<bool, Problem> {
        option.plain()?;
        once(&mut self.side, option, side)
    }
}

#[derive(Default)]
struct Nfacct(Option<Arc<str>>);

impl Module for Nfacct {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != "--nfacct-name" {
            return Ok(false);
        }
        option.plain()?;
        let name = arguments.value(option.name)?;
        let name = arguments.interner.text(name);
        once(&mut self.0, option, name)
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::Nfacct).ok_or_else(|| missing("nfacct", "--nfacct-name"))
    }
}

/// `--seconds` and the like: a number above zero.
pub(super) fn positive(option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<u32, Problem> {
    let value = need_number(option.name, arguments.value(option.name)?)?;
    if value == 0 {
        return Err(Problem::syntax(format!("{}: 0 is not above zero", option.name)));
    }
    Ok(value)
}

pub(super) fn port_test(option: &Opt<'_>, text: &str) -> Result<Option<Test<crate::PortRange>>, Problem> {
    let value = ports(option.name, text, ':')?;
    // Every port is no test; its contrary is one that nothing passes.
    let any = value.first == 0 && value.last == u16::MAX && !option.invert;
    Ok((!any).then_some(Test { invert: option.invert, value }))
}
