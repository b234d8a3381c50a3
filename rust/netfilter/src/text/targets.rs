//! Parsers of targets.

use kdp_packet::{Family, Proto};

use super::arguments::{Arguments, Opt};
use super::nat_range::{nat_range, to_ports};
use super::values::{marked, need_number};
use super::{Problem, edits};
use crate::{NatRange, RejectWith, Target};

/// A target on its way.
pub(super) struct Aim {
    target: Target,
    /// The option that must be there and was not yet.
    missing: Option<&'static str>,
}

impl Aim {
    /// `-j name`, where `name` is not a chain of the table.
    pub(super) fn jump(name: &str, arguments: &mut Arguments<'_>) -> Result<Aim, Problem> {
        let (target, missing) = match name {
            "ACCEPT" => (Target::Accept, None),
            "DROP" => (Target::Drop, None),
            "RETURN" => (Target::Return, None),
            "REJECT" => (Target::Reject(default_reject(arguments.family)), None),
            "MARK" => (Target::Mark { value: 0, mask: 0 }, Some("--set-xmark")),
            "DNAT" => (Target::Dnat(NatRange::default()), Some("--to-destination")),
            "SNAT" => (Target::Snat(NatRange::default()), Some("--to-source")),
            "MASQUERADE" => (Target::Masquerade(NatRange::default()), None),
            "REDIRECT" => (Target::Redirect(NatRange::default()), None),
            "NOTRACK" => (Target::Notrack, None),
            "CT" => (Target::CtNotrack, Some("--notrack")),
            "NETMAP" | "CONNMARK" | "TOS" | "DSCP" | "TTL" | "HL" | "TCPMSS" | "LOG" | "NFLOG"
            | "CHECKSUM" | "TRACE" | "NFQUEUE" | "DNPT" | "SNPT" => {
                edits::of(name, arguments.family).ok_or_else(|| Problem::Target(name.to_string()))?
            }
            _ if EXTENSIONS.contains(&name) => return Err(Problem::Target(name.to_string())),
            _ => (Target::Jump(arguments.interner.name(name)), None),
        };
        Ok(Aim { target, missing })
    }

    /// `-g name`.
    pub(super) fn goto(name: &str, arguments: &mut Arguments<'_>) -> Aim {
        Aim { target: Target::Goto(arguments.interner.name(name)), missing: None }
    }

    /// Takes `option` and its values, if it is this target's.
    pub(super) fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let taken = match &mut self.target {
            Target::Reject(with) if option.name == "--reject-with" => {
                *with = reject_with(arguments.family, arguments.value(option.name)?)?;
                true
            }
            Target::Mark { value, mask } => match mark(option.name, arguments)? {
                Some(new) => {
                    (*value, *mask) = new;
                    true
                }
                None => false,
            },
            Target::Dnat(range) => take_nat(range, option, arguments, &["--to-destination", "--to"], true)?,
            Target::Snat(range) => take_nat(range, option, arguments, &["--to-source", "--to"], true)?,
            Target::Masquerade(range) => take_nat(range, option, arguments, &["--to-ports"], false)?,
            Target::Redirect(range) => {
                take_nat(range, option, arguments, &["--to-ports", "--to-port"], false)?
            }
            Target::CtNotrack => match option.name {
                "--notrack" => true,
                "--zone" | "--zone-orig" | "--zone-reply" => {
                    option.plain()?;
                    self.missing = None;
                    self.target = edits::zone(option.name, arguments)?;
                    return Ok(true);
                }
                "--helper" | "--ctevents" | "--expevents" | "--timeout" => {
                    return Err(Problem::option(option.name, "target \"CT\""));
                }
                _ => false,
            },
            other => {
                let taken = edits::take(other, option, arguments)?;
                self.missing = if taken { None } else { self.missing };
                taken
            }
        };
        if taken {
            option.plain()?;
            if option.name.starts_with("--to")
                || matches!(self.target, Target::Mark { .. } | Target::CtNotrack)
            {
                self.missing = None;
            }
        }
        Ok(taken)
    }

    /// The target, of a rule for packets of `proto`.
    pub(super) fn finish(self, proto: Option<Proto>) -> Result<Target, Problem> {
        if let Some(option) = self.missing {
            return Err(Problem::syntax(format!("the target needs {option}")));
        }
        edits::check(&self.target, proto)?;
        match self.target {
            Target::Dnat(range)
            | Target::Snat(range)
            | Target::Masquerade(range)
            | Target::Redirect(range)
                if range.ports.is_some() && !proto.is_some_and(|proto| NAT_PORTS.contains(&proto)) =>
            {
                Err(Problem::syntax("a target with ports needs -p tcp, udp, sctp, dccp or icmp"))
            }
            Target::Reject(RejectWith::TcpReset) if proto != Some(Proto::TCP) => {
                Err(Problem::syntax("--reject-with tcp-reset needs -p tcp"))
            }
            target => Ok(target),
        }
    }
}

