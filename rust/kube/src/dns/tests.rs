use super::*;
use crate::complete::{Options, prepare};
use crate::load::{Source, load};
use crate::object::Pod;

const WORLD: &str = "
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: None, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: empty, namespace: shop}, spec: {clusterIP: None}}
---
{apiVersion: v1, kind: Service, metadata: {name: out, namespace: shop}, spec: {type: ExternalName, externalName: example.org}}
---
{apiVersion: v1, kind: Service, metadata: {name: in, namespace: shop}, spec: {type: ExternalName, externalName: web.shop.svc.cluster.local}}
---
{apiVersion: v1, kind: Service, metadata: {name: loop, namespace: shop}, spec: {type: ExternalName, externalName: loop.shop.svc.cluster.local}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints:
- {addresses: [10.244.0.5], hostname: db-0, conditions: {ready: true}}
- {addresses: [10.244.0.6], hostname: db-1, conditions: {ready: false}}
- {addresses: [10.244.0.7]}
---
{apiVersion: v1, kind: Pod, metadata: {name: was, namespace: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: host, namespace: shop}, spec: {hostNetwork: true}}
---
{apiVersion: v1, kind: Pod, metadata: {name: tuned, namespace: shop}, spec: {dnsConfig: {searches: [a.example], options: [{name: ndots, value: '1'}]}}}
";

fn world() -> Store {
    let loaded = load(&[Source { name: "-", bytes: WORLD.as_bytes() }]).unwrap();
    prepare(loaded, &Options::default()).unwrap().0
}

/// `NAME RCODE ANSWERS` of every question.
fn asked(pod: &str, name: &str) -> Vec<String> {
    let store = world();
    let conf = ResolvConf::of(store.find::<Pod>("shop", pod).unwrap(), &store);
    let resolution = resolve(ClusterDns::new(&store), &conf, name, &[RecordType::A]);
    let line = |query: &Query| {
        let answers: Vec<String> = query.answers.iter().map(ToString::to_string).collect();
        format!("{} {} {}", query.name, query.rcode, answers.join(" ")).trim_end().to_owned()
    };
    resolution.queries.iter().map(line).collect()
}

#[test]
fn a_short_name_is_found_in_the_pods_own_namespace() {
    assert_eq!(asked("was", "web"), ["web.shop.svc.cluster.local. NOERROR 10.96.0.10"]);
}

#[test]
fn the_search_list_is_walked_until_an_answer() {
    let expected =
        ["web.shop.shop.svc.cluster.local. NXDOMAIN", "web.shop.svc.cluster.local. NOERROR 10.96.0.10"];
    assert_eq!(asked("was", "web.shop"), expected);
    assert_eq!(asked("was", "web.shop.svc.cluster.local").len(), 4, "four dots are fewer than five");
    assert_eq!(
        asked("was", "web.shop.svc.cluster.local."),
        ["web.shop.svc.cluster.local. NOERROR 10.96.0.10"]
    );
}

#[test]
fn a_headless_service_is_its_ready_endpoints_or_nothing() {
    assert_eq!(asked("was", "db"), ["db.shop.svc.cluster.local. NOERROR 10.244.0.5 10.244.0.7"]);
    assert_eq!(asked("was", "db-0.db")[0], "db-0.db.shop.svc.cluster.local. NOERROR 10.244.0.5");
    assert_eq!(asked("was", "db-1.db.shop.svc.cluster.local."), ["db-1.db.shop.svc.cluster.local. NXDOMAIN"]);
    assert_eq!(asked("was", "10-244-0-7.db")[0], "10-244-0-7.db.shop.svc.cluster.local. NOERROR 10.244.0.7");
    assert_eq!(asked("was", "empty.shop.svc.cluster.local."), ["empty.shop.svc.cluster.local. NXDOMAIN"]);
}

#[test]
fn an_external_name_is_a_cname_that_is_followed_inside_the_cluster() {
    assert_eq!(asked("was", "out"), ["out.shop.svc.cluster.local. NOERROR CNAME example.org"]);
    assert_eq!(
        asked("was", "in"),
        ["in.shop.svc.cluster.local. NOERROR CNAME web.shop.svc.cluster.local 10.96.0.10"]
    );
    assert!(asked("was", "loop")[0].contains("CNAME"), "a circle ends");
}

#[test]
fn what_is_outside_is_said_to_be_unknown() {
    let queries = asked("was", "example.org");
    assert_eq!(queries.last().unwrap(), "example.org. outside the cluster, not modelled");
    assert_eq!(asked("host", "web"), ["web. outside the cluster, not modelled"]);
    let store = world();
    let conf = ResolvConf::cluster_first("shop", "cluster.local");
    assert!(resolve(ClusterDns::new(&store), &conf, "example.org", &[RecordType::A]).is_unknown());
}

#[test]
fn a_pods_dns_config_is_obeyed() {
    let queries = asked("tuned", "a.b");
    assert_eq!(queries[0], "a.b. outside the cluster, not modelled");
    assert!(queries.last().unwrap().starts_with("a.b.a.example. "));
}

#[test]
fn the_other_family_is_no_data() {
    let store = world();
    let dns = ClusterDns::new(&store);
    for name in
        ["web.shop.svc.cluster.local", "db.shop.svc.cluster.local", "shop.svc.cluster.local", "cluster.local"]
    {
        assert_eq!(dns.lookup(name, RecordType::Aaaa), Answer::no_data(), "{name}");
    }
    assert_eq!(dns.lookup("nope.svc.cluster.local", RecordType::A), Answer::no_name());
    assert_eq!(
        dns.lookup("10-244-0-5.shop.pod.cluster.local", RecordType::A).answers[0].to_string(),
        "10.244.0.5"
    );
}

#[test]
fn an_address_is_not_asked_for() {
    let store = world();
    let conf = ResolvConf::cluster_first("shop", "cluster.local");
    let resolution = resolve(ClusterDns::new(&store), &conf, "10.0.0.1", &[RecordType::A]);
    assert_eq!((resolution.queries.len(), resolution.addresses.len()), (0, 1));
}
