//! Small stores with one thing wrong, and the facts that say so.

use std::collections::BTreeMap;

use kdp_kube::Store;
use kdp_kube::object::{
    Condition, Deployment, IntOrString, LabelSelector, Object, OwnerReference, Pod, ReplicaSet, Service,
    ServiceMonitor, ServicePort,
};
use serde_json::{Value, json};

use super::{monitor_facts, service_facts};

fn labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn pod(name: &str, with: &str) -> Pod {
    let mut pod = Pod::default();
    pod.meta.namespace = "shop".into();
    pod.meta.name = name.into();
    pod.meta.labels = labels(with);
    pod.status.phase = "Running".into();
    pod.status.pod_ip = "10.0.1.5".into();
    let ready = Condition { type_: "Ready".into(), status: "True".into(), ..Condition::default() };
    pod.status.conditions.push(ready);
    pod
}

fn service(selector: &str) -> Service {
    let mut service = Service::default();
    service.meta.namespace = "shop".into();
    service.meta.name = "web".into();
    service.spec.selector = Some(labels(selector));
    service
}

fn store(objects: Vec<Object>) -> Store {
    let mut store = Store::new();
    for object in objects {
        store.put(object);
    }
    store
}

fn difference(facts: &Value) -> (&Value, &Value) {
    let first = &facts["nearest"][0]["differences"][0];
    (&first["key"], &first["found"])
}

#[test]
fn the_nearest_pod_has_most_pairs_then_the_likest_value() {
    let pods = [
        pod("other", "app=db,tier=back"),
        pod("far", "app=cache,tier=front"),
        pod("near", "app=wbe,tier=front"),
        pod("lacks", "tier=front"),
    ];
    let mut objects: Vec<Object> = pods.into_iter().map(Object::new).collect();
    objects.push(Object::new(service("app=web,tier=front")));
    let facts = service_facts(&store(objects), "shop", "web").unwrap();
    let names: Vec<&Value> =
        facts["nearest"].as_array().unwrap().iter().map(|near| &near["pod"]["name"]).collect();
    assert_eq!(names, ["near", "far", "lacks"]);
    assert_eq!(difference(&facts), (&json!("app"), &json!("wbe")));
    assert_eq!(facts["selected"]["count"], 0);
    assert_eq!(facts["namespacePods"], 4);
}

