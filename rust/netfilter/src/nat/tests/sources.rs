//! Source translation.

use super::*;

const PUBLIC: &str = "192.168.100.1";
const SERVER: &str = "203.0.113.9";

fn masquerading() -> Router {
    router(no_rule, |_| Some(NatRange::to(ip(PUBLIC), None)))
}

fn out(router: &mut Router, packet: Headers) -> (IpAddr, u16) {
    let sent = router.forward(packet).expect("it is forwarded");
    (sent.src, sent.sport)
}

#[test]
fn the_second_client_of_a_port_gets_another_and_keeps_it_towards_other_servers() {
    let mut router = masquerading();
    assert_eq!(out(&mut router, udp("10.0.0.5", 4000, SERVER, 53)), (ip(PUBLIC), 4000));
    let (addr, second) = out(&mut router, udp("10.0.0.6", 4000, SERVER, 53));
    assert_eq!(addr, ip(PUBLIC));
    assert!(second >= 1024 && second != 4000, "{second}");
    assert_eq!(out(&mut router, udp("10.0.0.6", 4000, "203.0.113.10", 53)), (ip(PUBLIC), second));
    let reply = udp(SERVER, 53, PUBLIC, second);
    let back = router.forward(reply).unwrap();
    assert_eq!((back.dst, back.dport, router.state), (ip("10.0.0.6"), 4000, Some(PacketState::Established)));
}

#[test]
fn a_taken_port_stays_within_its_class() {
    for (port, class) in
        [(100, 1..=511), (511, 1..=511), (512, 600..=1023), (1023, 600..=1023), (1024, 1024..=65535)]
    {
        let mut router = masquerading();
        out(&mut router, udp("10.0.0.5", port, SERVER, 53));
        for client in 6..40 {
            let (_, got) = out(&mut router, udp(&format!("10.0.0.{client}"), port, SERVER, 53));
            assert!(class.contains(&got), "{port}: {got}");
        }
    }
}

#[test]
fn random_draws_a_port_although_its_own_is_free() {
    for fully in [false, true] {
        let mut router = router(no_rule, move |_| {
            Some(NatRange { random: !fully, random_fully: fully, ..NatRange::to(ip(PUBLIC), None) })
        });
        let kept = (0..50u16)
            .filter(|i| out(&mut router, udp("10.0.0.5", 4000 + i, SERVER, 53)).1 == 4000 + i)
            .count();
        assert!(kept < 5, "{kept} of 50 kept their port");
    }
}

/// The addresses that Linux 6.18.44 took: udp by source and destination, tcp with `--persistent` by source alone.
#[test]
fn an_address_range_is_spread_by_the_kernels_hash() {
    let range = |packet: &Headers| {
        let addrs = Some((ip("192.168.100.10"), ip("192.168.100.17")));
        Some(NatRange { addrs, persistent: packet.proto == Proto::TCP, ..NatRange::default() })
    };
    let mut router = router(no_rule, range);
    assert_eq!(out(&mut router, udp("10.0.0.5", 4000, "203.0.113.20", 53)), (ip("192.168.100.13"), 4000));
    assert_eq!(out(&mut router, syn("10.0.0.5", 4000, "203.0.113.20", 53, 0)), (ip("192.168.100.17"), 4000));
    assert_eq!(out(&mut router, udp("10.0.0.20", 4000, SERVER, 53)), (ip("192.168.100.14"), 4000));
    assert_eq!(out(&mut router, udp("10.0.0.21", 4000, SERVER, 53)), (ip("192.168.100.16"), 4000));
    // A source sticks to the mapping it has, whatever the hash says of the new destination.
    for last in 21..26 {
        let destination = format!("203.0.113.{last}");
        assert_eq!(out(&mut router, udp("10.0.0.5", 4000, &destination, 53)), (ip("192.168.100.13"), 4000));
    }
}

#[test]
fn a_full_address_is_not_left_for_one_with_room() {
    let addrs = Some((ip("192.168.100.20"), ip("192.168.100.21")));
    let mut router = router(no_rule, move |_| {
        Some(NatRange { addrs, ports: Some(ports(50_000, 50_000)), ..NatRange::default() })
    });
    assert_eq!(out(&mut router, udp("10.0.0.5", 4000, SERVER, 53)), (ip("192.168.100.20"), 50_000));
    assert_eq!(out(&mut router, udp("10.0.0.6", 4000, SERVER, 53)), (ip("192.168.100.21"), 50_000));
    for (client, port) in [("10.0.0.7", 4000), ("10.0.0.8", 4000), ("10.0.0.5", 4001), ("10.0.0.5", 50_000)] {
        assert_eq!(router.forward(udp(client, port, SERVER, 53)), None, "{client}:{port}");
    }
    assert_eq!(out(&mut router, syn("10.0.0.5", 4000, SERVER, 53, 0)), (ip("192.168.100.20"), 50_000));
}

