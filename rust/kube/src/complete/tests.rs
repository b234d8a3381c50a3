use super::*;
use crate::load::{Source, load};
use crate::object::{KindName, Node, Pod, ReplicaSet, Service};

/// The store and the notes' texts that a YAML text gives.
fn prepared(yaml: &str) -> (Store, Vec<String>) {
    let loaded = load(&[Source { name: "-", bytes: yaml.as_bytes() }]).unwrap();
    let (store, notes) = prepare(loaded, &Options::default()).unwrap();
    (store, notes.iter().map(ToString::to_string).collect())
}

const MYSQL: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: mysql, namespace: blog-system}
spec:
  replicas: 3
  selector: {matchLabels: {app: mysql}}
  template:
    metadata: {labels: {app: mysql}}
    spec: {containers: [{name: mysql, image: 'mysql:8.0', ports: [{containerPort: 3306}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: mysql-service, namespace: blog-system}
spec: {type: NodePort, selector: {app: mysql}, ports: [{port: 3306}]}
";

#[test]
fn a_deployment_becomes_a_cluster() {
    let (store, notes) = prepared(MYSQL);
    let expected = [
        "kdp made 1 ReplicaSet",
        "kdp made 3 Pods",
        "kdp made 2 nodes",
        "kdp made 3 placements of Pods",
        "kdp made 3 Pod addresses",
        "kdp made 1 cluster IP",
        "kdp made 1 node port",
        "kdp made 1 namespace",
    ];
    assert_eq!(notes, expected);
    let pods: Vec<_> = store.all::<Pod>(Some("blog-system")).collect();
    let where_they_are: Vec<_> =
        pods.iter().map(|p| (p.spec.node_name.as_str(), p.status.pod_ip.as_str())).collect();
    assert_eq!(
        where_they_are,
        [("node-1", "10.244.1.2"), ("node-2", "10.244.2.2"), ("node-1", "10.244.1.3")]
    );
    assert!(pods.iter().all(|pod| pod.is_ready() && pod.status.phase == "Running"));
    let service = store.find::<Service>("blog-system", "mysql-service").unwrap();
    assert_eq!(
        (service.spec.cluster_ip.as_str(), service.spec.ports[0].node_port),
        ("10.96.0.10", Some(30_000))
    );
    let node = store.find::<Node>("", "node-2").unwrap();
    assert_eq!(
        (node.spec.pod_cidr.as_str(), node.addresses("InternalIP").next()),
        ("10.244.2.0/24", Some("192.168.0.2"))
    );
}

#[test]
fn made_names_look_like_real_ones_and_owners_fit() {
    let (store, _) = prepared(MYSQL);
    let set = store.all::<ReplicaSet>(None).next().unwrap();
    let hash = &set.meta.labels["pod-template-hash"];
    assert_eq!(set.meta.name, format!("mysql-{hash}"));
    for pod in store.all::<Pod>(None) {
        assert!(
            pod.meta.name.starts_with(&format!("{}-", set.meta.name))
                && pod.meta.name.len() == set.meta.name.len() + 6
        );
        assert!(
            pod.meta.name.bytes().all(|b| b"-bcdfghjklmnpqrstvwxz2456789yql".contains(&b)),
            "{}",
            pod.meta.name
        );
        assert_eq!(pod.meta.controller().unwrap().uid, set.meta.uid);
        assert_eq!(&pod.meta.labels["pod-template-hash"], hash);
    }
}

#[test]
fn the_same_input_gives_the_same_world() {
    let dump = |yaml: &str| prepared(yaml).0.objects().map(|object| object.to_json()).collect::<Vec<_>>();
    assert_eq!(dump(MYSQL), dump(MYSQL));
}

#[test]
fn what_was_made_loads_again_and_is_complete() {
    let (store, _) = prepared(MYSQL);
    let again: Vec<String> = store.objects().map(|object| object.to_json()).collect();
    let (second, notes) = prepared(&again.join("\n"));
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(second.len(), store.len());
}

#[test]
fn pods_that_are_there_keep_a_deployment_from_making_more() {
    let yaml = format!(
        "{MYSQL}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: one, namespace: blog-system, labels: {{app: mysql}}}}\n"
    );
    let (store, _) = prepared(&yaml);
    assert_eq!(store.all::<Pod>(None).count(), 1);
    assert_eq!(store.all::<ReplicaSet>(None).count(), 0);
}

#[test]
fn a_stateful_set_names_its_pods_by_number() {
    let yaml = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 2, serviceName: db-headless, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}}}\n";
    let (store, _) = prepared(yaml);
    let pods: Vec<_> = store.all::<Pod>(None).collect();
    assert_eq!(pods[1].meta.name, "db-1");
    assert_eq!((pods[1].spec.hostname.as_str(), pods[1].spec.subdomain.as_str()), ("db-1", "db-headless"));
    assert_eq!(pods[1].meta.labels["apps.kubernetes.io/pod-index"], "1");
}

