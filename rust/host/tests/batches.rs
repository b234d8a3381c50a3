//! A batch is its packets in order, however it is cut, and whatever is decided without a walk.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use kdp_host::{Batch, Device, Host, Packet, RouteKind};
use kdp_netfilter::conntrack::{Filter, Settings};
use kdp_netfilter::text;
use kdp_packet::{Cidr, Family, FlowColumns, Headers, Proto, Tcp, Verdicts, flags};
use kdp_sim::{Chance, Time};
use proptest::prelude::*;

/// What happens to both hosts.
#[derive(Clone, Debug)]
enum Op {
    /// Rows in one batch: a flow, and whether it is its answer.
    Rows(Vec<(usize, bool)>),
    /// All flows, there and back, so many times.
    Rounds(usize),
    Wait(u64),
    Rules(usize),
    /// A segment with these flags, of a flow or its answer, that is not what a well-behaved end sends next.
    Segment(usize, bool, u8),
    /// `conntrack -D -s`.
    Delete(u8),
    Timeout(u32),
    Look,
}

const CLIENTS: u8 = 3;
const FLOWS: usize = 9;

/// TCP and UDP to a Service, to a Pod, and to what is not tracked.
fn flow(number: usize) -> (u8, [u8; 4], u16, u8) {
    let client = 5 + u8::try_from(number).unwrap() % CLIENTS;
    match number / 3 {
        0 => (client, [10, 96, 0, 1], 80, 6),
        1 => (client, [10, 96, 0, 1], 53, 17),
        _ if number == 8 => (client, [10, 1, 0, 77], 9, 6),
        _ => (client, [10, 1, 0, 2], 80, 6),
    }
}

const NAT: &str = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.1.0.77/32 -j CT --notrack\nCOMMIT\n*nat\n\
    :PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n\
    -A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -m statistic --mode random --probability 0.5 \
    -j DNAT --to-destination 10.1.0.2:8080\n\
    -A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.3:8080\n\
    -A PREROUTING -d 10.96.0.1/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.1.0.2:5353\n\
    -A POSTROUTING -s 10.0.0.6/32 -j MASQUERADE --random-fully\nCOMMIT\n";

const FILTERS: [&str; 5] = [
    "-A FORWARD -m conntrack --ctstate INVALID -j DROP\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n",
    "-A FORWARD -m length --length 41 -m comment --comment data\n-A FORWARD -s 10.0.0.7/32 -j DROP\n",
    "-A FORWARD -m statistic --mode random --probability 0.3 -j DROP\n",
    "-A FORWARD -p tcp -m tcp --tcp-flags PSH PSH -j ACCEPT\n-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT\n",
    "-A FORWARD -m limit --limit 2/second -j ACCEPT\n-A FORWARD -p tcp -m tcp --tcp-flags SYN,ACK SYN -j ACCEPT\n",
];

fn rules(number: usize) -> String {
    format!("{NAT}*filter\n:FORWARD ACCEPT [0:0]\n{}COMMIT\n", FILTERS[number])
}

/// Source, destination, protocol.
type Ends = (End, End, u8);

/// Address and port.
type End = (u32, u16);

struct Columns {
    src: Vec<u32>,
    sport: Vec<u16>,
    dst: Vec<u32>,
    dport: Vec<u16>,
    proto: Vec<u8>,
}

impl Columns {
    fn of(ends: &[Ends]) -> Columns {
        let (src, sport) = ends.iter().map(|(src, _, _)| *src).unzip();
        let (dst, dport) = ends.iter().map(|(_, dst, _)| *dst).unzip();
        Columns { src, sport, dst, dport, proto: ends.iter().map(|(_, _, proto)| *proto).collect() }
    }

    fn rows(&self) -> FlowColumns<'_> {
        let Columns { src, sport, dst, dport, proto } = self;
        FlowColumns { src, sport, dst, dport, proto }
    }
}