/// Protocols of which NAT may change ports; of ICMP it is the id.
/// Source: iptables 1.8.9, `portok` in extensions/libxt_NAT.c.
const NAT_PORTS: [Proto; 5] = [Proto::TCP, Proto::UDP, Proto::SCTP, Proto(33), Proto::ICMP];

fn take_nat(
    range: &mut NatRange,
    option: &Opt<'_>,
    arguments: &mut Arguments<'_>,
    to: &[&str],
    addresses: bool,
) -> Result<bool, Problem> {
    match option.name {
        "--random" => range.random = true,
        "--random-fully" => range.random_fully = true,
        "--persistent" if addresses => range.persistent = true,
        name if to.contains(&name) => {
            let text = arguments.value(name)?;
            if addresses {
                (range.addrs, range.ports) = nat_range(name, text, arguments.family)?;
            } else {
                range.ports = Some(to_ports(name, text)?);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What a MARK option makes of the mark, as value and mask of `--set-xmark`.
/// Source: iptables 1.8.9, extensions/libxt_MARK.c.
pub(super) fn mark(option: &str, arguments: &mut Arguments<'_>) -> Result<Option<(u32, u32)>, Problem> {
    let known = ["--set-xmark", "--set-mark", "--and-mark", "--or-mark", "--xor-mark"];
    if !known.contains(&option) {
        return Ok(None);
    }
    let text = arguments.value(option)?;
    Ok(Some(match option {
        "--set-xmark" => marked(option, text)?,
        "--set-mark" => {
            let (value, mask) = marked(option, text)?;
            (value, value | mask)
        }
        "--and-mark" => (0, !need_number(option, text)?),
        "--or-mark" => {
            let bits = need_number(option, text)?;
            (bits, bits)
        }
        _ => (need_number(option, text)?, 0),
    }))
}

fn default_reject(family: Family) -> RejectWith {
    match family {
        Family::V4 => RejectWith::PORT_UNREACHABLE,
        Family::V6 => RejectWith::PORT_UNREACHABLE_V6,
    }
}

fn reject_with(family: Family, text: &str) -> Result<RejectWith, Problem> {
    if matches!(text, "tcp-reset" | "tcp-rst") {
        return Ok(RejectWith::TcpReset);
    }
    let found = reject_names(family).iter().find(|(_, name, alias)| *name == text || *alias == text);
    found.map(|(code, ..)| RejectWith::Unreachable(*code)).ok_or_else(|| {
        let names: Vec<&str> = reject_names(family).iter().map(|(_, name, _)| *name).collect();
        Problem::syntax(format!("--reject-with: {text:?} is not one of {}, tcp-reset", names.join(", ")))
    })
}

/// Codes, the names that are printed, and other names.
/// Source: iptables 1.8.9, extensions/libipt_REJECT.c and libip6t_REJECT.c.
pub(super) fn reject_names(family: Family) -> &'static [(u8, &'static str, &'static str)] {
    match family {
        Family::V4 => &[
            (0, "icmp-net-unreachable", "net-unreach"),
            (1, "icmp-host-unreachable", "host-unreach"),
            (2, "icmp-proto-unreachable", "proto-unreach"),
            (3, "icmp-port-unreachable", "port-unreach"),
            (9, "icmp-net-prohibited", "net-prohib"),
            (10, "icmp-host-prohibited", "host-prohib"),
            (13, "icmp-admin-prohibited", "admin-prohib"),
        ],
        Family::V6 => &[
            (0, "icmp6-no-route", "no-route"),
            (1, "icmp6-adm-prohibited", "adm-prohibited"),
            (3, "icmp6-addr-unreachable", "addr-unreach"),
            (4, "icmp6-port-unreachable", "port-unreach"),
            (5, "icmp6-policy-fail", "policy-fail"),
            (6, "icmp6-reject-route", "reject-route"),
        ],
    }
}

/// Targets of iptables that are not modelled: a jump to one is not a jump to a chain.
const EXTENSIONS: [&str; 26] = [
    "AUDIT",
    "CLASSIFY",
    "CLUSTERIP",
    "CONNSECMARK",
    "ECN",
    "HMARK",
    "IDLETIMER",
    "LED",
    "QUEUE",
    "RATEEST",
    "SECMARK",
    "SET",
    "SYNPROXY",
    "TCPOPTSTRIP",
    "TEE",
    "TPROXY",
    "ULOG",
    "MIRROR",
    "SAME",
    "BALANCE",
    "FTOS",
    "IPMARK",
    "ROUTE",
    "XOR",
    "TARPIT",
    "DELUDE",
];
