//! Whether a packet meets one test of a rule.

use std::net::IpAddr;

use kdp_packet::Headers;

use super::head::has_ports;
use super::{Choose, Effects, Frame, Locality};
use crate::{AddrTypes, IcmpType, Match, PortRange, PortSide, Slot, Statistic, TcpFlagTest, Test};

impl Match {
    /// Whether asking changes anything: then the order in which tests are asked shows.
    pub(crate) fn has_effect(&self) -> bool {
        match self {
            Match::Statistic(_) | Match::Recent(_) | Match::Nfacct(_) => true,
            Match::Src(_)
            | Match::Dst(_)
            | Match::In(_)
            | Match::Out(_)
            | Match::Proto(_)
            | Match::Comment(_)
            | Match::Ports { .. }
            | Match::CtState(_)
            | Match::State(_)
            | Match::Multiport { .. }
            | Match::Icmp(_)
            | Match::Length(_)
            | Match::Mark(_)
            | Match::AddrType { .. } => false,
        }
    }
}

/// Asks one test. `cells` are the places of the state of this and later tests of the rule.
pub(super) fn meets(
    test: &Match,
    frame: &Frame<'_>,
    cells: &mut std::slice::Iter<'_, Slot>,
    locality: &impl Locality,
    effects: &mut Effects,
    choose: &mut impl Choose,
) -> bool {
    let headers = frame.headers;
    match test {
        Match::Src(test) => test.holds(test.value.contains(headers.src)),
        Match::Dst(test) => test.holds(test.value.contains(headers.dst)),
        // A packet without the device has the empty name. Source: net/netfilter/nft_meta.c, v6.12.
        Match::In(test) => test.holds(test.value.matches(frame.in_device.unwrap_or(""))),
        Match::Out(test) => test.holds(test.value.matches(frame.out_device.unwrap_or(""))),
        Match::Proto(test) => test.holds(test.value == headers.proto),
        Match::Comment(_) => true,
        Match::Ports { proto, sport, dport, flags } => {
            headers.proto == *proto
                && has_ports(headers)
                && port_holds(*sport, headers.sport)
                && port_holds(*dport, headers.dport)
                && flags_hold(*flags, headers.tcp_flags())
        }
        Match::Multiport { side, ports } => has_ports(headers) && multiport_holds(*side, ports, headers),
        Match::Icmp(test) => headers.fragment.offset == 0 && icmp_holds(*test, headers),
        Match::Length(test) => test.holds(test.value.contains(headers.length)),
        Match::CtState(test) | Match::State(test) => test.holds(test.value.intersects(frame.ct)),
        Match::Mark(test) => test.holds(frame.mark & test.value.1 == test.value.0),
        Match::AddrType { src, dst } => {
            type_holds(*src, headers.src, locality) && type_holds(*dst, headers.dst, locality)
        }
        Match::Statistic(Statistic::Random(test)) => test.holds(choose.bernoulli(test.value)),
        Match::Statistic(Statistic::Nth { invert, every, packet }) => {
            effects.nth(next(cells), *every, *packet) != *invert
        }
        Match::Recent(recent) => effects.recent.test(next(cells), recent, headers.src, frame.now),
        Match::Nfacct(name) => {
            effects.count_account(name, headers.length);
            true
        }
    }
}

fn next(cells: &mut std::slice::Iter<'_, Slot>) -> Slot {
    *cells.next().expect("each test with state has a place for it")
}

fn port_holds(test: Option<Test<PortRange>>, port: u16) -> bool {
    test.is_none_or(|test| test.holds(test.value.contains(port)))
}

fn multiport_holds(side: PortSide, test: &Test<Vec<PortRange>>, headers: &Headers) -> bool {
    let named = |port: u16| test.value.iter().any(|range| range.contains(port));
    test.holds(match side {
        PortSide::Source => named(headers.sport),
        PortSide::Destination => named(headers.dport),
        PortSide::Either => named(headers.sport) || named(headers.dport),
    })
}

/// Source: net/netfilter/xt_tcpudp.c, v6.12, `type_code_in_range`.
fn icmp_holds(test: Test<IcmpType>, headers: &Headers) -> bool {
    headers.icmp().is_some_and(|(kind, code)| {
        let IcmpType { kind: wanted, code: with } = test.value;
        test.holds(wanted.is_none_or(|wanted| wanted == kind) && with.is_none_or(|with| with == code))
    })
}

fn flags_hold(test: Option<Test<TcpFlagTest>>, flags: u8) -> bool {
    test.is_none_or(|test| test.holds(flags & test.value.mask == test.value.set))
}

fn type_holds(test: Option<Test<AddrTypes>>, addr: IpAddr, locality: &impl Locality) -> bool {
    test.is_none_or(|test| test.holds(test.value.contains(locality.addr_type(addr))))
}
