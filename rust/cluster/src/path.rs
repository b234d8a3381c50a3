//! A packet's path over nodes: from box to box until somebody has it or nobody gets it.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_host::{DeviceId, Fate, Packet, Walk};
use serde_json::{Value, json};

use crate::Error;
use crate::directory::{Directory, Resident};

/// How a packet enters a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a Pod, by the bridge.
    Bridge,
    /// From another node or the world, by the uplink.
    Uplink,
    /// From a process on the node.
    Local,
}

/// Where a packet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) node: Arc<str>,
    pub(crate) way: Way,
}

/// Where a path ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// A Pod has it.
    Pod { pod: Resident, packet: Packet },
    /// A process on a node has it: the node itself, or a Pod in its network.
    Node { node: Arc<str>, packet: Packet },
    /// It left the cluster.
    World { packet: Packet },
    /// It went to an address of the Pods' networks that no Pod has.
    Nobody { node: Arc<str>, packet: Packet },
    /// It went to a node whose network is gone, or was to come from one.
    Lost { node: Arc<str> },
    /// A node ended it.
    Stopped { node: Arc<str>, fate: Fate },
}

impl End {
    /// Who has the packet, as JSON; null if nobody in the cluster has.
    pub(crate) fn endpoint(&self) -> Value {
        let of = |namespace: Option<&str>, name: &str, node: &str, packet: &Packet| {
            json!({
                "namespace": namespace, "name": name, "node": node,
                "ip": packet.headers.dst.to_string(), "port": packet.headers.dport,
            })
        };
        match self {
            End::Pod { pod, packet } => of(Some(&pod.namespace), &pod.name, &pod.node, packet),
            End::Node { node, packet } => of(None, node, node, packet),
            End::World { .. } | End::Nobody { .. } | End::Lost { .. } | End::Stopped { .. } => Value::Null,
        }
    }
}

/// A path, walked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub(crate) end: End,
    pub(crate) rules_walked: u64,
    /// The nodes on the way, in order.
    pub(crate) nodes: Vec<Arc<str>>,
}

/// Takes a packet through one box; gives the box's uplink too, so that it can be told which way the packet left.
pub(crate) type WalkBox<'a> = dyn FnMut(&Entry, Packet) -> Result<(Walk, DeviceId), Error> + 'a;

/// More boxes than any path has: who meets that many goes round in circles.
const BOXES_MAX: usize = 8;

/// Carries a packet from box to box. `walk` takes it through one.
pub(crate) fn carry(
    directory: &Directory,
    mut at: Entry,
    mut packet: Packet,
    walk: &mut WalkBox<'_>,
) -> Result<Path, Error> {
    let mut path = Path { end: End::World { packet: packet.clone() }, rules_walked: 0, nodes: Vec::new() };
    while path.nodes.len() < BOXES_MAX {
        if directory.is_lost(&at.node) {
            path.end = End::Lost { node: at.node };
            return Ok(path);
        }
        let (done, uplink) = walk(&at, packet)?;
        path.rules_walked += done.rules_walked;
        path.nodes.push(at.node.clone());
        let (sent, up) = match done.fate {
            Fate::Sent { device, packet, .. } => (packet, device == uplink),
            Fate::Delivered(packet) => {
                path.end = End::Node { node: at.node, packet };
                return Ok(path);
            }
            fate => {
                path.end = End::Stopped { node: at.node, fate };
                return Ok(path);
            }
        };
        match next(directory, &at.node, sent.headers.dst, up) {
            Next::Box(node) => (at, packet) = (Entry { node, way: Way::Uplink }, sent),
            Next::Pod(pod) => {
                path.end = End::Pod { pod, packet: sent };
                return Ok(path);
            }
            Next::World => {
                path.end = End::World { packet: sent };
                return Ok(path);
            }
            Next::Nobody => {
                path.end = End::Nobody { node: at.node, packet: sent };
                return Ok(path);
            }
        }
    }
    Err(Error::Loop { nodes: path.nodes.iter().map(ToString::to_string).collect() })
}

enum Next {
    Box(Arc<str>),
    Pod(Resident),
    World,
    Nobody,
}

/// What lies behind the device that a packet left `node` by.
fn next(directory: &Directory, node: &Arc<str>, dst: IpAddr, up: bool) -> Next {
    let pod = directory.resident(dst);
    if !up {
        return pod.filter(|pod| pod.node == *node).cloned().map_or(Next::Nobody, Next::Pod);
    }
    if let Some(pod) = pod {
        return Next::Box(pod.node.clone());
    }
    match directory.node_of(dst) {
        Some(other) => Next::Box(other.clone()),
        None if directory.pod_cidrs().iter().any(|cidr| cidr.contains(dst)) => Next::Nobody,
        None => Next::World,
    }
}
