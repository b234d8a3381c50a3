//! What kube-proxy reads of its own Node.

use std::sync::Arc;

use kdp_kube::object::Node;
use kdp_packet::Cidr;

/// The parts of a Node that rules depend on. Pods and other Nodes are never read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// The zone (label `topology.kubernetes.io/zone`); an empty label is as good as none.
    pub zone: Option<Arc<str>>,
    /// `spec.podCIDRs`.
    pub pod_cidrs: Vec<Cidr>,
}

impl NodeFacts {
    /// Of a Node object. CIDRs that do not parse are left out: the API server lets none through.
    pub fn of(node: &Node) -> NodeFacts {
        let zone = node.meta.labels.get("topology.kubernetes.io/zone").filter(|zone| !zone.is_empty());
        NodeFacts {
            zone: zone.map(|zone| zone.as_str().into()),
            pod_cidrs: node.pod_cidrs().filter_map(Cidr::parse).collect(),
        }
    }
}
