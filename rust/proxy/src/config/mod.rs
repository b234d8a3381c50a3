//! kube-proxy's options, under its own names, and what they come to for one family.

mod block;
mod settings;

use std::net::IpAddr;
use std::sync::Arc;

use kdp_packet::{Cidr, Family};

pub use settings::{LocalDetector, NodePortMatch, Settings};

use crate::{Error, Profile, error::Result};

/// The options of one kube-proxy in iptables mode.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // independent options
pub struct Config {
    /// The release.
    pub profile: Profile,
    /// Families that a proxier runs for; kube-proxy runs both where the host can.
    pub families: Vec<Family>,
    /// `--hostname-override`, or the host's name.
    pub node_name: Arc<str>,
    /// Every address on the node's interfaces but loopback.
    pub node_ips: Vec<IpAddr>,
    /// The node's primary addresses, at most one a family (Node status, or `--bind-address`).
    pub primary_node_ips: Vec<IpAddr>,
    /// `--detect-local-mode` and what it needs.
    pub detect_local: DetectLocal,
    /// `--masquerade-all`.
    pub masquerade_all: bool,
    /// `--iptables-localhost-nodeports`.
    pub iptables_localhost_nodeports: bool,
    /// `--nodeport-addresses`; none: all addresses.
    pub nodeport_addresses: NodePortAddresses,
    /// `--iptables-masquerade-bit`, 0 to 31.
    pub masquerade_bit: u8,
    /// Whether the kernel lets kube-proxy make its nfacct counters.
    pub nfacct: bool,
    /// Whether `nf_conntrack_tcp_be_liberal` is set: then INVALID packets are not dropped.
    pub tcp_be_liberal: bool,
}

/// How packets of the node's own pods are told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectLocal {
    /// Not at all.
    None,
    /// By source in `--cluster-cidr`, at most one a family.
    ClusterCidr(Vec<Cidr>),
    /// By source in the Node's `spec.podCIDRs`.
    NodeCidr,
    /// By the bridge that they come in by.
    BridgeInterface(Arc<str>),
    /// By the beginning of the name of the device that they come in by.
    InterfaceNamePrefix(Arc<str>),
}

/// Addresses that take node port traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodePortAddresses {
    /// Those in these networks; a family without one of its own takes all.
    Cidrs(Vec<Cidr>),
    /// The word `primary`: the primary node addresses.
    Primary,
}

impl Config {
    /// kube-proxy's defaults for a node. Source: kube-proxy, `pkg/proxy/apis/config/v1alpha1/defaults.go`.
    pub fn new(node_name: impl Into<Arc<str>>) -> Config {
        Config {
            profile: Profile::default(),
            families: vec![Family::V4, Family::V6],
            node_name: node_name.into(),
            node_ips: Vec::new(),
            primary_node_ips: Vec::new(),
            detect_local: DetectLocal::ClusterCidr(Vec::new()),
            masquerade_all: false,
            iptables_localhost_nodeports: true,
            nodeport_addresses: NodePortAddresses::Cidrs(Vec::new()),
            masquerade_bit: 14,
            nfacct: false,
            tcp_be_liberal: false,
        }
    }

    /// Reads the `proxy` block of a case file. Unknown options and values are errors that name them.
    pub fn from_block(block: &serde_json::Value) -> Result<Config> {
        block::read(block)
    }

    /// The primary address of a family.
    pub fn primary_node_ip(&self, family: Family) -> Option<IpAddr> {
        self.primary_node_ips.iter().copied().find(|ip| Family::of(*ip) == family)
    }

    /// Refuses options that kube-proxy refuses.
    pub fn check(&self) -> Result<()> {
        if self.masquerade_bit > 31 {
            return Err(Error::option("masqueradeBit", &self.masquerade_bit, "0..=31"));
        }
        if self.nodeport_addresses == NodePortAddresses::Primary && !self.profile.primary_node_port_address {
            return Err(Error::option("nodePortAddresses", &"primary", "CIDRs (the word is from 1.31 on)"));
        }
        if let DetectLocal::ClusterCidr(cidrs) = &self.detect_local {
            for family in [Family::V4, Family::V6] {
                if cidrs.iter().filter(|cidr| cidr.family() == family).count() > 1 {
                    let found = cidrs.iter().map(Cidr::to_string).collect::<Vec<_>>().join(",");
                    return Err(Error::option("detectLocal.clusterCIDR", &found, "one CIDR a family"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
