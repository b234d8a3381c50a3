use std::fmt::Write;
use std::net::Ipv4Addr;

use kdp_packet::{Cidr, Headers, Proto};
use proptest::prelude::*;

use super::*;
use crate::CODES;

fn sets(text: &str) -> Sets {
    let mut sets = Sets::default();
    sets.load(text, "f", Time::ZERO).unwrap_or_else(|error| panic!("{error}"));
    sets
}

fn told(text: &str) -> String {
    let mut sets = Sets::default();
    let error = sets.load(text, "f", Time::ZERO).expect_err("the text is refused");
    assert!(CODES.contains(&error.code()), "{}", error.code());
    assert_eq!(sets.print(Time::ZERO), "", "nothing of a refused text is loaded");
    error.to_string()
}

fn headers(proto: Proto, src: [u8; 4], sport: u16, dst: [u8; 4], dport: u16) -> Headers {
    let headers = Headers::plain(proto, (src.into(), sport), (dst.into(), dport));
    Headers { length: 100, ..headers }
}

/// Whether the TCP packet 10.1.2.3:4000 > 10.9.9.9:80, which came in by `eth0`, is in the set.
fn holds(sets: &mut Sets, set: &str, sides: &[bool]) -> bool {
    at(sets, set, sides, Time::ZERO)
}

fn at(sets: &mut Sets, set: &str, sides: &[bool], now: Time) -> bool {
    let headers = headers(Proto::TCP, [10, 1, 2, 3], 4000, [10, 9, 9, 9], 80);
    let frame = Frame { in_device: Some("eth0"), now, ..Frame::new(&headers) };
    sets.test(&SetTest { set: set.into(), sides: sides.iter().copied().collect(), invert: false }, &frame)
}

/// As `ipset -sorted save` (7.17, Linux 6.18) prints them.
const SAVED: &str = "\
create a hash:ip family inet hashsize 1024 maxelem 65536 netmask 24 timeout 9 counters comment bucketsize 12 initval 0xb92a6eb5
add a 10.1.2.0 timeout 9 packets 4 bytes 9 comment \"x y\"
create b hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12
add b 1.2.3.4,icmp:echo-request
add b 1.2.3.4,tcp:80
add b 1.2.3.4,gre:0
create bi bitmap:ip range 10.0.0.0-10.0.0.255 timeout 5 counters
add bi 10.0.0.9 timeout 0 packets 0 bytes 0
create bp bitmap:port range 1-1000
add bp 80
create i hash:net,iface family inet hashsize 1024 maxelem 65536 bucketsize 12
add i 10.0.0.0/8,eth0
add i 10.1.0.0/16,eth1
create n hash:net family inet hashsize 1024 maxelem 65536 bucketsize 12
add n 10.0.0.0/8
add n 10.1.0.0/16 nomatch
create v hash:ip,port,net family inet6 hashsize 64 maxelem 3 bucketsize 12
add v fe80::1,udp:53,fd00::/8
create l list:set size 8
add l n
add l b
";

#[test]
fn what_was_saved_is_printed_again() {
    assert_eq!(sets(SAVED).print(Time::ZERO), SAVED);
    let later = sets(SAVED).print(Time::from_secs(10));
    assert!(!later.contains("add a ") && later.contains("add bi 10.0.0.9 timeout 0 "), "{later}");
}

#[test]
fn a_packet_is_found_by_the_sides_that_a_rule_gives() {
    let mut sets = sets(SAVED);
    assert!(holds(&mut sets, "a", &[true]));
    assert!(!holds(&mut sets, "a", &[false]));
    assert!(holds(&mut sets, "bp", &[false]) && !holds(&mut sets, "bp", &[true]));
    assert!(!holds(&mut sets, "b", &[false]), "a rule that gives too few sides finds nothing");
    assert!(!holds(&mut sets, "v", &[true, false, false]), "the other family is in no set");
    assert!(at(&mut sets, "a", &[true], Time::from_secs(9)));
    assert!(!at(&mut sets, "a", &[true], Time::from_secs(10)), "its timeout is over");
}

#[test]
fn the_longest_network_decides_with_or_without_a_match() {
    let mut sets = sets(SAVED);
    assert!(!holds(&mut sets, "n", &[true]), "nomatch");
    assert!(holds(&mut sets, "n", &[false]));
    assert!(!holds(&mut sets, "i", &[true, true]), "the longer network is there, with another device");
    assert!(holds(&mut sets, "i", &[false, true]));
    assert!(holds(&mut sets, "l", &[false]), "a member of the list has it");
    assert!(!holds(&mut sets, "l", &[true]));
}

