//! The canonical form of subsets: ports that share all their addresses stand together.
//!
//! Source: `pkg/api/v1/endpoints` `RepackSubsets` of Kubernetes (2026-07).

use std::collections::BTreeMap;

use crate::object::{EndpointAddress, EndpointPort, EndpointSubset};

/// Whether ports with an application protocol are told apart by where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Equal ports are one, as in subsets that a controller has just made.
    Merge,
    /// A port with `appProtocol` is no other's equal, as in subsets that were read from a store: the real code compares
    /// that field by its place in memory.
    Keep,
}

/// An address: the same with the same uid behind it.
type AddressKey<'a> = (&'a str, Option<&'a str>);
/// Address set of a port: whether each is ready.
type AddressSet<'a> = BTreeMap<AddressKey<'a>, bool>;
type PortKey = (String, Option<i32>, String, Option<String>, usize);

/// Puts subsets into canonical form. Addresses are sorted by text, then uid; an address that is ready and not ready on
/// one port is not ready there. Addresses without ports are kept, ports without addresses are not.
pub fn repack(subsets: &[EndpointSubset], repeats: Repeats) -> Vec<EndpointSubset> {
    let mut first_seen: BTreeMap<AddressKey<'_>, &EndpointAddress> = BTreeMap::new();
    let mut by_port: BTreeMap<Option<PortKey>, AddressSet<'_>> = BTreeMap::new();
    let mut place = 0;
    for subset in subsets {
        for port in ports_of(subset) {
            place += 1;
            let key = port.map(|port| port_key(port, repeats, place));
            for (address, ready) in addresses_of(subset) {
                first_seen.entry(address_key(address)).or_insert(address);
                let set = by_port.entry(key.clone()).or_default();
                *set.entry(address_key(address)).or_insert(true) &= ready;
            }
        }
    }
    let mut by_set: BTreeMap<AddressSet<'_>, Vec<EndpointPort>> = BTreeMap::new();
    for (port, set) in by_port {
        by_set.entry(set).or_default().extend(port.and_then(port_of));
    }
    by_set.into_iter().map(|(set, ports)| subset_of(&set, ports, &first_seen)).collect()
}

/// The ports of a subset; without any, one that stands for none.
fn ports_of(subset: &EndpointSubset) -> Vec<Option<&EndpointPort>> {
    if subset.ports.is_empty() { vec![None] } else { subset.ports.iter().map(Some).collect() }
}

fn addresses_of(subset: &EndpointSubset) -> impl Iterator<Item = (&EndpointAddress, bool)> {
    let ready = subset.addresses.iter().map(|address| (address, true));
    ready.chain(subset.not_ready_addresses.iter().map(|address| (address, false)))
}

fn address_key(address: &EndpointAddress) -> AddressKey<'_> {
    let uid = address.target_ref.as_ref().map(|r| r.uid.as_str()).filter(|uid| !uid.is_empty());
    (&address.ip, uid)
}

fn port_key(port: &EndpointPort, repeats: Repeats, place: usize) -> PortKey {
    let apart = repeats == Repeats::Keep && port.app_protocol.is_some();
    let (name, protocol) = (port.name.clone().unwrap_or_default(), port.protocol.clone().unwrap_or_default());
    (name, port.port, protocol, port.app_protocol.clone(), if apart { place } else { 0 })
}

/// Ports without a number are not printed, but hold their addresses.
fn port_of((name, port, protocol, app_protocol, _): PortKey) -> Option<EndpointPort> {
    let port = port.filter(|port| *port > 0)?;
    Some(EndpointPort { name: Some(name), port: Some(port), protocol: Some(protocol), app_protocol })
}

fn subset_of(
    set: &AddressSet<'_>,
    ports: Vec<EndpointPort>,
    first_seen: &BTreeMap<AddressKey<'_>, &EndpointAddress>,
) -> EndpointSubset {
    let of = |wanted: bool| {
        let some = set.iter().filter(|(_, ready)| **ready == wanted);
        some.map(|(key, _)| first_seen[key].clone()).collect()
    };
    EndpointSubset { addresses: of(true), not_ready_addresses: of(false), ports }
}
