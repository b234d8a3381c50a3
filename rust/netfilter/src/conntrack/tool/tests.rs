//! Commands, as they were recorded.

use kdp_packet::{Headers, Proto, Tcp, flags};
use kdp_sim::{Chance, Time};

use super::{Command, Ran};
use crate::conntrack::{Conntrack, PacketState, Settings, Tracked};
use crate::nat::{Manip, translate};

fn table() -> Conntrack {
    Conntrack::new(Settings::default(), Chance::new(1))
}

fn run(table: &mut Conntrack, line: &str) -> Ran {
    let words: Vec<&str> = line.split(' ').collect();
    let command = Command::parse(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
    table.run(&command, Time::ZERO, &mut Chance::new(1).packet(0, Time::ZERO))
}

fn packet(proto: Proto, src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> Headers {
    let tcp = Tcp { flags: flags::ACK, seq: 5, ack: 6, window: 65_535, ..Tcp::default() };
    let plain = Headers::plain(proto, (src.0.into(), src.1), (dst.0.into(), dst.1));
    Headers { tcp: (proto == Proto::TCP).then_some(tcp), ..plain }
}

/// The state of a packet that an entry is there for, and how it leaves.
fn follow(table: &mut Conntrack, mut packet: Headers) -> (PacketState, Headers) {
    let Tracked::Known { id, direction, state } = table.track(&packet, 0, true, Time::ZERO) else {
        panic!("an entry is there")
    };
    let entry = table.get(id, Time::ZERO).unwrap();
    for manip in [Manip::Dst, Manip::Src] {
        translate(&entry, direction, manip, &mut packet).unwrap();
    }
    (state, packet)
}

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVICE: [u8; 4] = [10, 96, 0, 10];
const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

#[test]
fn packets_follow_entries_that_were_made_by_hand() {
    let mut table = table();
    let plain = "-I -p udp -s 10.0.0.5 -d 10.96.0.10 --sport 4000 --dport 53 -t 60 -m 3";
    assert_eq!(
        (run(&mut table, plain).status, run(&mut table, plain)),
        (0, Ran { status: 1, ..Ran::default() })
    );
    let (state, sent) = follow(&mut table, packet(Proto::UDP, (CLIENT, 4000), (SERVICE, 53)));
    assert_eq!((state, sent.dst), (PacketState::New, SERVICE.into()));

    // A reply tuple that differs is no translation.
    run(
        &mut table,
        "-I -p udp -s 10.0.0.5 -d 10.96.0.10 --sport 4001 --dport 53 -r 10.244.0.2 -q 10.0.0.5 \
         --reply-port-src 5353 --reply-port-dst 4001 -t 60 -u SEEN_REPLY",
    );
    let (state, sent) = follow(&mut table, packet(Proto::UDP, (CLIENT, 4001), (SERVICE, 53)));
    assert_eq!((state, sent.dst), (PacketState::Established, SERVICE.into()));

    let to = "-I -p udp -s 10.0.0.5 -d 10.96.0.10 --sport 4002 --dport 53 -t 60 --dst-nat 10.244.0.3:99";
    assert_eq!(run(&mut table, to).count, Some(1));
    let (_, sent) = follow(&mut table, packet(Proto::UDP, (CLIENT, 4002), (SERVICE, 53)));
    assert_eq!((sent.dst, sent.dport), ([10, 244, 0, 3].into(), 99));
    let (state, back) = follow(&mut table, packet(Proto::UDP, ([10, 244, 0, 3], 99), (CLIENT, 4002)));
    assert_eq!((state, back.src, back.sport), (PacketState::Established, SERVICE.into(), 53));

    run(
        &mut table,
        "-I -p tcp -s 10.0.0.5 -d 203.0.113.9 --sport 4003 --dport 80 --state ESTABLISHED \
         -u ASSURED,SEEN_REPLY -t 500 --src-nat 192.168.100.1:5555",
    );
    let (_, sent) = follow(&mut table, packet(Proto::TCP, (CLIENT, 4003), (OUTSIDE, 80)));
    assert_eq!((sent.src, sent.sport), ([192, 168, 100, 1].into(), 5555));
    let answer = Headers {
        tcp: Some(Tcp { seq: 6, ack: 5, ..sent.tcp.unwrap() }),
        ..packet(Proto::TCP, (OUTSIDE, 80), ([192, 168, 100, 1], 5555))
    };
    assert_eq!(follow(&mut table, answer).1.dst, std::net::IpAddr::from(CLIENT));
    let timeouts: Vec<u64> =
        table.entries(Time::ZERO).iter().map(|entry| entry.remaining().as_secs()).collect();
    assert_eq!(timeouts, [30, 120, 30, 432_000]);
}

#[test]
fn commands_report_what_they_met() {
    let mut table = table();
    run(&mut table, "-I -p udp -s 10.0.0.5 -d 10.96.0.10 --sport 4000 --dport 53 -t 60 -g 10.244.0.2:53");
    assert_eq!(run(&mut table, "-D -p udp --orig-dst 10.96.0.10 --dst-nat 10.244.0.3").status, 1);
    assert_eq!(run(&mut table, "-U -p udp --timeout 44"), Ran { status: 1, ..Ran::default() }, "no family");
    assert_eq!(run(&mut table, "-U -p tcp --timeout 44").count, Some(0));
    assert_eq!(run(&mut table, "-U -p udp -f ipv4 --timeout 33").count, Some(1));
    assert_eq!(run(&mut table, "-L").text.split(' ').nth(7), Some("33"), "{}", run(&mut table, "-L").text);
    assert_eq!(run(&mut table, "-L -f ipv6"), Ran { count: Some(0), ..Ran::default() });
    assert_eq!(run(&mut table, "-C").text, "1\n");
    let deleted = run(&mut table, "-D --orig-dst=10.96.0.10 -p udp --dst-nat 10.244.0.2");
    assert_eq!((deleted.status, deleted.count), (0, Some(1)));
    assert!(deleted.text.contains("sport=4000"));
    assert_eq!(run(&mut table, "-F"), Ran::default());
    assert_eq!(table.entries(Time::ZERO).len(), 0);
}

#[test]
fn what_is_not_modelled_is_named() {
    for (line, named) in [
        ("-L -o json", "-o json"),
        ("-L expect", "expect"),
        ("-E", "-E"),
        ("-D --label x", "--label"),
        ("-D -p udp --sport 70000", "70000"),
        ("-I -p udp -s 10.0.0.1 -d 10.0.0.2", "-t"),
        ("-p udp", "command"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let message = Command::parse(&words).unwrap_err().to_string();
        assert!(message.contains(named), "{line}: {message}");
    }
}
