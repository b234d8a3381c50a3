//! A Pod as far as it may be an endpoint: state, addresses, ports, and who would make it anew.

use kdp_kube::Store;
use kdp_kube::object::{
    Container, Deployment, IntOrString, LabelSelector, Meta, Node, OwnerReference, Pod, ReplicaSet, Service,
    ServicePort, StatefulSet,
};
use serde_json::{Value, json};

/// A Pod; with a Service, also which of the Service's ports (by index) it does not resolve.
pub(super) fn pod_facts(store: &Store, pod: &Pod, service: Option<&Service>) -> Value {
    let unresolved: Vec<usize> = service.map_or_else(Vec::new, |service| unresolved(pod, service));
    json!({
        "namespace": pod.meta.namespace,
        "name": pod.meta.name,
        "labels": pod.meta.labels,
        "phase": pod.status.phase,
        "ready": pod.is_ready(),
        "terminating": pod.meta.is_terminating(),
        "ips": pod.addresses().collect::<Vec<_>>(),
        "node": pod.spec.node_name,
        "owner": owner(store, &pod.meta),
        "waiting": waiting(pod),
        "readyMessage": ready_message(pod),
        "nodeKnown": store.find::<Node>("", &pod.spec.node_name).is_some(),
        "ports": ports(pod),
        "unresolved": unresolved,
        "numbers": service.map_or_else(Vec::new, |service| numbers(pod, service)),
    })
}

/// Containers whose ports count: all, then init containers that stay on as sidecars.
/// Source: Kubernetes `pkg/api/v1/pod` `FindPort`, with sidecars since 1.29.
fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let sidecars = pod.spec.init_containers.iter().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    pod.spec.containers.iter().chain(sidecars)
}

fn ports(pod: &Pod) -> Vec<Value> {
    containers(pod)
        .flat_map(|container| &container.ports)
        .map(|port| json!({"name": port.name, "number": port.container_port, "protocol": protocol(&port.protocol)}))
        .collect()
}

fn unresolved(pod: &Pod, service: &Service) -> Vec<usize> {
    let ports = service.spec.ports.iter().enumerate();
    ports.filter(|(_, port)| number(pod, port).is_none()).map(|(index, _)| index).collect()
}

/// The number that each of the Service's ports has at this Pod; null where it has none.
fn numbers(pod: &Pod, service: &Service) -> Vec<Option<i32>> {
    service.spec.ports.iter().map(|port| number(pod, port)).collect()
}

fn number(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let IntOrString::Str(name) = &port.target_port else {
        let IntOrString::Int(number) = port.target_port else { return None };
        return Some(number);
    };
    let mut all = containers(pod).flat_map(|container| &container.ports);
    let found = all.find(|p| p.name == *name && protocol(&p.protocol) == protocol(&port.protocol));
    found.map(|p| i32::from(p.container_port))
}

fn protocol(given: &str) -> &str {
    if given.is_empty() { "TCP" } else { given }
}

fn waiting(pod: &Pod) -> Vec<Value> {
    let all = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    all.filter_map(|status| Some((status, status.state.waiting.as_ref()?)))
        .map(|(status, waiting)| json!({"container": status.name, "reason": waiting.reason, "message": waiting.message}))
        .collect()
}

fn ready_message(pod: &Pod) -> Option<&str> {
    let ready = pod.status.conditions.iter().find(|c| c.type_ == "Ready" && c.status != "True")?;
    [&ready.message, &ready.reason].into_iter().find(|text| !text.is_empty()).map(String::as_str)
}

/// Kind and name of the topmost owner that is known.
pub(super) fn owner_key(store: &Store, meta: &Meta) -> Option<(String, String)> {
    let owner = meta.controller()?;
    let found = owner_object(store, &meta.namespace, owner);
    let above = found.and_then(|(_, meta)| owner_key(store, meta));
    above.or_else(|| Some((owner.kind.clone(), owner.name.clone())))
}

/// The topmost owner that is known, with its own selector where it has one.
fn owner(store: &Store, meta: &Meta) -> Option<Value> {
    let owner = meta.controller()?;
    let found = owner_object(store, &meta.namespace, owner);
    let above = found.as_ref().and_then(|(_, meta)| self::owner(store, meta));
    above.or_else(|| {
        let selector = found.and_then(|(selector, _)| selector);
        Some(json!({"kind": owner.kind, "name": owner.name, "selector": selector}))
    })
}

fn owner_object<'s>(
    store: &'s Store,
    namespace: &str,
    owner: &OwnerReference,
) -> Option<(Option<&'s LabelSelector>, &'s Meta)> {
    match owner.kind.as_str() {
        "ReplicaSet" => {
            let found = store.find::<ReplicaSet>(namespace, &owner.name)?;
            Some((found.spec.selector.as_ref(), &found.meta))
        }
        "Deployment" => {
            let found = store.find::<Deployment>(namespace, &owner.name)?;
            Some((found.spec.selector.as_ref(), &found.meta))
        }
        "StatefulSet" => {
            let found = store.find::<StatefulSet>(namespace, &owner.name)?;
            Some((found.spec.selector.as_ref(), &found.meta))
        }
        _ => None,
    }
}
