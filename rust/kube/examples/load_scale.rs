//! How long it takes, and how much memory, to load, prepare and store a large dump.
//!
//! `cargo run --release -p kdp-kube --example load_scale [json|yaml] [services] [pods]`
//!
//! Prints one line per stage: what, seconds, resident megabytes. Refuses a debug build.
#![allow(clippy::disallowed_types)] // a measurement reads the clock

use std::fmt::Write;
use std::time::Instant;

use kdp_kube::complete::{Options, prepare};
use kdp_kube::load::{Source, load};

fn main() {
    let debug = cfg!(debug_assertions);
    assert!(!debug, "measure a release build");
    let mut arguments = std::env::args().skip(1);
    let form = arguments.next().unwrap_or_else(|| "json".to_owned());
    let services = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let pods = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let text = dump(&form, services, pods);
    println!("{form}: {services} Services, {pods} Pods, {} MB", text.len() >> 20);
    run(text.as_bytes(), services + pods);
}

fn run(bytes: &[u8], expected: usize) {
    report("dump in memory", Instant::now());
    let start = Instant::now();
    let loaded = load(&[Source { name: "dump", bytes }]).expect("the dump is good");
    assert_eq!(loaded.objects.len(), expected, "every object is there");
    report("load", start);
    let start = Instant::now();
    let (store, notes) = prepare(loaded, &Options::default()).expect("the dump is good");
    report("default, validate, complete, store", start);
    println!("{} objects in the store", store.len());
    for note in notes {
        println!("{note}");
    }
}

fn report(stage: &str, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{stage:36} {seconds:7.2} s  resident {:5} MB, at most {:5} MB",
        status("VmRSS"),
        status("VmHWM")
    );
}

/// A figure of this process in megabytes; 0 where there is no /proc.
fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// A `kind: List` as kubectl prints it.
fn dump(form: &str, services: usize, pods: usize) -> String {
    let mut items = (0..services).map(service).chain((0..pods).map(|i| pod(i, services.max(1))));
    match form {
        "json" => {
            let mut out = String::from("{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n");
            for (i, item) in items.enumerate() {
                out.push_str(if i > 0 { ",\n" } else { "" });
                json(&item, 8, &mut out);
            }
            out.push_str("\n    ],\n    \"kind\": \"List\"\n}\n");
            out
        }
        "yaml" => {
            let mut out = String::from("apiVersion: v1\nitems:\n");
            items.by_ref().for_each(|item| {
                out.push_str("- ");
                yaml(&item, 2, &mut out);
            });
            out.push_str("kind: List\n");
            out
        }
        other => panic!("{other} is not json or yaml"),
    }
}

/// JSON with kubectl's indentation of four.
fn json(item: &serde_json::Value, indent: usize, out: &mut String) {
    let pretty = serde_json::to_string_pretty(item).expect("a value is JSON");
    for line in pretty.lines() {
        let deep = line.len() - line.trim_start().len();
        let _ = writeln!(out, "{:width$}{}", "", line.trim_start(), width = indent + deep * 2);
    }
    out.pop();
}

/// Block YAML with kubectl's indentation; the first line is not indented.
fn yaml(value: &serde_json::Value, indent: usize, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (i, (key, value)) in fields.iter().enumerate() {
                let pad = if i == 0 { 0 } else { indent };
                let _ = write!(out, "{:pad$}{key}:", "");
                nested(value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "{:indent$}- ", "");
                yaml(item, indent + 2, out);
            }
        }
        Value::String(text) if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text != "True" => {
            let _ = writeln!(out, "{text}");
        }
        flat => _ = writeln!(out, "{flat}"),
    }
}

fn nested(value: &serde_json::Value, indent: usize, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let _ = write!(out, "\n{:width$}", "", width = indent + 2);
            yaml(value, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            yaml(value, indent, out);
        }
        _ => {
            out.push(' ');
            yaml(value, indent, out);
        }
    }
}

fn service(i: usize) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": format!("app-{i}")},
            "name": format!("app-{i}"), "namespace": format!("ns-{}", i % 100),
            "resourceVersion": i.to_string(), "uid": uid(i)
        },
        "spec": {
            "clusterIP": cluster_ip(i), "clusterIPs": [cluster_ip(i)],
            "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
            "selector": {"app": format!("app-{i}")}, "sessionAffinity": "None", "type": "ClusterIP"
        },
        "status": {"loadBalancer": {}}
    })
}

fn uid(i: usize) -> String {
    format!("00000000-0000-4000-8000-{i:012x}")
}

fn cluster_ip(i: usize) -> String {
    format!("10.{}.{}.{}", 96 + (i >> 16), i >> 8 & 255, i & 255)
}

/// A Pod with the fields that a cluster writes; about 5 kB in kubectl's JSON.
fn pod(i: usize, services: usize) -> serde_json::Value {
    let app = format!("app-{}", i % services);
    let ip = format!("10.{}.{}.{}", 128 + (i >> 16), i >> 8 & 255, i & 255);
    let node = format!("node-{}", i / 110);
    let condition = |name: &str| serde_json::json!({"lastProbeTime": null, "lastTransitionTime": "2026-01-01T00:00:10Z", "status": "True", "type": name});
    serde_json::json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "creationTimestamp": "2026-01-01T00:00:00Z", "generateName": format!("{app}-795d8229f-"),
            "labels": {"app": app, "pod-template-hash": "795d8229f", "version": format!("v{}", i % 3)},
            "name": format!("{app}-795d8229f-{i:06}"), "namespace": format!("ns-{}", i % services % 100),
            "ownerReferences": [{"apiVersion": "apps/v1", "blockOwnerDeletion": true, "controller": true,
                "kind": "ReplicaSet", "name": format!("{app}-795d8229f"), "uid": uid(i)}],
            "resourceVersion": i.to_string(), "uid": uid(i)
        },
        "spec": {
            "containers": [{
                "env": [{"name": "PORT", "value": "8080"}], "image": "registry.example.org/shop/app:1.2.3",
                "imagePullPolicy": "IfNotPresent", "name": "app",
                "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                "readinessProbe": {"failureThreshold": 3, "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10},
                "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "volumeMounts": [{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "kube-api-access", "readOnly": true}]
            }],
            "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "nodeName": node,
            "preemptionPolicy": "PreemptLowerPriority", "priority": 0, "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "securityContext": {}, "serviceAccount": "default",
            "serviceAccountName": "default", "terminationGracePeriodSeconds": 30,
            "tolerations": [{"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300}],
            "volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}]
        },
        "status": {
            "conditions": [condition("Initialized"), condition("Ready"), condition("ContainersReady"), condition("PodScheduled")],
            "containerStatuses": [{"containerID": format!("containerd://{i:064x}"), "image": "registry.example.org/shop/app:1.2.3",
                "imageID": format!("registry.example.org/shop/app@sha256:{i:064x}"), "lastState": {}, "name": "app", "ready": true,
                "restartCount": 0, "started": true, "state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}}],
            "hostIP": format!("192.168.{}.{}", i / 110 / 250, i / 110 % 250 + 1), "phase": "Running", "podIP": ip,
            "podIPs": [{"ip": ip}], "qosClass": "Burstable", "startTime": "2026-01-01T00:00:00Z"
        }
    })
}
