//! Rules that ask for what is not known: the fate of a packet that hangs on one is unknown, and no other's.

use std::net::IpAddr;

use kdp_host::{Exchange, Fate, Host};
use kdp_netfilter::conntrack::Settings;
use kdp_netfilter::text;
use kdp_packet::{Family, Headers, Proto, wire};
use kdp_sim::{Chance, Time};

fn host(rules: &str) -> Host {
    let mut host = Host::new("box", Settings::default(), Chance::new(1));
    host.add_device("a0", &["10.0.0.1/24"]).unwrap();
    host.add_device("b0", &["10.1.0.1/24"]).unwrap();
    let text = format!("*filter\n{rules}\nCOMMIT\n");
    host.apply(&text::parse(&text, "-", Family::V4, false).unwrap()).unwrap();
    host
}

fn udp(src: &str, dst: &str, dport: u16) -> Vec<u8> {
    let at = |text: &str, port| (text.parse::<IpAddr>().unwrap(), port);
    wire::build(&Headers::plain(Proto::UDP, at(src, 1000), at(dst, dport)), b"?")
}

/// The box itself asks.
fn asks(rules: &str, dport: u16) -> Exchange {
    host(rules).exchange(None, &udp("10.1.0.1", "10.1.0.5", dport), Time(0)).unwrap()
}

/// Somebody asks through the box.
fn forwards(rules: &str) -> Exchange {
    host(rules).exchange(Some("a0"), &udp("10.0.0.5", "10.1.0.5", 53), Time(0)).unwrap()
}

#[test]
fn a_fate_that_hangs_on_the_owner_is_unknown_and_names_the_test() {
    let exchange = asks("-A OUTPUT -p udp --dport 53 -m owner --uid-owner 1000 -j DROP", 53);
    assert_eq!(exchange.verdict, "unknown");
    let because = "-m owner --uid-owner 1000".into();
    assert_eq!(exchange.fate, Some(Fate::Unknown { because }));
    assert!(exchange.outs.is_empty() && exchange.local.is_empty());
}

#[test]
fn other_packets_and_other_rules_do_not_care() {
    for (rules, dport) in [
        ("-A OUTPUT -p udp --dport 53 -m owner --uid-owner 1000 -j DROP", 54),
        ("-A OUTPUT -m owner --uid-owner 1000 -p udp -m udp --dport 53 -j DROP", 54),
        ("-A OUTPUT -m owner --uid-owner 1000 -j LOG", 53),
        ("-A OUTPUT -p udp -j ACCEPT\n-A OUTPUT -m owner --uid-owner 1000 -j DROP", 53),
    ] {
        assert_eq!(asks(rules, dport).verdict, "forward", "{rules}");
    }
    // What limits the rate may have been asked or not: nobody knows how much of it is left.
    let rules = "-A OUTPUT -m owner --uid-owner 1 -m limit --limit 1/s -m udp -p udp --dport 53 -j DROP";
    assert_eq!(asks(rules, 54).verdict, "unknown");
}

#[test]
fn a_forwarded_packet_has_no_owner() {
    assert_eq!(forwards("-A FORWARD -m owner --uid-owner 1000 -j DROP").verdict, "forward");
    assert_eq!(forwards("-A FORWARD -m owner ! --uid-owner 1000 -j DROP").verdict, "drop");
    assert_eq!(forwards("-A FORWARD -m physdev --physdev-is-bridged -j DROP").verdict, "unknown");
    assert_eq!(forwards("-A FORWARD -m time --timestart 10:00:00 -j ACCEPT").verdict, "unknown");
}
