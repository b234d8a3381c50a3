//! Times of a node's whole build and of one change at 10,000 Services with 10 endpoints each: `scale [SERVICES [ENDPOINTS]]`.
#![allow(clippy::disallowed_types, reason = "a clock is what it is about")]

use std::time::Instant;

use kdp_kube::object::{
    Endpoint, EndpointHints, EndpointPort, EndpointSlice, HintName, Service, ServicePort,
};
use kdp_netfilter::{Ruleset, nft, text};
use kdp_packet::Family;
use kdp_proxy::{
    Chooser, Config, Extent, Mode, NftProxier, NodeFacts, NodePortAddresses, Profile, Proxier, View, select,
};
use kdp_sim::Time;

fn service(at: usize) -> Service {
    let mut service = Service::default();
    service.meta.namespace = "shop".into();
    service.meta.name = format!("service-{at:05}");
    service.spec.type_ = "ClusterIP".into();
    service.spec.cluster_ip = format!("10.{}.{}.{}", 96 + (at >> 16), (at >> 8) & 255, at & 255);
    service.spec.ports =
        vec![ServicePort { name: "http".into(), protocol: "TCP".into(), port: 80, ..ServicePort::default() }];
    service
}

fn slice(at: usize, endpoints: usize, from: usize) -> EndpointSlice {
    let mut slice = EndpointSlice { address_type: "IPv4".into(), ..EndpointSlice::default() };
    slice.meta.namespace = "shop".into();
    slice.meta.name = format!("service-{at:05}-abcde");
    slice.meta.labels.insert("kubernetes.io/service-name".into(), format!("service-{at:05}"));
    slice.ports = vec![EndpointPort {
        name: Some("http".into()),
        protocol: Some("TCP".into()),
        port: Some(8080),
        app_protocol: None,
    }];
    for own in from..from + endpoints {
        let n = at * 16 + own;
        let address = format!("10.{}.{}.{}", 128 + (n >> 16), (n >> 8) & 255, n & 255);
        let node_name = Some(format!("node-{}", n % 100));
        slice.endpoints.push(Endpoint { addresses: vec![address], node_name, ..Endpoint::default() });
    }
    slice
}

fn timed<T>(what: &str, make: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let made = make();
    println!("{what:40} {:>10.3} ms", start.elapsed().as_secs_f64() * 1e3);
    made
}

/// The median of some runs, in microseconds.
fn median(what: &str, rounds: usize, mut run: impl FnMut(usize)) {
    let mut times: Vec<f64> = (0..rounds)
        .map(|round| {
            let start = Instant::now();
            run(round);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:40} {:>10.1} us, median of {rounds}", times[rounds / 2]);
}

/// Takes one endpoint of a Service for another, and gives it back at the next call.
fn change(view: &mut View, services: usize, endpoints: usize, round: usize) {
    let slice = slice(services / 2 + round / 2 % 100, endpoints, (round + 1) % 2);
    view.apply_slice(&slice).expect("valid");
    view.drain();
}

const CHANGES: usize = 1000;

fn iptables(view: &mut View, config: &Config, services: usize, endpoints: usize) {
    let mut proxier = Proxier::new(config, &NodeFacts::default(), Family::V4);
    let mut ruleset = Ruleset::new(Family::V4);
    let synced = timed("iptables: full sync", || proxier.sync(view, &ruleset, Time::ZERO, Extent::Changed));
    timed("iptables: apply", || ruleset.apply(&synced.transaction).expect("fits"));
    let text = timed("iptables: text", || text::print(&ruleset));
    println!("{} lines", text.lines().count());
    timed("iptables: parse of the text", || {
        text::parse(&text, "text", Family::V4, false).map(drop).expect("reads");
    });
    median("iptables: one endpoint, view to rules", CHANGES, |round| {
        change(view, services, endpoints, round);
        let synced = proxier.sync(view, &ruleset, Time::ZERO, Extent::Changed);
        ruleset.apply(&synced.transaction).expect("fits");
    });
    median("iptables: rebuild of the same", 3, |_| {
        let mut ruleset = Ruleset::new(Family::V4);
        let mut proxier = Proxier::new(config, &NodeFacts::default(), Family::V4);
        let synced = proxier.sync(view, &ruleset, Time::ZERO, Extent::Changed);
        ruleset.apply(&synced.transaction).expect("fits");
    });
}

fn nftables(view: &mut View, config: &Config, services: usize, endpoints: usize) {
    let mut proxier = NftProxier::new(config, &NodeFacts::default(), Family::V4);
    let mut ruleset = nft::Ruleset::new();
    let synced = timed("nftables: full sync", || proxier.sync(view, Time::ZERO).expect("short names"));
    timed("nftables: apply", || ruleset.apply(&synced.transaction, Time::ZERO).expect("fits"));
    timed("nftables: text", || nft::print(&ruleset).len());
    median("nftables: one endpoint, view to rules", CHANGES, |round| {
        change(view, services, endpoints, round);
        let synced = proxier.sync(view, Time::ZERO).expect("short names");
        ruleset.apply(&synced.transaction, Time::ZERO).expect("fits");
    });
}

/// One service port with 1,000 endpoints, each with hints for a zone.
fn choice() {
    let mut view = View::new(Profile::default());
    let mut slice = slice(0, 1000, 0);
    for (at, endpoint) in slice.endpoints.iter_mut().enumerate() {
        let for_zones = vec![HintName { name: format!("zone-{}", at % 3) }];
        endpoint.hints = Some(EndpointHints { for_zones, for_nodes: Vec::new() });
    }
    view.apply_service(&service(0)).expect("valid");
    view.apply_slice(&slice).expect("valid");
    view.drain();
    let view = view.family(Family::V4);
    let (name, ports) = view.services().next().expect("there is one");
    let (port, own) = ports.first_key_value().expect("it has one");
    let chooser = Chooser { profile: &Profile::default(), node: "node-1", zone: Some("zone-1") };
    median("choice among 1,000 endpoints with hints", CHANGES, |_| {
        assert_eq!(select(own, view.endpoints(name, port), chooser).cluster.len(), 333);
    });
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let (services, endpoints) = (arguments.next().unwrap_or(10_000), arguments.next().unwrap_or(10));
    let mut view = timed("view, applied and drained", || {
        let mut view = View::new(Profile::default());
        for at in 0..services {
            view.apply_service(&service(at)).expect("valid");
            view.apply_slice(&slice(at, endpoints, 0)).expect("valid");
        }
        view.drain();
        view
    });
    let config = Config::new("node-1");
    iptables(&mut view, &config, services, endpoints);
    let nodeport_addresses = NodePortAddresses::Primary;
    nftables(&mut view, &Config { mode: Mode::Nftables, nodeport_addresses, ..config }, services, endpoints);
    choice();
}
