//! What follows from a write follows on virtual time, an edge at a time.

use kdp_cluster::{Cluster, Options, Question};
use kdp_kube::load::Source;
use kdp_kube::object::KindName;
use kdp_sim::Time;

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {containers: [{name: web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec: {containers: [{name: client}]}
";

const MILLISECOND: u64 = 1_000_000;

fn shop(options: &str) -> Cluster {
    let sources = [Source { name: "shop", bytes: SHOP.as_bytes() }];
    Cluster::load(&sources, Options::parse(options).unwrap()).unwrap()
}

fn verdict(cluster: &mut Cluster) -> String {
    let question = r#"{"from": "pod/shop/client", "to": "web.shop:80"}"#;
    let trace = cluster.connect(&Question::parse(question).unwrap()).unwrap();
    trace["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn without_latency_a_deleted_pod_is_gone_at_once() {
    let mut cluster = shop("{}");
    assert_eq!(verdict(&mut cluster), "delivered");
    cluster.delete(&KindName::Pod, "shop", "web-1").unwrap();
    assert_eq!(verdict(&mut cluster), "rejected");
}

#[test]
fn a_node_keeps_its_stale_rules_until_the_slice_arrives() {
    let mut cluster = shop(r#"{"latency": {"object->slice": 200000000, "slice->node": 800000000}}"#);
    assert_eq!(
        verdict(&mut cluster),
        "delivered",
        "a cluster at work has seen everything before it is asked"
    );
    cluster.delete(&KindName::Pod, "shop", "web-1").unwrap();
    assert_eq!(verdict(&mut cluster), "no-route", "the rules still send it to an address that nobody has");
    cluster.advance(Time(999 * MILLISECOND)).unwrap();
    assert_eq!(verdict(&mut cluster), "no-route");
    cluster.advance(Time(1000 * MILLISECOND)).unwrap();
    assert_eq!(verdict(&mut cluster), "rejected", "200 ms to the slice, 800 ms more to the node");
}

#[test]
fn time_does_not_go_back() {
    let mut cluster = shop("{}");
    cluster.advance(Time::from_secs(2)).unwrap();
    assert_eq!(cluster.advance(Time::from_secs(1)).unwrap_err().code(), "time-goes-back");
}

#[test]
fn a_port_that_the_service_has_not_leaves_untranslated() {
    let mut cluster = shop("{}");
    let question = r#"{"from": "pod/shop/client", "to": "web.shop:81"}"#;
    let trace = cluster.connect(&Question::parse(question).unwrap()).unwrap();
    assert_eq!(trace["verdict"], "no-route");
    assert!(
        trace["reason"].as_str().unwrap().contains("Service shop/web has no such port"),
        "{}",
        trace["reason"]
    );
    assert_eq!(trace["delivered"], serde_json::Value::Null);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_may_not() {
    let traces = |seed: u64| -> Vec<String> {
        let mut cluster = shop(&format!(r#"{{"seed": {seed}}}"#));
        let question = Question::parse(r#"{"from": "pod/shop/client", "to": "web.shop:80"}"#).unwrap();
        (0..4).map(|_| cluster.connect(&question).unwrap().to_string()).collect()
    };
    assert_eq!(traces(7), traces(7));
    assert_ne!(traces(7), traces(8));
}
