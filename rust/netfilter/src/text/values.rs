//! Numbers, addresses, ports and names in arguments.

use std::net::IpAddr;

use kdp_packet::{Cidr, Family, Proto};

use super::Problem;
use crate::PortRange;

/// A number in decimal, octal (`0…`) or hexadecimal (`0x…`), as strtoul reads it.
pub(super) fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // from_str_radix takes a sign, strtoul's callers do not.
    if digits.starts_with(['+', '-']) { None } else { u32::from_str_radix(digits, radix).ok() }
}

/// A number, or a problem that says which value of which option is wrong.
pub(super) fn need_number(option: &str, text: &str) -> Result<u32, Problem> {
    number(text).ok_or_else(|| Problem::syntax(format!("{option}: {text:?} is not a number below 2^32")))
}

/// `VALUE[/MASK]`.
pub(super) fn marked(option: &str, text: &str) -> Result<(u32, u32), Problem> {
    let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
    let mask = mask.map_or(Ok(u32::MAX), |mask| need_number(option, mask))?;
    Ok((need_number(option, value)?, mask))
}

/// `PORT` or `FIRST:LAST`, each end of which may be missing.
pub(super) fn ports(option: &str, text: &str, between: char) -> Result<PortRange, Problem> {
    let range = match text.split_once(between) {
        None => PortRange::one(port(option, text)?),
        Some((first, last)) => PortRange {
            first: if first.is_empty() { 0 } else { port(option, first)? },
            last: if last.is_empty() { u16::MAX } else { port(option, last)? },
        },
    };
    if range.first > range.last {
        return Err(Problem::syntax(format!("{option}: {text}: the first port is above the last")));
    }
    Ok(range)
}

fn port(option: &str, text: &str) -> Result<u16, Problem> {
    let known = SERVICES.iter().find(|(name, _)| *name == text).map(|(_, port)| *port);
    let port = known.or_else(|| number(text).and_then(|port| u16::try_from(port).ok()));
    port.ok_or_else(|| Problem::syntax(format!("{option}: {text:?} is not a port from 0 to 65535")))
}

/// The names of services that rules use. Source: IANA's registry, as in /etc/services.
const SERVICES: [(&str, u16); 12] = [
    ("domain", 53),
    ("bootpc", 68),
    ("bootps", 67),
    ("ftp", 21),
    ("http", 80),
    ("https", 443),
    ("ntp", 123),
    ("smtp", 25),
    ("snmp", 161),
    ("ssh", 22),
    ("syslog", 514),
    ("telnet", 23),
];

/// An address of the family.
pub(super) fn address(option: &str, text: &str, family: Family) -> Result<IpAddr, Problem> {
    let addr: Option<IpAddr> = text.parse().ok().filter(|addr| Family::of(*addr) == family);
    addr.ok_or_else(|| Problem::syntax(format!("{option}: {text:?} is not an {} address", family.as_str())))
}

/// `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS/MASK`.
pub(super) fn network(option: &str, text: &str, family: Family) -> Result<Cidr, Problem> {
    let (addr, len) = match text.split_once('/') {
        None => (text, u32::from(family.bits())),
        Some((addr, mask)) => (addr, mask_len(option, mask, family)?),
    };
    let addr = address(option, addr, family)?;
    let network = u8::try_from(len).ok().and_then(|len| Cidr::new(addr, len));
    network.ok_or_else(|| Problem::syntax(format!("{option}: {text}: a mask of {len} bits")))
}

fn mask_len(option: &str, mask: &str, family: Family) -> Result<u32, Problem> {
    if !mask.is_empty() && mask.bytes().all(|b| b.is_ascii_digit()) {
        return need_number(option, mask.trim_start_matches('0')).or(Ok(0));
    }
    let bits = match address(option, mask, family)? {
        IpAddr::V4(mask) => u128::from(u32::from(mask)) << 96,
        IpAddr::V6(mask) => mask.into(),
    };
    if bits.leading_ones() != bits.count_ones() {
        return Err(Problem::option(&format!("{option} ADDRESS/{mask}"), "a rule"));
    }
    Ok(bits.leading_ones())
}

/// A protocol by name or number; `None` is any.
pub(super) fn protocol(text: &str) -> Result<Option<Proto>, Problem> {
    let lower = text.to_ascii_lowercase();
    let alias = match lower.as_str() {
        "all" => return Ok(None),
        "icmpv6" => "ipv6-icmp",
        "mh" | "ipv6-mh" => "mobility-header",
        other => other,
    };
    let named = PROTOCOLS.iter().find(|(_, name)| *name == alias).map(|(number, _)| *number);
    let number = named.or_else(|| number(text).and_then(|n| u8::try_from(n).ok()));
    let number =
        number.ok_or_else(|| Problem::syntax(format!("-p: {text:?} is not a protocol's name or number")))?;
    Ok((number != 0).then_some(Proto(number)))
}

/// A protocol as iptables-save prints it.
pub(super) fn protocol_name(proto: Proto) -> String {
    let named = PROTOCOLS.iter().find(|(number, _)| *number == proto.0);
    named.map_or_else(|| proto.0.to_string(), |(_, name)| (*name).to_string())
}

/// Source: IANA's registry, with the names of Debian's /etc/protocols, by which iptables prints.
const PROTOCOLS: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipencap"),
    (5, "st"),
    (6, "tcp"),
    (8, "egp"),
    (9, "igp"),
    (12, "pup"),
    (17, "udp"),
    (20, "hmp"),
    (22, "xns-idp"),
    (27, "rdp"),
    (29, "iso-tp4"),
    (33, "dccp"),
    (36, "xtp"),
    (37, "ddp"),
    (38, "idpr-cmtp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (45, "idrp"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (57, "skip"),
    (58, "ipv6-icmp"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (73, "rspf"),
    (81, "vmtp"),
    (88, "eigrp"),
    (89, "ospf"),
    (93, "ax.25"),
    (94, "ipip"),
    (97, "etherip"),
    (98, "encap"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (124, "isis"),
    (132, "sctp"),
    (133, "fc"),
    (135, "mobility-header"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (138, "manet"),
    (139, "hip"),
    (140, "shim6"),
    (141, "wesp"),
    (142, "rohc"),
    (143, "ethernet"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_strtouls() {
        let read = ["0", "10", "0x4000", "010", "0XfF", "4294967295", "4294967296", "", "x", "+1", "0x+1"]
            .map(number);
        let wanted = [
            Some(0),
            Some(10),
            Some(0x4000),
            Some(8),
            Some(255),
            Some(u32::MAX),
            None,
            None,
            None,
            None,
            None,
        ];
        assert_eq!(read, wanted);
    }

    #[test]
    fn networks_have_lengths_or_masks() {
        let read = |text: &str| network("-s", text, Family::V4).map(|cidr| cidr.to_string());
        assert_eq!(read("10.1.2.3/8").unwrap(), "10.0.0.0/8");
        assert_eq!(read("10.1.2.3/255.255.0.0").unwrap(), "10.1.0.0/16");
        assert_eq!(read("10.1.2.3").unwrap(), "10.1.2.3/32");
        assert_eq!(read("10.1.2.3/0").unwrap(), "0.0.0.0/0");
        for bad in ["10.1.2.3/33", "10.1.2.3/255.0.255.0", "fd00::1", "10.1.2/8", "10.1.2.3/"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_protocol_reads_back() {
        for number in 1..=255 {
            assert_eq!(protocol(&protocol_name(Proto(number))).unwrap(), Some(Proto(number)));
        }
        assert_eq!(protocol("ALL").unwrap(), None);
        assert!(protocol("256").is_err());
    }
}
