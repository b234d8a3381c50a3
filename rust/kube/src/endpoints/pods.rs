//! What the endpoint controllers read of a Pod.
//!
//! Source: `endpointslice/util` and `pkg/api/v1/pod` of Kubernetes (2026-07).

use crate::object::{Condition, IntOrString, ObjectReference, Pod, Service, ServicePort};

/// The Pod's Ready condition; the first, if it has several.
pub(super) fn ready_condition(pod: &Pod) -> Option<&Condition> {
    pod.status.conditions.iter().find(|condition| condition.type_ == "Ready")
}

pub(super) fn is_ready(pod: &Pod) -> bool {
    ready_condition(pod).is_some_and(|condition| condition.status == "True")
}

/// Whether a Pod has any place in endpoints. Terminating Pods only if they are asked for.
pub(super) fn is_listed(pod: &Pod, terminating_too: bool) -> bool {
    let has_address = !pod.status.pod_ip.is_empty() || !pod.status.pod_ips.is_empty();
    !pod.is_terminal() && has_address && (terminating_too || !pod.meta.is_terminating())
}

/// The number of a Service port at this Pod. A name is looked up among containers, then among sidecars, together with
/// the protocol. `None`: no container declares it.
pub(super) fn port_number(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let name = match &port.target_port {
        IntOrString::Int(number) => return Some(*number),
        IntOrString::Str(name) => name,
    };
    let is_sidecar = |restart: &Option<String>| restart.as_deref() == Some("Always");
    let sidecars = pod.spec.init_containers.iter().filter(|c| is_sidecar(&c.restart_policy));
    let mut declared = pod.spec.containers.iter().chain(sidecars).flat_map(|c| &c.ports);
    let found = declared.find(|p| p.name == *name && p.protocol == port.protocol);
    found.map(|p| i32::from(p.container_port))
}

/// The Pod's hostname, if this Service gives it one.
pub(super) fn hostname<'a>(pod: &'a Pod, service: &Service) -> Option<&'a str> {
    let spec = &pod.spec;
    let named = !spec.hostname.is_empty() && spec.subdomain == service.meta.name;
    (named && pod.meta.namespace == service.meta.namespace).then_some(&spec.hostname)
}

pub(super) fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: "Pod".to_owned(),
        namespace: pod.meta.namespace.clone(),
        name: pod.meta.name.clone(),
        uid: pod.meta.uid.clone(),
        ..ObjectReference::default()
    }
}

/// Whether two references differ in anything but the version that was seen.
pub(super) fn same_reference(a: Option<&ObjectReference>, b: Option<&ObjectReference>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    (&a.api_version, &a.kind, &a.namespace, &a.name, &a.uid, &a.field_path)
        == (&b.api_version, &b.kind, &b.namespace, &b.name, &b.uid, &b.field_path)
}

/// What an update of a Pod may change: its endpoints, and which Services it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PodChange {
    pub(super) endpoints: bool,
    pub(super) membership: bool,
}

/// Compares as the controllers' event filters do: every update of a Pod that is terminating already counts as a change
/// of its endpoints, and a hostname counts as membership.
pub(super) fn compare(old: &Pod, new: &Pod) -> PodChange {
    let names = |pod: &Pod| (pod.spec.hostname.clone(), pod.spec.subdomain.clone());
    let terminating = old.meta.is_terminating() || new.meta.is_terminating();
    PodChange {
        endpoints: terminating || is_ready(old) != is_ready(new) || old.status.pod_ips != new.status.pod_ips,
        membership: old.meta.labels != new.meta.labels || names(old) != names(new),
    }
}
