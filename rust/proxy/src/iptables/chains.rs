//! The chains that every Service shares.

use std::sync::LazyLock;

use kdp_netfilter::{Name, Table};

/// Names of fixed chains, made once.
pub(super) struct Chains {
    pub services: Name,
    pub external_services: Name,
    pub node_ports: Name,
    pub proxy_firewall: Name,
    pub forward: Name,
    pub firewall: Name,
    pub postrouting: Name,
    pub mark_masq: Name,
    pub canary: Name,
}

pub(super) static CHAINS: LazyLock<Chains> = LazyLock::new(|| Chains {
    services: Name::text("KUBE-SERVICES"),
    external_services: Name::text("KUBE-EXTERNAL-SERVICES"),
    node_ports: Name::text("KUBE-NODEPORTS"),
    proxy_firewall: Name::text("KUBE-PROXY-FIREWALL"),
    forward: Name::text("KUBE-FORWARD"),
    firewall: Name::text("KUBE-FIREWALL"),
    postrouting: Name::text("KUBE-POSTROUTING"),
    mark_masq: Name::text("KUBE-MARK-MASQ"),
    canary: Name::text("KUBE-PROXY-CANARY"),
});

/// Beginnings of the names of chains that belong to one service port.
pub(crate) const SERVICE_PREFIXES: [&str; 5] =
    ["KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-"];

/// A chain that holds rules of many service ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shared {
    /// Rejects and drops of cluster IPs.
    FilterServices,
    /// Rejects and drops of external frontends.
    FilterExternal,
    /// Health-check node ports.
    FilterNodePorts,
    /// Load-balancer IPs with source ranges.
    FilterFirewall,
    /// VIPs.
    NatServices,
    /// Node ports.
    NatNodePorts,
}

impl Shared {
    pub(crate) const ALL: [Shared; 6] = [
        Shared::FilterServices,
        Shared::FilterExternal,
        Shared::FilterNodePorts,
        Shared::FilterFirewall,
        Shared::NatServices,
        Shared::NatNodePorts,
    ];

    pub(crate) fn table(self) -> Table {
        match self {
            Shared::NatServices | Shared::NatNodePorts => Table::Nat,
            Shared::FilterServices
            | Shared::FilterExternal
            | Shared::FilterNodePorts
            | Shared::FilterFirewall => Table::Filter,
        }
    }

    pub(crate) fn chain(self) -> &'static Name {
        match self {
            Shared::FilterServices | Shared::NatServices => &CHAINS.services,
            Shared::FilterExternal => &CHAINS.external_services,
            Shared::FilterNodePorts | Shared::NatNodePorts => &CHAINS.node_ports,
            Shared::FilterFirewall => &CHAINS.proxy_firewall,
        }
    }
}
