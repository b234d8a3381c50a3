//! The part of a rule that is compared with the packet's addresses, protocol and ports: packed, and compared first.

use std::net::IpAddr;
use std::ops::{BitAnd, BitXor};

use kdp_packet::{Cidr, Family, Headers, Proto};

use crate::{Match, PortRange, Rule};

/// An address as a number.
pub(crate) trait Address:
    Copy + Eq + std::fmt::Debug + std::hash::Hash + BitAnd<Output = Self> + BitXor<Output = Self>
{
    /// No bit set: the mask that tests nothing.
    const ZERO: Self;

    /// The address, which is of this family.
    fn of(addr: IpAddr) -> Self;

    /// A mask of `len` leading bits.
    fn mask(len: u8) -> Self;
}

impl Address for u32 {
    const ZERO: u32 = 0;

    fn of(addr: IpAddr) -> u32 {
        let IpAddr::V4(addr) = addr else {
            panic!("an IPv4 rule set holds and sees IPv4 addresses alone: {addr}")
        };
        addr.into()
    }

    fn mask(len: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
    }
}

impl Address for u128 {
    const ZERO: u128 = 0;

    fn of(addr: IpAddr) -> u128 {
        let IpAddr::V6(addr) = addr else {
            panic!("an IPv6 rule set holds and sees IPv6 addresses alone: {addr}")
        };
        addr.into()
    }

    fn mask(len: u8) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
    }
}

/// What rules compare with: a packet's addresses, protocol and ports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Source port; 0 where there is none.
    pub sport: u16,
    /// Destination port; 0 where there is none.
    pub dport: u16,
    /// Protocol.
    pub proto: u8,
    /// Whether there are ports: not in ICMP, not in a later fragment.
    pub ports: bool,
}

impl<A: Address> Packed<A> {
    pub(crate) fn of(headers: &Headers) -> Packed<A> {
        Packed {
            src: A::of(headers.src),
            dst: A::of(headers.dst),
            sport: headers.sport,
            dport: headers.dport,
            proto: headers.proto.0,
            ports: has_ports(headers),
        }
    }
}

/// Whether port tests can pass, turned round or not: later fragments have no ports, nor has a header that is cut off.
/// Source: net/netfilter/nft_payload.c, v6.12: what is not there ends the rule.
/// DEVIATION(ipt-short-header): `-m multiport`, `sctp`, `icmp` and `tcpmss` drop a packet that they cannot read.
pub(crate) fn has_ports(headers: &Headers) -> bool {
    headers.proto.has_ports() && headers.fragment.offset == 0 && !headers.portless
}

const NOT_SRC: u8 = 1;
const NOT_DST: u8 = 2;
const NOT_PROTO: u8 = 4;
/// The head tests ports, so a packet without ports fails it.
const PORTS: u8 = 8;
/// The head tests the source, the destination.
const SRC: u8 = 16;
const DST: u8 = 32;

/// The tests of a rule that a packed comparison answers, and where its other tests begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<A> {
    src: A,
    src_mask: A,
    dst: A,
    dst_mask: A,
    sport: PortRange,
    dport: PortRange,
    proto: u8,
    proto_mask: u8,
    flags: u8,
    /// The first test that the head does not answer; `DONE` if it answers all.
    rest: u8,
}

/// All tests are in the head.
const DONE: u8 = u8::MAX;

const ANY_PORT: PortRange = PortRange { first: 0, last: u16::MAX };

impl<A: Address> Head<A> {
    const ANY: Head<A> = Head {
        src: A::ZERO,
        src_mask: A::ZERO,
        dst: A::ZERO,
        dst_mask: A::ZERO,
        sport: ANY_PORT,
        dport: ANY_PORT,
        proto: 0,
        proto_mask: 0,
        flags: 0,
        rest: DONE,
    };

    /// Packs what can be packed of `rule`.
    ///
    /// A test behind one that has an effect stays where it is: the effect must happen though the later test fails.
    /// A pure test may be answered here and asked again later; that costs time and changes nothing.
    pub(crate) fn of(rule: &Rule) -> Head<A> {
        let mut head = Head::ANY;
        let mut folding = true;
        for (i, test) in rule.matches.iter().enumerate() {
            let answered = matches!(test, Match::Comment(_)) || folding && head.fold(test);
            if !answered && head.rest == DONE {
                // A place that a byte cannot hold is a place far behind pure tests: ask them all again.
                head.rest = u8::try_from(i).ok().filter(|i| *i != DONE).unwrap_or(0);
            }
            folding &= !test.has_effect();
        }
        head
    }

