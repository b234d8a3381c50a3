//! Nodes: those that Pods name, or two; networks and addresses for those that have none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kdp_packet::{Cidr, Family, parse_ip_lenient};

use super::{Made, Options};
use crate::defaults;
use crate::error::Error;
use crate::object::{Condition, Node, NodeAddress, Object, Pod};

/// Pods that a node holds before more nodes are made. Source: kubelet `maxPods`.
const PODS_PER_NODE: usize = 110;

/// Makes nodes if there are none, and completes bare ones.
pub(super) fn make(objects: &mut Vec<Object>, options: &Options, made: &mut Made) -> Result<(), Error> {
    if !objects.iter().any(|object| object.get::<Node>().is_some()) {
        let nodes = missing_nodes(objects);
        made.add("node", "nodes", nodes.len());
        objects.extend(nodes);
    }
    complete(objects, options)
}

/// The nodes that Pods name; if no Pod names one, two, or as many as the Pods need.
fn missing_nodes(objects: &[Object]) -> Vec<Object> {
    let pods = || objects.iter().filter_map(|object| object.get::<Pod>());
    let mut named: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in pods().filter(|pod| !pod.spec.node_name.is_empty()) {
        named.entry(&pod.spec.node_name).or_default().push(pod);
    }
    if !named.is_empty() {
        let networks = networks_of(&named);
        return named.iter().zip(networks).map(|((name, pods), net)| node_of_pods(name, pods, net)).collect();
    }
    let count = pods().count().div_ceil(PODS_PER_NODE).max(2);
    (1..=count).map(|i| ready_node(&format!("node-{i}"))).collect()
}

/// The /24 that holds every address of a node's Pods, if there is one and no other node has it.
fn networks_of(named: &BTreeMap<&str, Vec<&Pod>>) -> Vec<Option<Cidr>> {
    let alone = |pods: &Vec<&Pod>| {
        let own = pods.iter().filter(|pod| !pod.spec.host_network);
        let networks: BTreeSet<Cidr> = own.filter_map(|pod| slash_24(pod.addresses().next()?)).collect();
        networks.first().copied().filter(|_| networks.len() == 1)
    };
    let networks: Vec<Option<Cidr>> = named.values().map(alone).collect();
    let shared = |net: &Cidr| networks.iter().filter(|other| **other == Some(*net)).count() > 1;
    networks.iter().map(|net| net.filter(|net| !shared(net))).collect()
}

fn slash_24(address: &str) -> Option<Cidr> {
    let address = parse_ip_lenient(address)?;
    Cidr::new(address, if address.is_ipv4() { 24 } else { 64 })
}

fn node_of_pods(name: &str, pods: &[&Pod], network: Option<Cidr>) -> Object {
    let mut object = ready_node(name);
    let node = object.get_mut::<Node>().expect("a node was made");
    if let Some(address) = pods.iter().map(|pod| pod.status.host_ip.as_str()).find(|ip| !ip.is_empty()) {
        node.status.addresses.insert(0, internal(address.to_owned()));
    }
    if let Some(network) = network {
        node.spec.pod_cidr = network.to_string();
        node.spec.pod_cidrs = vec![network.to_string()];
    }
    object
}

fn internal(address: String) -> NodeAddress {
    NodeAddress { type_: "InternalIP".to_owned(), address }
}

fn ready_node(name: &str) -> Object {
    let mut node = Node::default();
    name.clone_into(&mut node.meta.name);
    node.meta.labels.insert("kubernetes.io/hostname".to_owned(), name.to_owned());
    node.status.addresses.push(NodeAddress { type_: "Hostname".to_owned(), address: name.to_owned() });
    node.status.conditions.push(ready());
    let mut object = Object::new(node);
    defaults::apply(&mut object);
    object
}

fn ready() -> Condition {
    Condition { type_: "Ready".to_owned(), status: "True".to_owned(), ..Condition::default() }
}

/// Gives bare nodes a network for Pods, an address, and readiness.
///
/// A node whose Pods have addresses already gets no network: those addresses say what it has. Nor does one for which
/// the range is too small: its Pods lend from the whole.
fn complete(objects: &mut [Object], options: &Options) -> Result<(), Error> {
    let mut networks = Free::networks(objects, options.pod_cidr);
    let mut addresses = Free::addresses(objects, options.node_cidr);
    let lived_in = nodes_lived_in(objects);
    for object in objects {
        let key = object.key();
        let Some(node) = object.get_mut::<Node>().filter(|node| node.meta.uid.is_empty()) else { continue };
        if node.pod_cidrs().next().is_none()
            && !lived_in.contains(&node.meta.name)
            && let Some(network) = networks.next()
        {
            node.spec.pod_cidr.clone_from(&network);
            node.spec.pod_cidrs = vec![network];
        }
        if node.addresses("InternalIP").next().is_none() {
            let address = addresses.next().ok_or_else(|| addresses.full(&key, ".status.addresses"))?;
            node.status.addresses.insert(0, internal(address));
        }
        if !node.status.conditions.iter().any(|condition| condition.type_ == "Ready") {
            node.status.conditions.push(ready());
        }
    }
    Ok(())
}

/// The nodes with Pods that have addresses of their own.
fn nodes_lived_in(objects: &[Object]) -> BTreeSet<String> {
    let pods = objects.iter().filter_map(|object| object.get::<Pod>());
    let addressed = pods.filter(|pod| !pod.spec.host_network && !pod.status.pod_ip.is_empty());
    addressed.map(|pod| pod.spec.node_name.clone()).collect()
}

/// What is free of a range: the first comes first.
struct Free {
    range: Cidr,
    /// The range is given in steps of this many addresses.
    step: u64,
    next: u64,
    taken: BTreeSet<String>,
}

impl Free {
    /// `/24`s from the first on; those of nodes that have one, and of Pods that have an address, are taken.
    fn networks(objects: &[Object], range: Cidr) -> Free {
        let nodes = objects.iter().filter_map(|object| object.get::<Node>());
        let given = nodes.flat_map(Node::pod_cidrs).filter_map(Cidr::parse);
        let pods = objects.iter().filter_map(|object| object.get::<Pod>());
        let lived_in = pods.filter_map(|pod| slash_24(pod.addresses().next()?));
        let given = given.filter_map(|net| Cidr::new(net.addr(), 24)).chain(lived_in);
        Free { range, step: 256, next: 1, taken: given.map(|net| net.to_string()).collect() }
    }

    /// Addresses from `.1` on.
    fn addresses(objects: &[Object], range: Cidr) -> Free {
        let nodes = objects.iter().filter_map(|object| object.get::<Node>());
        let taken = nodes.flat_map(|node| node.addresses("InternalIP")).map(str::to_owned).collect();
        Free { range, step: 1, next: 1, taken }
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let address: IpAddr = self.range.nth(self.next.checked_mul(self.step)?)?;
            self.next += 1;
            let text = if self.step == 1 {
                address.to_string()
            } else {
                Cidr::new(address, if Family::of(address) == Family::V4 { 24 } else { 64 })?.to_string()
            };
            if self.taken.insert(text.clone()) {
                return Some(text);
            }
        }
    }

    fn full(&self, object: &crate::object::ObjectKey, field: &str) -> Error {
        Error::RangeFull {
            object: Box::new(object.clone()),
            field: field.to_owned(),
            range: self.range.to_string(),
        }
    }
}
