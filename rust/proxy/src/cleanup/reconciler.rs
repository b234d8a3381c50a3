//! From 1.32 on: all UDP entries are compared with the Services as they are.
//! Source: kube-proxy 1.33, `CleanStaleEntries` (pkg/proxy/conntrack/cleanup.go).

use std::collections::{BTreeMap, BTreeSet};

use kdp_netfilter::conntrack::{Connection, Conntrack, Direction, EntryId};
use kdp_packet::{Family, Proto};
use kdp_sim::Time;

use super::{Backend, Cleaned, Known};

/// Serving endpoints by frontend.
#[derive(Default)]
struct Frontends<'a> {
    vips: BTreeMap<Backend, Option<&'a BTreeSet<Backend>>>,
    node_ports: BTreeMap<u16, Option<&'a BTreeSet<Backend>>>,
}

/// Deletes entries that lead to no serving endpoint of the Service that they were for.
///
/// `skip_empty`: service ports without serving endpoints are left out (1.32 to 1.36), else they have no backend.
pub(super) fn clean<'a>(
    family: Family,
    services: impl Iterator<Item = &'a Known>,
    skip_empty: bool,
    table: &mut Conntrack,
    now: Time,
) -> Cleaned {
    let mut frontends = Frontends::default();
    for service in services {
        frontends.add(service, skip_empty);
    }
    let udp = |connection: &Connection| {
        connection.proto() == Proto::UDP && connection.tuple(Direction::Original).family() == family
    };
    let entries = table.entries(now);
    let stale =
        entries.iter().filter(|entry| udp(entry.connection()) && frontends.is_stale(entry.connection()));
    let ids: Vec<EntryId> = stale.map(kdp_netfilter::conntrack::EntryView::id).collect();
    Cleaned { ran: true, deleted: ids.into_iter().filter(|id| table.remove(*id)).count() }
}

impl<'a> Frontends<'a> {
    fn add(&mut self, service: &'a Known, skip_empty: bool) {
        for (name, port) in &service.ports {
            let backends = service.backends.get(name).filter(|own| !own.is_empty());
            if backends.is_none() && skip_empty {
                continue;
            }
            self.vips.extend(port.vips().map(|vip| ((vip, port.port), backends)));
            self.node_ports.extend(port.node_port.map(|node_port| (node_port, backends)));
        }
    }

    /// Policies, readiness and termination do not count, and neither does the address that a node port was asked on.
    fn is_stale(&self, connection: &Connection) -> bool {
        let (original, reply) = (connection.tuple(Direction::Original), connection.tuple(Direction::Reply));
        let answers = (reply.src, reply.sport);
        let leads_nowhere =
            |backends: Option<&BTreeSet<Backend>>| backends.is_none_or(|own| !own.contains(&answers));
        self.vips.get(&(original.dst, original.dport)).copied().is_some_and(leads_nowhere)
            || self.node_ports.get(&original.dport).copied().is_some_and(leads_nowhere)
    }
}