#[test]
fn what_a_cluster_said_is_left_alone() {
    let pending = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u}\nstatus: {phase: Pending}\n";
    let (store, _) = prepared(pending);
    let pod = store.find::<Pod>("default", "p").unwrap();
    assert_eq!((pod.status.pod_ip.as_str(), pod.spec.node_name.as_str()), ("", ""));
    let scaled_out = MYSQL.replacen("name: mysql,", "name: mysql, uid: u,", 1);
    assert_eq!(prepared(&scaled_out).0.all::<Pod>(None).count(), 0);
}

#[test]
fn nodes_that_pods_name_are_made_with_the_networks_of_their_pods() {
    let pod = |name: &str, node: &str, ip: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{nodeName: {node}}}\nstatus: {{phase: Running, hostIP: 172.16.0.{ip}, podIP: 10.0.{ip}.5}}\n"
        )
    };
    let (store, notes) = prepared(&(pod("a", "n1", "1") + &pod("b", "n2", "2")));
    assert_eq!(notes, ["kdp made 2 nodes", "kdp made 1 namespace"]);
    let node = store.find::<Node>("", "n2").unwrap();
    assert_eq!(node.spec.pod_cidr, "10.0.2.0/24");
    assert_eq!(node.addresses("InternalIP").next(), Some("172.16.0.2"));
}

#[test]
fn given_addresses_and_ports_are_honoured() {
    let service = |name: &str, spec: &str| {
        format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    };
    let yaml = service("a", "{type: NodePort, ports: [{port: 80}]}")
        + &service("b", "{type: NodePort, clusterIP: 10.96.0.10, ports: [{port: 80, nodePort: 30000}]}")
        + &service("c", "{clusterIP: None}")
        + &service("d", "{type: ExternalName, externalName: example.org}");
    let (store, _) = prepared(&yaml);
    let spec = |name: &str| store.find::<Service>("default", name).unwrap().spec.clone();
    assert_eq!((spec("a").cluster_ip.as_str(), spec("a").ports[0].node_port), ("10.96.0.11", Some(30_001)));
    assert_eq!((spec("c").cluster_ip.as_str(), spec("d").cluster_ip.as_str()), ("None", ""));
}

#[test]
fn every_fault_is_told_and_nothing_is_made() {
    let bad =
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 0}], clusterIP: x}\n";
    let loaded = load(&[Source { name: "-", bytes: bad.as_bytes() }]).unwrap();
    assert_eq!(prepare(loaded, &Options::default()).unwrap_err().len(), 2);
}

#[test]
fn many_pods_get_more_nodes() {
    let (store, _) = prepared(&MYSQL.replace("replicas: 3", "replicas: 1000"));
    assert_eq!(store.all::<Node>(None).count(), 10);
    let ips: BTreeSet<_> = store.all::<Pod>(None).map(|pod| pod.status.pod_ip.clone()).collect();
    assert_eq!(ips.len(), 1000);
    assert_eq!(store.list(&KindName::Namespace, None).count(), 1);
}

#[test]
fn bare_workloads_report_the_pods_that_were_made_for_them() {
    let (store, _) = prepared(MYSQL);
    let deployment = store.find::<crate::object::Deployment>("blog-system", "mysql").unwrap();
    assert_eq!((deployment.status.replicas, deployment.status.ready_replicas), (3, 3));
    let set = store.all::<ReplicaSet>(None).next().unwrap();
    assert_eq!((set.status.replicas, set.status.available_replicas), (3, 3));
}
