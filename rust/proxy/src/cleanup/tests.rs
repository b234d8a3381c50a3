//! What stays and what goes, entry by entry.

use kdp_netfilter::conntrack::Settings;
use kdp_netfilter::conntrack::tool::Command;
use kdp_sim::Chance;

use super::*;
use crate::generate::{endpoint, port, service, slice, slice_port};
use crate::profile::Profile;
use crate::view::View;

const NOW: Time = Time::ZERO;

/// Service `a`: UDP at 10.96.0.1:53 and at node port 30053, with these endpoints at port 5353.
fn view(addresses: &[&str]) -> View {
    let mut view = View::new(Profile::default());
    set(&mut view, addresses);
    view
}

fn set(view: &mut View, addresses: &[&str]) {
    let mut own = service("a");
    own.spec.type_ = "NodePort".into();
    own.spec.ports = vec![port("q", "UDP", 53, Some(30_053))];
    view.apply_service(&own).unwrap();
    let mut slice = slice("s", "a", addresses.iter().map(|address| endpoint(address, "n1")).collect());
    slice.ports = vec![slice_port("q", "UDP", 5353)];
    view.apply_slice(&slice).unwrap();
    view.drain();
}

/// A table with one entry for each line: protocol, destination, its port, who answers, from which port.
fn table(entries: &[(&str, &str, u16, &str, u16)]) -> Conntrack {
    let mut table = Conntrack::new(Settings::default(), Chance::new(1));
    for (at, (proto, to, port, answers, from)) in entries.iter().enumerate() {
        let client = (40_000 + at).to_string();
        let (port, from) = (port.to_string(), from.to_string());
        let mut words =
            vec!["-I", "-p", proto, "-s", "10.1.0.9", "-d", to, "--sport", &client, "--dport", &port];
        words.extend([
            "-r",
            answers,
            "-q",
            "10.1.0.9",
            "--reply-port-src",
            &from,
            "--reply-port-dst",
            &client,
        ]);
        words.extend(["-t", "100"]);
        if *proto == "tcp" {
            words.extend(["--state", "ESTABLISHED"]);
        }
        let ran = table.run(&Command::parse(&words).unwrap(), NOW, &mut Chance::new(0).packet(0, NOW));
        assert_eq!(ran.status, 0, "{words:?}: {}", ran.text);
    }
    table
}

/// The client ports of the entries that are left, counted from 0.
fn left(table: &mut Conntrack) -> Vec<u16> {
    let entries = table.entries(NOW);
    let port = |entry: &kdp_netfilter::conntrack::EntryView| {
        entry.connection().tuple(kdp_netfilter::conntrack::Direction::Original).sport - 40_000
    };
    entries.iter().map(port).collect()
}

const ENTRIES: [(&str, &str, u16, &str, u16); 8] = [
    ("udp", "10.96.0.1", 53, "10.1.0.1", 5353),
    ("udp", "10.96.0.1", 53, "10.1.0.2", 5353),
    // Never translated.
    ("udp", "10.96.0.1", 53, "10.96.0.1", 53),
    ("tcp", "10.96.0.1", 53, "10.1.0.2", 5353),
    ("udp", "10.200.0.1", 30_053, "10.1.0.1", 5353),
    ("udp", "10.200.0.1", 30_053, "10.1.0.2", 5353),
    // Somebody else's, to the same port number.
    ("udp", "192.0.2.7", 30_053, "192.0.2.7", 30_053),
    ("udp", "192.0.2.7", 53, "192.0.2.7", 53),
];

#[test]
fn the_reconciler_keeps_what_leads_to_a_serving_endpoint() {
    let mut table = table(&ENTRIES);
    let mut cleaner = Cleaner::new(Cleanup::Reconciler, Family::V4);
    let cleaned = cleaner.clean(view(&["10.1.0.1"]).family(Family::V4), &mut table, NOW);
    assert_eq!((cleaned, left(&mut table)), (Cleaned { ran: true, deleted: 4 }, vec![0, 3, 4, 7]));
}

#[test]
fn without_serving_endpoints_the_generations_differ() {
    for (generation, kept) in [
        (Cleanup::Events, vec![1, 2, 3, 5, 6, 7]),
        (Cleanup::Reconciler, vec![0, 1, 2, 3, 4, 5, 6, 7]),
        (Cleanup::Fixed, vec![3, 7]),
    ] {
        let mut view = view(&["10.1.0.1"]);
        let mut cleaner = Cleaner::new(generation, Family::V4);
        cleaner.clean(view.family(Family::V4), &mut self::table(&[]), NOW);
        let mut table = table(&ENTRIES);
        set(&mut view, &[]);
        cleaner.clean(view.family(Family::V4), &mut table, NOW);
        assert_eq!(left(&mut table), kept, "{generation:?}");
    }
}

#[test]
fn a_changed_service_alone_starts_no_reconciler_and_a_deleted_one_is_found_by_events() {
    for (generation, kept) in
        [(Cleanup::Events, vec![4, 5, 6, 7]), (Cleanup::Reconciler, vec![0, 1, 2, 4, 5, 6, 7])]
    {
        let mut view = view(&["10.1.0.1"]);
        let mut cleaner = Cleaner::new(generation, Family::V4);
        cleaner.clean(view.family(Family::V4), &mut self::table(&[]), NOW);
        let entries: Vec<_> = ENTRIES.into_iter().filter(|entry| entry.0 == "udp").collect();
        let mut table = table(&entries);
        view.delete_service("ns", "a");
        view.drain();
        cleaner.clean(view.family(Family::V4), &mut table, NOW);
        let kept: Vec<u16> = kept.into_iter().map(|at| if at > 3 { at - 1 } else { at }).collect();
        assert_eq!(left(&mut table), kept, "{generation:?}");
    }
}

#[test]
fn a_port_that_gets_its_first_endpoint_loses_what_went_nowhere() {
    let mut view = view(&[]);
    let mut cleaner = Cleaner::new(Cleanup::Events, Family::V4);
    cleaner.clean(view.family(Family::V4), &mut self::table(&[]), NOW);
    let mut table = table(&ENTRIES);
    set(&mut view, &["10.1.0.1"]);
    let cleaned = cleaner.clean(view.family(Family::V4), &mut table, NOW);
    assert!(cleaned.ran);
    assert_eq!(left(&mut table), [3, 7]);
}
