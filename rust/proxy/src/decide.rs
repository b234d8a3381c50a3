//! What a node does with a new connection, without rules.
//!
//! A pure function from the view to an outcome, in the words of the API: policies, source ranges, who counts as a Pod. It makes
//! no rule and walks none, so that it can be held against them: where the two differ, one of them is wrong.

mod filter;
mod frontend;

use std::net::IpAddr;

use kdp_packet::{Cidr, Proto};

use self::frontend::{Frontend, Kind};
use crate::config::{LocalDetector, Mode, NodePortMatch, Settings};
use crate::names::{PortName, ServiceName};
use crate::select::{Chooser, Selected, select};
use crate::view::{Endpoint, FamilyView, ServicePort};

/// The first packet of a connection, as it comes to a node from a device (hook prerouting).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Where it comes from.
    pub src: IpAddr,
    /// Where it goes.
    pub dst: IpAddr,
    /// TCP, UDP or SCTP.
    pub proto: Proto,
    /// The port it goes to.
    pub port: u16,
    /// The device that it comes in by, where detectors ask for it.
    pub device: &'a str,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// kube-proxy has nothing to say: it goes on as it stands.
    Nothing,
    /// It is let in to the health-check server (iptables mode).
    Accepted,
    /// Its sender is told that nobody is there.
    Rejected,
    /// It disappears.
    Dropped,
    /// It goes to one of these, each with the same chance.
    Translated(Vec<Translation<'a>>),
}

/// An endpoint that a connection may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// Whether its source becomes the node's address.
    pub masquerade: bool,
}

/// A node that decides.
#[derive(Clone, Debug)]
pub struct Decider<'a> {
    /// The mode.
    pub mode: Mode,
    /// Its options for a family.
    pub settings: &'a Settings,
    /// Its zone.
    pub zone: Option<&'a str>,
    /// Addresses on its interfaces; loopback need not be among them.
    pub own: &'a [IpAddr],
    /// Networks of ServiceCIDR objects; read in nftables mode.
    pub service_cidrs: &'a [Cidr],
}

