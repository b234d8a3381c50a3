//! `-m multiport`, `-m icmp`, `-m icmp6`, `-m length`, `-m state`.

use kdp_packet::{Family, Proto};

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing, once, set};
use super::values::{number, ports};
use crate::{CtState, CtStates, IcmpType, Match, PortRange, PortSide, Test};

/// `-m multiport`.
#[derive(Default)]
pub(super) struct Multiport(Option<(PortSide, Test<Vec<PortRange>>)>);

/// Ports and ranges that one match holds; a range counts twice. Source: the kernel's `XT_MULTI_PORTS`.
const MULTI_PORTS: usize = 15;

impl Module for Multiport {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let side = match option.name {
            "--sports" | "--source-ports" => PortSide::Source,
            "--dports" | "--destination-ports" => PortSide::Destination,
            "--ports" => PortSide::Either,
            _ => return Ok(false),
        };
        let text = arguments.value(option.name)?;
        let value: Result<Vec<PortRange>, Problem> =
            text.split(',').map(|one| ports(option.name, one, ':')).collect();
        let value = value?;
        let held: usize = value.iter().map(|range| 1 + usize::from(range.first != range.last)).sum();
        if held > MULTI_PORTS {
            return Err(Problem::syntax(format!(
                "{}: {held} ports; at most {MULTI_PORTS} are allowed",
                option.name
            )));
        }
        once(&mut self.0, option, (side, Test { invert: option.invert, value }))
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let (side, ports) = self.0.ok_or_else(|| missing("multiport", "--sports, --dports or --ports"))?;
        Ok(Match::Multiport { side, ports })
    }

    fn check(&self, proto: Option<Test<Proto>>) -> Result<(), Problem> {
        match proto {
            Some(test) if !test.invert && test.value.has_ports() => Ok(()),
            _ => Err(Problem::syntax("match multiport needs -p tcp, udp, sctp or udplite")),
        }
    }
}

/// `-m icmp` and `-m icmp6`.
pub(super) struct Icmp {
    family: Family,
    test: Option<Test<IcmpType>>,
}

impl Icmp {
    pub(super) fn of(family: Family) -> Icmp {
        Icmp { family, test: None }
    }

    fn option(&self) -> &'static str {
        match self.family {
            Family::V4 => "--icmp-type",
            Family::V6 => "--icmpv6-type",
        }
    }
}

impl Module for Icmp {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != self.option() {
            return Ok(false);
        }
        let value = icmp_type(self.family, option.name, arguments.value(option.name)?)?;
        once(&mut self.test, option, Test { invert: option.invert, value })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let option = self.option();
        self.test.map(Match::Icmp).ok_or_else(|| missing("icmp", option))
    }

    fn needs(&self) -> Option<Proto> {
        Some(match self.family {
            Family::V4 => Proto::ICMP,
            Family::V6 => Proto::ICMPV6,
        })
    }
}

fn icmp_type(family: Family, option: &str, text: &str) -> Result<IcmpType, Problem> {
    let names: &[(&str, u8, Option<u8>)] = match family {
        Family::V4 if text == "any" => return Ok(IcmpType { kind: None, code: None }),
        Family::V4 => &ICMP_NAMES,
        Family::V6 => &ICMPV6_NAMES,
    };
    if let Some((_, kind, code)) = names.iter().find(|(name, ..)| *name == text) {
        return Ok(IcmpType { kind: Some(*kind), code: *code });
    }
    let byte = |text: &str| number(text).and_then(|n| u8::try_from(n).ok());
    let (kind, code) = text.split_once('/').map_or((text, None), |(kind, code)| (kind, Some(code)));
    match (byte(kind), code.map(byte)) {
        (Some(kind), None) => Ok(IcmpType { kind: Some(kind), code: None }),
        (Some(kind), Some(Some(code))) => Ok(IcmpType { kind: Some(kind), code: Some(code) }),
        _ => Err(Problem::syntax(format!("{option}: {text:?} is not a type, nor TYPE/CODE"))),
    }
}

/// Source: iptables 1.8.9, libxtables/xtoptions.c and extensions/libxt_icmp.h.
const ICMP_NAMES: [(&str, u8, Option<u8>); 16] = [
    ("echo-reply", 0, None),
    ("pong", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", 11, Some(0)),
    ("parameter-problem", 12, None),
];

const ICMPV6_NAMES: [(&str, u8, Option<u8>); 17] = [
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("ttl-exceeded", 3, None),
    ("parameter-problem", 4, None),
    ("echo-request", 128, None),
    ("ping", 128, None),
    ("echo-reply", 129, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbour-solicitation", 135, None),
    ("neighbour-advertisement", 136, None),
    ("redirect", 137, None),
];

/// `-m length`.
#[derive(Default)]
pub(super) struct Length(Option<Test<PortRange>>);

impl Module for Length {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != "--length" {
            return Ok(false);
        }
        let value = ports(option.name, arguments.value(option.name)?, ':')?;
        once(&mut self.0, option, Test { invert: option.invert, value })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::Length).ok_or_else(|| missing("length", "--length"))
    }
}

/// `-m state`.
#[derive(Default)]
pub(super) struct State(Option<Test<CtStates>>);

impl Module for State {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != "--state" {
            return Ok(false);
        }
        // SNAT and DNAT, the last two, are conntrack's alone.
        let states = set(option.name, arguments.value(option.name)?, &CtState::ALL[..5])?;
        let value = states.into_iter().fold(CtStates::default(), CtStates::with);
        once(&mut self.0, option, Test { invert: option.invert, value })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::State).ok_or_else(|| missing("state", "--state"))
    }
}
