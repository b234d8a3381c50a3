//! The endpoints that a Service should have, by group of ports.
//!
//! Source: k8s.io/endpointslice `reconciler.go` and `utils.go` (2026-07).

use std::collections::BTreeMap;

use kdp_packet::{Family, parse_ip_lenient};

use super::{Nodes, Problem};
use crate::endpoints::{pods, words};
use crate::object::{Endpoint, EndpointConditions, EndpointPort, Node, Pod, Service};

/// Ports without regard to their order: what puts Pods into one group, and slices with them.
pub(in crate::endpoints) type PortKey = Vec<(Option<String>, Option<i32>, Option<String>, Option<String>)>;

/// Endpoints with the same ports.
#[derive(Default)]
pub(super) struct Group {
    pub(super) ports: Vec<EndpointPort>,
    pub(super) endpoints: Vec<Endpoint>,
}

pub(super) struct Wanted {
    pub(super) groups: BTreeMap<PortKey, Group>,
    pub(super) problems: Vec<Problem>,
}

/// The key of a list of ports. Their written order is an artefact of hashing in the real controller.
pub(in crate::endpoints) fn port_key(ports: &[EndpointPort]) -> PortKey {
    let fields = |p: &EndpointPort| (p.name.clone(), p.port, p.protocol.clone(), p.app_protocol.clone());
    let mut key: PortKey = ports.iter().map(fields).collect();
    key.sort_unstable();
    key
}

/// What the Pods give. A Pod without an address of the family, or on a Node that does not exist, still makes its group exist.
pub(super) fn wanted(service: &Service, pods: &[&Pod], nodes: &dyn Nodes, family: Family) -> Wanted {
    let mut wanted = Wanted { groups: BTreeMap::new(), problems: Vec::new() };
    for pod in pods.iter().filter(|pod| pods::is_listed(pod, true)) {
        let ports = ports_of(service, pod);
        let group =
            wanted.groups.entry(port_key(&ports)).or_insert_with(|| Group { ports, endpoints: Vec::new() });
        let node = nodes.node(&pod.spec.node_name);
        if node.is_none() && !service.spec.publish_not_ready_addresses {
            let (pod, node) = (pod.meta.name.clone(), pod.spec.node_name.clone());
            wanted.problems.push(Problem::NodeMissing { pod, node });
            continue;
        }
        let endpoint = endpoint_of(service, pod, node, family);
        if !endpoint.addresses.is_empty() {
            group.endpoints.push(endpoint);
        }
    }
    wanted
}

/// Ports that this Pod does not declare are left out; the Pod stays.
fn ports_of(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let resolved = |port| Some((port, pods::port_number(pod, port)?));
    let resolved = service.spec.ports.iter().filter_map(resolved);
    resolved
        .map(|(port, number)| EndpointPort {
            name: Some(port.name.clone()),
            port: Some(number),
            protocol: Some(port.protocol.clone()),
            app_protocol: port.app_protocol.clone(),
        })
        .collect()
}

fn endpoint_of(service: &Service, pod: &Pod, node: Option<&Node>, family: Family) -> Endpoint {
    let (serving, terminating) = (pods::is_ready(pod), pod.meta.is_terminating());
    let ready = service.spec.publish_not_ready_addresses || (serving && !terminating);
    let conditions =
        EndpointConditions { ready: Some(ready), serving: Some(serving), terminating: Some(terminating) };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Endpoint {
        addresses: addresses_of(pod, family),
        conditions,
        hostname: pods::hostname(pod, service).map(str::to_owned),
        target_ref: Some(pods::reference(pod)),
        node_name: text(&pod.spec.node_name),
        zone: node.and_then(|node| node.meta.labels.get(words::ZONE)).and_then(|zone| text(zone)),
        hints: None,
    }
}

/// Read and printed again, so that IPv6 is canonical.
fn addresses_of(pod: &Pod, family: Family) -> Vec<String> {
    let addresses = pod.status.pod_ips.iter().filter_map(|ip| parse_ip_lenient(&ip.ip));
    addresses.filter(|ip| Family::of(*ip) == family).map(|ip| ip.to_string()).collect()
}
