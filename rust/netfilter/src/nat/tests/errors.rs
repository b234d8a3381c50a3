//! ICMP errors about translated flows.

use super::*;
use crate::nat::Untranslatable;
use kdp_packet::Quoted;

const ENDPOINT: &str = "10.244.0.2";
const PUBLIC: &str = "192.168.100.1";

/// An error from `sender` about a packet as it left here.
fn error(sender: &str, about: &Headers, kind: u8) -> Headers {
    let quoted = Quoted { tuple: about.tuple(0), transport_len: 8 };
    let dport = u16::from(kind) << 8 | 1;
    Headers {
        quoted: Some(Box::new(quoted)),
        ..Headers::plain(Proto::ICMP, (ip(sender), 0), (about.src, dport))
    }
}

fn both_ends() -> Router {
    router(
        |packet| (packet.dst == ip("10.96.0.10")).then(|| NatRange::to(ip(ENDPOINT), Some(8080))),
        |packet| (packet.dst == ip("203.0.113.9")).then(|| NatRange::to(ip(PUBLIC), None)),
    )
}

#[test]
fn an_error_about_a_service_flow_comes_from_the_virtual_address() {
    let mut router = both_ends();
    let sent = router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    let back = router.forward(error("172.16.0.1", &sent, 3)).unwrap();
    assert_eq!(
        (back.src, back.dst, router.state),
        (ip("10.96.0.10"), ip("10.0.0.5"), Some(PacketState::Related))
    );
    let quoted = back.quoted.unwrap().tuple;
    assert_eq!((quoted.src, quoted.dst, quoted.dport), (ip("10.0.0.5"), ip("10.96.0.10"), 80));
    // It was no answer.
    router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    assert_eq!(router.state, Some(PacketState::New));
}

#[test]
fn an_error_about_a_masqueraded_flow_keeps_the_routers_address() {
    let mut router = both_ends();
    let sent = router.forward(udp("10.0.0.5", 4000, "203.0.113.9", 53)).unwrap();
    let back = router.forward(error("172.16.0.1", &sent, 11)).unwrap();
    assert_eq!((back.src, back.dst), (ip("172.16.0.1"), ip("10.0.0.5")));
    assert_eq!(back.quoted.unwrap().tuple.src, ip("10.0.0.5"));
    // From the client's side, about a reply, it leaves as the public address.
    let reply = router.forward(udp("203.0.113.9", 53, PUBLIC, sent.sport)).unwrap();
    let back = router.forward(error("10.0.0.254", &reply, 3)).unwrap();
    assert_eq!((back.src, back.dst), (ip(PUBLIC), ip("203.0.113.9")));
    let quoted = back.quoted.unwrap().tuple;
    assert_eq!((quoted.dst, quoted.dport), (ip(PUBLIC), sent.sport));
}

#[test]
fn errors_that_cannot_be_attached_are_invalid() {
    let mut router = both_ends();
    let sent = router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    let right = error("172.16.0.1", &sent, 3);
    let elsewhere = Headers { dst: ip("10.0.0.6"), ..right.clone() };
    let mut short = right.clone();
    short.quoted.as_mut().unwrap().transport_len = 3;
    let nothing = Headers { quoted: None, ..right.clone() };
    let about_an_error = error("172.16.0.1", &right, 3);
    for packet in [elsewhere, short, nothing, about_an_error, Headers { sound: false, ..right.clone() }] {
        assert_eq!(router.forward(packet.clone()), Some(packet));
        assert_eq!(router.state, None);
    }
    router.wait(Duration::from_secs(31));
    router.forward(right).unwrap();
    assert_eq!(router.state, None, "the flow has run out");
}

#[test]
fn four_quoted_bytes_are_enough_to_attach_but_not_to_translate() {
    let mut router = both_ends();
    let cut = |packet: &Headers| {
        let mut cut = error("172.16.0.1", packet, 3);
        cut.quoted.as_mut().unwrap().transport_len = 4;
        cut
    };
    let plain = router.forward(udp("10.0.0.5", 4000, ENDPOINT, 80)).unwrap();
    assert!(router.forward(cut(&plain)).is_some());
    assert_eq!(router.state, Some(PacketState::Related));
    let translated = router.forward(udp("10.0.0.5", 4001, "10.96.0.10", 80)).unwrap();
    assert_eq!(router.forward(cut(&translated)), None);
}

#[test]
fn redirects_about_translated_flows_are_dropped() {
    let mut router = both_ends();
    let sent = router.forward(udp("10.0.0.5", 4000, "10.96.0.10", 80)).unwrap();
    let mut redirect = error("172.16.0.1", &sent, 5);
    assert_eq!(router.forward(redirect.clone()), None);
    let entry = &router.table.entries(router.now)[0];
    let direction = Direction::Reply;
    let refused = translate(entry, direction, Manip::Dst, &mut redirect);
    assert_eq!(refused, Err(Untranslatable::Redirect));
    let plain = router.forward(udp("10.0.0.5", 4001, ENDPOINT, 80)).unwrap();
    assert!(router.forward(error("172.16.0.1", &plain, 5)).is_some());
}
