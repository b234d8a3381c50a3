//! Facts about a Service: its selector, the Pods that have its labels, those that nearly have them, its endpoints.

use kdp_kube::labels::{Labels, Selector};
use kdp_kube::object::{Endpoint, EndpointSlice, KindName, ObjectKey, Pod, Service};
use kdp_kube::{Error, Store};
use serde_json::{Value, json};

use super::difference::{self, nearest_by, unmet};
use super::pod::pod_facts;
use super::{LISTED_MAX, NEAREST_MAX};

/// Label of an `EndpointSlice`: the Service that it is of. Source: Kubernetes API, discovery/v1.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What there is to know about a Service and its endpoints, as JSON:
/// `service`, `endpoints` (`ready`, `notReady`), `selected`, `namespacePods`, `nearest`, `elsewhere`.
///
/// # Errors
/// `no-such-object`, with the nearest names.
pub fn service_facts(store: &Store, namespace: &str, name: &str) -> Result<Value, Error> {
    let object = store.require(&ObjectKey::new(KindName::Service, namespace, name))?;
    let service = object.get::<Service>().expect("a key of a Service leads to one");
    let selector = Selector::from_map(service.spec.selector.as_ref()).unwrap_or(Selector::Nothing);
    let (ready, not_ready) = endpoints(store, service);
    let selected = pods(store, Some(namespace)).filter(|pod| selector.matches(&pod.meta.labels));
    let selected: Vec<&Pod> = selected.collect();
    let misses = if selected.is_empty() { nearest(store, &selector, namespace) } else { Vec::new() };
    Ok(json!({
        "kind": "ServiceFacts",
        "service": about(service),
        "endpoints": {"ready": ready, "notReady": not_ready},
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
        "externalName": service.spec.external_name,
        "selector": service.spec.selector,
        "publishNotReadyAddresses": service.spec.publish_not_ready_addresses,
        "ports": ports.collect::<Vec<_>>(),
    })
}

/// Pods of this namespace that have most of what is asked for.
fn nearest(store: &Store, selector: &Selector, namespace: &str) -> Vec<Value> {
    let alive = pods(store, Some(namespace)).filter(|pod| !pod.is_terminal());
    let found = nearest_by(selector, alive, |pod| &pod.meta.labels);
    found.into_iter().map(|pod| near_pod(store, selector, pod)).collect()
}

fn near_pod(store: &Store, selector: &Selector, pod: &Pod) -> Value {
    let differences: Vec<Value> = unmet(selector, &pod.meta.labels)
        .into_iter()
        .map(|r| difference::as_json(r, &pod.meta.labels, &format!("spec.selector.{}", r.key())))
        .collect();
    json!({"pod": pod_facts(store, pod, None), "differences": differences})
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

/// The addresses in the Service's slices, ready and not, each with its port.
pub(super) fn endpoints(store: &Store, service: &Service) -> (Vec<Value>, Vec<Value>) {
    let (mut ready, mut not_ready) = (Vec::new(), Vec::new());
    let of_service =
        |slice: &&EndpointSlice| slice.meta.labels.label(SERVICE_NAME) == Some(service.meta.name.as_str());
    for slice in store.all::<EndpointSlice>(Some(&service.meta.namespace)).filter(of_service) {
        for endpoint in &slice.endpoints {
            let list = if endpoint.conditions.ready.unwrap_or(true) { &mut ready } else { &mut not_ready };
            list.extend(addresses(slice, endpoint));
        }
    }
    (ready, not_ready)
}

fn addresses(slice: &EndpointSlice, endpoint: &Endpoint) -> Vec<Value> {
    let pod = endpoint.target_ref.as_ref();
    let one = |address: &String, port: Option<i32>| {
        json!({
            "namespace": pod.map(|pod| &pod.namespace), "name": pod.map(|pod| &pod.name),
            "ip": address, "port": port, "node": endpoint.node_name,
        })
    };
    let ports: Vec<Option<i32>> =
        if slice.ports.is_empty() { vec![None] } else { slice.ports.iter().map(|port| port.port).collect() };
    let pairs = endpoint.addresses.iter().flat_map(|address| ports.iter().map(move |port| (address, *port)));
    pairs.map(|(address, port)| one(address, port)).collect()
}
