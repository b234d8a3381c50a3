//! A Pod as far as it may be an endpoint: state, addresses, ports, and who would make it anew.

use kdp_kube::Store;
use kdp_kube::object::{
    Container, Deployment, IntOrString, LabelSelector, Meta, OwnerReference, Pod, ReplicaSet, Service,
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
        "ports": ports(pod),
        "unresolved": unresolved,
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
    ports.filter(|(_, port)| !resolves(pod, port)).map(|(index, _)| index).collect()
}

fn resolves(pod: &Pod, port: &ServicePort) -> bool {
    match &port.target_port {
        IntOrString::Int(_) => true,
        IntOrString::Str(name) => containers(pod)
            .flat_map(|container| &container.ports)
            .any(|p| p.name == *name && protocol(&p.protocol) == protocol(&port.protocol)),
    }
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
