use super::*;
use crate::load::{Source, load};

/// The faults of a YAML text, each as code and message.
fn faults(yaml: &str) -> Vec<(&'static str, String)> {
    let mut objects = load(&[Source { name: "-", bytes: yaml.as_bytes() }]).unwrap().objects;
    objects.iter_mut().for_each(crate::defaults::apply);
    check(&objects).iter().map(|error| (error.code(), error.to_string())).collect()
}

fn service(name: &str, spec: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

#[track_caller]
fn one(yaml: &str, code: &str, message: &str) {
    assert_eq!(faults(yaml), [(CODES.iter().find(|c| **c == code).copied().unwrap(), message.to_owned())]);
}

use crate::error::CODES;

#[test]
fn a_good_service_has_no_faults() {
    let spec = "{type: NodePort, clusterIP: 10.96.0.10, selector: {app: web}, ports: [{name: a, port: 80, targetPort: http, nodePort: 30080}, {name: b, port: 80, protocol: UDP, nodePort: 30080}]}";
    assert_eq!(faults(&service("web", spec)), []);
}

#[test]
fn ports_of_a_service_are_checked() {
    one(
        &service("web", "{ports: [{port: 0}]}"),
        "port-out-of-range",
        "Service default/web .spec.ports[0].port: port 0 is outside 1..=65535",
    );
    one(
        &service("web", "{ports: [{name: a, port: 80}, {name: b, port: 80}]}"),
        "duplicate-service-port",
        "Service default/web .spec.ports[1]: port 80/TCP is already that of .spec.ports[0]",
    );
    one(
        &service("web", "{ports: [{name: a, port: 80}, {name: a, port: 81}]}"),
        "duplicate-service-port",
        "Service default/web .spec.ports[1]: name \"a\" is already that of .spec.ports[0]",
    );
    one(
        &service("web", "{ports: [{port: 80, protocol: tcp}]}"),
        "value-not-allowed",
        "Service default/web .spec.ports[0].protocol: \"tcp\" is not one of TCP, UDP, SCTP",
    );
    one(
        &service("web", "{ports: [{name: a, port: 80}, {port: 81}]}"),
        "field-missing",
        "Service default/web .spec.ports[1].name: is required",
    );
}

#[test]
fn addresses_are_checked_and_not_shared() {
    one(
        &service("web", "{clusterIP: 10.96.0.300}"),
        "invalid-address",
        "Service default/web .spec.clusterIP: \"10.96.0.300\" is not an IPv4 or IPv6 address",
    );
    let two = service("a", "{clusterIP: 10.96.0.10}") + &service("b", "{clusterIP: 10.96.0.10}");
    one(
        &two,
        "duplicate-cluster-ip",
        "Service default/b .spec.clusterIP: cluster IP 10.96.0.10 is already that of Service default/a",
    );
    let headless = service("a", "{clusterIP: None}") + &service("b", "{clusterIP: None}");
    assert_eq!(faults(&headless), []);
}

#[test]
fn node_ports_are_not_shared() {
    let spec = "{type: NodePort, ports: [{port: 80, nodePort: 30080}]}";
    one(
        &(service("a", spec) + &service("b", spec)),
        "duplicate-node-port",
        "Service default/b .spec.ports[0].nodePort: node port 30080/TCP is already that of Service default/a",
    );
}

#[test]
fn an_object_is_there_once() {
    one(&(service("a", "{}") + &service("a", "{}")), "duplicate-object", "Service default/a is there twice");
}

#[test]
fn selectors_and_labels_are_checked() {
    assert_eq!(faults(&service("web", "{selector: {-app: web}}"))[0].0, "invalid-selector");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: 'a b'}}\n";
    assert_eq!(faults(pod)[0].0, "invalid-label");
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {selector: {matchExpressions: [{key: a, operator: Is}]}}\n";
    assert_eq!(faults(deployment)[0].0, "invalid-selector");
}

#[test]
fn names_are_checked() {
    one(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: Web}\n",
        "invalid-name",
        &format!("Pod default/Web .metadata.name: name \"Web\" {SUBDOMAIN}"),
    );
    one("apiVersion: v1\nkind: Pod\n", "field-missing", "Pod default/ .metadata.name: is required");
    assert_eq!(
        faults(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'system:node'}\n"
        ),
        []
    );
    assert!(
        is_label("a-1") && !is_label("-a") && !is_label(&"a".repeat(64)) && !is_label("A") && !is_label("")
    );
    assert!(is_subdomain("a.b-c.1") && !is_subdomain("a..b") && !is_subdomain(".a"));
    assert!(
        is_port_name("http-2")
            && !is_port_name("80")
            && !is_port_name("a--b")
            && !is_port_name("abcdefghijklmnop")
    );
}

