//! Facts about a Service: its selector, the Pods that have its labels, those that nearly have them, its endpoints.

use std::collections::BTreeMap;

use kdp_kube::labels::Selector;
use kdp_kube::object::{KindName, Node, ObjectKey, Pod, Service};
use kdp_kube::{Error, Store};
use serde_json::{Value, json};

use super::addresses::{endpoints, legacy, managers, slices_of};
use super::difference::{self, nearest_by, unmet};
use super::pod::{owner_key, pod_facts};
use super::spread::{hints, local};
use super::{LISTED_MAX, NEAREST_MAX};

/// What there is to know about a Service and its endpoints, as JSON:
/// `service`, `endpoints` (`ready`, `notReady`), `managers`, `legacy`, `hints`, `local`, `nodes`, `selected`,
/// `namespacePods`, `nearest`, `elsewhere`.
///
/// # Errors
/// `no-such-object`, with the nearest names.
pub fn service_facts(store: &Store, namespace: &str, name: &str) -> Result<Value, Error> {
    let object = store.require(&ObjectKey::new(KindName::Service, namespace, name))?;
    let service = object.get::<Service>().expect("a key of a Service leads to one");
    let selector = Selector::from_map(service.spec.selector.as_ref()).unwrap_or(Selector::Nothing);
    let slices = slices_of(store, service);
    let (ready, not_ready) = endpoints(&slices);
    let selected = pods(store, Some(namespace)).filter(|pod| selector.matches(&pod.meta.labels));
    let selected: Vec<&Pod> = selected.collect();
    let misses = if selected.is_empty() { nearest(store, &selector, namespace) } else { Vec::new() };
    Ok(json!({
        "kind": "ServiceFacts",
        "service": about(service),
        "endpoints": {"ready": ready, "notReady": not_ready},
        "managers": managers(&slices),
        "legacy": legacy(store, service),
        "hints": hints(store, service, &slices, &selected),
        "local": local(store, service, &slices),
        "nodes": store.all::<Node>(None).count(),
        "selected": {
            "count": selected.len(),
            "pods": selected.iter().take(LISTED_MAX).map(|pod| pod_facts(store, pod, Some(service))).collect::<Vec<_>>(),
        },
        "namespacePods": pods(store, Some(namespace)).count(),
        "nearest": misses,
        "elsewhere": if selected.is_empty() { elsewhere(store, &selector, namespace) } else { nowhere() },
    }))
}

fn pods<'s>(store: &'s Store, namespace: Option<&str>) -> impl Iterator<Item = &'s Pod> + use<'s> {
    store.all::<Pod>(namespace)
}

fn about(service: &Service) -> Value {
    let ports = service.spec.ports.iter().enumerate().map(|(index, port)| {
        json!({
            "index": index, "name": port.name, "port": port.port,
            "protocol": if port.protocol.is_empty() { "TCP" } else { &port.protocol },
            "targetPort": port.target_port,
        })
    });
    json!({
        "namespace": service.meta.namespace,
        "name": service.meta.name,
        "labels": service.meta.labels,
        "type": if service.spec.type_.is_empty() { "ClusterIP" } else { &service.spec.type_ },
        "headless": service.spec.is_headless(),
        "clusterIP": service.spec.cluster_ip,
        "families": families(service),
        "externalName": service.spec.external_name,
        "selector": service.spec.selector,
        "publishNotReadyAddresses": service.spec.publish_not_ready_addresses,
        "ports": ports.collect::<Vec<_>>(),
    })
}

/// The families of addresses that a Service has endpoints of.
/// Source: the `EndpointSlice` controller, `getAddressTypesForService`.
fn families(service: &Service) -> Vec<&str> {
    let given: Vec<&str> = service.spec.ip_families.iter().map(String::as_str).collect();
    let of_address =
        || service.spec.cluster_ips.iter().filter(|ip| *ip != "None").map(|ip| family_of(ip)).collect();
    let known = if given.is_empty() { of_address() } else { given };
    if known.is_empty() { vec!["IPv4", "IPv6"] } else { known }
}

fn family_of(ip: &str) -> &'static str {
    if ip.contains(':') { "IPv6" } else { "IPv4" }
}

/// Pods of this namespace that have most of what is asked for, one for each set of labels; equally near ones by how few
/// Pods have these labels: the smallest change first.
fn nearest(store: &Store, selector: &Selector, namespace: &str) -> Vec<Value> {
    let mut kinds: BTreeMap<Pairs<'_>, (usize, usize, &Pod)> = BTreeMap::new();
    for (at, pod) in pods(store, Some(namespace)).filter(|pod| !pod.is_terminal()).enumerate() {
        kinds.entry(asked_for(selector, pod)).or_insert((0, at, pod)).0 += 1;
    }
    let mut fewest_first: Vec<(usize, usize, &Pod)> = kinds.into_values().collect();
    fewest_first.sort_by_key(|(count, at, _)| (*count, *at));
    let found = nearest_by(selector, fewest_first.iter().map(|(_, _, pod)| *pod), |pod| &pod.meta.labels);
    found.into_iter().map(|pod| near_pod(store, selector, pod)).collect()
}

/// Labels.
type Pairs<'p> = Vec<(&'p str, &'p str)>;

/// What stands at the selector's keys, and at keys that may be meant.
fn asked_for<'p>(selector: &Selector, pod: &'p Pod) -> Pairs<'p> {
    let asked = |key: &str| {
        selector.requirements().iter().any(|r| r.key() == key || difference::is_slip(r.key(), key))
    };
    let pairs = pod.meta.labels.iter().filter(|(key, _)| asked(key));
    pairs.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn near_pod(store: &Store, selector: &Selector, pod: &Pod) -> Value {
    let differences: Vec<Value> = unmet(selector, &pod.meta.labels)
        .into_iter()
        .map(|r| difference::as_json(r, &pod.meta.labels, &format!("spec.selector.{}", r.key())))
        .collect();
    json!({
        "pod": pod_facts(store, pod, None),
        "differences": differences,
        "alike": alike(store, selector, pod),
        "ofOwner": of_owner(store, pod),
    })
}

/// How many Pods the selector would select if it asked for what this Pod has.
fn alike(store: &Store, selector: &Selector, pod: &Pod) -> usize {
    let (wanted, all) = (asked_for(selector, pod), pods(store, Some(&pod.meta.namespace)));
    all.filter(|other| asked_for(selector, other) == wanted).count()
}

/// How many Pods the same workload has, which a change of its template replaces.
fn of_owner(store: &Store, pod: &Pod) -> usize {
    let Some(owner) = owner_key(store, &pod.meta) else { return 1 };
    let all = pods(store, Some(&pod.meta.namespace));
    all.filter(|other| owner_key(store, &other.meta).as_ref() == Some(&owner)).count()
}

/// Pods of other namespaces that have all of what is asked for.
fn elsewhere(store: &Store, selector: &Selector, namespace: &str) -> Value {
    if selector.requirements().is_empty() {
        return nowhere(); // everything is no description
    }
    let found =
        pods(store, None).filter(|pod| pod.meta.namespace != namespace && selector.matches(&pod.meta.labels));
    let found: Vec<&Pod> = found.collect();
    let mut namespaces: Vec<&str> = found.iter().map(|pod| pod.meta.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    json!({
        "count": found.len(),
        "namespaces": namespaces,
        "pods": found.iter().take(NEAREST_MAX).map(|pod| pod_facts(store, pod, None)).collect::<Vec<_>>(),
    })
}

fn nowhere() -> Value {
    json!({"count": 0, "namespaces": [], "pods": []})
}
