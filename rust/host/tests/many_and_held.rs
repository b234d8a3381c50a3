//! Packets to many, packets that a queue holds, and packets longer than a device carries. Each was seen on Linux 6.18.

use std::net::IpAddr;

use kdp_host::{Exchange, Held, Host};
use kdp_netfilter::conntrack::Settings;
use kdp_netfilter::text;
use kdp_packet::{Family, Headers, Proto, wire};
use kdp_sim::{Chance, Time};

fn host(rules: &str) -> Host {
    let mut host = Host::new("box", Settings::default(), Chance::new(1));
    host.add_device("a0", &["10.0.0.1/24", "fd00:a::1/64"]).unwrap();
    host.add_device("b0", &["10.1.0.1/24", "fd00:b::1/64"]).unwrap();
    host.apply(&text::parse(rules, "iptables", Family::V4, false).unwrap()).unwrap();
    host
}

fn udp(src: &str, dst: &str, payload: usize, df: bool) -> Vec<u8> {
    let at = |text: &str, port| (text.parse::<IpAddr>().unwrap(), port);
    let mut headers = Headers::plain(Proto::UDP, at(src, 1000), at(dst, 53));
    headers.fragment.df = df;
    wire::build(&headers, &vec![1; payload])
}

fn receives(host: &mut Host, bytes: &[u8]) -> Exchange {
    host.exchange(Some("a0"), bytes, Time(0)).unwrap()
}

#[test]
fn broadcasts_and_the_groups_of_all_are_delivered() {
    let mut host = host("*nat\nCOMMIT\n");
    for (src, dst, wanted) in [
        ("10.0.0.5", "10.0.0.255", "local"),
        ("10.0.0.5", "10.1.0.255", "local"),
        ("10.0.0.5", "255.255.255.255", "local"),
        ("0.0.0.0", "255.255.255.255", "local"),
        ("0.0.0.0", "10.1.0.5", "drop"),
        ("10.0.0.5", "224.0.0.1", "local"),
        ("10.0.0.5", "224.0.0.9", "drop"),
        ("fd00:a::5", "ff02::1", "local"),
        ("fd00:a::5", "ff02::1:ff00:1", "local"),
        ("fd00:a::5", "ff02::1:ff00:5", "drop"),
        ("fd00:a::5", "ff0e::1", "drop"),
        ("fd00:a::5", "fd00:b::", "local"),
        ("fe80::5", "fd00:b::2", "drop"),
        ("::", "fd00:b::2", "drop"),
        ("fd00:a::1", "fd00:b::2", "forward"),
        ("fd00:a::5", "fe80::1", "reject"),
    ] {
        assert_eq!(receives(&mut host, &udp(src, dst, 4, true)).verdict, wanted, "{src} > {dst}");
    }
    for (src, dst) in [("ff02::5", "fd00:b::2"), ("fd00:a::5", "ff01::1")] {
        assert_eq!(
            receives(&mut host, &udp(src, dst, 4, true)).ct_states.len(),
            0,
            "{src} > {dst} meets no hook"
        );
    }
}

#[test]
fn the_box_receives_what_it_sends_to_a_group_of_its_own() {
    let mut host = host("*nat\nCOMMIT\n");
    let sent = host.exchange(None, &udp("fd00:a::1", "ff02::1", 4, true), Time(0)).unwrap();
    assert_eq!((sent.verdict.as_str(), sent.outs[0].0.as_str(), sent.local.len()), ("local+out", "a0", 1));
    assert_eq!(sent.ct_states, ["NEW", "NEW"]);
    let refused = host.exchange(None, &udp("10.0.0.1", "10.0.0.255", 4, true), Time(0)).unwrap();
    assert_eq!(refused.verdict, "error:Permission denied");
}

#[test]
fn nobody_answers_a_broadcast() {
    let mut host = host("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p udp -j REJECT\nCOMMIT\n");
    assert_eq!(receives(&mut host, &udp("10.0.0.5", "10.0.0.1", 4, true)).verdict, "reject");
    assert_eq!(receives(&mut host, &udp("10.0.0.5", "10.0.0.255", 4, true)).verdict, "drop");
}

#[test]
fn what_may_not_be_cut_is_answered_and_what_may_is_cut() {
    let mut host = host("*nat\nCOMMIT\n");
    let b0 = host.device("b0").unwrap();
    host.devices.get_mut(b0).mtu = 1400;
    let answered = receives(&mut host, &udp("10.0.0.5", "10.1.0.2", 1450, true));
    assert_eq!(answered.verdict, "reject");
    let (device, error) = &answered.outs[0];
    assert_eq!((device.as_str(), error[20], error[21]), ("a0", 3, 4));
    assert_eq!(u16::from_be_bytes([error[26], error[27]]), 1400);
    assert!(wire::parse(error).unwrap().sound);
    let cut = receives(&mut host, &udp("10.0.0.5", "10.1.0.2", 1450, false));
    let lengths: Vec<usize> = cut.outs.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [1396, 102]);
    let big = receives(&mut host, &udp("fd00:a::5", "fd00:b::2", 1430, false));
    let (_, error) = &big.outs[0];
    assert_eq!((error[40], u32::from_be_bytes([error[44], error[45], error[46], error[47]])), (2, 1400));
    assert!(wire::parse(error).unwrap().sound);
}

#[test]
fn fragments_leave_translated_as_they_came() {
    let mut host = host("*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o b0 -j MASQUERADE\nCOMMIT\n");
    let whole = udp("10.0.0.5", "10.1.0.2", 100, false);
    let pieces = wire::cut(&whole, 20, &[40, 40, 28], 0);
    for piece in &pieces[1..] {
        let held = receives(&mut host, piece);
        assert_eq!((held.verdict.as_str(), held.ct_states.len()), ("drop", 0));
    }
    let gone = receives(&mut host, &pieces[0]);
    assert_eq!((gone.verdict.as_str(), gone.ct_states.as_slice()), ("forward", &["NEW"][..]));
    let lengths: Vec<usize> = gone.outs.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [60, 60, 48]);
    assert!(gone.outs.iter().all(|(_, bytes)| bytes[12..16] == [10, 1, 0, 1]));
}

const QUEUE: &str = "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p udp -m conntrack --ctstate NEW -j NFQUEUE --queue-num 0\n-A FORWARD -j DROP\nCOMMIT\n";

fn held(exchange: Exchange) -> Held {
    assert_eq!(exchange.verdict, "queued");
    *exchange.held.expect("a queued packet is held")
}

#[test]
fn two_held_packets_of_one_flow_become_one_connection() {
    let mut host = host(QUEUE);
    let packet = udp("10.0.0.5", "10.1.0.2", 4, true);
    assert_eq!(receives(&mut host, &packet).verdict, "drop", "nobody listens");
    host.holds = true;
    let [first, second] = [0, 1].map(|_| held(receives(&mut host, &packet)));
    assert_eq!(host.conntrack.entries(Time(0)).len(), 0);
    for waiting in [first, second] {
        assert_eq!(host.exchange_held(waiting, Time(1)).unwrap().verdict, "forward");
    }
    assert_eq!(host.conntrack.entries(Time(1)).len(), 1);
    assert_eq!(host.conntrack.stats().clash_resolve, 1);
}
