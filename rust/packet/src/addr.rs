//! Address families, CIDRs, and the lenient reading of address texts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 or IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(addr: IpAddr) -> Family {
        if addr.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Bits in an address: 32 or 128.
    pub const fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    /// As Kubernetes writes it: `IPv4`, `IPv6`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    /// The unspecified address: `0.0.0.0` or `::`.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// A network: an address without host bits, and a prefix length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cidr {
    addr: IpAddr,
    len: u8,
}

impl Cidr {
    /// The network of `addr` with `len` bits; host bits are cleared. `None` if `len` is too long for the family.
    pub fn new(addr: IpAddr, len: u8) -> Option<Cidr> {
        if len > Family::of(addr).bits() {
            return None;
        }
        Some(Cidr { addr: mask(addr, len), len })
    }

    /// The network of one address.
    pub fn host(addr: IpAddr) -> Cidr {
        Cidr { addr, len: Family::of(addr).bits() }
    }

    /// The network of all addresses of a family.
    pub const fn all(family: Family) -> Cidr {
        Cidr { addr: family.unspecified(), len: 0 }
    }

    /// `ADDRESS/LENGTH`, read leniently as [`parse_ip_lenient`] does; a bare address is a network of one.
    pub fn parse(text: &str) -> Option<Cidr> {
        match text.split_once('/') {
            None => parse_ip_lenient(text).map(Cidr::host),
            Some((addr, len)) => {
                let digits = !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit());
                Cidr::new(parse_ip_lenient(addr)?, len.parse().ok().filter(|_| digits)?)
            }
        }
    }

    /// The first address.
    pub fn addr(self) -> IpAddr {
        self.addr
    }

    /// The prefix length in bits.
    pub fn prefix_len(self) -> u8 {
        self.len
    }

    /// Its family.
    pub fn family(self) -> Family {
        Family::of(self.addr)
    }

    /// Whether `addr` lies inside. Never for an address of the other family.
    pub fn contains(self, addr: IpAddr) -> bool {
        Family::of(addr) == self.family() && mask(addr, self.len) == self.addr
    }

    /// This network with the host bits of `addr`, which is of the same family.
    pub fn with_host_of(self, addr: IpAddr) -> IpAddr {
        match (self.addr, addr) {
            (IpAddr::V4(net), IpAddr::V4(addr)) => {
                let host = u32::MAX.checked_shr(self.len.into()).unwrap_or(0);
                IpAddr::V4((net.to_bits() | addr.to_bits() & host).into())
            }
            (IpAddr::V6(net), IpAddr::V6(addr)) => {
                let host = u128::MAX.checked_shr(self.len.into()).unwrap_or(0);
                IpAddr::V6((net.to_bits() | addr.to_bits() & host).into())
            }
            _ => panic!("a network and the address that is put into it are of one family"),
        }
    }

    /// Whether it is the network of one address.
    pub fn is_host(self) -> bool {
        self.len == self.family().bits()
    }

    /// The `n`-th address inside, the first being 0. `None` beyond the end.
    pub fn nth(self, n: u64) -> Option<IpAddr> {
        let room = self.family().bits() - self.len;
        if room < 64 && n >> room != 0 {
            return None;
        }
        Some(match self.addr {
            IpAddr::V4(base) => IpAddr::V4(Ipv4Addr::from(u32::from(base) + u32::try_from(n).ok()?)),
            IpAddr::V6(base) => IpAddr::V6(Ipv6Addr::from(u128::from(base) + u128::from(n))),
        })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

fn mask(addr: IpAddr, len: u8) -> IpAddr {
    match addr {
        IpAddr::V4(a) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(a) & keep))
        }
        IpAddr::V6(a) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(a) & keep))
        }
    }
}

/// Reads an address as kube-proxy does: leading zeros of an IPv4 octet are decimal (`172.30.0.041` is `172.30.0.41`).
/// Source: kube-proxy's use of netutils `ParseIPSloppy`.
pub fn parse_ip_lenient(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let addr: Ipv6Addr = text.parse().ok()?;
        return Some(addr.to_ipv4_mapped().map_or(IpAddr::V6(addr), IpAddr::V4));
    }
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))?;
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| IpAddr::V4(Ipv4Addr::from(octets)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn host_bits_are_cleared_and_lengths_checked() {
        assert_eq!(Cidr::parse("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(Cidr::parse("fd00::1/16").unwrap().to_string(), "fd00::/16");
        assert_eq!(Cidr::parse("0.0.0.0/0"), Some(Cidr::all(Family::V4)));
        for bad in
            ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0", "10.0.0.0.0", "a.b.c.d", ""]
        {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn leading_zeros_are_decimal() {
        assert_eq!(parse_ip_lenient("172.30.0.041"), "172.30.0.41".parse().ok());
        assert_eq!(parse_ip_lenient("::ffff:10.0.0.1"), "10.0.0.1".parse().ok());
    }

    #[test]
    fn the_nth_address_stays_inside() {
        let net = Cidr::parse("10.0.1.0/24").unwrap();
        assert_eq!(net.nth(5), "10.0.1.5".parse().ok());
        assert_eq!(net.nth(256), None);
        assert_eq!(Cidr::parse("fd00::/64").unwrap().nth(2), "fd00::2".parse().ok());
    }

    proptest! {
        #[test]
        fn contains_agrees_with_comparing_bits(a: u32, b: u32, len in 0u8..=32) {
            let net = Cidr::new(IpAddr::V4(a.into()), len).unwrap();
            let bits = |x: u32| (0..u32::from(len)).map(move |i| x >> (31 - i) & 1).collect::<Vec<_>>();
            prop_assert_eq!(net.contains(IpAddr::V4(b.into())), bits(a) == bits(b));
        }
    }
}
