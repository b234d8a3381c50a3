//! Facts about a `ServiceMonitor`: the Services that its selector and namespaces mean, and those that it misses.
//!
//! Source: prometheus-operator 0.93.0, `pkg/prometheus/promcfg.go`: the selector is compared with the Service's own
//! labels; an empty `namespaceSelector` means the monitor's namespace.

use kdp_kube::labels::{Operator, Selector};
use kdp_kube::object::{KindName, Meta, ObjectKey, Pod, Service, ServiceMonitor};
use kdp_kube::{Error, Store};
use serde_json::{Value, json};

use super::NEAREST_MAX;
use super::addresses::{endpoints, slices_of};
use super::difference::{self, nearest_by, operator_word, unmet};

/// What there is to know about a `ServiceMonitor` and the Services it selects, as JSON:
/// `monitor`, `selected`, `nearest`, `elsewhere`, `pods`.
///
/// # Errors
/// `no-such-object`, with the nearest names.
pub fn monitor_facts(store: &Store, namespace: &str, name: &str) -> Result<Value, Error> {
    let object = store.require(&ObjectKey::new(KindName::ServiceMonitor, namespace, name))?;
    let monitor = object.get::<ServiceMonitor>().expect("a key of a ServiceMonitor leads to one");
    // The loader has refused selectors that do not convert.
    let selector = Selector::from_object(Some(&monitor.spec.selector)).unwrap_or(Selector::Nothing);
    let inside = |meta: &Meta| looks_into(monitor, &meta.namespace);
    let services: Vec<&Service> = store.all::<Service>(None).collect();
    let here: Vec<&Service> = services.iter().copied().filter(|s| inside(&s.meta)).collect();
    let selected: Vec<&Service> = here.iter().copied().filter(|s| selector.matches(&s.meta.labels)).collect();
    let missed = if selected.is_empty() { services } else { Vec::new() };
    let elsewhere = missed.iter().filter(|s| !inside(&s.meta) && selector.matches(&s.meta.labels));
    let elsewhere: Vec<Value> = elsewhere.map(|service| about_service(store, service)).collect();
    Ok(json!({
        "kind": "MonitorFacts",
        "monitor": about(monitor, &selector),
        "selected": {
            "count": selected.len(),
            "services": selected.iter().map(|service| about_service(store, service)).collect::<Vec<_>>(),
        },
        "nearest": if selected.is_empty() { nearest(store, monitor, &selector, &here) } else { Vec::new() },
        "elsewhere": {"count": elsewhere.len(), "services": elsewhere.iter().take(NEAREST_MAX).collect::<Vec<_>>()},
        "pods": pods(store, monitor, &selector, selected.is_empty()),
    }))
}

fn looks_into(monitor: &ServiceMonitor, namespace: &str) -> bool {
    let spaces = &monitor.spec.namespace_selector;
    let listed = || spaces.match_names.iter().any(|name| name == namespace);
    spaces.any || (if spaces.match_names.is_empty() { namespace == monitor.meta.namespace } else { listed() })
}

fn about(monitor: &ServiceMonitor, selector: &Selector) -> Value {
    let spaces = &monitor.spec.namespace_selector;
    let own = || vec![monitor.meta.namespace.clone()];
    let looked = if spaces.match_names.is_empty() { own() } else { spaces.match_names.clone() };
    let requirements = selector.requirements().iter().map(|requirement| {
        json!({
            "key": requirement.key(),
            "operator": operator_word(requirement.operator()),
            "values": requirement.values().collect::<Vec<_>>(),
            "path": path(requirement.operator(), requirement.key()),
        })
    });
    let endpoints = monitor.spec.endpoints.iter().enumerate().map(
        |(index, endpoint)| json!({"index": index, "port": endpoint.port, "targetPort": endpoint.target_port}),
    );
    json!({
        "namespace": monitor.meta.namespace,
        "name": monitor.meta.name,
        "requirements": requirements.collect::<Vec<_>>(),
        "namespaces": if spaces.any { None } else { Some(looked) },
        "namespaceSelector": {"any": spaces.any, "matchNames": spaces.match_names},
        "endpoints": endpoints.collect::<Vec<_>>(),
    })
}

/// Where a requirement stands: pairs of `matchLabels` become `=`, everything else is an expression.
fn path(operator: Operator, key: &str) -> String {
    match operator {
        Operator::Equals => format!("spec.selector.matchLabels.{key}"),
        _ => format!("spec.selector.matchExpressions[key={key}]"),
    }
}

fn about_service(store: &Store, service: &Service) -> Value {
    let (ready, _) = endpoints(&slices_of(store, service));
    let ports = service.spec.ports.iter();
    let ports =
        ports.map(|port| json!({"name": port.name, "port": port.port, "targetPort": port.target_port}));
    json!({
        "namespace": service.meta.namespace,
        "name": service.meta.name,
        "labels": service.meta.labels,
        "selector": service.spec.selector,
        "ports": ports.collect::<Vec<_>>(),
        "readyEndpoints": ready.len(),
    })
}

fn nearest(store: &Store, monitor: &ServiceMonitor, selector: &Selector, here: &[&Service]) -> Vec<Value> {
    // A Service that has the port that is asked for is the likelier one among those equally near.
    let wanted = |service: &Service| {
        let has = |name: &str| service.spec.ports.iter().any(|port| port.name == name);
        monitor.spec.endpoints.iter().any(|endpoint| has(&endpoint.port))
    };
    let (with_port, without): (Vec<&Service>, Vec<&Service>) =
        here.iter().partition(|service| wanted(service));
    let found = nearest_by(selector, with_port.into_iter().chain(without), |service| &service.meta.labels);
    found.into_iter().map(|service| near_service(store, selector, service)).collect()
}

fn near_service(store: &Store, selector: &Selector, service: &Service) -> Value {
    let labels = &service.meta.labels;
    let differences: Vec<Value> = unmet(selector, labels)
        .into_iter()
        .map(|r| difference::as_json(r, labels, &path(r.operator(), r.key())))
        .collect();
    json!({"service": about_service(store, service), "differences": differences})
}

/// Pods that have the labels: whoever wrote the selector may have thought of them.
fn pods(store: &Store, monitor: &ServiceMonitor, selector: &Selector, wanted: bool) -> Value {
    let matching = |pod: &&Pod| {
        wanted
            && !selector.requirements().is_empty()
            && looks_into(monitor, &pod.meta.namespace)
            && selector.matches(&pod.meta.labels)
    };
    let found: Vec<&Pod> = store.all::<Pod>(None).filter(matching).collect();
    let listed = found.iter().take(NEAREST_MAX);
    let listed = listed.map(
        |pod| json!({"namespace": pod.meta.namespace, "name": pod.meta.name, "labels": pod.meta.labels}),
    );
    json!({"count": found.len(), "pods": listed.collect::<Vec<_>>()})
}
