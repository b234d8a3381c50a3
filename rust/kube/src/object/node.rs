//! Node and Namespace.

use std::collections::BTreeMap;

use super::meta::{Condition, Meta};
use super::serde_api::api;

api! {
    /// A Node (`v1`).
    pub struct Node {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: NodeSpec,
        /// What is.
        pub status: NodeStatus,
    }

    /// `Node.spec`.
    pub struct NodeSpec {
        /// The network of its Pods, of the first family.
        #[serde(rename = "podCIDR")]
        pub pod_cidr: String,
        /// The networks of its Pods, one per family.
        #[serde(rename = "podCIDRs")]
        pub pod_cidrs: Vec<String>,
        /// The cloud's name for it.
        #[serde(rename = "providerID")]
        pub provider_id: String,
        /// Whether no new Pods come here.
        pub unschedulable: bool,
        /// What keeps Pods away.
        pub taints: Vec<Taint>,
    }

    /// A taint.
    pub struct Taint {
        /// Its key.
        pub key: String,
        /// Its value.
        pub value: String,
        /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
        pub effect: String,
    }

    /// `Node.status`.
    pub struct NodeStatus {
        /// What it has.
        pub capacity: BTreeMap<String, Quantity>,
        /// What of it Pods may use.
        pub allocatable: BTreeMap<String, Quantity>,
        /// Conditions.
        pub conditions: Vec<Condition>,
        /// Its addresses.
        pub addresses: Vec<NodeAddress>,
        /// What it is.
        pub node_info: NodeInfo,
    }

    /// An address of a Node.
    pub struct NodeAddress {
        /// `InternalIP`, `ExternalIP`, `Hostname`, …
        #[serde(rename = "type")]
        pub type_: String,
        /// The address or name.
        pub address: String,
    }

    /// `status.nodeInfo`.
    pub struct NodeInfo {
        /// The kernel's release.
        pub kernel_version: String,
        /// The system.
        pub os_image: String,
        /// What runs the containers.
        pub container_runtime_version: String,
        /// The kubelet's version.
        pub kubelet_version: String,
        /// kube-proxy's version.
        pub kube_proxy_version: String,
        /// `linux`.
        pub operating_system: String,
        /// `amd64`.
        pub architecture: String,
    }

    /// A Namespace (`v1`).
    pub struct Namespace {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is.
        pub status: NamespaceStatus,
    }

    /// `Namespace.status`.
    pub struct NamespaceStatus {
        /// `Active` or `Terminating`.
        pub phase: String,
    }
}

/// An amount as the API writes it: `4`, `500m`, `16Gi`. A bare number is taken as its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl<'de> serde::Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Text {
            Number(serde_json::Number),
            Text(String),
        }
        Ok(Quantity(match Text::deserialize(from)? {
            Text::Number(number) => number.to_string(),
            Text::Text(text) => text,
        }))
    }
}

impl Node {
    /// Its addresses of one type: `InternalIP`.
    pub fn addresses(&self, type_: &str) -> impl Iterator<Item = &str> {
        self.status.addresses.iter().filter(move |a| a.type_ == type_).map(|a| a.address.as_str())
    }

    /// Whether its Ready condition is True.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
    }

    /// The networks of its Pods as texts.
    pub fn pod_cidrs(&self) -> impl Iterator<Item = &str> {
        let alone = self.spec.pod_cidrs.is_empty() && !self.spec.pod_cidr.is_empty();
        let alone = alone.then_some(self.spec.pod_cidr.as_str());
        alone.into_iter().chain(self.spec.pod_cidrs.iter().map(String::as_str))
    }
}
