//! Up to 1.31: each change says which entries it made stale.
//! Source: kube-proxy 1.31, `CleanStaleEntries` (pkg/proxy/conntrack/cleanup.go), and the change trackers that feed it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use kdp_netfilter::conntrack::{Conntrack, Filter, NatTo};
use kdp_packet::{Cidr, Family, Proto};
use kdp_sim::Time;

use super::{Change, Cleaned};

pub(super) fn clean(family: Family, changes: &[Change], table: &mut Conntrack, now: Time) -> Cleaned {
    let any = Filter { family: Some(family), proto: Some(Proto::UDP), ..Filter::default() };
    let to = |addr: IpAddr| Filter { orig_dst: Some(Cidr::host(addr)), ..any.clone() };
    let at = |port: u16| Filter { orig_dport: Some(port), ..any.clone() };
    let (mut addrs, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        addrs.extend(deleted_cluster_ips(change));
        for port in newly_active(change) {
            addrs.extend(port.vips());
            ports.extend(port.node_port);
        }
    }
    let mut filters: Vec<Filter> = addrs.into_iter().map(to).chain(ports.into_iter().map(at)).collect();
    for change in changes {
        for (port, backend) in vanished(change) {
            let translated = |filter: Filter| Filter { dst_nat: Some(NatTo::addr(backend)), ..filter };
            filters.extend(port.node_port.map(at).map(translated));
            filters.extend(port.vips().map(to).map(translated));
        }
    }
    let deleted = filters.iter().map(|filter| table.delete(filter, now)).sum();
    Cleaned { ran: !filters.is_empty(), deleted }
}

/// Cluster IPs of UDP service ports that are gone.
fn deleted_cluster_ips(change: &Change) -> impl Iterator<Item = IpAddr> {
    let gone = change.before.ports.iter().filter(|(name, _)| !change.after.ports.contains_key(*name));
    gone.map(|(_, port)| port.cluster_ip)
}

/// Service ports that had no serving endpoint and have one.
fn newly_active(change: &Change) -> impl Iterator<Item = &super::UdpPort> {
    let had = |name| change.before.backends.get(name).is_some_and(|own| !own.is_empty());
    let active = change.after.backends.iter().filter(move |(name, own)| !own.is_empty() && !had(*name));
    active.filter_map(|(name, _)| change.after.ports.get(name))
}

/// Endpoints that were serving and are not any more, with the service port that they were behind, if it is still there.
fn vanished(change: &Change) -> impl Iterator<Item = (&super::UdpPort, IpAddr)> {
    change.before.backends.iter().flat_map(|(name, own)| {
        let now = change.after.backends.get(name);
        let gone = own.iter().filter(move |backend| now.is_none_or(|now| !now.contains(*backend)));
        let port = change.after.ports.get(name);
        gone.filter_map(move |(addr, _)| Some((port?, *addr)))
    })
}