impl Decider<'_> {
    /// Decides on a connection with Services and endpoints as the view shows them.
    ///
    /// Where two Services share a frontend, the first one by name decides.
    pub fn decide<'v>(&self, view: &'v FamilyView, packet: &Arrival<'_>) -> Decision<'v> {
        let nftables = self.mode == Mode::Nftables;
        let frontends = || self.ways(view, packet, self.takes_node_ports(packet.dst));
        if nftables && frontends().any(|(own, _)| self.firewall_refuses(&own, packet)) {
            return Decision::Dropped;
        }
        for (frontend, selected) in frontends() {
            let to = self.translations(view, &frontend, &selected, packet);
            if !to.is_empty() {
                return Decision::Translated(to);
            }
            if nftables && frontend.kind != Kind::ClusterIp && selected.has_any {
                // Its element leads to a chain that ends, and no other element is asked.
                break;
            }
        }
        self.filter(view, packet)
    }

    /// The frontends that a packet goes to, virtual addresses before node ports, each with what its service port
    /// chooses; `node_ports`: whether its destination takes them.
    fn ways<'v>(
        &self,
        view: &'v FamilyView,
        packet: &Arrival<'_>,
        node_ports: bool,
    ) -> impl Iterator<Item = (Frontend<'v>, Selected<'v>)> {
        let mut found = Vec::new();
        for (service, port, own) in service_ports(view) {
            let kinds = frontend::kinds(own, packet, node_ports);
            let selected = || self.select(view, service, port, own);
            found.extend(kinds.map(|kind| (Frontend { kind, own }, selected())));
        }
        found.sort_by_key(|(frontend, _)| frontend.kind == Kind::NodePort);
        found.into_iter()
    }

    fn select<'v>(
        &self,
        view: &'v FamilyView,
        service: &ServiceName,
        port: &PortName,
        own: &ServicePort,
    ) -> Selected<'v> {
        let settings = self.settings;
        let chooser = Chooser { profile: &settings.profile, node: &settings.node_name, zone: self.zone };
        select(own, view.endpoints(service, port), chooser)
    }

    /// The endpoints that a frontend gives this source; none if it gives it nothing.
    fn translations<'v>(
        &self,
        view: &'v FamilyView,
        frontend: &Frontend<'v>,
        selected: &Selected<'v>,
        packet: &Arrival<'_>,
    ) -> Vec<Translation<'v>> {
        let own = frontend.own;
        let pod = self.is_pod(packet);
        let (endpoints, masquerade) = match frontend.kind {
            Kind::ClusterIp => {
                let endpoints = if own.internal_local { &selected.local } else { &selected.cluster };
                (endpoints, self.settings.masquerade_all || (self.has_detector() && !pod))
            }
            _ if !selected.has_any || self.firewall_refuses(frontend, packet) => return Vec::new(),
            _ if !own.external_local => (&selected.cluster, true),
            _ if pod => (&selected.cluster, false),
            _ if self.is_own(packet.src) => (&selected.cluster, true),
            _ => (&selected.local, false),
        };
        let to = |endpoint: &&'v Endpoint| Translation {
            endpoint,
            masquerade: masquerade || self.is_hairpin(view, endpoint, packet),
        };
        endpoints.iter().map(to).collect()
    }

    /// Whether source ranges keep the packet from a load-balancer address.
    fn firewall_refuses(&self, frontend: &Frontend<'_>, packet: &Arrival<'_>) -> bool {
        let own = frontend.own;
        if frontend.kind != Kind::LoadBalancer || own.source_ranges.is_empty() {
            return false;
        }
        let inside = |addr: IpAddr| own.source_ranges.iter().any(|range| range.contains(addr));
        // A node that may come talks to its own load-balancer addresses from these.
        let by_node =
            self.settings.node_ip.is_some_and(inside) && own.load_balancer_vips.contains(&packet.src);
        !(inside(packet.src) || by_node)
    }

    /// Whether the endpoint would answer itself.
    fn is_hairpin(&self, view: &FamilyView, endpoint: &Endpoint, packet: &Arrival<'_>) -> bool {
        if endpoint.backend.ip != packet.src {
            return false;
        }
        if self.mode == Mode::Iptables || !self.settings.profile.nft.one_rule {
            return true;
        }
        // One set for all Services has the endpoints of this node.
        service_ports(view).any(|(service, port, own)| {
            let same = |other: &&Endpoint| {
                (other.backend.ip, other.port) == (endpoint.backend.ip, endpoint.port)
                    && other.backend.is_local(&self.settings.node_name)
            };
            own.protocol == packet.proto && self.select(view, service, port, own).reachable.iter().any(same)
        })
    }

    fn has_detector(&self) -> bool {
        self.settings.local != LocalDetector::None
    }

    /// Whether the packet is from a Pod of this node, as far as the detector can tell.
    fn is_pod(&self, packet: &Arrival<'_>) -> bool {
        match &self.settings.local {
            LocalDetector::None => false,
            LocalDetector::Cidr(cidr) => cidr.contains(packet.src),
            LocalDetector::Device(pattern) if pattern.prefix => packet.device.starts_with(&*pattern.name),
            LocalDetector::Device(pattern) => packet.device == &*pattern.name,
        }
    }

    fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.own.contains(&addr)
    }

    /// Whether node ports answer on an address.
    fn takes_node_ports(&self, addr: IpAddr) -> bool {
        match &self.settings.nodeports {
            NodePortMatch::Addresses(addresses) => addresses.contains(&addr),
            NodePortMatch::All => {
                self.is_own(addr) && (!addr.is_loopback() || self.settings.localhost_nodeports)
            }
        }
    }
}

/// Every service port, by name.
fn service_ports(view: &FamilyView) -> impl Iterator<Item = (&ServiceName, &PortName, &ServicePort)> {
    view.services().flat_map(|(service, ports)| ports.iter().map(move |(port, own)| (service, port, own)))
}
