//! What a box does with its own packets, and with loopback addresses. Each case was seen on Linux 6.18.

use std::net::IpAddr;

use kdp_host::{Exchange, Host};
use kdp_netfilter::conntrack::Settings;
use kdp_netfilter::text;
use kdp_packet::{Family, Headers, Proto, wire};
use kdp_sim::{Chance, Time};

fn host(rules: &str) -> Host {
    let mut host = Host::new("box", Settings::default(), Chance::new(1));
    host.add_device("a0", &["10.0.0.1/24", "fd00:a::1/64"]).unwrap();
    host.add_device("b0", &["10.1.0.1/24", "fd00:b::1/64"]).unwrap();
    host.add_device("bare0", &[]).unwrap();
    host.add_route("10.9.0.0/16", "bare0", None).unwrap();
    host.add_route("fd00:9::/64", "bare0", None).unwrap();
    for (tool, family) in [("iptables", Family::V4), ("ip6tables", Family::V6)] {
        host.apply(&text::parse(rules, tool, family, false).unwrap()).unwrap();
    }
    host
}

fn udp(src: &str, dst: &str) -> Vec<u8> {
    let at = |text: &str, port| (text.parse::<IpAddr>().unwrap(), port);
    wire::build(&Headers::plain(Proto::UDP, at(src, 1000), at(dst, 53)), b"?")
}

fn sends(host: &mut Host, bytes: &[u8]) -> Exchange {
    host.exchange(None, bytes, Time(0)).unwrap()
}

/// Where the one packet that left or was delivered comes from.
fn source(exchange: &Exchange) -> IpAddr {
    let outs = exchange.outs.iter().map(|(_, bytes)| bytes);
    let all: Vec<&Vec<u8>> = outs.chain(&exchange.local).collect();
    let [bytes] = all[..] else { panic!("one packet, not {}", all.len()) };
    wire::parse(bytes).unwrap().src
}

const MASQUERADE: &str = "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n";
const REJECT: &str = "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p udp -j REJECT\nCOMMIT\n";

#[test]
fn a_raw_sockets_source_is_not_asked_for_until_the_packet_goes_elsewhere() {
    let mut host = host("*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -j ACCEPT\nCOMMIT\n");
    assert_eq!(sends(&mut host, &udp("127.0.0.1", "10.1.0.2")).verdict, "forward");
    assert_eq!(sends(&mut host, &udp("::1", "fd00:b::2")).verdict, "forward");
    let dnat = "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 127.0.0.1/32 -p udp -j DNAT --to-destination 10.1.0.2\nCOMMIT\n";
    host.apply(&text::parse(dnat, "iptables", Family::V4, false).unwrap()).unwrap();
    assert_eq!(sends(&mut host, &udp("127.0.0.1", "127.0.0.1")).verdict, "error:Invalid argument");
    host.set_sysctl("net.ipv4.conf.all.route_localnet", 1).unwrap();
    assert_eq!(sends(&mut host, &udp("127.0.0.1", "127.0.0.1")).verdict, "forward");
}

#[test]
fn a_sender_is_told_of_a_reject_that_has_no_answer() {
    let mut host = host(REJECT);
    assert_eq!(sends(&mut host, &udp("10.0.0.1", "10.1.0.2")).verdict, "reject");
    let mut damaged = udp("10.0.0.1", "10.1.0.2");
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(sends(&mut host, &damaged).verdict, "error:Operation not permitted");
}

#[test]
fn masquerade_never_gives_a_loopback_address_to_others() {
    let mut host = host(MASQUERADE);
    let first: IpAddr = "10.0.0.1".parse().unwrap();
    assert_eq!(
        source(&sends(&mut host, &udp("127.0.0.1", "10.1.0.1"))),
        first,
        "by lo: the first device's address"
    );
    let own: IpAddr = "fd00:b::1".parse().unwrap();
    assert_eq!(
        source(&sends(&mut host, &udp("fd00:a::1", "fd00:b::1"))),
        own,
        "IPv6 takes the destination itself"
    );
}

#[test]
fn a_device_without_an_address_borrows_one() {
    let mut host = host(MASQUERADE);
    for (src, dst, want) in [("10.0.0.5", "10.9.0.1", "10.0.0.1"), ("fd00:a::5", "fd00:9::1", "fd00:a::1")] {
        let exchange = host.exchange(Some("a0"), &udp(src, dst), Time(0)).unwrap();
        assert_eq!(source(&exchange), want.parse::<IpAddr>().unwrap());
    }
}

#[test]
fn the_ipv6_loopback_address_on_a_wire_meets_no_hook() {
    let mut host = host(MASQUERADE);
    for (src, dst) in [("fd00:a::5", "::1"), ("::1", "fd00:b::2")] {
        let exchange = host.exchange(Some("a0"), &udp(src, dst), Time(0)).unwrap();
        assert_eq!((exchange.verdict.as_str(), exchange.ct_states.len()), ("drop", 0));
    }
    let exchange = host.exchange(Some("a0"), &udp("10.0.0.5", "127.0.0.1"), Time(0)).unwrap();
    assert_eq!(
        (exchange.verdict.as_str(), exchange.ct_states.len()),
        ("drop", 1),
        "IPv4 looks when it routes"
    );
}

#[test]
fn ipv4_options_are_worked_on() {
    let mut host = host(MASQUERADE);
    let plain = udp("10.0.0.5", "10.1.0.2");
    for (options, verdict, after) in [
        (vec![148, 4, 0, 0], "forward", vec![148, 4, 0, 0]),
        (vec![7, 7, 4, 0, 0, 0, 0, 0], "forward", vec![7, 7, 8, 10, 1, 0, 1, 0]),
        (vec![131, 7, 4, 10, 0, 0, 9, 0], "drop", vec![]),
        (vec![148, 9, 0, 0], "reject", vec![]),
    ] {
        let mut bytes = [&plain[..20], &options, &plain[20..]].concat();
        bytes[0] += u8::try_from(options.len() / 4).unwrap();
        bytes[3] += u8::try_from(options.len()).unwrap();
        let header = 20 + options.len();
        bytes[10..12].fill(0);
        let sum = wire::internet_checksum(&bytes[..header]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        let exchange = host.exchange(Some("a0"), &bytes, Time(0)).unwrap();
        assert_eq!(exchange.verdict, verdict, "{options:?}");
        if verdict == "forward" {
            assert_eq!(exchange.outs[0].1[20..header], after);
        }
    }
}

#[test]
fn a_reset_to_the_box_itself_looks_delivered_and_an_error_looks_like_a_rejection() {
    let reset = "-A OUTPUT -p tcp --syn -j REJECT --reject-with tcp-reset\nCOMMIT\n";
    let mut host = host(&REJECT.replace("COMMIT\n", reset));
    let at = |text: &str, port| (text.parse::<IpAddr>().unwrap(), port);
    let mut syn = Headers::plain(Proto::TCP, at("10.0.0.1", 1000), at("10.1.0.2", 80));
    syn.tcp.as_mut().unwrap().flags = kdp_packet::flags::SYN;
    assert_eq!(sends(&mut host, &wire::build(&syn, b"")).verdict, "local");
    assert_eq!(sends(&mut host, &udp("10.0.0.1", "10.1.0.2")).verdict, "reject");
}
