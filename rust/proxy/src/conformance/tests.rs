//! A small cluster's rules as text.

use serde_json::json;

use super::*;

fn objects() -> Vec<Value> {
    vec![
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "ns1", "name": "svc1"},
            "spec": {"type": "NodePort", "clusterIP": "172.30.0.041", "clusterIPs": ["172.30.0.041"], "ipFamilies": ["IPv4"],
                "ports": [{"name": "p80", "port": 80, "protocol": "TCP", "nodePort": 30080}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": "ns1", "name": "svc1-x", "labels": {"kubernetes.io/service-name": "svc1"}},
            "endpoints": [{"addresses": ["10.180.0.1"]}], "ports": [{"name": "p80", "port": 80, "protocol": "TCP"}]}),
    ]
}

fn proxy() -> Value {
    json!({"mode": "iptables", "nodeName": "n1", "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": "10.0.0.0/8"}})
}

#[test]
fn a_node_port_service_is_written_as_kube_proxy_writes_it() {
    let texts = render_rules(&objects(), &proxy()).unwrap();
    let text = texts["iptables"].as_str().unwrap();
    let lines = [
        r#"-A KUBE-SERVICES -d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O"#,
        r#"-A KUBE-NODEPORTS -p tcp -m comment --comment "ns1/svc1:p80" -m tcp --dport 30080 -j KUBE-EXT-XPGD46QRK7WJZT7O"#,
        r#"-A KUBE-SVC-XPGD46QRK7WJZT7O ! -s 10.0.0.0/8 -d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ"#,
        r#"-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -j KUBE-SEP-SXIVWICOYRO3J4NJ"#,
        r#"-A KUBE-SEP-SXIVWICOYRO3J4NJ -s 10.180.0.1/32 -m comment --comment "ns1/svc1:p80" -j KUBE-MARK-MASQ"#,
        r#"-A KUBE-SEP-SXIVWICOYRO3J4NJ -p tcp -m comment --comment "ns1/svc1:p80" -m tcp -j DNAT --to-destination 10.180.0.1:80"#,
    ];
    for line in lines {
        assert!(text.lines().any(|own| own == line), "missing {line} in\n{text}");
    }
    assert!(!texts["ip6tables"].as_str().unwrap().contains("svc1"));
}

#[test]
fn a_second_sync_takes_what_is_gone_out() {
    let first = objects();
    let texts = render_rules_after(&first, &first[..2], &proxy()).unwrap();
    let (before, after) = (texts[0]["iptables"].as_str().unwrap(), texts[1]["iptables"].as_str().unwrap());
    assert!(before.contains("KUBE-SEP-") && !after.contains("KUBE-SEP-"));
    assert!(after.contains(r#""ns1/svc1:p80 has no endpoints""#));
}

#[test]
fn objects_that_do_not_fit_are_named() {
    let mut odd = objects();
    odd[1]["spec"]["ports"][0]["protocol"] = json!("ICMP");
    assert_eq!(render_rules(&odd, &proxy()).unwrap_err().code(), "proxy-object-not-valid");
    odd[1]["spec"]["ports"] = json!(7);
    assert_eq!(render_rules(&odd, &proxy()).unwrap_err().code(), "proxy-object-not-valid");
}

#[test]
fn nftables_mode_lists_tables_of_both_families() {
    let proxy = json!({"mode": "nftables", "nodeName": "n1", "nodeIPs": ["10.200.0.1"], "primaryNodeIP": "10.200.0.1",
        "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": "10.0.0.0/8"}});
    let rules = NodeRules::new(&objects(), &proxy).unwrap();
    assert!(rules.rulesets().next().is_none() && rules.nft().is_some());
    let texts = rules.texts();
    let text = texts["nft"].as_str().unwrap();
    let lines = [
        "table ip kube-proxy {",
        "table ip6 kube-proxy {",
        "tcp . 30080 : goto external-ULMVA6XW-ns1/svc1/tcp/p80",
        "meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.180.0.1 . 80 }",
    ];
    for line in lines {
        assert!(text.contains(line), "missing {line} in\n{text}");
    }
}

#[test]
fn a_second_nftables_sync_leaves_no_stale_chains() {
    let proxy = json!({"mode": "nftables", "version": "1.34", "nodeName": "n1"});
    let first = objects();
    let texts = render_rules_after(&first, &first[..2], &proxy).unwrap();
    let (before, after) = (texts[0]["nft"].as_str().unwrap(), texts[1]["nft"].as_str().unwrap());
    assert!(before.contains("chain endpoint-") && !after.contains("chain endpoint-"));
    assert!(after.contains(r#"comment "ns1/svc1:p80" : goto reject-chain"#));
}

#[test]
fn service_cidrs_are_dropped_from_1_33_on() {
    let mut objects = objects();
    objects.push(json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": ["172.30.0.0/16", "fd00:172:30::/108"]}}));
    let text = |version: &str| {
        let proxy = json!({"mode": "nftables", "version": version, "nodeName": "n1"});
        render_rules(&objects, &proxy).unwrap()["nft"].as_str().unwrap().to_owned()
    };
    assert!(
        text("1.33").contains("ip daddr 172.30.0.0/16 drop")
            && text("1.33").contains("ip6 daddr fd00:172:30::/108 drop")
    );
    assert!(!text("1.32").contains("172.30.0.0/16"));
}
