//! Which tuples count as taken, and how far a search goes.

use super::*;
use crate::nat::PortDraw;

const PUBLIC: &str = "192.168.100.1";
const SERVER: &str = "203.0.113.9";

/// Draws one number, always.
struct Always(u32);

impl PortDraw for Always {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 % bound
    }
}

fn outwards(range: NatRange) -> Router {
    router(no_rule, move |packet| (packet.src != ip(PUBLIC)).then_some(range))
}

/// The source port that a first packet would get, with a search that begins at the `start`-th port.
fn searched(router: &mut Router, packet: &Headers, range: &NatRange, start: u32) -> u16 {
    let mut connection = router.hold(packet);
    setup(&mut router.table, &mut connection, Manip::Src, range, router.now, &mut Always(start));
    connection.reply.dport
}

#[test]
fn two_packets_of_one_flow_get_one_translation() {
    let mut router = outwards(NatRange::to(ip(PUBLIC), None));
    let packet = udp("10.0.0.5", 4000, SERVER, 53);
    let [first, second] = [router.hold(&packet), router.hold(&packet)];
    for connection in [first, second] {
        let sent = router.first(connection, packet.clone()).unwrap();
        assert_eq!((sent.src, sent.sport), (ip(PUBLIC), 4000));
    }
    assert_eq!(router.table.stats().clash_resolve, 1);
}

#[test]
fn untranslated_udp_flows_in_both_directions_are_left_to_be_merged() {
    let mut router = router(no_rule, no_rule);
    let (there, back) = (udp("10.0.0.5", 4000, SERVER, 53), udp(SERVER, 53, "10.0.0.5", 4000));
    let [first, second] = [router.hold(&there), router.hold(&back)];
    assert_eq!(router.first(first, there), Some(udp("10.0.0.5", 4000, SERVER, 53)));
    assert_eq!(router.first(second, back.clone()), Some(back));
    assert_eq!(router.table.stats().clash_resolve, 1);
}

#[test]
fn a_flow_translated_to_where_another_comes_from_gets_another_port() {
    let mut router = router(
        |packet| (packet.dst == ip("10.96.0.10")).then(|| NatRange::to(ip("10.244.0.2"), Some(53))),
        no_rule,
    );
    let there = udp("10.0.0.5", 4000, "10.96.0.10", 53);
    let back = udp("10.244.0.2", 53, "10.0.0.5", 4000);
    let [first, second] = [router.hold(&back), router.hold(&there)];
    assert_eq!(router.first(first, back).unwrap().sport, 53);
    assert_ne!(router.first(second, there).unwrap().sport, 4000);
}

#[test]
fn of_two_mappings_of_a_source_the_later_is_used_again() {
    let mut router = outwards(NatRange::to(ip(PUBLIC), None));
    let mut out = |client: &str, server: &str| router.forward(udp(client, 4000, server, 53)).unwrap().sport;
    assert_eq!(out("10.0.0.6", "203.0.113.1"), 4000);
    assert_eq!(out("10.0.0.7", "203.0.113.2"), 4000);
    let later = out("10.0.0.6", "203.0.113.2");
    assert_ne!(later, 4000);
    assert_eq!(out("10.0.0.6", "203.0.113.3"), later);
}

/// Opens and resets a connection from the first port of `range`.
fn closed(range: NatRange) -> Router {
    let mut router = outwards(range);
    let packet = syn("10.0.0.5", 4000, SERVER, 80, 100);
    let mut connection = router.hold(&packet);
    setup(&mut router.table, &mut connection, Manip::Src, &range, router.now, &mut Always(0));
    let port = connection.reply.dport;
    router.table.confirm(Box::new(connection), router.now);
    router.forward(tcp(SERVER, 80, PUBLIC, port, flags::SYN | flags::ACK, 1, 101)).unwrap();
    router.forward(tcp("10.0.0.5", 4000, SERVER, 80, flags::RST, 101, 0)).unwrap();
    router
}

#[test]
fn a_closed_connection_is_driven_out_only_when_few_tries_are_left() {
    for (last, wanted) in [(40_031, 40_000), (40_032, 40_001), (40_500, 40_001)] {
        let range = NatRange { ports: Some(ports(40_000, last)), ..NatRange::to(ip(PUBLIC), None) };
        let mut router = closed(range);
        let packet = syn("10.0.0.6", 4000, SERVER, 80, 5_000);
        assert_eq!(searched(&mut router, &packet, &range, 0), wanted, "up to {last}");
    }
}

#[test]
fn a_search_wraps_at_the_end_of_its_range() {
    let range = NatRange { ports: Some(ports(40_000, 40_003)), ..NatRange::to(ip(PUBLIC), None) };
    let mut router = outwards(range);
    for (client, wanted) in [("10.0.0.5", 40_003), ("10.0.0.6", 40_000), ("10.0.0.7", 40_001)] {
        let packet = udp(client, 4000, SERVER, 53);
        let mut connection = router.hold(&packet);
        setup(&mut router.table, &mut connection, Manip::Src, &range, router.now, &mut Always(3));
        assert_eq!(connection.reply.dport, wanted);
        router.table.confirm(Box::new(connection), router.now);
    }
}

#[test]
fn a_search_gives_up_after_128_64_32_and_16_tries() {
    /// Counts the rounds.
    struct Rounds(u32);
    impl PortDraw for Rounds {
        fn below(&mut self, _: u32) -> u32 {
            self.0 += 1;
            0
        }
    }
    let range = NatRange { ports: Some(ports(40_000, 40_999)), ..NatRange::to(ip(PUBLIC), None) };
    let mut router = outwards(range);
    for client in 0..128u32 {
        let packet = udp(&format!("10.0.1.{client}"), 4000, SERVER, 53);
        let mut connection = router.hold(&packet);
        setup(&mut router.table, &mut connection, Manip::Src, &range, router.now, &mut Always(client));
        router.table.confirm(Box::new(connection), router.now);
    }
    let packet = udp("10.0.0.9", 4000, SERVER, 53);
    let mut connection = router.hold(&packet);
    let mut rounds = Rounds(0);
    setup(&mut router.table, &mut connection, Manip::Src, &range, router.now, &mut rounds);
    // Source: `nf_nat_l4proto_unique_tuple` halves while at least 16 are left: 128, 64, 32, 16, 8.
    assert_eq!((rounds.0, connection.reply.dport), (5, 40_007));
    assert_eq!(router.table.confirm(Box::new(connection), router.now), Confirmed::Dropped);
}