    /// Takes `test` in; false if it is not answered wholly.
    fn fold(&mut self, test: &Match) -> bool {
        match test {
            Match::Src(test) if self.flags & SRC == 0 => {
                (self.src, self.src_mask) = network(test.value);
                self.flags |= if test.invert { SRC | NOT_SRC } else { SRC };
                true
            }
            Match::Dst(test) if self.flags & DST == 0 => {
                (self.dst, self.dst_mask) = network(test.value);
                self.flags |= if test.invert { DST | NOT_DST } else { DST };
                true
            }
            Match::Proto(test) if self.proto_mask == 0 => {
                (self.proto, self.proto_mask) = (test.value.0, u8::MAX);
                self.flags |= if test.invert { NOT_PROTO } else { 0 };
                true
            }
            Match::Ports { proto, sport, dport, flags: None, option: None } => {
                let plain = |ports: &Option<crate::Test<PortRange>>| ports.is_none_or(|test| !test.invert);
                if self.flags & PORTS != 0 || !self.is_of(*proto) || !plain(sport) || !plain(dport) {
                    return false;
                }
                self.sport = sport.map_or(ANY_PORT, |test| test.value);
                self.dport = dport.map_or(ANY_PORT, |test| test.value);
                self.flags |= PORTS;
                true
            }
            _ => false,
        }
    }

    /// Whether only packets of `proto` pass.
    fn is_of(&self, proto: Proto) -> bool {
        self.proto_mask != 0 && self.proto == proto.0 && self.flags & NOT_PROTO == 0
    }

    /// Whether `packet` passes the tests of the head.
    #[inline]
    pub(crate) fn passes(&self, packet: &Packed<A>) -> bool {
        let not = |bit: u8| self.flags & bit != 0;
        if ((packet.dst ^ self.dst) & self.dst_mask == A::ZERO) == not(NOT_DST) {
            return false;
        }
        if packet.dport.wrapping_sub(self.dport.first) > self.dport.last - self.dport.first {
            return false;
        }
        ((packet.proto ^ self.proto) & self.proto_mask == 0) != not(NOT_PROTO)
            && ((packet.src ^ self.src) & self.src_mask == A::ZERO) != not(NOT_SRC)
            && packet.sport.wrapping_sub(self.sport.first) <= self.sport.last - self.sport.first
            && (packet.ports || !not(PORTS))
    }

    /// Where the tests begin that the head does not answer.
    #[inline]
    pub(crate) fn rest(&self) -> Option<usize> {
        (self.rest != DONE).then_some(self.rest as usize)
    }

    /// The fields that must equal one value each, for an index: destination, source, protocol, destination port.
    pub(crate) fn exact(&self) -> Exact<A> {
        let full = A::mask(u8::try_from(size_of::<A>() * 8).expect("an address has at most 128 bits"));
        let is = |bit: u8| self.flags & bit == 0;
        Exact {
            dst: (self.dst_mask == full && is(NOT_DST)).then_some(self.dst),
            src: (self.src_mask == full && is(NOT_SRC)).then_some(self.src),
            proto: (self.proto_mask != 0 && is(NOT_PROTO)).then_some(self.proto),
            dport: (self.flags & PORTS != 0 && self.dport.first == self.dport.last)
                .then_some(self.dport.first),
        }
    }
}

/// The fields of a rule that must equal one value each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Exact<A> {
    pub(crate) dst: Option<A>,
    pub(crate) src: Option<A>,
    pub(crate) proto: Option<u8>,
    pub(crate) dport: Option<u16>,
}

fn network<A: Address>(cidr: Cidr) -> (A, A) {
    (A::of(cidr.addr()), A::mask(cidr.prefix_len()))
}

/// The heads of a chain's rules, in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heads {
    V4(Vec<Head<u32>>),
    V6(Vec<Head<u128>>),
}

impl Heads {
    pub(crate) fn new(family: Family) -> Heads {
        match family {
            Family::V4 => Heads::V4(Vec::new()),
            Family::V6 => Heads::V6(Vec::new()),
        }
    }

    pub(crate) fn insert(&mut self, place: usize, rule: &Rule) {
        match self {
            Heads::V4(heads) => heads.insert(place, Head::of(rule)),
            Heads::V6(heads) => heads.insert(place, Head::of(rule)),
        }
    }

    pub(crate) fn remove(&mut self, place: usize) {
        match self {
            Heads::V4(heads) => drop(heads.remove(place)),
            Heads::V6(heads) => drop(heads.remove(place)),
        }
    }
}

/// An address type, and its heads within [`Heads`].
pub(crate) trait HeadsOf: Address {
    fn of_chain(heads: &Heads) -> &[Head<Self>];
}

impl HeadsOf for u32 {
    fn of_chain(heads: &Heads) -> &[Head<u32>] {
        let Heads::V4(heads) = heads else { panic!("the chains of an IPv4 rule set have IPv4 heads") };
        heads
    }
}

impl HeadsOf for u128 {
    fn of_chain(heads: &Heads) -> &[Head<u128>] {
        let Heads::V6(heads) = heads else { panic!("the chains of an IPv6 rule set have IPv6 heads") };
        heads
    }
}
