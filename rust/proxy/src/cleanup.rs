//! Stale UDP entries of connection tracking: what kube-proxy deletes after a sync, in each of its generations.
//!
//! TCP and SCTP are never touched.

mod events;
mod reconciler;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kdp_netfilter::conntrack::Conntrack;
use kdp_packet::{Family, Proto};
use kdp_sim::Time;

use crate::names::{PortName, ServiceName};
use crate::profile::Cleanup;
use crate::view::{Cursor, FamilyView, ServicePort};

/// What one family's proxier knows of UDP, as of its last sync, to tell entries that lead nowhere.
#[derive(Clone, Debug)]
pub struct Cleaner {
    generation: Cleanup,
    family: Family,
    cursor: Cursor,
    known: BTreeMap<ServiceName, Known>,
}

/// What a cleanup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Whether entries were looked at.
    pub ran: bool,
    /// How many were deleted.
    pub deleted: usize,
}

/// The UDP side of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    ports: BTreeMap<PortName, UdpPort>,
    /// Serving endpoints by port, whether or not the Service has that port. A port without endpoints has no key.
    backends: BTreeMap<PortName, BTreeSet<Backend>>,
}

/// An address and a port.
type Backend = (IpAddr, u16);

/// The frontends of a UDP service port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UdpPort {
    cluster_ip: IpAddr,
    port: u16,
    /// External IPs and load-balancer addresses.
    external: Vec<IpAddr>,
    node_port: Option<u16>,
}

/// A Service that changed: what was known of it, and what is.
struct Change {
    before: Known,
    after: Known,
    endpoints: bool,
}

impl Cleaner {
    /// One that knows nothing yet.
    pub fn new(generation: Cleanup, family: Family) -> Cleaner {
        Cleaner { generation, family, cursor: Cursor::default(), known: BTreeMap::new() }
    }

    /// After a successful sync: deletes what is stale by now.
    pub fn clean(&mut self, view: &FamilyView, table: &mut Conntrack, now: Time) -> Cleaned {
        let changes = self.changes(view);
        match self.generation {
            Cleanup::Events => events::clean(self.family, &changes, table, now),
            Cleanup::Reconciler | Cleanup::Fixed => {
                let udp = |change: &Change| {
                    change.endpoints
                        && !(change.before.backends.is_empty() && change.after.backends.is_empty())
                };
                if !changes.iter().any(udp) {
                    return Cleaned::default();
                }
                let skip_empty = self.generation == Cleanup::Reconciler;
                reconciler::clean(self.family, self.known.values(), skip_empty, table, now)
            }
        }
    }

    fn changes(&mut self, view: &FamilyView) -> Vec<Change> {
        let mut changes = Vec::new();
        for name in view.changed_since(self.cursor) {
            let after = Known::of(view, name);
            let before = self.known.remove(name).unwrap_or_default();
            let endpoints = view.endpoints_changed_since(self.cursor, name);
            if after != Known::default() {
                self.known.insert(name.clone(), after.clone());
            }
            if before != Known::default() || after != Known::default() {
                changes.push(Change { before, after, endpoints });
            }
        }
        self.cursor = view.cursor();
        changes
    }
}

impl Known {
    fn of(view: &FamilyView, name: &ServiceName) -> Known {
        let udp = |port: &PortName| port.protocol == Proto::UDP;
        let ports = view.service(name).into_iter().flat_map(|ports| ports.iter());
        let ports = ports.filter(|(port, _)| udp(port)).map(|(port, own)| (port.clone(), UdpPort::of(own)));
        let endpoints = view.endpoints_of(name).into_iter().flat_map(|map| map.iter());
        let backends = endpoints.filter(|(port, _)| udp(port)).map(|(port, own)| {
            let serving = own.endpoints.iter().filter(|endpoint| endpoint.backend.serving);
            (port.clone(), serving.map(|endpoint| (endpoint.backend.ip, endpoint.port)).collect())
        });
        Known { ports: ports.collect(), backends: backends.collect() }
    }
}

impl UdpPort {
    fn of(own: &ServicePort) -> UdpPort {
        UdpPort {
            cluster_ip: own.cluster_ip,
            port: own.port,
            external: own.external_ips.iter().chain(&own.load_balancer_vips).copied().collect(),
            node_port: own.node_port,
        }
    }

    fn vips(&self) -> impl Iterator<Item = IpAddr> {
        [self.cluster_ip].into_iter().chain(self.external.iter().copied())
    }
}
