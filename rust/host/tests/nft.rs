//! nftables' chains at the hooks of a box: their order, beside iptables and among themselves.

use std::net::IpAddr;

use kdp_host::{Exchange, Host};
use kdp_netfilter::conntrack::Settings;
use kdp_netfilter::text;
use kdp_packet::{Family, Headers, Proto, wire};
use kdp_sim::{Chance, Time};

fn host(nft: &str) -> Host {
    let mut host = Host::new("box", Settings::default(), Chance::new(1));
    host.add_device("a0", &["10.0.0.1/24"]).unwrap();
    host.add_device("b0", &["10.1.0.1/24"]).unwrap();
    host.load_nft(nft, "-", Time::ZERO).unwrap();
    host
}

fn tcp(src: &str, dst: &str, dport: u16) -> Vec<u8> {
    let at = |text: &str, port| (text.parse::<IpAddr>().unwrap(), port);
    let mut headers = Headers::plain(Proto::TCP, at(src, 1000), at(dst, dport));
    headers.tcp.as_mut().unwrap().flags = kdp_packet::flags::SYN;
    wire::build(&headers, &[])
}

/// A SYN that comes in by a0.
fn receives(host: &mut Host, dst: &str, dport: u16) -> Exchange {
    host.exchange(Some("a0"), &tcp("10.0.0.5", dst, dport), Time::ZERO).unwrap()
}

/// Where the first packet that left went: address and port.
fn left_to(exchange: &Exchange) -> (IpAddr, u16) {
    let headers = wire::parse(&exchange.outs[0].1).unwrap();
    (headers.dst, headers.dport)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn accept_ends_its_own_base_chain_alone_and_drop_ends_all() {
    let mut host = host(
        "table ip t {
 chain late { type filter hook forward priority 5; tcp dport 80 drop; }
 chain early { type filter hook forward priority 0; tcp dport 80 accept; tcp dport 81 drop; }
}",
    );
    assert_eq!(receives(&mut host, "10.1.0.5", 80).verdict, "drop");
    assert_eq!(receives(&mut host, "10.1.0.5", 81).verdict, "drop");
    assert_eq!(receives(&mut host, "10.1.0.5", 82).verdict, "forward");
}

/// Source: net/netfilter/nf_nat_core.c, v6.12: all nat chains of a hook run together at -100, whatever their own priority: a
/// chain above that sees the packet translated, also if it lies below a nat chain. Seen on Linux 6.18.
#[test]
fn the_first_nat_chain_that_translates_decides() {
    let mut host = host(
        "table ip a { chain pre { type nat hook prerouting priority -90; ip daddr 10.9.9.9 dnat to 10.1.0.6; }
 chain between { type filter hook prerouting priority -95; ip daddr 10.1.0.5 drop; }
}
table ip b { chain pre { type nat hook prerouting priority -110; tcp dport 80 accept; ip daddr 10.9.9.9 dnat to 10.1.0.5; } }",
    );
    assert_eq!(left_to(&receives(&mut host, "10.9.9.9", 80)), (address("10.1.0.6"), 80));
    // Translated at -100, so the chain at -95 sees what the translation made of it.
    assert_eq!(receives(&mut host, "10.9.9.9", 81).verdict, "drop");
}

#[test]
fn iptables_and_nftables_take_turns_by_priority() {
    let mut host = host(
        "table ip t {
 chain before { type filter hook forward priority -1; meta mark set 7; }
 chain pre { type nat hook prerouting priority -101; tcp dport 80 dnat to 10.1.0.5:8080; }
}",
    );
    let rules = "*filter\n-A FORWARD -m mark ! --mark 7 -j DROP\nCOMMIT\n\
                 *nat\n-A PREROUTING -d 10.9.9.9/32 -p tcp -j DNAT --to-destination 10.1.0.6:9090\nCOMMIT\n";
    host.apply(&text::parse(rules, "iptables", Family::V4, false).unwrap()).unwrap();
    assert_eq!(left_to(&receives(&mut host, "10.9.9.9", 80)), (address("10.1.0.5"), 8080));
    assert_eq!(left_to(&receives(&mut host, "10.9.9.9", 81)), (address("10.1.0.6"), 9090));
}

/// Source: `struct nf_hook_state`: a new route within OUTPUT does not change the device that its chains see. Seen on
/// Linux 6.18.
#[test]
fn output_sees_the_device_of_the_first_route() {
    let mut host = host(
        "table ip t {
 chain out { type nat hook output priority -100; ip daddr 10.0.0.9 dnat to 10.1.0.5; }
 chain filter { type filter hook output priority 0; oifname \"b0\" drop; }
}",
    );
    let exchange = host.exchange(None, &tcp("10.0.0.1", "10.0.0.9", 80), Time::ZERO).unwrap();
    assert_eq!(exchange.outs[0].0, "b0");
    let exchange = host.exchange(None, &tcp("10.1.0.1", "10.1.0.9", 80), Time::ZERO).unwrap();
    assert_eq!(exchange.verdict, "error:Operation not permitted");
}

#[test]
fn a_refused_script_leaves_the_rules_as_they_were() {
    let mut host = host("table ip t { chain c { type filter hook forward priority 0; drop; } }");
    let error = host.load_nft("flush ruleset\nadd rule ip t c accept", "x.nft", Time::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "x.nft:2: table ip t: table t does not exist");
    assert_eq!(receives(&mut host, "10.1.0.5", 80).verdict, "drop");
}
