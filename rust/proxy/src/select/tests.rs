//! Stories of endpoints, and what holds of every choice.

use kdp_kube::object::Endpoint as ApiEndpoint;
use kdp_packet::{Family, Proto};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::generate::{endpoint, endpoints, going, hinted, service, services, slice};
use crate::names::{PortName, ServiceName};
use crate::view::{View, service_ports};

/// A Service with these policies; with `external` it has an external IP too.
fn port(internal_local: bool, external_local: bool, external: bool) -> ServicePort {
    let mut own = service("a");
    own.spec.external_ips.extend(external.then(|| "203.0.113.9".to_owned()));
    own.spec.internal_traffic_policy = if internal_local { "Local" } else { "Cluster" }.into();
    own.spec.external_traffic_policy = if external_local { "Local" } else { "Cluster" }.into();
    service_ports(&own, Family::V4, &Profile::default()).unwrap().into_values().next().unwrap()
}

fn merged(slices: &[Vec<ApiEndpoint>]) -> PortEndpoints {
    let mut view = View::new(Profile::default());
    for (i, endpoints) in slices.iter().enumerate() {
        view.apply_slice(&slice(&format!("s{i}"), "a", endpoints.clone())).unwrap();
    }
    view.drain();
    let p = PortName { name: "p".into(), protocol: Proto::TCP };
    view.family(Family::V4).endpoints(&ServiceName::new("ns", "a"), &p).cloned().unwrap_or_default()
}

fn hosts(endpoints: &[&Endpoint]) -> Vec<u8> {
    endpoints
        .iter()
        .map(|endpoint| endpoint.backend.text.rsplit('.').next().unwrap().parse().unwrap())
        .collect()
}

/// The last octets of cluster, local and reachable endpoints on node n1 in zone z1, and whether there are any at all.
fn chosen(port: &ServicePort, endpoints: &[ApiEndpoint]) -> (Vec<u8>, Vec<u8>, Vec<u8>, bool) {
    let (profile, endpoints) = (Profile::default(), merged(&[endpoints.to_vec()]));
    let chooser = Chooser { profile: &profile, node: "n1", zone: Some("z1") };
    let selected = select(port, Some(&endpoints), chooser);
    (hosts(&selected.cluster), hosts(&selected.local), hosts(&selected.reachable), selected.has_any)
}

#[test]
fn hints_by_zone_need_every_ready_endpoint() {
    let here = hinted(endpoint("10.1.0.1", "n2"), &["z1"], &[]);
    let there = hinted(endpoint("10.1.0.2", "n2"), &["z2"], &[]);
    let plain = endpoint("10.1.0.3", "n2");
    let cluster = |endpoints: &[ApiEndpoint]| chosen(&port(false, false, false), endpoints).0;
    assert_eq!(cluster(&[here.clone(), there.clone()]), [1]);
    assert_eq!(cluster(&[here.clone(), there.clone(), plain.clone()]), [1, 2, 3]);
    assert_eq!(cluster(std::slice::from_ref(&there)), [2], "no hint names this zone");
    let unready = ApiEndpoint { conditions: going("", "", false).conditions, ..plain };
    assert_eq!(cluster(&[here, there, unready]), [1], "hints of unready endpoints do not count");
}

#[test]
fn hints_by_node_come_before_hints_by_zone() {
    let here = hinted(endpoint("10.1.0.1", "n1"), &["z1"], &["n1"]);
    let zone = hinted(endpoint("10.1.0.2", "n2"), &["z1"], &["n2"]);
    assert_eq!(chosen(&port(false, false, false), &[here, zone.clone()]).0, [1]);
    assert_eq!(chosen(&port(false, false, false), &[zone]).0, [2]);
}

#[test]
fn only_terminating_endpoints_serve_where_none_is_ready() {
    let (answers, silent) = (going("10.1.0.1", "n2", true), going("10.1.0.2", "n2", false));
    let (cluster, _, _, any) = chosen(&port(false, false, false), &[answers, silent.clone()]);
    assert_eq!((cluster, any), (vec![1], true));
    assert_eq!(chosen(&port(false, false, false), &[silent]), (vec![], vec![], vec![], false));
}

#[test]
fn local_and_cluster_fall_back_each_on_its_own() {
    let endpoints = [going("10.1.0.1", "n1", true), endpoint("10.1.0.2", "n2")];
    assert_eq!(chosen(&port(false, true, true), &endpoints), (vec![2], vec![1], vec![1, 2], true));
}

