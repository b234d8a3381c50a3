//! Both modes of kube-proxy lead a new connection to the same endpoints.

use std::collections::BTreeMap;

use kdp_cluster::{Cluster, Options, Question};
use kdp_kube::load::Source;
use serde_json::{Value, json};

fn service(name: &str, number: u8, spec: &Value) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": name},
        "spec": {"clusterIP": format!("10.96.0.{number}"), "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30_000 + u32::from(number)}]},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        service["spec"][key] = value.clone();
    }
    service
}

fn pod(name: &str, node: &str, ip: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": name.split('-').next()}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "c"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn node(name: &str, ip: &str, pods: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "spec": {"podCIDR": pods, "podCIDRs": [pods]},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}], "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn cluster(mode: &str, k8s: &str) -> Cluster {
    let node_port = json!({"type": "NodePort"});
    let local = json!({"type": "NodePort", "externalTrafficPolicy": "Local"});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        node("n1", "192.168.0.1", "10.244.1.0/24"), node("n2", "192.168.0.2", "10.244.2.0/24"),
        pod("web-1", "n1", "10.244.1.11"), pod("web-2", "n2", "10.244.2.11"), pod("other-1", "n2", "10.244.2.12"),
        pod("client-1", "n1", "10.244.1.12"),
        service("all", 1, &node_port), service("near", 2, &local),
        service("none", 3, &json!({"type": "NodePort", "selector": {"app": "nobody"}})),
        service("sticky", 4, &json!({"type": "NodePort", "sessionAffinity": "ClientIP"})),
        service("far", 5, &json!({"type": "NodePort", "externalTrafficPolicy": "Local", "selector": {"app": "other"}})),
        service("inside", 6, &json!({"type": "NodePort", "internalTrafficPolicy": "Local", "selector": {"app": "other"}})),
    ]});
    let bytes = objects.to_string().into_bytes();
    let options = json!({"mode": mode, "k8s": k8s}).to_string();
    Cluster::load(&[Source { name: "test", bytes: &bytes }], Options::parse(&options).unwrap()).unwrap()
}

/// Outcomes by what becomes of the connection and where it ends, with their chances.
fn outcomes(cluster: &mut Cluster, from: &str, to: &str) -> BTreeMap<String, String> {
    let question = json!({"from": from, "to": to, "namespace": "shop", "via": "n1"}).to_string();
    let answer = cluster.explore(&Question::parse(&question).unwrap()).unwrap();
    let outcomes = answer["outcomes"].as_array().unwrap().iter();
    outcomes
        .map(|outcome| {
            let end = format!("{} {}", outcome["verdict"], outcome["endpoint"]["name"]);
            (end, outcome["probability"].to_string())
        })
        .collect()
}

#[test]
fn both_modes_lead_to_the_same_endpoints() {
    for k8s in ["1.34", "1.36"] {
        let [mut iptables, mut nftables] = ["iptables", "nftables"].map(|mode| cluster(mode, k8s));
        for number in 1..=6 {
            let (vip, node_port) = (format!("10.96.0.{number}:80"), format!("192.168.0.1:3000{number}"));
            for from in ["pod/client-1", "pod/web-1", "node/n1"] {
                let expected = outcomes(&mut iptables, from, &vip);
                assert!(!expected.is_empty());
                assert_eq!(outcomes(&mut nftables, from, &vip), expected, "{k8s}: {from} to {vip}");
            }
            let expected = outcomes(&mut iptables, "203.0.113.9", &node_port);
            let found = outcomes(&mut nftables, "203.0.113.9", &node_port);
            assert_eq!(found, expected, "{k8s}: from outside to {node_port}");
        }
    }
}

/// Source: kube-proxy's nftables rules: unknown ports of cluster IPs are rejected, and iptables' have no rule for them.
#[test]
fn an_unknown_port_of_a_cluster_ip_is_rejected_by_nftables_alone() {
    let verdict = |mode: &str| {
        let found = outcomes(&mut cluster(mode, "1.36"), "pod/client-1", "10.96.0.1:81");
        found.into_keys().next().unwrap()
    };
    assert!(verdict("nftables").starts_with("\"rejected\""), "{}", verdict("nftables"));
    assert!(!verdict("iptables").starts_with("\"rejected\""), "{}", verdict("iptables"));
}

#[test]
fn ipvs_is_not_modelled() {
    assert_eq!(Options::parse(r#"{"mode": "ipvs"}"#).unwrap_err().code(), "proxy-mode-not-modelled");
}
