//! What the options come to for one family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use kdp_netfilter::{DevicePattern, Match, Test};
use kdp_packet::{Cidr, Family};

use super::{Config, DetectLocal, Mode, NodePortAddresses};
use crate::{Profile, node::NodeFacts};

/// The options of one family's proxier, resolved.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // independent options
pub struct Settings {
    /// The release.
    pub profile: Profile,
    /// The family.
    pub family: Family,
    /// This node's name.
    pub node_name: Arc<str>,
    /// This node's primary address of the family.
    pub node_ip: Option<IpAddr>,
    /// How local pods are told.
    pub local: LocalDetector,
    /// `--masquerade-all`.
    pub masquerade_all: bool,
    /// Whether node ports answer on 127.0.0.0/8: an option, but only IPv4's, and only if the addresses allow it.
    pub localhost_nodeports: bool,
    /// Which destinations are node port addresses.
    pub nodeports: NodePortMatch,
    /// The bit of the packet mark that asks for masquerade.
    pub mark: u32,
    /// Whether nfacct counters are matched.
    pub nfacct: bool,
    /// Whether INVALID packets are dropped on forward.
    pub drop_invalid: bool,
    /// How often stale chains are looked for in a large cluster.
    pub sync_period: Duration,
}

/// A test for packets of local pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalDetector {
    /// There is none.
    None,
    /// By source.
    Cidr(Cidr),
    /// By device; never true for packets that the host makes.
    Device(DevicePattern),
}

/// Which destinations are node port addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodePortMatch {
    /// Whatever is local.
    All,
    /// These addresses of the node.
    Addresses(Vec<IpAddr>),
}

impl Settings {
    /// Of `config` on a node, for one family.
    pub fn new(config: &Config, node: &NodeFacts, family: Family) -> Settings {
        let cidrs = nodeport_cidrs(config);
        // Source: kube-proxy, nftables proxier: it has no node ports on localhost.
        let localhost_nodeports = config.mode == Mode::Iptables
            && family == Family::V4
            && config.iptables_localhost_nodeports
            && cover_loopback(&cidrs);
        let nodeports = match config.mode {
            Mode::Iptables => nodeport_match(config, &cidrs, family, localhost_nodeports),
            Mode::Nftables => nftables_nodeports(config, family),
        };
        Settings {
            profile: config.profile,
            family,
            node_name: config.node_name.clone(),
            node_ip: config.primary_node_ip(family),
            local: LocalDetector::new(&config.detect_local, node, family),
            masquerade_all: config.masquerade_all,
            localhost_nodeports,
            nodeports,
            mark: 1 << config.masquerade_bit,
            nfacct: config.nfacct && config.profile.nfacct,
            drop_invalid: !config.tcp_be_liberal,
            sync_period: config.sync_period,
        }
    }
}

impl LocalDetector {
    fn new(detect: &DetectLocal, node: &NodeFacts, family: Family) -> LocalDetector {
        let first = |cidrs: &[Cidr]| {
            let cidr = cidrs.iter().copied().find(|cidr| cidr.family() == family);
            cidr.map_or(LocalDetector::None, LocalDetector::Cidr)
        };
        let device =
            |name: &Arc<str>, prefix| LocalDetector::Device(DevicePattern { name: name.clone(), prefix });
        match detect {
            DetectLocal::None => LocalDetector::None,
            DetectLocal::ClusterCidr(cidrs) => first(cidrs),
            DetectLocal::NodeCidr => first(&node.pod_cidrs),
            DetectLocal::BridgeInterface(name) => device(name, false),
            DetectLocal::InterfaceNamePrefix(name) => device(name, true),
        }
    }

    /// The test for packets of local pods (`local`) or of all others; `None` without a detector.
    /// Source: kube-proxy, `pkg/proxy/util` local detectors `IfLocal` and `IfNotLocal`.
    pub fn test(&self, local: bool) -> Option<Match> {
        let invert = !local;
        match self {
            LocalDetector::None => None,
            LocalDetector::Cidr(cidr) => Some(Match::Src(Test { invert, value: *cidr })),
            LocalDetector::Device(device) => Some(Match::In(Test { invert, value: device.clone() })),
        }
    }
}

fn nodeport_cidrs(config: &Config) -> Vec<Cidr> {
    match &config.nodeport_addresses {
        NodePortAddresses::Cidrs(cidrs) => cidrs.clone(),
        NodePortAddresses::Primary => config.primary_node_ips.iter().copied().map(Cidr::host).collect(),
    }
}

/// Whether localhost node ports can be: no IPv4 CIDR at all, or one that covers 127.0.0.0.
fn cover_loopback(cidrs: &[Cidr]) -> bool {
    let start = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0));
    let mut own = cidrs.iter().filter(|cidr| cidr.family() == Family::V4).peekable();
    own.peek().is_none() || own.any(|cidr| cidr.contains(start) || cidr.addr().is_loopback())
}

/// Source: kube-proxy, `NodePortAddresses` of `pkg/proxy/util`, and the end of iptables `syncProxyRules`.
fn nodeport_match(config: &Config, cidrs: &[Cidr], family: Family, loopback: bool) -> NodePortMatch {
    let own: Vec<Cidr> = cidrs.iter().copied().filter(|cidr| cidr.family() == family).collect();
    if own.is_empty() || own.iter().any(|cidr| cidr.prefix_len() == 0) {
        return NodePortMatch::All;
    }
    let localhost = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Family::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let inside = |ip: &IpAddr| own.iter().any(|cidr| cidr.contains(*ip)) && (loopback || !ip.is_loopback());
    NodePortMatch::Addresses(config.node_ips.iter().copied().chain([localhost]).filter(inside).collect())
}

/// In nftables mode a family whose primary address is not on an interface takes node ports on no address.
/// Source: kube-proxy, `newNodePortAddresses` (pkg/proxy/util) and nftables `setupNFTables`.
fn nftables_nodeports(config: &Config, family: Family) -> NodePortMatch {
    let primary = || config.primary_node_ip(family).map(Cidr::host).into_iter().collect();
    let own: Vec<Cidr> = match &config.nodeport_addresses {
        NodePortAddresses::Primary => primary(),
        NodePortAddresses::Cidrs(cidrs) => {
            let own: Vec<Cidr> = cidrs.iter().copied().filter(|cidr| cidr.family() == family).collect();
            if own.is_empty() && config.profile.nft.primary_by_default {
                primary()
            } else if own.is_empty() || own.iter().any(|cidr| cidr.prefix_len() == 0) {
                return NodePortMatch::All;
            } else {
                own
            }
        }
    };
    let inside = |ip: &&IpAddr| own.iter().any(|cidr| cidr.contains(**ip)) && !ip.is_loopback();
    let mut addresses: Vec<IpAddr> = config.node_ips.iter().filter(inside).copied().collect();
    addresses.sort();
    addresses.dedup();
    NodePortMatch::Addresses(addresses)
}
