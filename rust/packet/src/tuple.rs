//! The tuple by which connection tracking knows a packet.

use std::fmt;
use std::net::IpAddr;

use crate::{Family, Proto};

/// Addresses, ports, protocol and zone of a packet as it arrived.
///
/// ICMP: `sport` is the echo id, `dport` is type and code (`type << 8 | code`). Protocols without ports have 0 in both.
/// Source: Linux `struct nf_conntrack_tuple`; conntrack zones are part of the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// Source port, or ICMP id.
    pub sport: u16,
    /// Destination port, or ICMP type and code.
    pub dport: u16,
    /// Protocol.
    pub proto: Proto,
    /// Conntrack zone; 0 by default.
    pub zone: u16,
}

impl Tuple {
    /// The tuple that an answer has; `None` for an ICMP type that has no answer.
    ///
    /// Source: Linux `nf_ct_invert_tuple`, `icmp_invert_tuple`, `nf_conntrack_invert_icmpv6_tuple`.
    pub fn inverse(self) -> Option<Tuple> {
        let swapped = Tuple { src: self.dst, dst: self.src, ..self };
        if !self.proto.is_icmp() {
            return Some(Tuple { sport: self.dport, dport: self.sport, ..swapped });
        }
        let [kind, code] = self.dport.to_be_bytes();
        let kind = inverse_icmp_type(self.proto, kind)?;
        Some(Tuple { dport: u16::from_be_bytes([kind, code]), ..swapped })
    }

    /// The family of its addresses.
    pub fn family(self) -> Family {
        Family::of(self.dst)
    }

    /// A digest of everything in it, the same on every platform: what draws are drawn for.
    pub fn digest(self) -> u64 {
        let fold = |state: u64, word: u64| {
            let x = (state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            x ^ (x >> 32)
        };
        let mut state = fold(0, u64::from(self.proto.0) << 16 | u64::from(self.zone));
        for addr in [self.src, self.dst] {
            let bits = match addr {
                IpAddr::V4(a) => u128::from(u32::from(a)),
                IpAddr::V6(a) => u128::from(a),
            };
            #[expect(clippy::cast_possible_truncation, reason = "both halves are folded in")]
            for half in [bits as u64, (bits >> 64) as u64] {
                state = fold(state, half);
            }
        }
        fold(state, u64::from(self.sport) << 16 | u64::from(self.dport))
    }
}

/// The ICMP type of the answer to a query of type `kind`, and the other way round.
fn inverse_icmp_type(proto: Proto, kind: u8) -> Option<u8> {
    const V4: [(u8, u8); 4] = [(8, 0), (13, 14), (15, 16), (17, 18)];
    const V6: [(u8, u8); 2] = [(128, 129), (139, 140)];
    let pairs: &[(u8, u8)] = if proto == Proto::ICMP { &V4 } else { &V6 };
    pairs.iter().find_map(|&(query, answer)| match kind {
        k if k == query => Some(answer),
        k if k == answer => Some(query),
        _ => None,
    })
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |f: &mut fmt::Formatter<'_>, addr: IpAddr, port: u16| match addr {
            IpAddr::V6(a) => write!(f, "[{a}]:{port}"),
            IpAddr::V4(a) => write!(f, "{a}:{port}"),
        };
        write!(f, "{} ", self.proto)?;
        end(f, self.src, self.sport)?;
        f.write_str(" > ")?;
        end(f, self.dst, self.dport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(proto: Proto, sport: u16, dport: u16) -> Tuple {
        Tuple { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), sport, dport, proto, zone: 3 }
    }

    #[test]
    fn the_inverse_of_the_inverse_is_the_tuple() {
        for t in [tuple(Proto::TCP, 1, 2), tuple(Proto(99), 0, 0), tuple(Proto::ICMP, 7, 8 << 8)] {
            assert_eq!(t.inverse().unwrap().inverse(), Some(t));
        }
        assert_eq!(tuple(Proto::ICMP, 7, 8 << 8).inverse().unwrap().dport, 0);
        assert_eq!(tuple(Proto::ICMP, 7, 3 << 8).inverse(), None);
    }

    #[test]
    fn the_digest_sees_every_field() {
        let base = tuple(Proto::TCP, 1, 2);
        let others = [
            tuple(Proto::UDP, 1, 2),
            tuple(Proto::TCP, 2, 1),
            Tuple { zone: 0, ..base },
            Tuple { src: base.dst, dst: base.src, ..base },
        ];
        assert!(others.iter().all(|other| other.digest() != base.digest()));
    }
}
