//! kube-proxy's options, under its own names, and what they come to for one family.

mod block;
mod duration;
mod file;
mod flags;
mod settings;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kdp_packet::{Cidr, Family};

pub use file::block_of_file;
pub use flags::block_of_flags;
pub use settings::{LocalDetector, NodePortMatch, Settings};

use crate::{Error, Profile, error::Result};

/// `--proxy-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Rules of iptables.
    Iptables,
    /// Rules of nftables.
    Nftables,
}

/// The options of one kube-proxy.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // independent options
pub struct Config {
    /// `--proxy-mode`.
    pub mode: Mode,
    /// The release.
    pub profile: Profile,
    /// Families that a proxier runs for; kube-proxy runs both where the host can.
    pub families: Vec<Family>,
    /// The node's name: `--hostname-override`, or the host's name.
    pub node_name: Arc<str>,
    /// `--hostname-override`, where it was given: then every node takes itself for the one of this name.
    pub hostname_override: Option<Arc<str>>,
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
    /// `--nodeport-addresses`; none: all addresses. In nftables mode kube-proxy's default is `primary`.
    pub nodeport_addresses: NodePortAddresses,
    /// `--iptables-masquerade-bit`, 0 to 31.
    pub masquerade_bit: u8,
    /// Whether the kernel lets kube-proxy make its nfacct counters.
    pub nfacct: bool,
    /// Whether `nf_conntrack_tcp_be_liberal` is set: then INVALID packets are not dropped.
    pub tcp_be_liberal: bool,
    /// `--iptables-sync-period`: how long after a failed sync the next one starts, and how often stale chains are looked for.
    pub sync_period: Duration,
    /// `--iptables-min-sync-period`: how long a sync waits for the one before.
    pub min_sync_period: Duration,
    /// Networks that cluster IPs are taken from, as far as ServiceCIDR objects say; read in nftables mode.
    pub service_cidrs: Vec<Cidr>,
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
            mode: Mode::Iptables,
            profile: Profile::default(),
            families: vec![Family::V4, Family::V6],
            node_name: node_name.into(),
            hostname_override: None,
            node_ips: Vec::new(),
            primary_node_ips: Vec::new(),
            detect_local: DetectLocal::ClusterCidr(Vec::new()),
            masquerade_all: false,
            iptables_localhost_nodeports: true,
            nodeport_addresses: NodePortAddresses::Cidrs(Vec::new()),
            masquerade_bit: 14,
            nfacct: false,
            tcp_be_liberal: false,
            sync_period: Duration::from_secs(30),
            min_sync_period: Duration::from_secs(1),
            service_cidrs: Vec::new(),
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
        let primary = self.nodeport_addresses == NodePortAddresses::Primary;
        if primary && !self.profile.primary_node_port_address && self.mode == Mode::Iptables {
            return Err(Error::option("nodePortAddresses", &"primary", "CIDRs (the word is from 1.31 on)"));
        }
        let by_prefix = matches!(self.detect_local, DetectLocal::InterfaceNamePrefix(_));
        if by_prefix && self.mode == Mode::Nftables && !self.profile.nft.devices_by_name {
            // Source: kube-proxy 1.30 to 1.32 write `iif PRE*`, which nft answers with "Interface does not exist".
            let allowed =
                "another mode: before 1.33 nft refuses every rule that a device's beginning would need";
            return Err(Error::option("detectLocal.mode", &"InterfaceNamePrefix", allowed));
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

    /// Refuses a cluster CIDR of the other family alone on a node of one family: there kube-proxy does not start.
    ///
    /// `--nodeport-addresses` of the other family it takes, and node ports are then on all addresses.
    /// Source: kube-proxy, `checkBadIPConfig` (cmd/kube-proxy/app/server.go).
    pub fn check_single_stack(&self) -> Result<()> {
        let DetectLocal::ClusterCidr(cidrs) = &self.detect_local else { return Ok(()) };
        let mut there = self.families.clone();
        there.retain(|family| {
            self.node_ips.is_empty() || self.node_ips.iter().any(|ip| Family::of(*ip) == *family)
        });
        let [family] = there[..] else { return Ok(()) };
        if cidrs.is_empty() || cidrs.iter().any(|cidr| cidr.family() == family) {
            return Ok(());
        }
        let found = cidrs.iter().map(Cidr::to_string).collect::<Vec<_>>().join(",");
        Err(Error::CidrFamily { option: "clusterCIDR".to_owned(), found, family: family.as_str() })
    }
}

#[cfg(test)]
mod tests;
