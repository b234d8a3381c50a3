//! Facts about who may use an endpoint: the hints of its slices, why there are none, and traffic policies that keep a
//! node to its own endpoints.

use std::collections::{BTreeMap, BTreeSet};

use kdp_kube::Store;
use kdp_kube::endpoints::slices::{Inputs, SliceSettings, Topology, reconcile};
use kdp_kube::endpoints::words;
use kdp_kube::object::{Endpoint, EndpointSlice, Node, Pod, Service};
use serde_json::{Value, json};

/// What was asked for (`mode`, `distribution`), what the controller said of it (`events`), and what came of it:
/// `endpoints` with zone and hints, `nodes` with their zones.
pub(super) fn hints(store: &Store, service: &Service, slices: &[&EndpointSlice], pods: &[&Pod]) -> Value {
    let annotation = |name: &str| service.meta.annotations.get(name);
    let mode = annotation(words::TOPOLOGY_HINTS).map(|value| (words::TOPOLOGY_HINTS, value));
    let mode = mode.or_else(|| annotation(words::TOPOLOGY_MODE).map(|value| (words::TOPOLOGY_MODE, value)));
    let distribution = service.spec.traffic_distribution.as_ref();
    let asked = mode.is_some() || distribution.is_some();
    let ready =
        || slices.iter().flat_map(|slice| &slice.endpoints).filter(|e| e.conditions.ready != Some(false));
    let endpoints: Vec<Value> = if asked { ready().map(endpoint).collect() } else { Vec::new() };
    let nodes = store.all::<Node>(None).map(|node| json!({"name": node.meta.name, "zone": zone(node)}));
    json!({
        "mode": mode.map(|(name, value)| json!({"annotation": name, "value": value})),
        "distribution": distribution,
        "events": if asked { events(store, service, pods) } else { Vec::new() },
        "endpoints": endpoints,
        "nodes": if asked { nodes.collect() } else { Vec::new() },
    })
}

fn zone(node: &Node) -> Option<&String> {
    node.meta.labels.get(words::ZONE).filter(|zone| !zone.is_empty())
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let hints = endpoint.hints.as_ref();
    let names = |hints: &[kdp_kube::object::HintName]| -> Vec<String> {
        hints.iter().map(|hint| hint.name.clone()).collect()
    };
    json!({
        "ip": endpoint.addresses.first(), "zone": endpoint.zone, "node": endpoint.node_name,
        "zones": hints.map(|hints| names(&hints.for_zones)).unwrap_or_default(),
        "nodes": hints.map(|hints| names(&hints.for_nodes)).unwrap_or_default(),
    })
}

/// What the controller would record on the Service if it made the slices anew.
fn events(store: &Store, service: &Service, pods: &[&Pod]) -> Vec<String> {
    if service.spec.selector.is_none() || service.spec.type_ == "ExternalName" {
        return Vec::new();
    }
    let nodes: BTreeMap<String, Node> =
        store.all::<Node>(None).map(|node| (node.meta.name.clone(), node.clone())).collect();
    let mut topology = Topology::default();
    topology.count_nodes(nodes.values());
    let inputs = Inputs {
        service,
        pods,
        slices: &[],
        nodes: &nodes,
        trigger_time: None,
        settings: &SliceSettings::default(),
    };
    reconcile(&inputs, &mut topology).events.iter().map(ToString::to_string).collect()
}

/// Nodes that have no ready endpoint of their own although a policy keeps them to those; null without such a policy.
/// `ready`: how many endpoints each other node has.
pub(super) fn local(store: &Store, service: &Service, slices: &[&EndpointSlice]) -> Value {
    let spec = &service.spec;
    let inside = spec.internal_traffic_policy == "Local";
    // The outside policy is about frontends that the outside reaches.
    let outside =
        spec.external_traffic_policy == "Local" && matches!(&*spec.type_, "NodePort" | "LoadBalancer");
    if !inside && !outside {
        return Value::Null;
    }
    let ready =
        slices.iter().flat_map(|slice| &slice.endpoints).filter(|e| e.conditions.ready != Some(false));
    let mut with: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
    for endpoint in ready {
        let Some(node) = &endpoint.node_name else { continue };
        with.entry(node).or_default().extend(endpoint.addresses.first());
    }
    let names: Vec<&str> = store.all::<Node>(None).map(|node| node.meta.name.as_str()).collect();
    let without: Vec<&str> = names.into_iter().filter(|name| !with.contains_key(name)).collect();
    let ready: BTreeMap<&str, usize> = with.into_iter().map(|(node, ips)| (node, ips.len())).collect();
    json!({"internal": inside, "external": outside, "without": without, "ready": ready})
}
