//! Options as case files write them, and what they come to.

use serde_json::json;

use super::*;
use crate::node::NodeFacts;

fn settings(block: &serde_json::Value, family: Family) -> Settings {
    Settings::new(&Config::from_block(block).unwrap(), &NodeFacts::default(), family)
}

#[test]
fn a_block_is_read_whole() {
    let config = Config::from_block(&json!({
        "mode": "iptables", "version": "1.34", "release": "1.34.9", "nodeName": "n1",
        "nodeIPs": ["10.200.0.1", "fd00::1"], "primaryNodeIP": "10.200.0.1", "primaryNodeIPv6": "fd00::1",
        "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": "10.180.0.0/16,fd00:10:180::/48"},
        "masqueradeAll": true, "localhostNodePorts": false, "nodePortAddresses": ["10.200.0.0/24"], "nfacct": true,
    }))
    .unwrap();
    assert_eq!((config.profile.minor, &*config.node_name), (34, "n1"));
    assert_eq!(config.primary_node_ip(Family::V6), "fd00::1".parse().ok());
    let cidrs = ["10.180.0.0/16", "fd00:10:180::/48"].map(|text| Cidr::parse(text).unwrap());
    assert_eq!(config.detect_local, DetectLocal::ClusterCidr(cidrs.to_vec()));
    assert!(config.masquerade_all && config.nfacct && !config.iptables_localhost_nodeports);
}

#[test]
fn what_is_not_valid_is_named() {
    let cases = [
        (
            json!({"mode": "nftables", "version": "1.32", "detectLocal": {"mode": "InterfaceNamePrefix", "interface": "veth"}}),
            "proxy-option-not-valid",
        ),
        (json!({"serviceCIDRs": ["10.96.0.0"]}), "proxy-option-not-valid"),
        (json!({"mode": "ipvs"}), "proxy-mode-not-modelled"),
        (json!({"mode": "userspace"}), "proxy-option-not-valid"),
        (json!({"version": "1.29"}), "proxy-unknown-release"),
        (json!({"colour": "blue"}), "proxy-option-unknown"),
        (json!({"detectLocal": {"colour": "blue"}}), "proxy-option-unknown"),
        (json!({"detectLocal": {"mode": "BridgeInterface"}}), "proxy-option-not-valid"),
        (json!({"detectLocal": {"clusterCIDR": "10.0.0.0/8,11.0.0.0/8"}}), "proxy-option-not-valid"),
        (json!({"nodePortAddresses": ["10.0.0.1"]}), "proxy-option-not-valid"),
        (json!({"nodePortAddresses": ["primary", "10.0.0.0/8"]}), "proxy-option-not-valid"),
        (json!({"nodePortAddresses": ["primary"], "version": "1.30"}), "proxy-option-not-valid"),
        (json!({"masqueradeBit": 32}), "proxy-option-not-valid"),
        (json!({"masqueradeAll": "yes"}), "proxy-option-not-valid"),
        (json!({"nodeIPs": ["somewhere"]}), "proxy-option-not-valid"),
        (json!({"ipFamily": "IPv5"}), "proxy-option-not-valid"),
        (json!(7), "proxy-option-not-valid"),
    ];
    for (block, code) in cases {
        assert_eq!(Config::from_block(&block).unwrap_err().code(), code, "{block}");
    }
}

#[test]
fn node_port_addresses_of_the_other_family_leave_all() {
    let block =
        json!({"nodeIPs": ["10.200.0.1", "192.168.77.5", "fd00::1"], "nodePortAddresses": ["10.200.0.0/24"]});
    let own = vec!["10.200.0.1".parse().unwrap()];
    assert_eq!(settings(&block, Family::V4).nodeports, NodePortMatch::Addresses(own));
    assert_eq!(settings(&block, Family::V6).nodeports, NodePortMatch::All);
}

#[test]
fn localhost_node_ports_need_addresses_that_cover_them() {
    let localhost = |addresses: serde_json::Value, family| {
        let block = json!({"nodeIPs": ["10.200.0.1"], "nodePortAddresses": addresses});
        settings(&block, family).localhost_nodeports
    };
    assert!(localhost(json!([]), Family::V4));
    assert!(localhost(json!(["fd00::/64"]), Family::V4));
    assert!(localhost(json!(["10.0.0.0/8", "127.0.0.0/8"]), Family::V4));
    assert!(!localhost(json!(["10.0.0.0/8"]), Family::V4));
    assert!(!localhost(json!([]), Family::V6));
}

#[test]
fn loopback_is_a_node_port_address_with_localhost_node_ports_alone() {
    let mut block = json!({"nodeIPs": ["10.200.0.1"], "nodePortAddresses": ["127.0.0.0/8"]});
    assert_eq!(
        settings(&block, Family::V4).nodeports,
        NodePortMatch::Addresses(vec!["127.0.0.1".parse().unwrap()])
    );
    block["localhostNodePorts"] = json!(false);
    assert_eq!(settings(&block, Family::V4).nodeports, NodePortMatch::Addresses(vec![]));
}

#[test]
fn a_detector_is_there_for_families_with_a_cidr() {
    let block = json!({"detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": "10.0.0.0/8"}});
    assert!(settings(&block, Family::V4).local.test(true).is_some());
    assert_eq!(settings(&block, Family::V6).local, LocalDetector::None);
    let node = NodeFacts { pod_cidrs: vec![Cidr::parse("10.1.0.0/24").unwrap()], ..NodeFacts::default() };
    let config = Config::from_block(&json!({"detectLocal": {"mode": "NodeCIDR"}})).unwrap();
    assert_eq!(Settings::new(&config, &node, Family::V4).local, LocalDetector::Cidr(node.pod_cidrs[0]));
}

#[test]
fn nftables_takes_node_ports_at_the_primary_addresses() {
    let mut block = json!({"mode": "nftables", "version": "1.34", "nodeIPs": ["10.200.0.1", "192.168.77.5"],
        "primaryNodeIP": "10.200.0.1", "primaryNodeIPv6": "fd00::1"});
    let own = vec!["10.200.0.1".parse().unwrap()];
    assert_eq!(settings(&block, Family::V4).nodeports, NodePortMatch::Addresses(own.clone()));
    // The primary IPv6 address is on no interface.
    assert_eq!(settings(&block, Family::V6).nodeports, NodePortMatch::Addresses(vec![]));
    assert!(!settings(&block, Family::V4).localhost_nodeports);
    block["nodePortAddresses"] = json!([]);
    assert_eq!(settings(&block, Family::V4).nodeports, NodePortMatch::All);
    block["version"] = json!("1.30");
    assert_eq!(settings(&block, Family::V4).nodeports, NodePortMatch::Addresses(own));
}
