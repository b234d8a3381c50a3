//! Rules against the decision without rules: every class of flows of random clusters, in both modes and every release.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::*;
use kdp_proxy::{Arrival, conformance::decide_flows};

const SERVICES: [&str; 3] = ["a", "b", "c"];

/// A Service of both families with frontends that no other one has.
fn service(at: usize) -> impl Strategy<Value = Value> {
    let kinds = (0..3usize, any::<bool>(), any::<bool>(), option::of(Just(30_000 + at)));
    let policies = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let ranges = ["10.0.0.0/8", "10.200.0.1/32", "198.51.100.0/24", "fd00::/8", "0.0.0.0/0", "172.16.0.0/12"];
    let more =
        (subsequence(ranges.to_vec(), 0..3), select(vec!["VIP", "Proxy", ""]), option::of(Just("Auto")));
    (kinds, policies, more).prop_map(
        move |((kind, external, ingress, node_port), (etp, itp, affinity, own_ip), (ranges, ip_mode, hints))| {
            let kind = ["ClusterIP", "NodePort", "LoadBalancer"][kind];
            let local = |on| if on { "Local" } else { "Cluster" };
            let mut ports = vec![json!({"name": "p", "port": 80, "protocol": "TCP", "nodePort": node_port})];
            ports.push(json!({"name": "q", "port": 53, "protocol": "UDP"}));
            let external_ips = match (external, own_ip && at == 0) {
                (false, _) => vec![],
                // A node's own address.
                (true, true) => vec!["192.168.77.5".to_owned()],
                (true, false) => vec![format!("203.0.113.{}", 10 + at), format!("fd00:113::{at}")],
            };
            let mut vip = json!([{"ip": format!("192.0.2.{at}")}, {"ip": format!("fd00:2::{at}")}]);
            if !ip_mode.is_empty() {
                vip[0]["ipMode"] = ip_mode.into();
            }
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {
                    "namespace": "ns", "name": SERVICES[at],
                    "annotations": hints.map(|mode| json!({"service.kubernetes.io/topology-mode": mode})).unwrap_or(json!({})),
                },
                "spec": {
                    "type": kind,
                    "clusterIP": format!("172.30.0.{at}"), "ipFamilies": ["IPv4", "IPv6"],
                    "clusterIPs": [format!("172.30.0.{at}"), format!("fd00:30::{at}")],
                    "ports": ports, "externalIPs": external_ips,
                    "externalTrafficPolicy": local(etp), "internalTrafficPolicy": local(itp),
                    "sessionAffinity": if affinity { "ClientIP" } else { "None" },
                    "sessionAffinityConfig": if affinity { json!({"clientIP": {"timeoutSeconds": 60}}) } else { Value::Null },
                    "loadBalancerSourceRanges": ranges, "healthCheckNodePort": 30_900 + at,
                },
                "status": {"loadBalancer": {"ingress": if ingress { vip } else { json!([]) }}},
            })
        },
    )
}

fn endpoint() -> impl Strategy<Value = Value> {
    let conditions = (option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()));
    let place = (1..5u8, option::of(select(vec!["n1", "n2"])));
    let hints =
        (option::weighted(0.8, select(vec!["z1", "z2"])), option::weighted(0.3, select(vec!["n1", "n2"])));
    (place, conditions, hints).prop_map(|((host, node), (ready, serving, terminating), (zone, by_node))| {
        let list = |name: Option<&str>| name.map(|name| json!([{"name": name}])).unwrap_or(json!([]));
        json!({
            "addresses": [format!("10.1.0.{host}")], "nodeName": node,
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
            "hints": {"forZones": list(zone), "forNodes": list(by_node)},
        })
    })
}

fn slice(name: &'static str) -> impl Strategy<Value = Value> {
    (0..3usize, vec(endpoint(), 0..4), any::<bool>(), any::<bool>()).prop_map(move |(of, mut endpoints, udp, v6)| {
        let mut ports = vec![json!({"name": "p", "port": 8080, "protocol": "TCP"})];
        ports.extend(udp.then(|| json!({"name": "q", "port": 5353, "protocol": "UDP"})));
        for endpoint in endpoints.iter_mut().filter(|_| v6) {
            let text = endpoint["addresses"][0].as_str().unwrap().replace("10.1.0.", "fd00:1::");
            endpoint["addresses"][0] = text.into();
        }
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"namespace": "ns", "name": name, "labels": {"kubernetes.io/service-name": SERVICES[of]}},
            "addressType": if v6 { "IPv6" } else { "IPv4" }, "endpoints": endpoints, "ports": ports,
        })
    })
}

