//! Random rules, rule sets and packets for property tests, from small pools so that they meet each other.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_packet::{Cidr, Family, Headers, OptionKinds, Proto};
use kdp_sim::Time;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Frame, Locality};
use crate::{
    AddrType, AddrTypes, CtState, CtStates, DevicePattern, IcmpType, Match, Name, NatRange, Op, Policy,
    PortRange, PortSide, Recent, RecentOp, RejectWith, Rule, Statistic, Table, Target, TcpFlagTest, Test,
    Transaction,
};

/// User chains of a generated rule set. A chain jumps to later ones alone, so that no loop forms.
pub(crate) const CHAINS: usize = 4;

pub(crate) fn chain(i: usize) -> Name {
    // Hashed and plain names side by side.
    if i.is_multiple_of(2) {
        Name::hashed("KUBE-SVC-", format!("seed{i}"))
    } else {
        Name::text(format!("U{i}"))
    }
}

fn addr(family: Family) -> impl Strategy<Value = IpAddr> {
    let of = move |n: u8| match family {
        Family::V4 => IpAddr::from([10, 0, n >> 2, n]),
        Family::V6 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(n)]),
    };
    (0u8..8).prop_map(of)
}

fn cidr(family: Family) -> impl Strategy<Value = Cidr> {
    let shorter = select(vec![0u8, 0, 0, 0, 1, 2, 9, 24]);
    (addr(family), shorter).prop_map(move |(addr, less)| Cidr::new(addr, family.bits() - less).unwrap())
}

fn test<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Test<T>> {
    (proptest::bool::weighted(0.2), value).prop_map(|(invert, value)| Test { invert, value })
}

fn device() -> impl Strategy<Value = DevicePattern> {
    (select(vec!["eth0", "eth", "lo"]), any::<bool>())
        .prop_map(|(name, prefix)| DevicePattern { name: name.into(), prefix })
}

fn port() -> impl Strategy<Value = u16> {
    select(vec![1u16, 53, 80, 81, 443])
}

fn ports() -> impl Strategy<Value = PortRange> {
    let range = (port(), port()).prop_map(|(a, b)| PortRange { first: a.min(b), last: a.max(b) });
    prop_oneof![3 => port().prop_map(PortRange::one), 1 => range]
}

fn port_match(proto: Proto) -> impl Strategy<Value = Match> {
    let flags = (any::<u8>(), any::<u8>())
        .prop_map(|(mask, set)| TcpFlagTest { mask: mask & 0x3f, set: mask & set & 0x3f });
    let flags =
        option::weighted(0.2, test(flags)).prop_map(move |flags| flags.filter(|_| proto == Proto::TCP));
    let kind = option::weighted(0.2, test(select(vec![2u8, 4, 254])));
    let kind = kind.prop_map(move |kind| kind.filter(|_| proto == Proto::TCP));
    (option::weighted(0.2, test(ports())), option::weighted(0.8, test(ports())), flags, kind)
        .prop_map(move |(sport, dport, flags, option)| Match::Ports { proto, sport, dport, flags, option })
}

fn multiport() -> impl Strategy<Value = Match> {
    let side = select(vec![PortSide::Source, PortSide::Destination, PortSide::Either]);
    (side, test(vec(ports(), 1..4))).prop_map(|(side, ports)| Match::Multiport { side, ports })
}

fn icmp_type() -> impl Strategy<Value = IcmpType> {
    (select(vec![0u8, 1, 8]), option::of(select(vec![0u8, 53, 80])))
        .prop_map(|(kind, code)| IcmpType { kind: Some(kind), code })
}

fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![Just("plain".to_string()), "[ -~]{0,20}", "[^\n\r\u{b}\u{c}\u{85}\u{2028}\u{2029}]{0,8}"]
        .prop_map(Arc::from)
}

fn recent() -> impl Strategy<Value = Recent> {
    let op = select(vec![RecentOp::Set, RecentOp::Rcheck, RecentOp::Update, RecentOp::Remove]);
    (select(vec!["L", "M"]), op, option::of(1u32..20), option::of(1u32..3), any::<bool>(), any::<bool>())
        .prop_map(|(name, op, seconds, hitcount, reap, invert)| {
            let timed = matches!(op, RecentOp::Rcheck | RecentOp::Update);
            let (seconds, hitcount) = (seconds.filter(|_| timed), hitcount.filter(|_| timed));
            Recent { name: name.into(), op, seconds, hitcount, reap: reap && seconds.is_some(), invert }
        })
}

