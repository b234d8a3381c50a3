//! The conntrack tool's text, and what it is asked to delete.

use super::*;
use crate::conntrack::{Filter, Format, NatTo, list};

fn busy() -> Bench {
    let mut bench = bench(Settings::default());
    bench.send(&question());
    bench.send(&segment(flags::SYN, 100, 0));
    bench.send(&answering(segment(flags::SYN | flags::ACK, 500, 101)));
    bench.send(&segment(flags::ACK, 101, 501));
    bench.send(&Headers::plain(Proto::ICMP, (ip("10.0.0.5"), 77), (ip("10.244.0.2"), 8 << 8)));
    bench.send(&Headers::plain(Proto::ICMPV6, (ip("fd00::5"), 77), (ip("fd00::2"), 128 << 8)));
    bench.send(&Headers::plain(Proto(99), (ip("10.0.0.5"), 0), (ip("10.244.0.2"), 0)));
    bench
}

fn text(bench: &mut Bench, format: Format) -> String {
    list(&bench.table.entries(bench.now), bench.table.settings(), format)
}

#[test]
fn entries_are_listed_as_the_tool_lists_them() {
    let mut bench = busy();
    bench.wait(1);
    let wanted = "\
udp      17 29 src=10.0.0.5 dst=10.244.0.2 sport=4000 dport=53 [UNREPLIED] src=10.244.0.2 dst=10.0.0.5 sport=53 dport=4000 mark=0 use=1
tcp      6 431999 ESTABLISHED src=10.0.0.5 dst=10.244.0.2 sport=4000 dport=80 src=10.244.0.2 dst=10.0.0.5 sport=80 dport=4000 [ASSURED] mark=0 use=1
icmp     1 29 src=10.0.0.5 dst=10.244.0.2 type=8 code=0 id=77 [UNREPLIED] src=10.244.0.2 dst=10.0.0.5 type=0 code=0 id=77 mark=0 use=1
icmpv6   58 29 src=fd00::5 dst=fd00::2 type=128 code=0 id=77 [UNREPLIED] src=fd00::2 dst=fd00::5 type=129 code=0 id=77 mark=0 use=1
unknown  99 599 src=10.0.0.5 dst=10.244.0.2 [UNREPLIED] src=10.244.0.2 dst=10.0.0.5 mark=0 use=1
";
    assert_eq!(text(&mut bench, Format::default()), wanted);
    assert!(
        text(&mut bench, Format { extended: true }).starts_with("ipv4     2 udp      17 29 src=10.0.0.5 ")
    );
    assert!(text(&mut bench, Format { extended: true }).contains("\nipv6     10 icmpv6   58 29 "));
}

#[test]
fn counters_marks_and_zones_show_where_there_are_any() {
    let mut bench = bench(Settings { acct: 1, ..Settings::default() });
    let Tracked::New(mut connection) = bench.table.track(&question(), 5, true, bench.now) else {
        panic!("new")
    };
    connection.set_mark(9);
    bench.table.confirm(connection, bench.now);
    let wanted = "udp      17 30 src=10.0.0.5 dst=10.244.0.2 sport=4000 dport=53 packets=1 bytes=28 [UNREPLIED] \
                  src=10.244.0.2 dst=10.0.0.5 sport=53 dport=4000 packets=0 bytes=0 mark=9 zone=5 use=1\n";
    assert_eq!(text(&mut bench, Format::default()), wanted);
}

#[test]
fn deletion_takes_what_all_options_mean() {
    let mut bench = busy();
    let mut connection = bench.hold(&udp("10.0.0.5", 4001, "10.96.0.10", 53));
    (connection.reply.src, connection.reply.sport) = (ip("10.244.0.2"), 5353);
    bench.table.confirm(connection, bench.now);
    let udp_only = || Filter { proto: Some(Proto::UDP), ..Filter::default() };
    let to = |addr: &str| Some(NatTo::addr(ip(addr)));
    assert_eq!(bench.table.select(&udp_only(), bench.now).len(), 2);
    let other = Filter { dst_nat: to("10.244.0.3"), ..udp_only() };
    assert_eq!(bench.table.delete(&other, bench.now), 0);
    let stale = Filter { orig_dst: Some(cidr("10.96.0.10")), dst_nat: to("10.244.0.2"), ..udp_only() };
    assert_eq!(bench.table.delete(&stale, bench.now), 1);
    let plain = Filter { orig_dst: Some(cidr("10.244.0.2")), dst_nat: to("10.244.0.2"), ..udp_only() };
    assert_eq!(bench.table.delete(&plain, bench.now), 0, "an untranslated flow is not one to there");
    let port = Filter { orig_dport: Some(53), ..udp_only() };
    assert_eq!(bench.table.delete(&port, bench.now), 1);
    let six = Filter { family: Some(kdp_packet::Family::V6), ..Filter::default() };
    assert_eq!(bench.table.delete(&six, bench.now), 1);
    let state = Filter { state: Some("ESTABLISHED".into()), ..Filter::default() };
    assert_eq!(bench.table.delete(&state, bench.now), 1);
    bench.table.flush();
    assert_eq!(bench.table.count(bench.now), 0);
}
