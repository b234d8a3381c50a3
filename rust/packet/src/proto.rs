//! IP protocol numbers.

use std::fmt;

/// An IP protocol number (IANA), with the names that iptables prints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Proto(pub u8);

impl Proto {
    /// ICMP for IPv4.
    pub const ICMP: Proto = Proto(1);
    /// TCP.
    pub const TCP: Proto = Proto(6);
    /// UDP.
    pub const UDP: Proto = Proto(17);
    /// GRE.
    pub const GRE: Proto = Proto(47);
    /// ICMP for IPv6.
    pub const ICMPV6: Proto = Proto(58);
    /// SCTP.
    pub const SCTP: Proto = Proto(132);
    /// UDP-Lite.
    pub const UDPLITE: Proto = Proto(136);

    const NAMES: [(Proto, &'static str); 7] = [
        (Proto::ICMP, "icmp"),
        (Proto::TCP, "tcp"),
        (Proto::UDP, "udp"),
        (Proto::GRE, "gre"),
        (Proto::ICMPV6, "ipv6-icmp"),
        (Proto::SCTP, "sctp"),
        (Proto::UDPLITE, "udplite"),
    ];

    /// The name that iptables-save prints, if it has one.
    pub fn name(self) -> Option<&'static str> {
        Proto::NAMES.iter().find(|(proto, _)| *proto == self).map(|(_, name)| *name)
    }

    /// A name, in any case, or a decimal number.
    pub fn parse(text: &str) -> Option<Proto> {
        let lower = text.to_ascii_lowercase();
        let alias = if lower == "icmpv6" { "ipv6-icmp" } else { &lower };
        let named = Proto::NAMES.iter().find(|(_, name)| *name == alias).map(|(proto, _)| *proto);
        named.or_else(|| text.parse().ok().map(Proto))
    }

    /// Whether its tuple has source and destination ports.
    pub fn has_ports(self) -> bool {
        matches!(self, Proto::TCP | Proto::UDP | Proto::SCTP | Proto::UDPLITE)
    }

    /// ICMP of either family.
    pub fn is_icmp(self) -> bool {
        matches!(self, Proto::ICMP | Proto::ICMPV6)
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_reads_back() {
        for number in 0..=255 {
            assert_eq!(Proto::parse(&Proto(number).to_string()), Some(Proto(number)));
        }
        assert_eq!(Proto::parse("TCP"), Some(Proto::TCP));
        assert_eq!(Proto::parse("icmpv6"), Some(Proto::ICMPV6));
        assert_eq!(Proto::parse("256"), None);
    }
}