fn statistic() -> impl Strategy<Value = Statistic> {
    let random = test(select(vec![0u32, 715_827_883, 1 << 30, 1 << 31])).prop_map(Statistic::Random);
    let nth = (any::<bool>(), 1u32..4, 0u32..4).prop_map(|(invert, every, packet)| Statistic::Nth {
        invert,
        every,
        packet: packet % every,
    });
    prop_oneof![random, nth]
}

fn types() -> impl Strategy<Value = AddrTypes> {
    select(vec![vec![AddrType::Local], vec![AddrType::Unicast], vec![AddrType::Local, AddrType::Unicast]])
        .prop_map(|types| AddrTypes::of(&types))
}

fn states() -> impl Strategy<Value = CtStates> {
    let all: Vec<CtState> = CtState::ALL.iter().map(|(state, _)| *state).collect();
    vec(select(all), 1..4).prop_map(|states| CtStates::of(&states))
}

fn other_match() -> impl Strategy<Value = Match> {
    prop_oneof![
        text().prop_map(Match::Comment),
        test(states()).prop_map(Match::CtState),
        test(select(vec![CtState::New, CtState::Established]))
            .prop_map(|test| Match::State(Test { invert: test.invert, value: CtStates::of(&[test.value]) })),
        test(select(vec![PortRange::one(40), PortRange { first: 30, last: 50 }])).prop_map(Match::Length),
        test((0u32..4, select(vec![3u32, 1, u32::MAX]))).prop_map(Match::Mark),
        (option::of(test(types())), test(types()))
            .prop_map(|(src, dst)| Match::AddrType { src, dst: Some(dst) }),
        statistic().prop_map(Match::Statistic),
        test(select(vec![0u64, 80, 1000])).prop_map(Match::Quota),
        recent().prop_map(Match::Recent),
        text().prop_filter("a counter has a name", |text| !text.is_empty()).prop_map(Match::Nfacct),
    ]
}

/// The matches of a rule, header tests first.
fn matches(family: Family) -> impl Strategy<Value = (Option<Proto>, Vec<Match>)> {
    let icmp = if family == Family::V4 { Proto::ICMP } else { Proto::ICMPV6 };
    let proto = select(vec![Proto::TCP, Proto::TCP, Proto::UDP, Proto::SCTP, icmp, Proto(99)]);
    let with_ports = proto.prop_flat_map(|proto| {
        let ports = match proto {
            Proto::ICMP | Proto::ICMPV6 => option::of(test(icmp_type()).prop_map(Match::Icmp)).boxed(),
            _ if proto.has_ports() => {
                option::of(prop_oneof![3 => port_match(proto), 1 => multiport()]).boxed()
            }
            _ => Just(None).boxed(),
        };
        (test(Just(proto)), ports)
    });
    let heads = (
        option::weighted(0.2, test(cidr(family)).prop_map(Match::Src)),
        option::weighted(0.6, test(cidr(family)).prop_map(Match::Dst)),
        option::weighted(0.1, test(device()).prop_map(Match::In)),
        option::weighted(0.1, test(device()).prop_map(Match::Out)),
        option::weighted(0.7, with_ports),
    );
    (heads, vec(other_match(), 0..3), any::<bool>()).prop_map(
        |((src, dst, input, output, proto), others, last)| {
            let (proto, ports) = proto.unzip();
            let mut matches: Vec<Match> =
                [src, dst, input, output, proto.map(Match::Proto)].into_iter().flatten().collect();
            let (before, after) = if last { (others, Vec::new()) } else { (Vec::new(), others) };
            matches.extend(before);
            // multiport wants its protocol, and not its contrary.
            let turned = proto.is_some_and(|test| test.invert);
            let ports = ports.flatten().filter(|test| !turned || !matches!(test, Match::Multiport { .. }));
            matches.extend(ports);
            matches.extend(after);
            (proto.filter(|test| !test.invert).map(|test| test.value), matches)
        },
    )
}

fn nat_range(family: Family, ports: bool) -> impl Strategy<Value = NatRange> {
    let addrs = prop_oneof![addr(family).prop_map(|addr| (addr, addr)), (addr(family), addr(family))];
    (addrs, option::of(self::ports()), any::<(bool, bool, bool)>()).prop_map(move |(addrs, range, flags)| {
        NatRange {
            addrs: Some(addrs),
            ports: range.filter(|_| ports),
            random: flags.0,
            random_fully: flags.1,
            persistent: flags.2,
        }
    })
}

