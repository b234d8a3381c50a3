//! What becomes of a packet that no frontend translates.

use std::net::{IpAddr, Ipv4Addr};

use kdp_packet::{Family, Proto};

use super::frontend::{Frontend, Kind};
use super::{Arrival, Decider, Decision, service_ports};
use crate::config::Mode;
use crate::select::Selected;
use crate::view::FamilyView;

impl Decider<'_> {
    pub(super) fn filter<'v>(&self, view: &'v FamilyView, packet: &Arrival<'_>) -> Decision<'v> {
        match self.mode {
            Mode::Iptables => self.filter_iptables(view, packet),
            Mode::Nftables => self.filter_nftables(view, packet),
        }
    }

    /// Packets for the node itself pass INPUT, all others FORWARD.
    fn filter_iptables<'v>(&self, view: &'v FamilyView, packet: &Arrival<'_>) -> Decision<'v> {
        let local = self.is_own(packet.dst);
        if local && self.is_foreign_to_loopback(packet) {
            return Decision::Dropped;
        }
        let refused = |(frontend, selected): (Frontend<'_>, Selected<'_>)| {
            selected.has_any && self.firewall_refuses(&frontend, packet)
        };
        if self.ways(view, packet, local).any(refused) {
            return Decision::Dropped;
        }
        let checked = |port: Option<u16>| packet.proto == Proto::TCP && port == Some(packet.port);
        if local && service_ports(view).any(|(.., own)| checked(own.health_check_node_port)) {
            return Decision::Accepted;
        }
        // The cluster IPs' chain hangs off FORWARD alone, and comes first there.
        let inside = |kind| kind == Kind::ClusterIp;
        let first = (!local).then(|| self.nobody(view, packet, local, inside)).flatten();
        first.or_else(|| self.nobody(view, packet, local, |kind| !inside(kind))).unwrap_or(Decision::Nothing)
    }

    fn filter_nftables<'v>(&self, view: &'v FamilyView, packet: &Arrival<'_>) -> Decision<'v> {
        let node_ports = self.takes_node_ports(packet.dst);
        let local = self.is_own(packet.dst);
        let by_port =
            local.then(|| self.nobody(view, packet, node_ports, |kind| kind == Kind::NodePort)).flatten();
        let nobody = by_port.or_else(|| self.nobody(view, packet, false, |_| true));
        if let Some(decision) = nobody {
            return decision;
        }
        if local {
            return Decision::Nothing;
        }
        if service_ports(view).any(|(.., own)| own.cluster_ip == packet.dst) {
            return Decision::Rejected;
        }
        let unallocated = self.service_cidrs.iter().any(|cidr| cidr.contains(packet.dst));
        if unallocated && self.settings.profile.nft.service_cidrs {
            Decision::Dropped
        } else {
            Decision::Nothing
        }
    }

    /// What the first frontend whose policy leaves no endpoint makes of the packet.
    fn nobody<'v>(
        &self,
        view: &'v FamilyView,
        packet: &Arrival<'_>,
        node_ports: bool,
        wanted: impl Fn(Kind) -> bool,
    ) -> Option<Decision<'v>> {
        let mut ways = self.ways(view, packet, node_ports).filter(|(frontend, _)| wanted(frontend.kind));
        ways.find_map(|(frontend, selected)| {
            let own = frontend.own;
            let local =
                if frontend.kind == Kind::ClusterIp { own.internal_local } else { own.external_local };
            let dropped = local && selected.local.is_empty();
            if selected.has_any { dropped.then_some(Decision::Dropped) } else { Some(Decision::Rejected) }
        })
    }

    /// Localhost's network takes nobody in from outside, where node ports open it.
    fn is_foreign_to_loopback(&self, packet: &Arrival<'_>) -> bool {
        let within = |addr: IpAddr| matches!(addr, IpAddr::V4(addr) if addr.octets()[0] == Ipv4Addr::LOCALHOST.octets()[0]);
        self.settings.family == Family::V4
            && self.settings.localhost_nodeports
            && within(packet.dst)
            && !within(packet.src)
    }
}