#[test]
fn slices_hold_addresses_of_their_type() {
    let slice = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\nendpoints: [{addresses: ['fd00::1']}]\nports: [{port: 80}]\n";
    one(
        slice,
        "invalid-address",
        "EndpointSlice default/s .endpoints[0].addresses[0]: \"fd00::1\" is not an IPv4 address, as addressType says",
    );
}

#[test]
fn a_workload_has_a_number_of_pods_that_a_cluster_can_have() {
    let deployment = |replicas: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{replicas: {replicas}, selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: c}}]}}}}}}\n"
        )
    };
    for replicas in ["-1", "100000000"] {
        let message =
            format!("Deployment default/web .spec.replicas: \"{replicas}\" is not one of 0..=200000");
        one(&deployment(replicas), "value-not-allowed", &message);
    }
    assert_eq!(faults(&deployment("0")), []);
}

#[test]
fn what_an_api_server_refuses_of_services_and_pods() {
    one(
        &service("web", "{type: NodePort, clusterIP: None, ports: [{port: 80}]}"),
        "invalid-address",
        "Service default/web .spec.clusterIP: \"None\" is not an address, or left out: .spec.type NodePort or LoadBalancer needs one",
    );
    one(
        &service("web", "{clusterIP: 10.96.0.10, ipFamilies: [IPv6], ports: [{port: 80}]}"),
        "invalid-address",
        "Service default/web .spec.clusterIPs[0]: \"10.96.0.10\" is not an IPv6 address, as .spec.ipFamilies says",
    );
    let pod = |ips: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nstatus: {{podIPs: [{ips}]}}\n")
    };
    one(
        &pod("{ip: 10.0.0.1}, {ip: 10.0.0.2}"),
        "invalid-address",
        "Pod default/p .status.podIPs[1].ip: \"10.0.0.2\" is not of another family than those before: a Pod has one address of each",
    );
    assert_eq!(faults(&pod("{ip: 10.0.0.1}, {ip: 'fd00::1'}")), []);
}

#[test]
fn a_workload_selects_its_own_pods() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: wep}}, spec: {containers: [{name: c}]}}}\n";
    one(
        deployment,
        "invalid-selector",
        "Deployment default/web .spec.selector: selector: does not match .spec.template.metadata.labels, which are {app=wep}",
    );
}

#[test]
fn labels_have_a_size() {
    let labels: Vec<String> = (0..20_000).map(|i| format!("key-{i:05}: {:a>45}", "")).collect();
    let pod =
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{{}}}}}\n", labels.join(", "));
    one(
        &pod,
        "metadata-too-large",
        "Pod default/p .metadata.labels: 1080000 bytes are more than the 262144 that are allowed",
    );
    let long = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{a: {}}}}}\n",
        "a".repeat(1_000_000)
    );
    let found = faults(&long);
    assert_eq!(
        found.iter().map(|(code, _)| *code).collect::<Vec<_>>(),
        ["metadata-too-large", "invalid-label"]
    );
    assert!(found[1].1.len() < 300, "the message stays short");
}

#[test]
fn a_write_agrees_with_its_store() {
    let object = |yaml: &str| {
        let mut objects = load(&[Source { name: "-", bytes: yaml.as_bytes() }]).unwrap().objects;
        objects.iter_mut().for_each(crate::defaults::apply);
        objects
    };
    let mut store = crate::Store::new();
    let pod = |meta: &str| object(&format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p, {meta}}}\n"));
    let told = |objects: &[Object], store: &crate::Store| {
        check_writes(objects, store).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&pod("resourceVersion: '7'"), &store),
        [
            "Pod default/p .metadata.resourceVersion: 7 is newer than the newest, 0; allowed is none, or one that was read here"
        ]
    );
    let owned = pod("ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: u}]");
    assert_eq!(
        told(&owned, &store),
        [
            "Pod default/p .metadata.ownerReferences[0]: owner ReplicaSet default/web does not exist; an object is made after its owner"
        ]
    );
    let set = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}}}\n";
    store.put(object(set).remove(0));
    assert_eq!(told(&owned, &store), Vec::<String>::new());
    assert_eq!(told(&pod("resourceVersion: '1'"), &store), Vec::<String>::new());
}

#[test]
fn every_code_is_listed_once() {
    let mut sorted = CODES.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), CODES.len());
}