#[test]
fn a_misspelt_key_is_nearer_than_another_value_and_fewer_pods_are_nearer_than_many() {
    let objects = vec![
        Object::new(pod("a", "app=cache,tier=front")),
        Object::new(pod("b", "ap=web,tier=front")),
        Object::new(service("app=web,tier=front")),
    ];
    let facts = service_facts(&store(objects), "shop", "web").unwrap();
    assert_eq!(facts["nearest"][0]["pod"]["name"], "b");
    assert_eq!(facts["nearest"][0]["differences"][0]["slip"], "ap");
    let pods = [("a", "app=wep"), ("b", "app=wep"), ("c", "app=wex")];
    let mut objects: Vec<Object> = pods.map(|(name, with)| Object::new(pod(name, with))).into();
    objects.push(Object::new(service("app=web")));
    let facts = service_facts(&store(objects), "shop", "web").unwrap();
    let found: Vec<(&Value, &Value)> = facts["nearest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|near| (&near["pod"]["name"], &near["alike"]))
        .collect();
    assert_eq!(found, [(&json!("c"), &json!(1)), (&json!("a"), &json!(2))]);
}

#[test]
fn a_pod_of_a_deployment_is_traced_to_it() {
    let owner = |kind: &str, name: &str| OwnerReference {
        kind: kind.into(),
        name: name.into(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    let mut deployment = Deployment::default();
    deployment.meta.namespace = "shop".into();
    deployment.meta.name = "web".into();
    deployment.spec.selector =
        Some(LabelSelector { match_labels: Some(labels("app=web")), ..LabelSelector::default() });
    let mut set = ReplicaSet::default();
    set.meta.namespace = "shop".into();
    set.meta.name = "web-7d9".into();
    set.meta.owner_references = vec![owner("Deployment", "web")];
    let mut pod = pod("web-7d9-a", "app=web");
    pod.meta.owner_references = vec![owner("ReplicaSet", "web-7d9")];
    let objects =
        vec![Object::new(deployment), Object::new(set), Object::new(pod), Object::new(service("app=wbe"))];
    let facts = service_facts(&store(objects), "shop", "web").unwrap();
    let found = &facts["nearest"][0]["pod"]["owner"];
    assert_eq!((&found["kind"], &found["name"]), (&json!("Deployment"), &json!("web")));
    assert_eq!(found["selector"]["matchLabels"]["app"], "web");
}

#[test]
fn a_named_target_port_that_no_container_has_is_unresolved() {
    let mut service = service("app=web");
    let named = |name: &str| ServicePort {
        port: 80,
        target_port: IntOrString::Str(name.into()),
        ..ServicePort::default()
    };
    let number = ServicePort { port: 81, target_port: IntOrString::Int(8080), ..ServicePort::default() };
    service.spec.ports = vec![named("http"), number];
    let facts =
        service_facts(&store(vec![Object::new(pod("a", "app=web")), Object::new(service)]), "shop", "web")
            .unwrap();
    assert_eq!(facts["selected"]["pods"][0]["unresolved"], json!([0]));
}

#[test]
fn pods_with_the_labels_in_another_namespace_are_named() {
    let mut away = pod("web-1", "app=web");
    away.meta.namespace = "default".into();
    let facts =
        service_facts(&store(vec![Object::new(away), Object::new(service("app=web"))]), "shop", "web")
            .unwrap();
    assert_eq!(facts["elsewhere"]["namespaces"], json!(["default"]));
    assert_eq!(facts["elsewhere"]["count"], 1);
    assert_eq!(facts["namespacePods"], 0);
}

#[test]
fn an_unknown_name_is_an_error_with_the_nearest() {
    let error = service_facts(&store(vec![Object::new(service("app=web"))]), "shop", "wep").unwrap_err();
    assert_eq!(error.code(), "no-such-object");
    assert!(error.to_string().contains("web"), "{error}");
}

fn monitor(selector: &str) -> ServiceMonitor {
    let mut monitor = ServiceMonitor::default();
    monitor.meta.namespace = "shop".into();
    monitor.meta.name = "web".into();
    monitor.spec.selector =
        LabelSelector { match_labels: Some(labels(selector)), ..LabelSelector::default() };
    monitor
}

fn labelled(name: &str, with: &str) -> Service {
    let mut service = service("app=web");
    service.meta.name = name.into();
    service.meta.labels = labels(with);
    service
}

#[test]
fn a_monitor_is_compared_with_the_services_own_labels() {
    let objects = vec![
        Object::new(labelled("db", "app=db")),
        Object::new(labelled("web", "app=web-exporter")),
        Object::new(monitor("app=web-exportr")),
    ];
    let facts = monitor_facts(&store(objects), "shop", "web").unwrap();
    assert_eq!(facts["selected"]["count"], 0);
    assert_eq!(facts["nearest"][0]["service"]["name"], "web");
    assert_eq!(difference(&facts), (&json!("app"), &json!("web-exporter")));
    assert_eq!(facts["nearest"][0]["differences"][0]["path"], "spec.selector.matchLabels.app");
}

#[test]
fn a_monitor_looks_into_its_own_namespace_unless_told() {
    let mut away = monitor("app=web");
    away.meta.namespace = "monitoring".into();
    let objects = || vec![Object::new(labelled("web", "app=web")), Object::new(pod("a", "app=web"))];
    let mut all = objects();
    all.push(Object::new(away.clone()));
    let facts = monitor_facts(&store(all), "monitoring", "web").unwrap();
    assert_eq!((&facts["selected"]["count"], &facts["elsewhere"]["count"]), (&json!(0), &json!(1)));
    assert_eq!(facts["pods"]["count"], 0);
    away.spec.namespace_selector.match_names = vec!["shop".into()];
    let mut all = objects();
    all.push(Object::new(away));
    let facts = monitor_facts(&store(all), "monitoring", "web").unwrap();
    assert_eq!(facts["selected"]["count"], 1);
}
