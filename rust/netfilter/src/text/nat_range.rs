//! The ranges of NAT targets: `ADDR[-ADDR][:PORT[-PORT]]`.

use std::net::IpAddr;

use kdp_packet::Family;

use super::Problem;
use super::values::{address, ports};
use crate::{NatRange, PortRange};

type Range = (Option<(IpAddr, IpAddr)>, Option<PortRange>);

/// Reads a range. An IPv6 address with a port stands in brackets.
/// Source: iptables 1.8.9, `parse_to` in extensions/libxt_NAT.c.
pub(super) fn nat_range(option: &str, text: &str, family: Family) -> Result<Range, Problem> {
    let (addrs, ports) = match (family, text.strip_prefix('[')) {
        (Family::V6, Some(inside)) => {
            let open = || Problem::syntax(format!("{option}: {text}: no \"]\" behind \"[\""));
            let (addrs, behind) = inside.split_once(']').ok_or_else(open)?;
            match behind.strip_prefix(':') {
                Some(ports) => (addrs, Some(ports)),
                None if behind.is_empty() => (addrs, None),
                None => return Err(Problem::syntax(format!("{option}: {text}: {behind:?} behind \"]\""))),
            }
        }
        (Family::V6, None) if text.starts_with(':') && !text.starts_with("::") => ("", Some(&text[1..])),
        (Family::V6, None) => (text, None),
        (Family::V4, _) => text.split_once(':').map_or((text, None), |(addrs, ports)| (addrs, Some(ports))),
    };
    let addrs = if addrs.is_empty() { None } else { Some(address_range(option, addrs, family)?) };
    let ports = ports.map(|ports| to_ports(option, ports)).transpose()?;
    if addrs.is_none() && ports.is_none() {
        return Err(Problem::syntax(format!("{option}: neither an address nor a port")));
    }
    Ok((addrs, ports))
}

fn address_range(option: &str, text: &str, family: Family) -> Result<(IpAddr, IpAddr), Problem> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Ok((address(option, first, family)?, address(option, last, family)?))
}

/// Reads `PORT` or `PORT-PORT`.
pub(super) fn to_ports(option: &str, text: &str) -> Result<PortRange, Problem> {
    if text.contains('/') {
        return Err(Problem::option(&format!("{option} {text}"), "a NAT target"));
    }
    if text.starts_with('-') || text.ends_with('-') || text.is_empty() {
        return Err(Problem::syntax(format!("{option}: {text:?} is not a port or a range of ports")));
    }
    ports(option, text, '-')
}

/// A range as it is printed behind `--to-destination` and `--to-source`.
pub(super) fn print_range(range: &NatRange) -> String {
    let addrs = match range.addrs {
        None => String::new(),
        Some((first, last)) if first == last => first.to_string(),
        Some((first, last)) => format!("{first}-{last}"),
    };
    match range.ports {
        None => addrs,
        Some(ports) if addrs.contains(':') => format!("[{addrs}]:{}", print_ports(ports, '-')),
        Some(ports) => format!("{addrs}:{}", print_ports(ports, '-')),
    }
}

/// One port, or the first and the last.
pub(super) fn print_ports(ports: PortRange, between: char) -> String {
    if ports.first == ports.last {
        ports.first.to_string()
    } else {
        format!("{}{between}{}", ports.first, ports.last)
    }
}