/// The targets of user chains (`Some` is the chain's number) and of base chains.
fn target(family: Family, from: Option<usize>, proto: Option<Proto>) -> BoxedStrategy<Target> {
    let first = from.map_or(0, |from| from + 1);
    let reject = match family {
        Family::V4 => vec![RejectWith::PORT_UNREACHABLE, RejectWith::Unreachable(13)],
        Family::V6 => vec![RejectWith::PORT_UNREACHABLE_V6, RejectWith::Unreachable(0)],
    };
    let ports = proto.is_some_and(Proto::has_ports);
    let plain = prop_oneof![
        4 => Just(Target::Continue),
        1 => select(vec![Target::Accept, Target::Drop, Target::Return]),
        2 => (0u32..4, select(vec![0u32, 1, 3, u32::MAX])).prop_map(|(value, mask)| Target::Mark { value, mask }),
        1 => select(reject).prop_map(Target::Reject),
        1 => nat_range(family, ports).prop_map(Target::Dnat),
    ];
    if first >= CHAINS {
        return plain.boxed();
    }
    let jump = (first..CHAINS, proptest::bool::weighted(0.8))
        .prop_map(|(to, jump)| if jump { Target::Jump(chain(to)) } else { Target::Goto(chain(to)) });
    prop_oneof![2 => plain, 1 => jump].boxed()
}

/// A rule of a user chain (`Some` is the chain's number) or of OUTPUT.
pub(crate) fn rule(family: Family, from: Option<usize>) -> impl Strategy<Value = Rule> {
    matches(family).prop_flat_map(move |(proto, mut matches)| {
        // OUTPUT knows no device that a packet came in by, so iptables refuses to test it there.
        matches.retain(|test| from.is_some() || !matches!(test, Match::In(_)));
        target(family, from, proto).prop_map(move |target| Rule { matches: matches.clone(), target })
    })
}

/// A whole table, filter or nat, with rules in PREROUTING-like and OUTPUT base chains and in user chains.
pub(crate) fn transaction(family: Family) -> impl Strategy<Value = Transaction> {
    let users: Vec<_> = (0..CHAINS).map(|i| vec(rule(family, Some(i)), 0..14)).collect();
    let policy = select(vec![Policy::Accept, Policy::Drop]);
    (select(vec![Table::Filter, Table::Nat]), users, vec(rule(family, None), 0..30), policy).prop_map(
        move |(table, users, base, policy)| {
            let mut transaction = Transaction::new(family);
            let output = Name::text("OUTPUT");
            transaction.push(table, Op::Policy(output.clone(), policy));
            (0..CHAINS).for_each(|i| transaction.push(table, Op::Chain(chain(i))));
            let users = users.into_iter().enumerate().map(|(i, rules)| (chain(i), rules));
            for (name, rules) in users.chain([(output, base)]) {
                for rule in
                    rules.into_iter().filter(|rule| rule.target.table().is_none_or(|(_, of)| of == table))
                {
                    transaction.push(table, Op::Append(name.clone(), rule));
                }
            }
            transaction
        },
    )
}

/// A packet, and what the hook knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    headers: Headers,
    devices: [Option<&'static str>; 2],
    mark: u32,
    ct: CtStates,
    now: Time,
}

impl Packet {
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame {
            in_device: self.devices[0],
            out_device: self.devices[1],
            mark: self.mark,
            ct: self.ct,
            now: self.now,
            ..Frame::new(&self.headers)
        }
    }
}

pub(crate) fn packet(family: Family) -> impl Strategy<Value = Packet> {
    let icmp = if family == Family::V4 { Proto::ICMP } else { Proto::ICMPV6 };
    let proto = select(vec![Proto::TCP, Proto::TCP, Proto::UDP, icmp, Proto(99)]);
    let ends = ((addr(family), port()), (addr(family), port()));
    let device = || option::of(select(vec!["eth0", "eth1", "lo"]));
    (
        proto,
        ends,
        any::<u8>(),
        proptest::bool::weighted(0.1),
        (device(), device()),
        0u32..4,
        states(),
        0u64..40,
    )
        .prop_map(|(proto, (src, dst), flags, later, devices, mark, ct, secs)| {
            let mut headers = Headers::plain(proto, src, dst);
            headers.fragment.offset = if later { 64 } else { 0 };
            if let Some(tcp) = &mut headers.tcp {
                tcp.flags = flags;
                tcp.options.kinds = OptionKinds::of(if flags & 1 == 1 { &[2, 4, 5, 180] } else { &[] });
            }
            Packet { headers, devices: [devices.0, devices.1], mark, ct, now: Time::from_secs(secs) }
        })
}

/// Odd addresses are this host's.
pub(crate) struct Odd;

impl Locality for Odd {
    fn addr_type(&self, addr: IpAddr) -> AddrType {
        let last = match addr {
            IpAddr::V4(addr) => addr.octets()[3],
            IpAddr::V6(addr) => addr.octets()[15],
        };
        if last % 2 == 1 { AddrType::Local } else { AddrType::Unicast }
    }
}
