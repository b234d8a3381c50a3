//! Small experiments whose outcome can be said beforehand.

use kdp_kube::load::Source;
use serde_json::{Value, json};

use super::Plan;
use crate::{Cluster, Options};

const SHOP: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {containers: [{name: client}]}
";

const SECOND: u64 = 1_000_000_000;

fn traffic(protocol: &str) -> Value {
    json!({
        "to": [{"namespace": "default", "name": "web", "port": 80}],
        "from": [{"namespace": "default", "name": "client"}],
        "protocol": protocol, "rate": 50.0, "hold": SECOND * 2, "interval": SECOND / 2,
        "timeout": SECOND * 5, "ports": 20_000,
    })
}

fn run(options: &str, plan: &Value) -> Value {
    let source = Source { name: "shop", bytes: SHOP.as_bytes() };
    let mut cluster = Cluster::load(&[source], Options::parse(options).unwrap()).unwrap();
    cluster.churn(&Plan::parse(&plan.to_string()).unwrap(), || true).unwrap()
}

fn total(run: &Value, what: &str) -> u64 {
    run["seconds"].as_array().unwrap().iter().map(|row| row[what].as_u64().unwrap()).sum()
}

fn rollout() -> Value {
    let action = json!({"do": "rollout", "kind": "Deployment", "namespace": "default", "name": "web", "image": "web:2"});
    json!([{"at": 2 * SECOND, "action": action}])
}

#[test]
fn nothing_is_hurt_while_nothing_changes() {
    let run = run("{}", &json!({"until": 10 * SECOND, "traffic": [traffic("tcp")]}));
    assert_eq!(total(&run, "opened"), 501, "50 a second, the first at 0 and the last at 10 s");
    for hurt in
        ["refused", "timed_out", "reset", "broken", "unanswered", "wrong", "terminating", "slice_writes"]
    {
        assert_eq!(total(&run, hurt), 0, "{hurt}");
    }
    assert_eq!(run["endpoints"].as_object().unwrap().len(), 4, "every endpoint gets some");
    assert_eq!(run["stale_entries"], 0);
}

#[test]
fn a_rollout_without_delay_resets_held_connections_alone() {
    let run = run("{}", &json!({"until": 30 * SECOND, "actions": rollout(), "traffic": [traffic("tcp")]}));
    assert_eq!(
        total(&run, "refused") + total(&run, "timed_out"),
        0,
        "new connections follow the slices at once: {run}"
    );
    assert!(
        total(&run, "slice_writes") > 0 && total(&run, "slice_bytes") > total(&run, "slice_writes") * 100
    );
}

#[test]
fn nodes_that_hear_late_send_to_pods_that_take_nothing_any_more() {
    let options = json!({"latency": {"slice->node": 1500 * 1_000_000}}).to_string();
    let run =
        run(&options, &json!({"until": 30 * SECOND, "actions": rollout(), "traffic": [traffic("tcp")]}));
    assert!(total(&run, "refused") > 10, "{run}");
    let shown = &run["causes"]["listener-is-closed"];
    assert_eq!(shown["count"], total(&run, "refused"));
    let first = shown["first"]["at"].as_u64().unwrap();
    assert!((2 * SECOND..3 * SECOND).contains(&first), "soon after SIGTERM: {first}");
    assert!(shown["first"]["arrived"].as_str().unwrap().ends_with(":8080"));
}

#[test]
fn a_lost_node_is_a_black_hole_until_it_is_found_out() {
    let source = Source { name: "shop", bytes: SHOP.as_bytes() };
    let cluster = Cluster::load(&[source], Options::parse("{}").unwrap()).unwrap();
    let client = cluster.get(&kdp_kube::object::KindName::Pod, "default", "client").unwrap();
    let other = if client["spec"]["nodeName"] == "node-1" { "node-2" } else { "node-1" };
    let actions = json!([{"at": 10 * SECOND, "action": {"do": "lose", "node": other, "lost": true}}]);
    let run = run("{}", &json!({"until": 120 * SECOND, "actions": actions, "traffic": [traffic("tcp")]}));
    let rows = run["seconds"].as_array().unwrap();
    let bad: Vec<u64> = rows
        .iter()
        .filter(|row| row["timed_out"].as_u64().unwrap() > 0)
        .map(|row| row["second"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (bad[0], *bad.last().unwrap()),
        (15, 69),
        "from 10 s to the 65th second, and 5 s of waiting: {bad:?}"
    );
    assert!(run["causes"]["lost-node"]["count"].as_u64().unwrap() > 0);
}

#[test]
fn rules_made_anew_before_each_packet_give_the_same_counts() {
    for mode in ["iptables", "nftables"] {
        let options = json!({"mode": mode, "latency": {"slice->node": 700 * 1_000_000}}).to_string();
        let mut plan =
            json!({"until": 12 * SECOND, "actions": rollout(), "traffic": [traffic("tcp"), traffic("udp")]});
        let kept = run(&options, &plan);
        plan["rebuild"] = true.into();
        assert_eq!(run(&options, &plan), kept, "{mode}");
    }
}

#[test]
fn both_evaluators_and_every_time_give_the_same_bytes() {
    let plan =
        json!({"until": 12 * SECOND, "actions": rollout(), "traffic": [traffic("tcp"), traffic("udp")]});
    let scan = run(r#"{"evaluator": "scan", "seed": 7}"#, &plan).to_string();
    assert_eq!(run(r#"{"evaluator": "indexed", "seed": 7}"#, &plan).to_string(), scan);
    assert_ne!(run(r#"{"evaluator": "indexed", "seed": 8}"#, &plan).to_string(), scan);
}

#[test]
fn a_closed_loop_begins_anew_when_it_is_done() {
    let mut closed = traffic("tcp");
    closed.as_object_mut().unwrap().remove("rate");
    closed["clients"] = 3.into();
    let run = run("{}", &json!({"until": 10 * SECOND, "traffic": [closed]}));
    assert_eq!(total(&run, "opened"), 15, "three clients, two seconds each");
    assert_eq!(total(&run, "closed"), 12);
}

#[test]
fn what_cannot_be_sent_is_said() {
    for (field, value, says) in [
        ("to", json!([]), "needs a Service"),
        ("protocol", json!("sctp"), "not tcp or udp"),
        ("rate", json!(-1.0), "above 0"),
        ("clients", json!(3), "either rate or clients"),
        ("ports", json!(0), "ports from 1"),
    ] {
        let mut bad = traffic("tcp");
        bad[field] = value;
        let error = Plan::parse(&json!({"until": 1, "traffic": [bad]}).to_string()).unwrap_err();
        assert_eq!(error.code(), "action-refused");
        assert!(error.to_string().contains(says), "{error}");
    }
}