#[test]
fn elements_count_the_packets_that_they_met_and_a_copy_does_not_see_it() {
    let mut sets = sets(SAVED);
    let copy = sets.clone();
    assert!(holds(&mut sets, "a", &[true]));
    assert!(sets.print(Time::ZERO).contains("packets 5 bytes 109"), "{}", sets.print(Time::ZERO));
    assert!(copy.print(Time::ZERO).contains("packets 4 bytes 9"));
}

#[test]
fn what_ipset_refuses_is_refused() {
    for (text, error) in [
        ("add a 1.2.3.4", "f:1: ipset: set a does not exist"),
        ("create a hash:mac", "f:1: option \"hash:mac\" of ipset is not modelled"),
        ("create a hash:ip skbinfo", "f:1: option \"skbinfo\" of ipset is not modelled"),
        ("create a hash:ip\ncreate a hash:net", "f:2: set a is there already"),
        ("create a hash:ip\nadd a 1.2.3.4\nadd a 1.2.3.4", "f:3: set a: element 1.2.3.4 is there already"),
        ("create a hash:ip\nadd a 1.2.3.4 timeout 3", "f:2: the set was made without what timeout needs"),
        ("create a hash:ip\nadd a fe80::1", "f:2: \"fe80::1\" is not an address of the set's family"),
        ("create a hash:ip\nadd a 1.2.3.0/24", "f:2: option \"1.2.3.0/24\" of ipset is not modelled"),
        ("create a hash:net\nadd a 0.0.0.0/0", "f:2: 0.0.0.0/0: a prefix has at least one bit"),
        ("create a bitmap:port range 5-9\nadd a 10", "f:2: set a: element 10 lies outside of its range"),
        (
            "create a hash:ip maxelem 1\nadd a 1.1.1.1\nadd a 1.1.1.2",
            "f:3: set a is full: it has 1 elements, and 1 are allowed",
        ),
        ("create a list:set\ncreate b list:set\nadd a b", "f:3: set a: b is a list of sets itself"),
        ("swap a b", "f:1: option \"swap\" of ipset is not modelled"),
        ("create a", "f:1: the line ends before its set and type or element"),
    ] {
        assert_eq!(told(text), error);
    }
    sets(
        "create a hash:ip\nadd a 1.2.3.4\nadd a 1.2.3.4 -exist\ndel a 1.2.3.4\nadd a 1.2.3.4\nflush a\nadd a 1.2.3.4",
    );
}

/// The slow twin: every element is asked, and the longest of those that hold the address decides.
fn scan(elements: &[(Cidr, bool)], addr: Ipv4Addr) -> bool {
    let found = elements.iter().filter(|(net, _)| net.contains(addr.into()));
    found.max_by_key(|(net, _)| net.prefix_len()).is_some_and(|(_, nomatch)| !nomatch)
}

proptest! {
    #[test]
    fn networks_are_found_as_a_scan_finds_them(
        nets in prop::collection::btree_map((0u32..64, 26u8..=32), any::<bool>(), 0..20),
        low in 0u32..64,
    ) {
        let addr = |low: u32| Ipv4Addr::from(0x0a00_0000 + low);
        let mut elements = std::collections::BTreeMap::new();
        let mut text = "create n hash:net\n".to_string();
        for ((low, len), nomatch) in nets {
            let net = Cidr::new(addr(low).into(), len).expect("the length is one of IPv4");
            let again = elements.insert(net, nomatch).is_some();
            let (nomatch, again) = (if nomatch { " nomatch" } else { "" }, if again { " -exist" } else { "" });
            writeln!(text, "add n {net}{nomatch}{again}").expect("a text takes every line");
        }
        let mut sets = sets(&text);
        let headers = headers(Proto::UDP, addr(low).octets(), 1, [10, 9, 9, 9], 2);
        let test = SetTest { set: "n".into(), sides: std::iter::once(true).collect(), invert: false };
        let elements: Vec<_> = elements.into_iter().collect();
        prop_assert_eq!(sets.test(&test, &Frame::new(&headers)), scan(&elements, addr(low)));
        let printed = sets.print(Time::ZERO);
        let mut again = Sets::default();
        again.load(&printed, "f", Time::ZERO).expect("what was printed is read");
        prop_assert_eq!(again.print(Time::ZERO), printed);
    }
}
