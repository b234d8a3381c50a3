//! Resource records, as a message carries them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One resource record of class IN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceRecord {
    /// The absolute name that it belongs to, in the letter case of the message.
    pub owner: String,
    /// How long it may be kept, in seconds.
    pub ttl: u32,
    /// What it says.
    pub data: RecordData,
}

/// What a resource record says. Names are absolute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name to look up instead.
    Cname(String),
    /// The name of an address.
    Ptr(String),
    /// A name server of a zone.
    Ns(String),
    /// A mail exchanger.
    Mx {
        /// Lower is asked first.
        preference: u16,
        /// Its name.
        exchange: String,
    },
    /// A server of a named port.
    Srv {
        /// Lower is asked first.
        priority: u16,
        /// The share among those of one priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The name of the server.
        target: String,
    },
    /// A text of at most 255 bytes.
    Txt(String),
    /// The start of a zone. Its serial is the time of the last change in the real server, and 0 here.
    Soa {
        /// The zone, in the letter case of the message.
        zone: String,
        /// How long "no such name" may be kept, in seconds.
        minimum: u32,
    },
}

impl RecordData {
    /// The record's type as zone files write it.
    pub fn type_name(&self) -> &'static str {
        match self {
            RecordData::A(_) => "A",
            RecordData::Aaaa(_) => "AAAA",
            RecordData::Cname(_) => "CNAME",
            RecordData::Ptr(_) => "PTR",
            RecordData::Ns(_) => "NS",
            RecordData::Mx { .. } => "MX",
            RecordData::Srv { .. } => "SRV",
            RecordData::Txt(_) => "TXT",
            RecordData::Soa { .. } => "SOA",
        }
    }

    /// The record of an address, of the type of its family.
    pub fn of_address(address: IpAddr) -> RecordData {
        match address {
            IpAddr::V4(v4) => RecordData::A(v4),
            IpAddr::V6(v6) => RecordData::Aaaa(v6),
        }
    }

    fn parse(rtype: &str, fields: &[&str]) -> Option<RecordData> {
        Some(match (rtype, fields) {
            ("A", [address]) => RecordData::A(address.parse().ok()?),
            ("AAAA", [address]) => RecordData::Aaaa(address.parse().ok()?),
            ("CNAME", [name]) => RecordData::Cname(absolute(name)),
            ("PTR", [name]) => RecordData::Ptr(absolute(name)),
            ("NS", [name]) => RecordData::Ns(absolute(name)),
            ("MX", [preference, name]) => {
                RecordData::Mx { preference: preference.parse().ok()?, exchange: absolute(name) }
            }
            ("SRV", [priority, weight, port, target]) => RecordData::Srv {
                priority: priority.parse().ok()?,
                weight: weight.parse().ok()?,
                port: port.parse().ok()?,
                target: absolute(target),
            },
            ("TXT", words) => RecordData::Txt(words.join(" ").trim_matches('"').to_owned()),
            _ => return None,
        })
    }
}

impl ResourceRecord {
    /// Reads `owner TTL IN TYPE data`; none if it is not of that form or of a type that is not modelled.
    pub fn parse(text: &str) -> Option<ResourceRecord> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [owner, ttl, "IN", rtype, data @ ..] = fields.as_slice() else { return None };
        let data = RecordData::parse(rtype, data)?;
        Some(ResourceRecord { owner: absolute(owner), ttl: ttl.parse().ok()?, data })
    }

    /// The address that it holds, if it holds one.
    pub fn address(&self) -> Option<IpAddr> {
        match self.data {
            RecordData::A(v4) => Some(IpAddr::V4(v4)),
            RecordData::Aaaa(v6) => Some(IpAddr::V6(v6)),
            _ => None,
        }
    }
}

impl fmt::Display for ResourceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} IN {} {}", self.owner, self.ttl, self.data.type_name(), self.data)
    }
}

impl fmt::Display for RecordData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordData::A(address) => address.fmt(f),
            RecordData::Aaaa(address) => address.fmt(f),
            RecordData::Cname(name) | RecordData::Ptr(name) | RecordData::Ns(name) => f.write_str(name),
            RecordData::Mx { preference, exchange } => write!(f, "{preference} {exchange}"),
            RecordData::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {target}")
            }
            RecordData::Txt(text) => write!(f, "\"{text}\""),
            // Source: CoreDNS 1.14 plugin/backend_lookup.go, `SOA`.
            RecordData::Soa { zone, minimum } => {
                write!(f, "ns.dns.{zone} hostmaster.{zone} 0 7200 1800 86400 {minimum}")
            }
        }
    }
}

/// The name with its last dot.
pub(in crate::dns) fn absolute(name: &str) -> String {
    if name.ends_with('.') { name.to_owned() } else { format!("{name}.") }
}

/// Whether a name is a zone or below it, in any letter case. Both are absolute.
pub(in crate::dns) fn is_below(zone: &str, name: &str) -> bool {
    if zone == "." {
        return true;
    }
    let Some(start) = name.len().checked_sub(zone.len()) else { return false };
    let Some(end) = name.get(start..) else { return false };
    end.eq_ignore_ascii_case(zone) && (start == 0 || name.as_bytes()[start - 1] == b'.')
}
