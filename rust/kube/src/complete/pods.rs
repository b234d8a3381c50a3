//! Pods: a node, an address, readiness.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hashbrown::HashSet;
use kdp_packet::{Cidr, parse_ip_lenient};

use super::{Made, Options};
use crate::error::Error;
use crate::object::{
    Condition, ContainerRunning, ContainerState, ContainerStatus, Node, Object, ObjectKey, Pod, PodIp,
};

/// Whether a Pod comes from a manifest, not from a cluster: nobody has said how it is.
fn is_bare(pod: &Pod) -> bool {
    pod.status.phase.is_empty()
}

/// Gives every bare Pod a node: the one with the fewest Pods, the first by name among equals.
pub(super) fn place(objects: &mut [Object], made: &mut Made) {
    let mut load = load_of_nodes(objects);
    for object in objects {
        let Some(pod) = object.get_mut::<Pod>() else { continue };
        if !is_bare(pod) || !pod.spec.node_name.is_empty() {
            continue;
        }
        let Some((pods, name)) = load.pop_first() else { return };
        pod.spec.node_name.clone_from(&name);
        load.insert((pods + 1, name));
        made.count("placement of a Pod", "placements of Pods");
    }
}

/// How many Pods each node has that takes Pods.
fn load_of_nodes(objects: &[Object]) -> BTreeSet<(usize, String)> {
    let mut pods: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in objects.iter().filter_map(|object| object.get::<Pod>()).filter(|pod| !pod.is_terminal()) {
        *pods.entry(&pod.spec.node_name).or_default() += 1;
    }
    let nodes =
        objects.iter().filter_map(|object| object.get::<Node>()).filter(|node| !node.spec.unschedulable);
    nodes.map(|node| (pods.get(&*node.meta.name).copied().unwrap_or(0), node.meta.name.clone())).collect()
}

/// Gives every bare Pod that has a node an address of the node's networks, and says that it runs and is ready.
pub(super) fn address(objects: &mut [Object], options: &Options, made: &mut Made) -> Result<(), Error> {
    let mut addresses = Addresses::of(objects, options);
    for object in objects {
        let key = object.key();
        let Some(pod) = object.get_mut::<Pod>() else { continue };
        if !is_bare(pod) || pod.spec.node_name.is_empty() {
            continue;
        }
        if pod.status.pod_ip.is_empty() {
            addresses.give(&key, pod)?;
            made.count("Pod address", "Pod addresses");
        }
        run(pod, addresses.of_node(&pod.spec.node_name));
    }
    Ok(())
}

struct Addresses {
    nodes: BTreeMap<String, NodeRange>,
    taken: HashSet<IpAddr, foldhash::fast::FixedState>,
    fallback: NodeRange,
}

#[derive(Default)]
struct NodeRange {
    address: Option<String>,
    /// Each network with the number that is tried next.
    networks: Vec<(Cidr, u64)>,
}

/// The first number given in a node's network: 0 is the network, 1 the node's own bridge.
const FIRST: u64 = 2;

impl Addresses {
    fn of(objects: &[Object], options: &Options) -> Addresses {
        let nodes = objects.iter().filter_map(|object| object.get::<Node>());
        let pods = objects.iter().filter_map(|object| object.get::<Pod>());
        Addresses {
            nodes: nodes.map(|node| (node.meta.name.clone(), NodeRange::of(node))).collect(),
            taken: pods.flat_map(Pod::addresses).filter_map(parse_ip_lenient).collect(),
            fallback: NodeRange { address: None, networks: vec![(options.pod_cidr, FIRST)] },
        }
    }

    fn of_node(&self, name: &str) -> Option<&str> {
        self.nodes.get(name)?.address.as_deref()
    }

    /// A Pod on its node's network has the node's address. A node without a network of its own lends from the whole.
    fn give(&mut self, key: &ObjectKey, pod: &mut Pod) -> Result<(), Error> {
        let node = self.nodes.get_mut(&pod.spec.node_name);
        if pod.spec.host_network
            && let Some(address) = node.as_ref().and_then(|node| node.address.clone())
        {
            pod.status.pod_ip.clone_from(&address);
            pod.status.pod_ips = vec![PodIp { ip: address }];
            return Ok(());
        }
        let range = node.filter(|node| !node.networks.is_empty()).unwrap_or(&mut self.fallback);
        for (network, next) in &mut range.networks {
            let ip = free(*network, next, &mut self.taken).ok_or_else(|| Error::RangeFull {
                object: Box::new(key.clone()),
                field: ".status.podIP".to_owned(),
                range: network.to_string(),
            })?;
            pod.status.pod_ips.push(PodIp { ip: ip.to_string() });
        }
        pod.status.pod_ip.clone_from(&pod.status.pod_ips[0].ip);
        Ok(())
    }
}

impl NodeRange {
    fn of(node: &Node) -> NodeRange {
        let networks = node.pod_cidrs().filter_map(Cidr::parse).map(|network| (network, FIRST));
        let address = node.addresses("InternalIP").next().map(str::to_owned);
        NodeRange { address, networks: networks.collect() }
    }
}

/// The next address that nobody has; the last one of an IPv4 network is its broadcast address and not given.
fn free(
    network: Cidr,
    next: &mut u64,
    taken: &mut HashSet<IpAddr, foldhash::fast::FixedState>,
) -> Option<IpAddr> {
    loop {
        let address = network.nth(*next)?;
        network.nth(*next + 1)?;
        *next += 1;
        if taken.insert(address) {
            return Some(address);
        }
    }
}

/// The Pod runs and is ready, unless its conditions say otherwise.
fn run(pod: &mut Pod, node_address: Option<&str>) {
    "Running".clone_into(&mut pod.status.phase);
    if pod.status.host_ip.is_empty() {
        node_address.unwrap_or_default().clone_into(&mut pod.status.host_ip);
    }
    for type_ in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
        if !pod.status.conditions.iter().any(|condition| condition.type_ == type_) {
            let (type_, status) = (type_.to_owned(), "True".to_owned());
            pod.status.conditions.push(Condition { type_, status, ..Condition::default() });
        }
    }
    if pod.status.container_statuses.is_empty() {
        let ready = pod.is_ready();
        let status = |name: &String| ContainerStatus {
            name: name.clone(),
            ready,
            started: Some(true),
            state: ContainerState { running: Some(ContainerRunning::default()), ..ContainerState::default() },
            ..ContainerStatus::default()
        };
        pod.status.container_statuses = pod.spec.containers.iter().map(|c| status(&c.name)).collect();
    }
}