#[test]
fn a_purely_local_port_counts_remote_endpoints_but_uses_none() {
    assert_eq!(
        chosen(&port(true, false, false), &[endpoint("10.1.0.2", "n2")]),
        (vec![], vec![], vec![], true)
    );
}

#[test]
fn hints_do_not_touch_local_endpoints() {
    let other = hinted(endpoint("10.1.0.1", "n1"), &["z2"], &[]);
    let near = hinted(endpoint("10.1.0.2", "n2"), &["z1"], &[]);
    assert_eq!(chosen(&port(true, false, true), &[other, near]), (vec![2], vec![1], vec![1, 2], true));
}

#[test]
fn a_copy_wins_by_the_rule_of_the_release() {
    let endpoints = merged(&[vec![endpoint("10.1.0.1", "n2")], vec![going("10.1.0.1", "n1", true)]]);
    let ready = |minor| {
        let profile = Profile::of(minor).unwrap();
        let chooser = Chooser { profile: &profile, node: "n1", zone: None };
        select(&port(false, false, false), Some(&endpoints), chooser).cluster[0].backend.ready
    };
    assert_eq!((ready(35), ready(36)), (false, true));
}

/// Each endpoint asked on its own whether it belongs, in the words of the API: the plain twin of [`select`].
fn plain(port: &ServicePort, endpoints: &[&Endpoint], chooser: Chooser<'_>) -> (Vec<bool>, Vec<bool>, bool) {
    let backends: Vec<&Backend> = endpoints.iter().map(|endpoint| &*endpoint.backend).collect();
    let going = |backend: &Backend| backend.serving && backend.terminating;
    let for_node = |backend: &Backend| backend.node_hints.iter().any(|hint| &**hint == chooser.node);
    let for_zone = |backend: &Backend| backend.zone_hints.iter().any(|hint| Some(&**hint) == chooser.zone);
    let ready: Vec<&Backend> = backends.iter().copied().filter(|backend| backend.ready).collect();
    let nodes = ready.iter().all(|b| !b.node_hints.is_empty()) && ready.iter().any(|b| for_node(b));
    let zones = ready.iter().all(|b| !b.zone_hints.is_empty()) && ready.iter().any(|b| for_zone(b));
    let in_cluster = |b: &Backend| match (ready.is_empty(), nodes, zones) {
        (true, _, _) => going(b),
        (false, true, _) => b.ready && for_node(b),
        (false, false, true) => b.ready && for_zone(b),
        (false, false, false) => b.ready,
    };
    let local_ready = ready.iter().any(|b| b.is_local(chooser.node));
    let in_local = |b: &Backend| b.is_local(chooser.node) && if local_ready { b.ready } else { going(b) };
    let marks =
        |used: bool, pass: &dyn Fn(&Backend) -> bool| backends.iter().map(|b| used && pass(b)).collect();
    let any = backends.iter().any(|b| b.ready || going(b));
    (marks(port.uses_cluster(), &in_cluster), marks(port.uses_local(), &in_local), any)
}

proptest! {
    #[test]
    fn the_choice_is_the_plain_one(own in services(), slices in vec(vec(endpoints(), 0..5), 0..3), minor in 34..=36u8) {
        let profile = Profile::of(minor).unwrap();
        let chooser = Chooser { profile: &profile, node: "n1", zone: Some("z1") };
        let endpoints = merged(&slices);
        for port in service_ports(&own, Family::V4, &profile).unwrap().values() {
            let selected = select(port, Some(&endpoints), chooser);
            let all = without_copies(&endpoints, chooser);
            let (cluster, local, any) = plain(port, &all, chooser);
            let pick = |marks: &[bool]| -> Vec<&Endpoint> {
                all.iter().zip(marks).filter(|(_, mark)| **mark).map(|(endpoint, _)| *endpoint).collect()
            };
            let either: Vec<bool> = cluster.iter().zip(&local).map(|(a, b)| *a || *b).collect();
            prop_assert_eq!(&selected.cluster, &pick(&cluster));
            prop_assert_eq!(&selected.local, &pick(&local));
            prop_assert_eq!(&selected.reachable, &pick(&either));
            prop_assert_eq!(selected.has_any, any);
        }
    }
}
