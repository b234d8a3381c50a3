//! The Endpoints controller: what one sync of one Service writes.
//!
//! Source: `pkg/controller/endpoint` of Kubernetes, 1.32 to 1.34.

mod capacity;
mod repack;

use std::collections::BTreeMap;
use std::time::Duration;

use kdp_packet::{Family, parse_ip_lenient};

use super::slices::has_no_cluster_ip;
use super::timestamp::Timestamp;
use super::trigger::annotate;
use super::{Op, Write, pods, words};
use crate::object::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Kind, Meta, Pod, Service};

pub use capacity::{CAPACITY, truncate};
pub use repack::{Repeats, repack};

/// What differs between releases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegacySettings {
    /// Since 1.33: addresses are read and printed again, so that IPv6 is canonical. Before, their text is copied.
    pub canonical_addresses: bool,
    /// Since 1.33: the label that says who writes the object, and a rewrite of objects that lack it.
    pub managed_by_label: bool,
    /// `--endpoint-updates-batch-period`: how long changes of Pods wait for more.
    pub batch_period: Duration,
}

/// Makes the Endpoints of a Service what they should be. `service` has a selector and is not of type `ExternalName`;
/// `pods` are those of its namespace that the selector matches. `None`: nothing to write.
pub fn reconcile(
    service: &Service,
    pods: &[&Pod],
    existing: Option<&Endpoints>,
    trigger_time: Option<Timestamp>,
    settings: &LegacySettings,
) -> Option<Write> {
    let subsets = repack(&subsets_of(service, pods, settings), Repeats::Merge);
    if existing.is_some_and(|existing| is_current(existing, &subsets, service, settings)) {
        return None;
    }
    let mut new = existing.cloned().unwrap_or_else(|| empty(service));
    new.subsets = subsets;
    new.meta.labels = labels_of(service, settings);
    annotate(&mut new.meta, trigger_time);
    if truncate(&mut new.subsets) {
        new.meta.annotations.insert(words::OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else {
        new.meta.annotations.remove(words::OVER_CAPACITY);
    }
    let op = if existing.is_some() { Op::Update } else { Op::Create };
    Some(Write { op, object: Kind::from(new) })
}

fn empty(service: &Service) -> Endpoints {
    let (name, namespace) = (service.meta.name.clone(), service.meta.namespace.clone());
    Endpoints { meta: Meta { name, namespace, ..Meta::default() }, subsets: Vec::new() }
}

/// One subset for each Pod and port, to be repacked. A Pod none of whose ports resolves is absent.
fn subsets_of(service: &Service, pods: &[&Pod], settings: &LegacySettings) -> Vec<EndpointSubset> {
    let publish = service.spec.publish_not_ready_addresses;
    let headless = service.spec.cluster_ip == "None";
    let mut subsets = Vec::new();
    for pod in pods.iter().filter(|pod| pods::is_listed(pod, publish)) {
        let Some(address) = address_of(service, pod, settings) else { continue };
        let subset = |ports: Vec<EndpointPort>| {
            let list = vec![address.clone()];
            let ready = publish || pods::is_ready(pod);
            let (addresses, not_ready_addresses) =
                if ready { (list, Vec::new()) } else { (Vec::new(), list) };
            EndpointSubset { addresses, not_ready_addresses, ports }
        };
        if service.spec.ports.is_empty() && headless {
            subsets.push(subset(Vec::new()));
        }
        for port in &service.spec.ports {
            let number = pods::port_number(pod, port);
            subsets.extend(number.map(|number| {
                subset(vec![EndpointPort {
                    name: Some(port.name.clone()),
                    port: Some(number),
                    protocol: Some(port.protocol.clone()),
                    app_protocol: port.app_protocol.clone(),
                }])
            }));
        }
    }
    subsets
}

/// The Pod's first address of the Service's first family.
fn address_of(service: &Service, pod: &Pod, settings: &LegacySettings) -> Option<EndpointAddress> {
    let family = family_of(service, pod);
    let is_v6 = |text: &str| family_of_text(text) == Family::V6;
    let ip =
        pod.status.pod_ips.iter().map(|ip| ip.ip.as_str()).find(|ip| is_v6(ip) == (family == Family::V6))?;
    let canonical = parse_ip_lenient(ip).filter(|_| settings.canonical_addresses).map(|ip| ip.to_string());
    Some(EndpointAddress {
        ip: canonical.unwrap_or_else(|| ip.to_owned()),
        hostname: pods::hostname(pod, service).unwrap_or_default().to_owned(),
        node_name: Some(pod.spec.node_name.clone()),
        target_ref: Some(pods::reference(pod)),
    })
}

/// By `ipFamilies`; without them by the cluster address, and for a headless Service by the Pod.
fn family_of(service: &Service, pod: &Pod) -> Family {
    match (service.spec.ip_families.first(), service.spec.cluster_ip.as_str()) {
        (Some(name), _) if name == Family::V6.as_str() => Family::V6,
        (Some(_), _) => Family::V4,
        (None, "" | "None") => family_of_text(&pod.status.pod_ip),
        (None, ip) => family_of_text(ip),
    }
}

/// What is not an address counts as IPv4.
fn family_of_text(text: &str) -> Family {
    parse_ip_lenient(text).map_or(Family::V4, Family::of)
}

fn labels_of(service: &Service, settings: &LegacySettings) -> BTreeMap<String, String> {
    let mut labels = service.meta.labels.clone();
    labels.remove(words::HEADLESS);
    if has_no_cluster_ip(service) {
        labels.insert(words::HEADLESS.to_owned(), String::new());
    }
    if settings.managed_by_label {
        labels.insert(words::ENDPOINTS_MANAGED_BY.to_owned(), words::ENDPOINTS_CONTROLLER.to_owned());
    }
    labels
}

/// Whether the stored object needs no write. A missing headless label alone is no reason for one; too many addresses,
/// or the mark of it, always are.
fn is_current(
    existing: &Endpoints,
    subsets: &[EndpointSubset],
    service: &Service,
    settings: &LegacySettings,
) -> bool {
    let mut stored = existing.meta.labels.clone();
    stored.remove(words::HEADLESS);
    let managed = stored.get(words::ENDPOINTS_MANAGED_BY).is_some_and(|by| by == words::ENDPOINTS_CONTROLLER);
    if settings.managed_by_label {
        stored.remove(words::ENDPOINTS_MANAGED_BY);
    }
    stored == service.meta.labels
        && (managed || !settings.managed_by_label)
        && same_subsets(&existing.subsets, subsets)
        && capacity::count(&existing.subsets) <= CAPACITY
        && !existing.meta.annotations.contains_key(words::OVER_CAPACITY)
}

/// DEVIATION(endpoints-subset-order): subsets and ports compare as sets, addresses in order. The real controller compares
/// all in order, where the order of subsets and ports is that of digests of a memory dump.
fn same_subsets(a: &[EndpointSubset], b: &[EndpointSubset]) -> bool {
    let mut left: Vec<_> = b.iter().collect();
    let mut matched = |subset: &EndpointSubset| {
        let at = left.iter().position(|other| same_subset(subset, other));
        at.is_some_and(|at| {
            left.swap_remove(at);
            true
        })
    };
    a.len() == b.len() && a.iter().all(&mut matched)
}

fn same_subset(a: &EndpointSubset, b: &EndpointSubset) -> bool {
    let ports = |subset: &EndpointSubset| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let fields = |p: &EndpointPort| (text(&p.name), p.port, text(&p.protocol), p.app_protocol.clone());
        let mut ports: Vec<_> = subset.ports.iter().map(fields).collect();
        ports.sort_unstable();
        ports
    };
    same_addresses(&a.addresses, &b.addresses)
        && same_addresses(&a.not_ready_addresses, &b.not_ready_addresses)
        && ports(a) == ports(b)
}

fn same_addresses(a: &[EndpointAddress], b: &[EndpointAddress]) -> bool {
    let same = |(a, b): (&EndpointAddress, &EndpointAddress)| {
        (&a.ip, &a.hostname, &a.node_name) == (&b.ip, &b.hostname, &b.node_name)
            && pods::same_reference(a.target_ref.as_ref(), b.target_ref.as_ref())
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}
