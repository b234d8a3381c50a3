//! Whether a packet meets one test of a rule.

use std::net::IpAddr;

use kdp_packet::{Headers, Proto, flags};

use super::head::has_ports;
use super::{Choose, Effects, Frame, Locality, connection, edit};
use crate::{
    AddrType, AddrTypes, DeviceSide, IcmpType, Match, PortRange, PortSide, ReversePath, Slot, Statistic,
    TcpFlagTest, Test,
};

impl Match {
    /// Whether asking changes anything: then the order in which tests are asked shows.
    pub(crate) fn has_effect(&self) -> bool {
        match self {
            Match::Statistic(_)
            | Match::Recent(_)
            | Match::Set(_)
            | Match::Nfacct(_)
            | Match::Limit(_)
            | Match::Quota(_) => true,
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
            | Match::AddrType { .. }
            | Match::AddrTypeOn { .. }
            | Match::Conntrack(_)
            | Match::ConnMark(_)
            | Match::Header(_)
            | Match::ConnBytes(_)
            | Match::Unknown(_)
            | Match::ReversePath(_) => false,
        }
    }
}

impl Match {
    /// Whether the answer is the same for every further segment of an established flow.
    pub(crate) fn is_alike(&self) -> bool {
        match self {
            Match::Src(_)
            | Match::Dst(_)
            | Match::In(_)
            | Match::Out(_)
            | Match::Proto(_)
            | Match::Comment(_)
            | Match::CtState(_)
            | Match::State(_)
            | Match::Multiport { .. }
            | Match::Icmp(_)
            | Match::Mark(_)
            | Match::AddrType { .. }
            | Match::AddrTypeOn { .. }
            | Match::ConnMark(_)
            | Match::ReversePath(_) => true,
            // Of a flow's segments some push and some do not; the other flags are alike. Options come and go.
            Match::Ports { flags, option, .. } => {
                option.is_none() && flags.is_none_or(|test| test.value.mask & flags::PSH == 0)
            }
            _ => false,
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
    let headers = &*frame.headers;
    match test {
        Match::Src(test) => test.holds(test.value.contains(headers.src)),
        Match::Dst(test) => test.holds(test.value.contains(headers.dst)),
        // A packet without the device has the empty name. Source: net/netfilter/nft_meta.c, v6.12.
        Match::In(test) => test.holds(test.value.matches(frame.in_device.unwrap_or(""))),
        Match::Out(test) => test.holds(test.value.matches(frame.out_device.unwrap_or(""))),
        Match::Proto(test) => test.holds(test.value == headers.proto),
        Match::Comment(_) => true,
        Match::Ports { proto, sport, dport, flags, option } => {
            headers.proto == *proto
                && has_ports(headers)
                && port_holds(*sport, headers.sport)
                && port_holds(*dport, headers.dport)
                && (flags.is_none() || headers.proto != Proto::TCP || headers.tcp.is_some())
                && flags_hold(*flags, headers.tcp_flags())
                && option.is_none_or(|test| edit::has_option(test, headers, frame.edits))
        }
        Match::Multiport { side, ports } => has_ports(headers) && multiport_holds(*side, ports, headers),
        Match::Icmp(test) => headers.fragment.offset == 0 && icmp_holds(*test, headers),
        Match::Length(test) => test.holds(test.value.contains(frame.length())),
        Match::CtState(test) | Match::State(test) => test.holds(test.value.intersects(frame.ct)),
        Match::Mark(test) => test.holds(frame.mark & test.value.1 == test.value.0),
        Match::AddrType { src, dst } => {
            type_holds(*src, headers.src, locality) && type_holds(*dst, headers.dst, locality)
        }
        Match::AddrTypeOn { src, dst, side } => {
            let device = match side {
                DeviceSide::In => frame.in_device,
                DeviceSide::Out => frame.out_device,
            };
            let holds = |test: Option<Test<AddrTypes>>, addr: IpAddr| {
                let kind =
                    device.map_or_else(|| locality.addr_type(addr), |on| locality.addr_type_on(addr, on));
                test.is_none_or(|test| test.holds(is_of_type(test.value, addr, kind)))
            };
            holds(*src, headers.src) && holds(*dst, headers.dst)
        }
        Match::Conntrack(test) => connection::holds(test, frame),
        Match::ConnMark(test) => {
            let mark = frame.connection.map(|seen| seen.mark);
            mark.is_some_and(|mark| test.holds(mark & test.value.1 == test.value.0))
        }
        Match::Header(test) => edit::holds(test, headers, frame.edits),
        Match::ReversePath(test) => comes_back(*test, frame, locality) != test.invert,
        Match::Limit(limit) => effects.within(next(cells), *limit, frame.now),
        Match::Quota(test) => test.holds(effects.lasts(next(cells), test.value, frame.length())),
        Match::Statistic(Statistic::Random(test)) => test.holds(choose.bernoulli(test.value)),
        Match::Statistic(Statistic::Nth { invert, every, packet }) => {
            effects.nth(next(cells), *every, *packet) != *invert
        }
        Match::Recent(recent) => effects.recent.test(next(cells), recent, headers.src, frame.now),
        Match::Set(test) => effects.sets.test(test, frame),
        Match::ConnBytes(test) => connection::carried(test, frame),
        Match::Unknown(_) => unreachable!("the walker asks what is not known by itself"),
        Match::Nfacct(name) => {
            effects.count_account(name, frame.length());
            true
        }
    }
}

/// Whether the way back to the packet's source is by the device that it came in by. The validity of marks is not asked:
/// no route here looks at one.
///
/// Source: net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c, v6.12.
fn comes_back(test: ReversePath, frame: &Frame<'_>, locality: &impl Locality) -> bool {
    let (src, dst) = (frame.headers.src, frame.headers.dst);
    let Some(input) = frame.in_device.filter(|input| *input != "lo") else { return true };
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (src, dst)
        && from.octets()[0] == 0
        && (to.is_broadcast() || to.octets()[..3] == [224, 0, 0])
    {
        return true;
    }
    match locality.addr_type(src) {
        AddrType::Unicast => locality.device_to(src).is_some_and(|device| test.loose || device == input),
        AddrType::Local => {
            test.accept_local && (test.loose || locality.addr_type_on(src, input) == AddrType::Local)
        }
        _ => false,
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
    test.is_none_or(|test| test.holds(is_of_type(test.value, addr, locality.addr_type(addr))))
}

/// Whether an address that the box takes for a `kind` is of the types. IPv4 asks for one of them; IPv6 asks the address itself
/// for each, and its routes for the rest: so the box's own address is UNICAST too.
/// Source: net/netfilter/xt_addrtype.c `match_type`, `match_type6`, v6.12.
fn is_of_type(types: AddrTypes, addr: IpAddr, kind: AddrType) -> bool {
    let IpAddr::V6(addr) = addr else { return types.contains(kind) };
    let is = |wanted, holds: bool| !types.contains(wanted) || holds;
    let routed = [AddrType::Local, AddrType::Anycast, AddrType::Unreachable];
    is(AddrType::Multicast, addr.is_multicast())
        && is(AddrType::Unicast, !addr.is_multicast() && !addr.is_unspecified())
        && is(AddrType::Unspec, addr.is_unspecified())
        && (!routed.iter().any(|kind| types.contains(*kind))
            || routed.contains(&kind) && types.contains(kind))
}
