//! A table without room.

use super::*;

fn flow(client: u8) -> Headers {
    udp(&format!("10.0.0.{client}"), 4000, "10.244.0.2", 53)
}

/// Makes a flow assured: packets both ways, more than two seconds after its first.
fn assure(bench: &mut Bench, client: u8) {
    bench.send(&flow(client));
    bench.send(&answering(flow(client)));
    bench.wait(2_004);
    bench.send(&flow(client));
}

#[test]
fn a_full_table_of_one_bucket_drives_out_all_that_are_not_assured() {
    let mut bench = bench(Settings { max: 4, buckets: 1, ..Settings::default() });
    assure(&mut bench, 1);
    for client in 2..=4 {
        assert_eq!(bench.send(&flow(client)), Some(New));
    }
    assert_eq!(bench.send(&flow(5)), Some(New));
    assert_eq!(bench.table.stats().early_drop, 3);
    let kept: Vec<_> =
        bench.table.entries(bench.now).iter().map(|entry| entry.tuple(Direction::Original).src).collect();
    assert_eq!(kept, [ip("10.0.0.1"), ip("10.0.0.5")]);
}

#[test]
fn a_table_full_of_assured_entries_drops_even_what_would_be_invalid() {
    let mut bench = bench(Settings { max: 1, ..Settings::default() });
    assure(&mut bench, 1);
    assert_eq!(bench.track(&flow(2)), Tracked::Full);
    assert_eq!(bench.track(&segment(flags::SYN | flags::FIN, 0, 0)), Tracked::Full);
    assert_eq!(bench.table.stats().drop, 2);
    // What has no inverse never asked for room.
    let unknown = Headers::plain(Proto::ICMP, (ip("10.0.0.5"), 0), (ip("10.244.0.2"), 9 << 8));
    assert_eq!(bench.track(&unknown), Tracked::Invalid);
    bench.wait(121_000);
    assert_eq!(bench.send(&flow(2)), Some(New), "the old one has run out");
}

#[test]
fn with_many_buckets_a_full_table_hardly_finds_a_victim() {
    let mut bench = bench(Settings { max: 100, ..Settings::default() });
    let sent = (1..=250).filter(|client| bench.send(&flow(*client)).is_some()).count();
    assert!((100..105).contains(&sent), "{sent}");
}

#[test]
fn a_table_that_was_too_full_is_thinned_out_within_a_minute() {
    let settings = Settings { max: 200, udp_timeout: 300, udp_timeout_stream: 300, ..Settings::default() };
    let mut bench = bench(settings);
    assure(&mut bench, 1);
    for client in 2..=220 {
        bench.send(&flow(client));
    }
    assert!(bench.table.stats().drop > 0);
    assert!(bench.table.count(bench.now) >= 190);
    bench.wait(60_000);
    assert_eq!(bench.table.count(bench.now), 1, "the assured one is left");
}

#[test]
fn no_maximum_is_no_limit() {
    let mut bench = bench(Settings { max: 0, ..Settings::default() });
    assert!((1..=250).all(|client| bench.send(&flow(client)).is_some()));
}
