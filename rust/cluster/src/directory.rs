//! Who has which address, and which Pods are where.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_kube::object::{Node, Object, Pod};
use kdp_packet::{Cidr, Family, parse_ip_lenient};

/// A Pod with a network of its own, and an address in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) node: Arc<str>,
}

/// What a node's box is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its addresses, the primary first.
    pub(crate) addrs: Vec<IpAddr>,
    pub(crate) pod_cidrs: Vec<Cidr>,
    /// Addresses of its Pods that have a network of their own.
    pub(crate) pods: BTreeSet<IpAddr>,
    /// Grows with every change of the above.
    pub(crate) version: u64,
}

/// Addresses of Pods and nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    residents: HashMap<IpAddr, Resident, FixedState>,
    nodes_by_addr: HashMap<IpAddr, Arc<str>, FixedState>,
    places: BTreeMap<Arc<str>, Place>,
    /// Nodes whose network is gone.
    lost: BTreeSet<Box<str>>,
}

impl Directory {
    /// Takes a change of an object; others than Pods and Nodes are of no interest.
    pub(crate) fn apply(&mut self, before: Option<&Object>, after: Option<&Object>) {
        if let Some(pod) = before.and_then(Object::get::<Pod>) {
            self.remove_pod(pod);
        }
        if let Some(pod) = after.and_then(Object::get::<Pod>) {
            self.add_pod(pod);
        }
        if let Some(node) = before.and_then(Object::get::<Node>) {
            self.remove_node(node);
        }
        if let Some(node) = after.and_then(Object::get::<Node>) {
            self.add_node(node);
        }
    }

    /// The Pod that has an address.
    pub(crate) fn resident(&self, addr: IpAddr) -> Option<&Resident> {
        self.residents.get(&addr)
    }

    /// The node that has an address itself.
    pub(crate) fn node_of(&self, addr: IpAddr) -> Option<&Arc<str>> {
        self.nodes_by_addr.get(&addr)
    }

    /// What a node's box is made of. A node that only Pods name has no addresses.
    pub(crate) fn place(&self, node: &str) -> Option<&Place> {
        self.places.get(node)
    }

    /// Whether a node's network is gone.
    pub(crate) fn is_lost(&self, node: &str) -> bool {
        self.lost.contains(node)
    }

    /// A node's network is gone, or back.
    pub(crate) fn set_lost(&mut self, node: &str, lost: bool) {
        if lost {
            self.lost.insert(node.into());
        } else {
            self.lost.remove(node);
        }
    }

    /// The networks of all nodes' Pods.
    pub(crate) fn pod_cidrs(&self) -> Vec<Cidr> {
        self.places.values().flat_map(|place| place.pod_cidrs.iter().copied()).collect()
    }

    fn add_pod(&mut self, pod: &Pod) {
        if pod.spec.host_network || pod.is_terminal() || pod.spec.node_name.is_empty() {
            return;
        }
        let node: Arc<str> = pod.spec.node_name.as_str().into();
        let resident = Resident {
            namespace: pod.meta.namespace.as_str().into(),
            name: pod.meta.name.as_str().into(),
            node,
        };
        for addr in pod.addresses().filter_map(parse_ip_lenient) {
            let place = self.places.entry(resident.node.clone()).or_default();
            place.pods.insert(addr);
            place.version += 1;
            self.residents.insert(addr, resident.clone());
        }
    }

    fn remove_pod(&mut self, pod: &Pod) {
        for addr in pod.addresses().filter_map(parse_ip_lenient) {
            let ours = self.residents.get(&addr).is_some_and(|resident| {
                *resident.name == *pod.meta.name && *resident.namespace == *pod.meta.namespace
            });
            if ours && let Some(resident) = self.residents.remove(&addr) {
                let place = self.places.entry(resident.node).or_default();
                place.pods.remove(&addr);
                place.version += 1;
            }
        }
    }

    fn add_node(&mut self, node: &Node) {
        let name: Arc<str> = node.meta.name.as_str().into();
        let mut addrs: Vec<IpAddr> = Vec::new();
        for kind in ["InternalIP", "ExternalIP"] {
            addrs.extend(node.addresses(kind).filter_map(parse_ip_lenient));
        }
        for addr in &addrs {
            self.nodes_by_addr.insert(*addr, name.clone());
        }
        let place = self.places.entry(name).or_default();
        place.addrs = addrs;
        place.pod_cidrs = node.pod_cidrs().filter_map(Cidr::parse).collect();
        place.version += 1;
    }

    fn remove_node(&mut self, node: &Node) {
        self.nodes_by_addr.retain(|_, name| **name != *node.meta.name);
        if let Some(place) = self.places.get_mut(node.meta.name.as_str()) {
            place.addrs.clear();
            place.pod_cidrs.clear();
            place.version += 1;
        }
    }
}

impl Place {
    /// The primary address of a family.
    pub(crate) fn primary(&self, family: Family) -> Option<IpAddr> {
        self.addrs.iter().copied().find(|addr| Family::of(*addr) == family)
    }
}