fn two_ports() -> Router {
    router(no_rule, |_| {
        Some(NatRange { ports: Some(ports(40_000, 40_001)), ..NatRange::to(ip(PUBLIC), None) })
    })
}

#[test]
fn a_third_connection_over_two_ports_is_dropped_at_confirm() {
    let mut router = two_ports();
    let first = out(&mut router, syn("10.0.0.5", 4000, SERVER, 80, 0)).1;
    let second = out(&mut router, syn("10.0.0.6", 4000, SERVER, 80, 0)).1;
    assert_eq!(first.min(second)..=first.max(second), 40_000..=40_001);
    assert_eq!(router.forward(syn("10.0.0.7", 4000, SERVER, 80, 0)), None);
    assert_eq!((router.table.stats().insert_failed, router.table.stats().drop), (1, 1));
    // Another destination has both ports free; a mapping that the source has is re-used.
    assert_eq!(out(&mut router, syn("10.0.0.5", 4000, "203.0.113.10", 80, 0)).1, first);
}

#[test]
fn a_closed_connection_gives_its_port_to_a_later_sequence_number_only() {
    let mut router = two_ports();
    let first = router.forward(syn("10.0.0.5", 4000, SERVER, 80, 100)).unwrap();
    let second = router.forward(syn("10.0.0.6", 4000, SERVER, 80, 100)).unwrap();
    assert_eq!(router.forward(syn("10.0.0.7", 4000, SERVER, 80, 100)), None);
    // A refused connection is gone at once; its reset is still translated.
    let reset = answer(&first, flags::RST | flags::ACK, 0, 101);
    let back = router.forward(reset.clone()).unwrap();
    assert_eq!((back.dst, back.dport), (ip("10.0.0.5"), 4000));
    assert_eq!(out(&mut router, syn("10.0.0.8", 4000, SERVER, 80, 100)).1, first.sport);
    // One in CLOSE stays for its ten seconds, unless it is behind.
    router.forward(answer(&second, flags::SYN | flags::ACK, 1, 101)).unwrap();
    router.forward(tcp("10.0.0.6", 4000, SERVER, 80, flags::RST, 101, 0)).unwrap();
    assert_eq!(router.forward(syn("10.0.0.9", 4000, SERVER, 80, 50)), None);
    assert_eq!(out(&mut router, syn("10.0.0.9", 4000, SERVER, 80, 5_000)).1, second.sport);
}

#[test]
fn echo_ids_are_drawn_from_the_range() {
    let mut router =
        router(no_rule, |_| Some(NatRange { ports: Some(ports(10, 11)), ..NatRange::to(ip(PUBLIC), None) }));
    let first = router.forward(echo("10.0.0.5", SERVER, 9)).unwrap();
    let second = router.forward(echo("10.0.0.6", SERVER, 9)).unwrap();
    assert_eq!([first.sport.min(second.sport), first.sport.max(second.sport)], [10, 11]);
    assert_eq!(router.forward(echo("10.0.0.7", SERVER, 9)), None);
    let back = router.forward(answer(&second, 0, 0, 0)).unwrap();
    assert_eq!((back.dst, back.sport, back.dport), (ip("10.0.0.6"), 9, 0));
    assert_eq!(router.forward(echo("10.0.0.8", SERVER, 10)), None);
}

#[test]
fn protocols_without_ports_collide() {
    let mut router = masquerading();
    let packet = |client: &str| Headers::plain(Proto(99), (ip(client), 0), (ip(SERVER), 0));
    assert!(router.forward(packet("10.0.0.5")).is_some());
    assert_eq!(router.forward(packet("10.0.0.6")), None);
}

#[test]
fn masquerade_dies_with_its_device_address_or_another_way_out() {
    let setup = || {
        let mut table = Conntrack::new(Settings::default(), Chance::new(1));
        let packet = udp("10.0.0.5", 4000, SERVER, 53);
        let Tracked::New(mut connection) = table.track(&packet, 0, true, Time::ZERO) else {
            panic!("it is new")
        };
        let mut draw = Chance::new(1).packet(0, Time::ZERO);
        let range = NatRange::default();
        super::super::masquerade(&mut table, &mut connection, &range, (ip(PUBLIC), 3), Time::ZERO, &mut draw);
        let Confirmed::Inserted(id) = table.confirm(connection, Time::ZERO) else { panic!("it is put in") };
        (table, id)
    };
    let (mut table, id) = setup();
    assert_eq!(table.device_gone(4), 0);
    assert_eq!(table.address_gone(ip("192.168.100.2")), 0);
    let original = Direction::Original;
    assert!(table.leaves_by(id, original, 3, Time::ZERO));
    assert!(table.leaves_by(id, original.flip(), 9, Time::ZERO));
    assert!(!table.leaves_by(id, original, 4, Time::ZERO));
    assert!(table.get(id, Time::ZERO).is_none());
    assert_eq!(setup().0.device_gone(3), 1);
    assert_eq!(setup().0.address_gone(ip(PUBLIC)), 1);
}
