//! Connection tracking as stories of state.

mod full;
mod listing;
mod twin;

use std::net::IpAddr;
use std::time::Duration;

use kdp_packet::{Cidr, Headers, Proto, Tcp, flags};
use kdp_sim::{Chance, Time};

use super::*;

fn cidr(text: &str) -> Cidr {
    Cidr::parse(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn udp(src: &str, sport: u16, dst: &str, dport: u16) -> Headers {
    Headers::plain(Proto::UDP, (ip(src), sport), (ip(dst), dport))
}

fn question() -> Headers {
    udp("10.0.0.5", 4000, "10.244.0.2", 53)
}

fn reply() -> Headers {
    udp("10.244.0.2", 53, "10.0.0.5", 4000)
}

fn segment(bits: u8, seq: u32, ack: u32) -> Headers {
    let tcp = Tcp { flags: bits, seq, ack, window: 65_535, ..Tcp::default() };
    Headers { tcp: Some(tcp), ..Headers::plain(Proto::TCP, (ip("10.0.0.5"), 4000), (ip("10.244.0.2"), 80)) }
}

fn answering(packet: Headers) -> Headers {
    Headers { src: packet.dst, sport: packet.dport, dst: packet.src, dport: packet.sport, ..packet }
}

/// A table and a clock.
struct Bench {
    table: Conntrack,
    now: Time,
}

fn bench(settings: Settings) -> Bench {
    Bench { table: Conntrack::new(settings, Chance::new(1)), now: Time::ZERO }
}

impl Bench {
    fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    fn track(&mut self, packet: &Headers) -> Tracked {
        self.table.track(packet, 0, true, self.now)
    }

    /// Tracks and confirms; gives the packet's state, `None` for INVALID, UNTRACKED and dropped ones.
    fn send(&mut self, packet: &Headers) -> Option<PacketState> {
        match self.track(packet) {
            Tracked::New(connection) => match self.table.confirm(connection, self.now) {
                Confirmed::Dropped => None,
                Confirmed::Inserted(_) | Confirmed::Merged { .. } | Confirmed::ReplyOnly(_) => {
                    Some(PacketState::New)
                }
            },
            Tracked::Known { state, .. } => Some(state),
            Tracked::Invalid | Tracked::Full | Tracked::Untracked => None,
        }
    }

    fn hold(&mut self, packet: &Headers) -> Box<Connection> {
        match self.track(packet) {
            Tracked::New(connection) => connection,
            other => panic!("{other:?}"),
        }
    }

    /// The only entry: its timeout in seconds and whether it is assured.
    fn only(&mut self) -> (u64, bool) {
        let entries = self.table.entries(self.now);
        let [entry] = entries.as_slice() else { panic!("{} entries", entries.len()) };
        (entry.remaining().as_secs(), entry.status().has(Status::ASSURED))
    }
}

use PacketState::{Established, New, Related};

#[test]
fn a_question_and_its_answer_are_no_stream() {
    let mut bench = bench(Settings::default());
    assert_eq!(bench.send(&question()), Some(New));
    assert_eq!(bench.send(&question()), Some(New), "nothing has answered yet");
    assert_eq!(bench.send(&reply()), Some(Established));
    assert_eq!(bench.only(), (30, false));
    bench.wait(2_000);
    assert_eq!(bench.send(&question()), Some(Established));
    assert_eq!(bench.only(), (30, false), "two seconds are not yet more than two");
    bench.wait(4);
    assert_eq!(bench.send(&question()), Some(Established));
    assert_eq!(bench.only(), (120, true));
}

#[test]
fn an_expired_entry_is_never_seen() {
    let mut bench = bench(Settings::default());
    let Confirmed::Inserted(id) = ({
        let connection = bench.hold(&question());
        bench.wait(5_000);
        bench.table.confirm(connection, bench.now)
    }) else {
        panic!("it is put in")
    };
    bench.wait(29_999);
    assert!(bench.table.get(id, bench.now).is_some(), "the timeout runs from confirm on");
    bench.wait(1);
    assert!(bench.table.get(id, bench.now).is_none());
    assert!(bench.table.entries(bench.now).is_empty());
    assert!(bench.table.find(&question().tuple(0), bench.now).is_none());
    assert!(!bench.table.set_mark(id, 1, bench.now));
    assert_eq!(bench.send(&reply()), Some(New), "the answer came too late");
    assert!(bench.table.get(id, bench.now).is_none(), "an id never names another entry");
}

#[test]
fn a_changed_timeout_counts_from_the_next_packet() {
    let mut bench = bench(Settings::default());
    bench.send(&question());
    bench.table.settings_mut().udp_timeout = 7;
    assert_eq!(bench.only(), (30, false));
    bench.send(&question());
    assert_eq!(bench.only(), (7, false));
    let id = bench.table.entries(bench.now)[0].id();
    assert!(bench.table.set_timeout(id, 3, bench.now));
    bench.wait(3_000);
    assert!(bench.table.entries(bench.now).is_empty(), "a shortened life ends early");
    assert_eq!(bench.send(&reply()), Some(New), "for lookups too");
}

#[test]
fn a_reset_that_answers_a_syn_ends_the_connection_but_is_still_attached() {
    let mut bench = bench(Settings::default());
    assert_eq!(bench.send(&segment(flags::SYN, 100, 0)), Some(New));
    let reset = answering(segment(flags::RST | flags::ACK, 0, 101));
    let Tracked::Known { id, direction: Direction::Reply, state: Established } = bench.track(&reset) else {
        panic!("it belongs to the connection")
    };
    assert!(bench.table.get(id, bench.now).is_some(), "so that the reset can be translated");
    assert!(bench.table.entries(bench.now).is_empty());
    assert_eq!(bench.send(&reset), None, "a second one is invalid");
    bench.wait(1);
    bench.send(&question());
    assert!(bench.table.get(id, bench.now).is_none());
}

#[test]
fn a_syn_after_an_orderly_close_is_a_new_connection() {
    let mut bench = bench(Settings::default());
    bench.send(&segment(flags::SYN, 100, 0));
    bench.send(&answering(segment(flags::SYN | flags::ACK, 500, 101)));
    bench.send(&segment(flags::ACK, 101, 501));
    assert_eq!(bench.only(), (432_000, true));
    bench.send(&segment(flags::FIN | flags::ACK, 101, 501));
    bench.send(&answering(segment(flags::FIN | flags::ACK, 501, 102)));
    bench.send(&segment(flags::ACK, 102, 502));
    assert_eq!(bench.table.entries(bench.now)[0].state_name(), Some("TIME_WAIT"));
    assert!(matches!(bench.track(&segment(flags::SYN, 90_000, 0)), Tracked::New(_)));
    assert!(bench.table.entries(bench.now).is_empty());
}

#[test]
fn icmp_queries_are_matched_by_id_type_and_code() {
    let echo = |src: &str, dst: &str, kind: u8, code: u8| {
        Headers::plain(Proto::ICMP, (ip(src), 7), (ip(dst), u16::from_be_bytes([kind, code])))
    };
    let mut bench = bench(Settings::default());
    assert_eq!(bench.send(&echo("10.244.0.2", "10.0.0.5", 0, 0)), None, "nobody asked");
    assert_eq!(bench.send(&echo("10.0.0.5", "10.244.0.2", 8, 0)), Some(New));
    assert_eq!(bench.send(&echo("10.244.0.2", "10.0.0.5", 0, 1)), None, "another code");
    assert_eq!(bench.send(&echo("10.244.0.2", "10.0.0.5", 0, 0)), Some(Established));
    assert_eq!(bench.only(), (30, false));
    for kind in [9, 10, 14, 16, 18, 19, 30, 255] {
        assert_eq!(bench.send(&echo("10.0.0.5", "10.244.0.2", kind, 0)), None, "type {kind}");
    }
    assert_eq!(
        (bench.table.stats().invalid, bench.table.stats().error),
        (7, 3),
        "unknown types are counted apart"
    );
}

#[test]
fn neighbour_discovery_is_never_tracked() {
    let mut bench = bench(Settings::default());
    let packet = |kind: u16| Headers::plain(Proto::ICMPV6, (ip("fd00::1"), 0), (ip("fd00::2"), kind << 8));
    for kind in (130..=136).chain([143, 151]) {
        assert_eq!(bench.track(&packet(kind)), Tracked::Untracked, "type {kind}");
    }
    for kind in [129, 137, 140, 200, 1, 100] {
        assert_eq!(bench.track(&packet(kind)), Tracked::Invalid, "type {kind}");
    }
    assert_eq!(bench.send(&packet(139)), Some(New));
    let none = Headers { proto: Proto(59), ..packet(0) };
    assert_eq!(bench.track(&none), Tracked::Invalid);
}

#[test]
fn checksums_are_verified_where_packets_come_in() {
    let mut bench = bench(Settings::default());
    let broken = Headers { sound: false, ..question() };
    assert_eq!(bench.track(&broken), Tracked::Invalid);
    assert!(matches!(bench.table.track(&broken, 0, false, bench.now), Tracked::New(_)));
    bench.table.settings_mut().checksum = 0;
    assert!(matches!(bench.track(&broken), Tracked::New(_)));
}

#[test]
fn zones_keep_equal_tuples_apart() {
    let mut bench = bench(Settings::default());
    for zone in [0, 7] {
        let Tracked::New(connection) = bench.table.track(&question(), zone, true, bench.now) else {
            panic!("new in zone {zone}")
        };
        assert!(matches!(bench.table.confirm(connection, bench.now), Confirmed::Inserted(_)));
    }
    assert!(matches!(bench.table.track(&reply(), 7, true, bench.now), Tracked::Known { .. }));
    assert!(matches!(bench.table.track(&reply(), 8, true, bench.now), Tracked::New(_)));
    // With the original direction alone in a zone, answers need none.
    let zone = Zone::original_only(9);
    let other = udp("10.0.0.9", 1, "10.244.0.2", 53);
    let Tracked::New(connection) = bench.table.track(&other, zone, true, bench.now) else { panic!("new") };
    bench.table.confirm(connection, bench.now);
    let back = udp("10.244.0.2", 53, "10.0.0.9", 1);
    assert!(matches!(bench.track(&back), Tracked::Known { direction: Direction::Reply, .. }));
    assert!(matches!(bench.table.track(&other, zone, true, bench.now), Tracked::Known { .. }));
}

#[test]
fn two_packets_of_one_udp_flow_are_merged() {
    let mut bench = bench(Settings { acct: 1, ..Settings::default() });
    let [first, second] = [bench.hold(&question()), bench.hold(&question())];
    let backwards = bench.hold(&reply());
    let Confirmed::Inserted(id) = bench.table.confirm(first, bench.now) else { panic!("the first wins") };
    let merged = |direction| Confirmed::Merged { id, direction };
    assert_eq!(bench.table.confirm(second, bench.now), merged(Direction::Original));
    assert_eq!(bench.table.confirm(backwards, bench.now), merged(Direction::Reply));
    assert_eq!(bench.table.stats().clash_resolve, 2);
    let entry = &bench.table.entries(bench.now)[0];
    assert_eq!(entry.counter(Direction::Original), Counter { packets: 2, bytes: 56 });
    assert_eq!(entry.counter(Direction::Reply), Counter { packets: 1, bytes: 28 });
}

#[test]
fn a_udp_flow_translated_twice_over_lives_a_second_by_its_reply() {
    let mut bench = bench(Settings::default());
    let [first, mut second] = [bench.hold(&question()), bench.hold(&question())];
    second.reply.src = ip("10.244.0.3");
    assert!(matches!(bench.table.confirm(first, bench.now), Confirmed::Inserted(_)));
    assert!(matches!(bench.table.confirm(second, bench.now), Confirmed::ReplyOnly(_)));
    let from_second = udp("10.244.0.3", 53, "10.0.0.5", 4000);
    for _ in 0..2 {
        assert_eq!(bench.send(&from_second), Some(Established));
        bench.wait(400);
    }
    assert_eq!(bench.table.entries(bench.now).len(), 1, "it is hidden");
    bench.wait(200);
    assert_eq!(bench.send(&from_second), Some(New), "its second is over");
}

#[test]
fn two_packets_of_one_tcp_flow_clash_and_one_is_dropped() {
    let mut bench = bench(Settings::default());
    let [first, second] = [bench.hold(&segment(flags::SYN, 1, 0)), bench.hold(&segment(flags::SYN, 1, 0))];
    assert!(matches!(bench.table.confirm(first, bench.now), Confirmed::Inserted(_)));
    assert_eq!(bench.table.confirm(second, bench.now), Confirmed::Dropped);
    assert_eq!((bench.table.stats().insert_failed, bench.table.stats().drop), (1, 1));
}

#[test]
fn an_error_about_a_connection_is_related_and_refreshes_nothing() {
    let mut bench = bench(Settings::default());
    bench.send(&question());
    bench.wait(10_000);
    let quoted = Some(Box::new(kdp_packet::Quoted { tuple: question().tuple(0), transport_len: 8 }));
    let error =
        Headers { quoted, ..Headers::plain(Proto::ICMP, (ip("10.0.0.1"), 0), (ip("10.0.0.5"), 3 << 8)) };
    assert_eq!(bench.send(&error), Some(Related));
    assert_eq!(bench.only(), (20, false));
    assert_eq!(bench.send(&question()), Some(New), "an error is no answer");
    bench.wait(31_000);
    assert_eq!(bench.send(&error), None, "it is about nothing any more");
    assert_eq!((bench.table.stats().invalid, bench.table.stats().error), (0, 1));
}

#[test]
fn a_rejected_tcp_connection_is_set_to_close() {
    let mut bench = bench(Settings::default());
    bench.send(&segment(flags::SYN, 100, 0));
    let id = bench.table.entries(bench.now)[0].id();
    bench.table.set_closing(id, bench.now);
    assert_eq!(bench.only(), (10, false));
    assert_eq!(bench.table.entries(bench.now)[0].state_name(), Some("CLOSE"));
}