struct Side {
    host: Host,
    /// Where each flow went last.
    left: Vec<Option<(End, End)>>,
}

impl Side {
    fn new() -> Side {
        let mut host = Host::new("box", Settings::default(), Chance::new(1));
        for (name, net) in [("a0", "10.0.0.1/24"), ("b0", "10.1.0.1/24")] {
            let (addr, len) = net.split_once('/').unwrap();
            let device =
                host.devices.add(Device::new(name, &[(addr.parse().unwrap(), len.parse().unwrap())]));
            host.routes.add(Cidr::parse(net).unwrap(), RouteKind::Unicast { device, via: None });
        }
        host.apply(&text::parse(&rules(0), "iptables", Family::V4, false).unwrap()).unwrap();
        Side { host, left: vec![None; FLOWS] }
    }

    fn ends(&self, number: usize, answer: bool) -> Ends {
        let (client, to, port, proto) = flow(number);
        let from = (u32::from_be_bytes([10, 0, 0, client]), 4000 + u16::try_from(number).unwrap());
        let to = (u32::from_be_bytes(to), port);
        let (src, dst) =
            if answer { self.left[number].map_or((to, from), |(src, dst)| (dst, src)) } else { (from, to) };
        (src, dst, proto)
    }

    /// Sends rows as one batch, or one by one without proofs. Where answers go is known from the batches before.
    fn send(&mut self, rows: &[(usize, bool)], now: Time, as_one: bool) -> Verdicts {
        let ends: Vec<Ends> = rows.iter().map(|(number, answer)| self.ends(*number, *answer)).collect();
        let mut out = Verdicts::default();
        for cut in ends.chunks(if as_one { rows.len() } else { 1 }) {
            let columns = Columns::of(cut);
            let batch = Batch::new(&mut self.host, now);
            let mut batch = if as_one { batch } else { batch.without_proofs() };
            let part = batch.send(&columns.rows(), || true).unwrap();
            out.verdict.extend(part.verdict);
            out.src.extend(part.src);
            out.sport.extend(part.sport);
            out.dst.extend(part.dst);
            out.dport.extend(part.dport);
            out.rules_walked.extend(part.rules_walked);
        }
        for (row, (number, answer)) in rows.iter().enumerate() {
            if !answer && out.verdict[row] <= 1 {
                self.left[*number] = Some(((out.src[row], out.sport[row]), (out.dst[row], out.dport[row])));
            }
        }
        out
    }

    fn segment(&mut self, number: usize, answer: bool, bits: u8, now: Time) -> String {
        let (src, dst, proto) = self.ends(number, answer);
        let addr = |bits: u32| IpAddr::V4(Ipv4Addr::from(bits));
        let ends = ((addr(src.0), src.1), (addr(dst.0), dst.1));
        let mut headers = Headers::plain(Proto(proto), ends.0, ends.1);
        if let Some(tcp) = headers.tcp {
            headers.tcp = Some(Tcp { flags: bits, seq: 7, ack: 9, ..tcp });
        }
        let device = self.host.devices.by_name(if answer { "b0" } else { "a0" }).unwrap();
        let walk = self.host.receive(device, Packet::of(headers), now).unwrap();
        format!("{:?} {}", walk.fate, walk.rules_walked)
    }

    /// Every connection with all that is known of it.
    fn look(&mut self, now: Time) -> Vec<String> {
        let entries = self.host.conntrack.entries(now);
        entries.iter().map(|entry| format!("{:?}", entry.connection())).collect()
    }
}

