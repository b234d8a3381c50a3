//! Destination translation, and what it does to source ports.

use super::*;

const ENDPOINT: &str = "10.244.0.2";

/// Any of 10.96.0.0/16 leads to the endpoint's port 8080.
fn service(packet: &Headers) -> Option<NatRange> {
    let virtual_address = kdp_packet::Cidr::parse("10.96.0.0/16").unwrap().contains(packet.dst);
    let port = (packet.proto != Proto::ICMP).then_some(8080);
    virtual_address.then(|| NatRange::to(ip(ENDPOINT), port))
}

#[test]
fn a_port_range_begins_at_its_first_port_and_skips_taken_ones() {
    let range =
        |packet: &Headers| service(packet).map(|range| NatRange { ports: Some(ports(8080, 8081)), ..range });
    let mut router = router(range, no_rule);
    for sport in 3000..3006 {
        let sent = router.forward(udp("10.0.0.5", sport, "10.96.1.1", 80)).unwrap();
        assert_eq!((sent.dst, sent.dport, sent.sport), (ip(ENDPOINT), 8080, sport));
    }
    let second = router.forward(udp("10.0.0.5", 3000, "10.96.1.2", 80)).unwrap();
    assert_eq!((second.dport, second.sport), (8081, 3000));
    for address in ["10.96.1.3", "10.96.1.4"] {
        let sent = router.forward(udp("10.0.0.5", 3000, address, 80)).unwrap();
        assert_eq!(sent.dport, 8081);
        assert!(sent.sport >= 1024 && sent.sport != 3000, "all ports taken: the source port is changed");
    }
}

#[test]
fn four_ways_to_one_endpoint_from_one_client_port() {
    let mut router = router(service, no_rule);
    let ways = [("10.96.0.10", 80), ("10.96.0.11", 80), ("10.96.0.12", 80), (ENDPOINT, 8080)];
    let mut sent = Vec::new();
    for (seq, (address, port)) in (0..).zip(ways) {
        sent.push(router.forward(syn("10.0.0.5", 4000, address, port, seq)).unwrap());
    }
    assert_eq!(sent[0].sport, 4000);
    assert!(sent[1..].iter().all(|packet| packet.sport != 4000 && packet.sport >= 1024));
    for (seq, (packet, (address, port))) in (0..).zip(sent.iter().zip(ways)) {
        let back = router.forward(answer(packet, flags::SYN | flags::ACK, 9, seq + 1)).unwrap();
        assert_eq!((back.src, back.sport, back.dst, back.dport), (ip(address), port, ip("10.0.0.5"), 4000));
        let next = router.forward(tcp("10.0.0.5", 4000, address, port, flags::ACK, seq + 1, 10)).unwrap();
        assert_eq!((next.dst, next.dport, next.sport), (ip(ENDPOINT), 8080, packet.sport));
    }
}

#[test]
fn an_echo_id_that_is_taken_becomes_the_first_free_one() {
    let mut router = router(service, no_rule);
    let ids: Vec<u16> = ["10.96.0.10", "10.96.0.11", "10.96.0.12"]
        .iter()
        .map(|address| router.forward(echo("10.0.0.5", address, 77)).unwrap().sport)
        .collect();
    assert_eq!(ids, [77, 0, 1]);
}

#[test]
fn a_translated_flow_keeps_its_way_whatever_the_rules_say_later() {
    let mut router = router(service, no_rule);
    router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    router.dnat = Box::new(no_rule);
    let sent = router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    assert_eq!((sent.dst, router.state), (ip(ENDPOINT), Some(PacketState::New)));
}

#[test]
fn a_late_reply_after_deletion_forces_another_source_port() {
    let mut router = router(service, no_rule);
    let sent = router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    router.table.flush();
    let late = router.forward(answer(&sent, 0, 0, 0)).unwrap();
    assert_eq!((late.src, router.state), (ip(ENDPOINT), Some(PacketState::New)));
    let again = router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    assert_eq!(again.dst, ip(ENDPOINT));
    assert_ne!(again.sport, 4000);
}

#[test]
fn a_hairpin_is_translated_at_both_ends() {
    let own_source =
        |packet: &Headers| (packet.src == packet.dst).then(|| NatRange::to(ip("10.0.0.1"), None));
    let mut router = router(service, own_source);
    let sent = router.forward(udp(ENDPOINT, 5000, "10.96.0.10", 80)).unwrap();
    assert_eq!((sent.src, sent.dst, sent.dport), (ip("10.0.0.1"), ip(ENDPOINT), 8080));
    let back = router.forward(answer(&sent, 0, 0, 0)).unwrap();
    assert_eq!((back.src, back.sport, back.dst, back.dport), (ip("10.96.0.10"), 80, ip(ENDPOINT), 5000));
    let entry = &router.table.entries(router.now)[0];
    assert_eq!(entry.tuple(Direction::Reply).dst, ip("10.0.0.1"));
}