fn proxy() -> impl Strategy<Value = Value> {
    let detectors = vec![
        json!({"mode": "None"}),
        json!({"mode": "ClusterCIDR", "clusterCIDR": "10.1.0.0/16,fd00:1::/48"}),
        json!({"mode": "ClusterCIDR", "clusterCIDR": "10.0.0.0/8"}),
        json!({"mode": "NodeCIDR"}),
        json!({"mode": "BridgeInterface", "interface": "cni0"}),
    ];
    let addresses = vec![
        json!([]),
        json!(["10.200.0.0/24"]),
        json!(["0.0.0.0/0", "fd00:200::/64"]),
        json!(["127.0.0.0/8", "192.168.0.0/16"]),
    ];
    let options = (any::<bool>(), any::<bool>(), select(detectors), select(addresses));
    (any::<bool>(), 30..=36u8, options).prop_map(
        |(nftables, minor, (all, localhost, detector, addresses))| {
            json!({
                "mode": if nftables { "nftables" } else { "iptables" }, "version": format!("1.{minor}"),
                "nodeName": "n1", "nodeIPs": ["10.200.0.1", "192.168.77.5", "fd00:200::1"],
                "primaryNodeIP": "10.200.0.1", "primaryNodeIPv6": "fd00:200::1",
                "detectLocal": detector, "masqueradeAll": all, "localhostNodePorts": localhost,
                "nodePortAddresses": addresses, "serviceCIDRs": ["172.30.0.0/16", "fd00:30::/64"],
            })
        },
    )
}

/// Every class of sources, destinations and ports of these clusters, in one family.
fn flows(v6: bool) -> Vec<(&'static str, &'static str, Proto, u16)> {
    let sources: &[&str] = if v6 {
        &["fd00:1::1", "fd00:1::3", "fd00:200::1", "fd00:99::7", "fd00:2::1"]
    } else {
        &[
            "10.1.0.1",
            "10.1.0.3",
            "10.1.9.9",
            "10.200.0.1",
            "198.51.100.7",
            "203.0.113.77",
            "192.0.2.2",
            "172.16.0.1",
        ]
    };
    let targets: &[&str] = if v6 {
        &["fd00:30::0", "fd00:30::1", "fd00:113::0", "fd00:2::0", "fd00:2::1", "fd00:200::1", "fd00:30::99"]
    } else {
        &[
            "172.30.0.0",
            "172.30.0.1",
            "172.30.0.2",
            "172.30.9.9",
            "203.0.113.10",
            "203.0.113.11",
            "192.0.2.0",
            "192.0.2.1",
            "192.0.2.2",
            "10.200.0.1",
            "192.168.77.5",
            "127.0.0.1",
            "10.1.0.2",
        ]
    };
    let ports = [
        (Proto::TCP, 80),
        (Proto::UDP, 53),
        (Proto::TCP, 53),
        (Proto::TCP, 30_000),
        (Proto::TCP, 30_001),
        (Proto::TCP, 30_900),
    ];
    let mut all = Vec::new();
    for src in sources {
        for dst in targets {
            all.extend(ports.map(|(proto, port)| (*src, *dst, proto, port)));
        }
    }
    all
}

proptest! {
    #[test]
    fn rules_do_what_is_decided_without_them(
        a in service(0), b in service(1), c in service(2),
        slices in (slice("s1"), slice("s2"), slice("s3"), slice("s4")),
        proxy in proxy(), zone in option::of(select(vec!["z1", "z2"])), v6 in any::<bool>(),
    ) {
        let labels = zone.map(|zone| json!({"topology.kubernetes.io/zone": zone})).unwrap_or(json!({}));
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": labels},
            "spec": {"podCIDRs": ["10.1.0.0/24", "fd00:1::/64"]},
        });
        let objects = [a, b, c, slices.0, slices.1, slices.2, slices.3, node];
        let flows = flows(v6);
        let addr = |text: &str| text.parse::<IpAddr>().unwrap();
        let arrivals: Vec<Arrival<'_>> = flows
            .iter()
            .map(|(src, dst, proto, port)| Arrival { src: addr(src), dst: addr(dst), proto: *proto, port: *port, device: "" })
            .collect();
        let decided = decide_flows(&objects, &proxy, &arrivals).unwrap();
        let asked: Vec<Value> = flows
            .iter()
            .map(|(src, dst, proto, port)| json!({"from": src, "to": dst, "port": port, "protocol": proto.to_string()}))
            .collect();
        let walked = run_flows(&json!({"objects": objects, "proxy": proxy, "flows": asked})).unwrap();
        for ((flow, walked), decided) in asked.iter().zip(walked.as_array().unwrap()).zip(&decided) {
            prop_assert_eq!(walked, decided, "{} of {}", flow, proxy);
        }
    }
}
