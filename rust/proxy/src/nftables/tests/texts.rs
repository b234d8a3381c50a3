//! What each release writes for one Service, as nft lists it.

use kdp_netfilter::nft::{self, Ruleset};

use super::*;

/// The tables of a node, as nft lists them, with Service `ns/a` and the options that `edit` leaves.
fn listing(minor: u8, family: Family, edit: impl Fn(&mut serde_json::Value)) -> String {
    let mut block = json!({"mode": "nftables", "nodeName": "n1", "version": format!("1.{minor}"), "nodeIPs": ["10.200.0.1"],
        "primaryNodeIP": "10.200.0.1", "detectLocal": {"clusterCIDR": "10.1.0.0/16"}});
    edit(&mut block);
    let mut own = service("a");
    own.spec.type_ = "LoadBalancer".into();
    own.spec.external_traffic_policy = "Local".into();
    own.spec.load_balancer_source_ranges = vec!["203.0.113.0/24".into(), "10.200.0.0/24".into()];
    own.status.load_balancer.ingress =
        vec![serde_json::from_value(json!({"ip": "192.0.2.1"})).expect("it is an ingress")];
    let mut view = View::new(Profile::of(minor).unwrap());
    view.apply_service(&own).unwrap();
    view.apply_slice(&slice("a", "a", vec![endpoint("10.1.0.1", "n1"), endpoint("10.1.0.2", "n2")])).unwrap();
    view.drain();
    let config = Config::from_block(&block).unwrap();
    let mut proxier = NftProxier::new(&config, &NodeFacts::default(), family);
    let mut ruleset = Ruleset::new();
    let synced = proxier.sync(&view, Time::ZERO).unwrap();
    ruleset.apply(&synced.transaction, Time::ZERO).unwrap();
    nft::print(&ruleset)
}

/// The lines of a chain, trimmed; a head that is cut short is that of a Service's chain.
fn block(text: &str, head: &str) -> Vec<String> {
    let is_head = |line: &str| line.starts_with(head) && (head.ends_with('{') || line.contains('/'));
    let lines = text.lines().map(str::trim).skip_while(|line| !is_head(line));
    lines.skip(1).take_while(|line| *line != "}").map(str::to_owned).collect()
}

#[test]
fn checks_move_behind_the_translation_in_1_33() {
    let (before, after) = (listing(32, Family::V4, |_| {}), listing(33, Family::V4, |_| {}));
    let checks = ["ct state new jump service-endpoints-check", "ct state new jump firewall-check"];
    assert_eq!(
        block(&before, "chain filter-output {")[0],
        "type filter hook output priority -110; policy accept;"
    );
    assert_eq!(block(&before, "chain filter-output {")[1..], checks);
    assert_eq!(
        block(&after, "chain filter-output {")[0],
        "type filter hook output priority filter; policy accept;"
    );
    assert_eq!(block(&after, "chain filter-output-pre-dnat {")[1..], checks[1..]);
    assert!(
        before.contains("chain filter-output-post-dnat {")
            && !after.contains("chain filter-output-post-dnat {")
    );
}

#[test]
fn masquerade_of_cluster_ips_is_a_services_own_until_1_35() {
    let first = |minor| block(&listing(minor, Family::V4, |_| {}), "chain service-")[0].clone();
    let port = "ip daddr 10.96.0.1 tcp dport 80 ip saddr != 10.1.0.0/16 jump mark-for-masquerade";
    assert_eq!(first(33), port);
    assert_eq!(first(34), port.replace(" tcp dport 80", ""));
    assert!(first(36).starts_with("meta l4proto tcp dnat ip to numgen random mod 2 map"));
    let mark = "meta mark set meta mark | 0x00004000";
    let services = block(&listing(36, Family::V4, |_| {}), "chain services {");
    let comment = "masquerade clusterIP traffic from outside cluster";
    assert_eq!(
        services[0],
        format!("ip daddr @cluster-ips ip saddr != 10.1.0.0/16 {mark} comment \"{comment}\"")
    );
    let services =
        block(&listing(36, Family::V4, |block| block["masqueradeAll"] = json!(true)), "chain services {");
    assert_eq!(
        services[0],
        format!("ip daddr @cluster-ips {mark} comment \"masquerade all clusterIP traffic\"")
    );
    let services = block(
        &listing(36, Family::V4, |block| block["detectLocal"] = json!({"mode": "None"})),
        "chain services {",
    );
    assert_eq!(services[0], "ip daddr . meta l4proto . th dport vmap @service-ips");
}

#[test]
fn external_traffic_is_short_circuited_where_its_policy_is_local() {
    let text = listing(35, Family::V4, |block| {
        block["detectLocal"] = json!({"mode": "InterfaceNamePrefix", "interface": "veth"});
    });
    let lines = block(&text, "chain external-");
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("iifname \"veth*\" goto service-") && lines[3].starts_with("goto local-"));
    assert_eq!(
        lines[1],
        "fib saddr type local jump mark-for-masquerade comment \"masquerade local traffic\""
    );
    // The node is in a range, so its own load-balancer IP passes.
    assert_eq!(
        block(&text, "chain firewall-"),
        ["ip saddr != { 10.200.0.0/24, 192.0.2.1, 203.0.113.0/24 } drop"]
    );
}

#[test]
fn loopback_never_takes_node_ports() {
    let all = |block: &mut serde_json::Value| block["nodePortAddresses"] = json!([]);
    let v4 = block(&listing(35, Family::V4, all), "chain services {");
    assert_eq!(
        v4[1],
        "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports"
    );
    let v6 = block(&listing(35, Family::V6, all), "chain nodeport-endpoints-check {");
    assert_eq!(v6, ["ip6 daddr != ::1 meta l4proto . th dport vmap @no-endpoint-nodeports"]);
}
