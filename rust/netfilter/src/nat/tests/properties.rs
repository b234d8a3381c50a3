//! What holds for any packets.

use std::collections::BTreeMap;

use kdp_packet::Tuple;
use proptest::prelude::*;

use super::*;
use crate::conntrack::{Format, list};

/// A router with a Service of two virtual addresses before one endpoint, and a masquerade.
fn busy(random: bool) -> Router {
    router(
        |packet| {
            let port = (packet.proto != Proto::ICMP).then_some(8080);
            let service = [ip("10.96.0.10"), ip("10.96.0.11")].contains(&packet.dst);
            service.then(|| NatRange::to(ip("10.244.0.2"), port))
        },
        move |packet| {
            let outside = packet.dst == ip("203.0.113.9");
            outside.then(|| NatRange { random_fully: random, ..NatRange::to(ip("192.168.100.1"), None) })
        },
    )
}

/// A first packet, from few addresses and ports, so that they collide.
fn packets() -> impl Strategy<Value = Headers> {
    let clients = prop::sample::select(vec!["10.0.0.5", "10.0.0.6", "10.244.0.2", "192.168.100.1"]);
    let servers = prop::sample::select(vec!["10.96.0.10", "10.96.0.11", "10.244.0.2", "203.0.113.9"]);
    let protos = prop::sample::select(vec![Proto::UDP, Proto::TCP, Proto::ICMP]);
    (clients, servers, protos, 4000u16..4003, prop::sample::select(vec![80u16, 8080])).prop_map(
        |(client, server, proto, sport, dport)| match proto {
            Proto::UDP => udp(client, sport, server, dport),
            Proto::TCP => syn(client, sport, server, dport, 100),
            _ => echo(client, server, sport),
        },
    )
}

fn answer_to(sent: &Headers) -> Headers {
    answer(sent, flags::SYN | flags::ACK, 9, 101)
}

fn text(router: &mut Router) -> String {
    list(&router.table.entries(router.now), router.table.settings(), Format::default())
}

proptest! {
    #[test]
    fn no_two_live_connections_share_a_tuple(
        sent in prop::collection::vec((packets(), 0u64..20), 1..60),
        random: bool,
    ) {
        let mut router = busy(random);
        for (packet, pause) in sent {
            router.wait(Duration::from_secs(pause));
            router.forward(packet);
            let mut owners: BTreeMap<Tuple, Tuple> = BTreeMap::new();
            for entry in router.table.entries(router.now) {
                let original = *entry.tuple(Direction::Original);
                for direction in [Direction::Original, Direction::Reply] {
                    let other = owners.insert(*entry.tuple(direction), original);
                    prop_assert!(other.is_none_or(|other| other == original), "{other:?} and {original}");
                }
            }
        }
    }

    #[test]
    fn every_answer_comes_from_whom_the_client_asked(
        sent in prop::collection::vec(packets(), 1..60),
        random: bool,
    ) {
        let mut router = busy(random);
        for packet in sent {
            let Some(left) = router.forward(packet.clone()) else { continue };
            if router.state.is_none() {
                continue;
            }
            let (state, direction) = (router.state, router.table.find(&packet.tuple(0), router.now).unwrap().1);
            let back = router.forward(answer_to(&left)).expect("an answer to what left is not dropped");
            if router.state.is_some() {
                prop_assert_eq!(back.tuple(0), packet.tuple(0).inverse().unwrap(), "{:?} {:?}", state, direction);
            }
        }
    }

    #[test]
    fn a_first_packet_that_is_dropped_leaves_no_trace(
        sent in prop::collection::vec(packets(), 0..30),
        dropped in packets(),
        next in packets(),
    ) {
        let mut router = busy(false);
        for packet in sent {
            router.forward(packet);
        }
        let (before, stats, mut twin) = (text(&mut router), router.table.stats(), router.table.clone());
        if let Tracked::New(mut connection) = router.table.track(&dropped, 0, true, router.now) {
            let mut draw = Chance::new(3).packet(1, router.now);
            null_binding(&mut router.table, &mut connection, Manip::Dst, router.now, &mut draw);
            null_binding(&mut router.table, &mut connection, Manip::Src, router.now, &mut draw);
            drop(connection);
            prop_assert_eq!(text(&mut router), before);
            prop_assert_eq!(router.table.stats(), stats);
            let seen = router.forward(next.clone());
            std::mem::swap(&mut router.table, &mut twin);
            prop_assert_eq!(router.forward(next), seen);
        }
    }
}
