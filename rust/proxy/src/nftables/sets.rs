//! Sets and maps that every Service shares.

use kdp_netfilter::nft::{Set, SetFlags, Type};
use kdp_packet::Family;
use kdp_sim::Time;

use crate::config::{NodePortMatch, Settings};

/// A set or map that holds elements of many service ports, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    /// Endpoints of this node that a client on the same address may reach (1.36 on).
    HairpinConnections,
    /// Cluster IPs.
    ClusterIps,
    /// Addresses of this node that take node ports.
    NodeportIps,
    /// VIPs without a usable endpoint.
    NoEndpointServices,
    /// Node ports without a usable endpoint.
    NoEndpointNodeports,
    /// Load-balancer IPs with source ranges.
    FirewallIps,
    /// VIPs.
    ServiceIps,
    /// Node ports.
    ServiceNodeports,
}

impl Shared {
    pub(super) const ALL: [Shared; 8] = [
        Shared::HairpinConnections,
        Shared::ClusterIps,
        Shared::NodeportIps,
        Shared::NoEndpointServices,
        Shared::NoEndpointNodeports,
        Shared::FirewallIps,
        Shared::ServiceIps,
        Shared::ServiceNodeports,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Shared::HairpinConnections => "hairpin-connections",
            Shared::ClusterIps => "cluster-ips",
            Shared::NodeportIps => "nodeport-ips",
            Shared::NoEndpointServices => "no-endpoint-services",
            Shared::NoEndpointNodeports => "no-endpoint-nodeports",
            Shared::FirewallIps => "firewall-ips",
            Shared::ServiceIps => "service-ips",
            Shared::ServiceNodeports => "service-nodeports",
        }
    }

    const fn comment(self) -> &'static str {
        match self {
            Shared::HairpinConnections => "service hairpin connections",
            Shared::ClusterIps => "Active ClusterIPs",
            Shared::NodeportIps => "IPs that accept NodePort traffic",
            Shared::NoEndpointServices => "vmap to drop or reject packets to services with no endpoints",
            Shared::NoEndpointNodeports => {
                "vmap to drop or reject packets to service nodeports with no endpoints"
            }
            Shared::FirewallIps => "destinations that are subject to LoadBalancerSourceRanges",
            Shared::ServiceIps => "ClusterIP, ExternalIP and LoadBalancer IP traffic",
            Shared::ServiceNodeports => "NodePort traffic",
        }
    }

    /// Whether a release and its options have it.
    pub(super) fn is_there(self, settings: &Settings) -> bool {
        match self {
            Shared::HairpinConnections => settings.profile.nft.one_rule,
            Shared::NodeportIps => settings.nodeports != NodePortMatch::All,
            _ => true,
        }
    }

    /// Its declaration. Source: kube-proxy, nftables `setupNFTables`.
    pub(super) fn declaration(self, family: Family) -> Set {
        let addr = Type::addr(family);
        let vip = [addr, Type::InetProto, Type::InetService];
        let name = self.name();
        let set = match self {
            Shared::HairpinConnections => Set::new(name, &[addr, addr, Type::InetProto, Type::InetService]),
            Shared::ClusterIps | Shared::NodeportIps => Set::new(name, &[addr]),
            Shared::NoEndpointServices | Shared::FirewallIps | Shared::ServiceIps => Set::vmap(name, &vip),
            Shared::NoEndpointNodeports | Shared::ServiceNodeports => Set::vmap(name, &vip[1..]),
        };
        Set { comment: Some(self.comment().into()), ..set }
    }
}

/// The set of an endpoint's recent clients. The kernel gives a dynamic set room for 65535 elements.
/// Source: nft, `src/evaluate.c` (a dynamic set without a size gets 0xffff).
pub(super) fn affinity(name: &str, seconds: u32, family: Family) -> Set {
    Set {
        flags: SetFlags::DYNAMIC_TIMEOUT,
        timeout: Some(Time::from_secs(seconds.into())),
        size: Some(0xffff),
        ..Set::new(name, &[Type::addr(family)])
    }
}