fn ops() -> impl Strategy<Value = Op> {
    let row = (0..FLOWS, any::<bool>());
    let bits = prop::sample::select(vec![
        flags::RST,
        flags::RST | flags::ACK,
        flags::FIN | flags::ACK,
        flags::SYN,
        flags::ACK,
    ]);
    let waits = vec![
        1u64,
        400,
        2_001,
        9_000,
        29_999,
        30_000,
        31_000,
        119_500,
        120_000,
        121_000,
        299_999,
        300_000,
        432_000_000,
    ];
    prop_oneof![
        4 => prop::collection::vec(row, 1..40).prop_map(Op::Rows),
        4 => (1usize..4).prop_map(Op::Rounds),
        4 => prop::sample::select(waits).prop_map(Op::Wait),
        1 => (0..FILTERS.len()).prop_map(Op::Rules),
        1 => (0..FLOWS, any::<bool>(), bits).prop_map(|(number, answer, bits)| Op::Segment(number, answer, bits)),
        1 => (5u8..5 + CLIENTS).prop_map(Op::Delete),
        1 => prop::sample::select(vec![1u32, 300, 432_000]).prop_map(Op::Timeout),
        2 => Just(Op::Look),
    ]
}

struct Pair {
    fast: Side,
    slow: Side,
    now: Time,
}

impl Pair {
    fn both<R: PartialEq + std::fmt::Debug>(
        &mut self,
        mut work: impl FnMut(&mut Side) -> R,
    ) -> Result<(), TestCaseError> {
        let (fast, slow) = (work(&mut self.fast), work(&mut self.slow));
        prop_assert_eq!(fast, slow);
        Ok(())
    }

    fn send(&mut self, rows: &[(usize, bool)]) -> Result<(), TestCaseError> {
        let (fast, slow) = (self.fast.send(rows, self.now, true), self.slow.send(rows, self.now, false));
        prop_assert_eq!(fast, slow);
        Ok(())
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        let now = self.now;
        match op {
            Op::Rows(rows) => self.send(rows),
            Op::Rounds(rounds) => (0..2 * rounds).try_for_each(|way| {
                self.send(&(0..FLOWS).map(|number| (number, way % 2 == 1)).collect::<Vec<_>>())
            }),
            Op::Wait(millis) => {
                self.now = self.now + Duration::from_millis(*millis);
                Ok(())
            }
            Op::Rules(number) => {
                let transaction = text::parse(&rules(*number), "iptables", Family::V4, false).unwrap();
                self.both(|side| side.host.apply(&transaction).is_ok())
            }
            Op::Segment(number, answer, bits) => self.both(|side| side.segment(*number, *answer, *bits, now)),
            Op::Delete(client) => {
                let filter =
                    Filter { orig_src: Some(Cidr::host([10, 0, 0, *client].into())), ..Filter::default() };
                self.both(|side| side.host.conntrack.delete(&filter, now))
            }
            Op::Timeout(seconds) => {
                self.both(|side| side.host.conntrack.settings_mut().tcp_timeout_established = *seconds)
            }
            Op::Look => self.both(|side| side.look(now)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn a_batch_is_its_rows_one_by_one(ops in prop::collection::vec(ops(), 1..30)) {
        let mut pair = Pair { fast: Side::new(), slow: Side::new(), now: Time::ZERO };
        for op in &ops {
            pair.run(op)?;
        }
        pair.run(&Op::Look)?;
        let now = pair.now;
        pair.both(|side| side.host.conntrack.count(now))?;
        pair.both(|side| side.host.conntrack.stats())?;
    }
}

#[test]
fn rows_of_established_connections_do_not_walk() {
    let mut side = Side::new();
    let all: Vec<(usize, bool)> = (0..FLOWS).flat_map(|number| [(number, false), (number, true)]).collect();
    let mut now = Time::ZERO;
    for _ in 0..4 {
        side.send(&all, now, true);
        now = now + Duration::from_secs(3);
    }
    let ends: Vec<Ends> = all.iter().map(|(number, answer)| side.ends(*number, *answer)).collect();
    let columns = Columns::of(&ends);
    let mut batch = Batch::new(&mut side.host, now);
    batch.send(&columns.rows(), || true).unwrap();
    assert_eq!(batch.walked(), 2, "only what is not tracked walks, there and back");
}
