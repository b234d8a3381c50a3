//! `DNPT` and `SNPT`: stateless translation of IPv6 prefixes.

use std::net::Ipv6Addr;

use kdp_packet::Cidr;

/// A translation of a prefix that keeps the packet's checksum, so that nobody needs to remember anything.
///
/// Source: RFC 6296 section 3; net/ipv6/netfilter/ip6t_NPT.c, v6.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixTranslation {
    /// `DNPT`: of the destination; `SNPT`: of the source.
    pub destination: bool,
    /// `--src-pfx`: the prefix that packets have, of 64 bits at most.
    pub from: Cidr,
    /// `--dst-pfx`: the prefix that they get, of 64 bits at most.
    pub to: Cidr,
}

impl PrefixTranslation {
    /// The longest prefix.
    pub const LENGTH_MAX: u8 = 64;

    /// The name of the target.
    pub fn target_name(self) -> &'static str {
        if self.destination { "DNPT" } else { "SNPT" }
    }

    /// The address with the other prefix, and one word changed so that the sum of all is what it was. `None` if no word of
    /// the host's part can be.
    pub fn translate(self, addr: Ipv6Addr) -> Option<Ipv6Addr> {
        let length = self.from.prefix_len().max(self.to.prefix_len());
        let hosts = u128::MAX.checked_shr(length.into()).unwrap_or(0);
        let (from, to) = (words(self.from), words(self.to));
        let to_bits = u128::from(Ipv6Addr::from(to));
        let mut new = Ipv6Addr::from(u128::from(addr) & hosts | to_bits & !hosts).segments();
        let place = if length <= 48 { Some(3) } else { (4..8).find(|place| new[*place] != u16::MAX) }?;
        let sum = add(add(new[place], sum(&from)), !sum(&to));
        new[place] = if sum == u16::MAX { 0 } else { sum };
        Some(new.into())
    }
}

fn words(prefix: Cidr) -> [u16; 8] {
    match prefix.addr() {
        std::net::IpAddr::V6(addr) => addr.segments(),
        std::net::IpAddr::V4(_) => unreachable!("prefixes of IPv4 are refused when rules are read"),
    }
}

/// The sum of words in one's complement.
fn sum(words: &[u16; 8]) -> u16 {
    words.iter().fold(0, |sum, word| add(sum, *word))
}

fn add(a: u16, b: u16) -> u16 {
    let (sum, carried) = a.overflowing_add(b);
    sum + u16::from(carried)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn translation(from: &str, to: &str) -> PrefixTranslation {
        let cidr = |text| Cidr::parse(text).unwrap();
        PrefixTranslation { destination: true, from: cidr(from), to: cidr(to) }
    }

    #[test]
    fn a_prefix_is_translated_as_the_kernel_and_the_rfc_do() {
        let of = |from, to, addr: &str| {
            translation(from, to).translate(addr.parse().unwrap()).unwrap().to_string()
        };
        assert_eq!(of("fd00:51::/64", "fd00:10:244::/64", "fd00:51::77"), "fd00:10:244:0:fdfc::77");
        assert_eq!(of("fd00:10:244::/64", "fd00:51::/64", "fd00:10:244::77"), "fd00:51::203:0:0:77");
        // RFC 6296 appendix B.
        assert_eq!(
            of("fd01:203:405::/48", "2001:db8:1::/48", "fd01:203:405:1::1234"),
            "2001:db8:1:d550::1234"
        );
    }

    #[test]
    fn an_address_without_a_word_to_change_is_not_translated() {
        let full = "fd00:51::ffff:ffff:ffff:ffff".parse().unwrap();
        assert_eq!(translation("fd00:51::/64", "fd00:52::/64").translate(full), None);
    }

    proptest! {
        #[test]
        fn the_sum_of_an_address_stays(host: u64, from: u64, to: u64, length in 1u8..=64) {
            let prefix = |bits: u64| {
                let addr = Ipv6Addr::from(u128::from(bits) << 64);
                Cidr::new(addr.into(), length).unwrap()
            };
            let translation = PrefixTranslation { destination: false, from: prefix(from), to: prefix(to) };
            let base = u128::from(Ipv6Addr::from(words(translation.from)));
            let addr = Ipv6Addr::from(base | u128::from(host) & u128::MAX >> length);
            // 0 and 0xffff are one number in one's complement.
            let folded = |addr: Ipv6Addr| sum(&addr.segments()) % u16::MAX;
            if let Some(new) = translation.translate(addr) {
                prop_assert_eq!(folded(new), folded(addr));
                prop_assert!(translation.to.contains(new.into()) || length > 48);
            }
        }
    }
}
