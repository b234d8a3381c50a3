//! What a DNS server keeps of the objects that it watches.
//!
//! Source: CoreDNS 1.14 plugin/kubernetes/object: everything that no answer needs is dropped on arrival.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use crate::object::{EndpointSlice, Namespace, Pod, Service};

/// The label by which a slice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// A label of a name is no longer.
const LABEL_LEN_MAX: usize = 63;
/// Stands for "no port at all": such an entry has addresses but no SRV record.
pub(super) const NO_PORT: i32 = -1;

/// A port of a Service or a slice.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) number: i32,
    pub(super) name: String,
    pub(super) protocol: String,
}

impl Port {
    fn none() -> Port {
        Port { number: NO_PORT, name: String::new(), protocol: String::new() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct KnownService {
    pub(super) name: String,
    pub(super) namespace: String,
    /// The name that it stands for, of type ExternalName.
    pub(super) external: Option<String>,
    /// Never empty.
    pub(super) cluster_ips: Vec<String>,
    /// Never empty.
    pub(super) ports: Vec<Port>,
}

impl KnownService {
    pub(super) fn is_headless(&self) -> bool {
        self.cluster_ips[0] == "None"
    }
}

/// A ready address of a slice.
#[derive(Clone, Debug)]
pub(super) struct KnownAddress {
    pub(super) ip: String,
    /// Its name below the Service.
    pub(super) host: String,
    /// The zone that it is in, in lower case.
    pub(super) zone: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct KnownSlice {
    pub(super) namespace: String,
    /// The Service, if a label names one.
    pub(super) service: Option<String>,
    pub(super) addresses: Vec<KnownAddress>,
    /// Never empty.
    pub(super) ports: Vec<Port>,
}

/// Namespaces, Services, slices and Pods with the indexes that questions need.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    namespaces: BTreeSet<String>,
    services: BTreeMap<(String, String), KnownService>,
    services_by_ip: BTreeMap<String, Vec<(String, String)>>,
    slices: Vec<KnownSlice>,
    slices_by_service: BTreeMap<(String, String), Vec<usize>>,
    slices_by_ip: BTreeMap<String, Vec<usize>>,
    pods_by_ip: BTreeMap<String, Vec<String>>,
}

impl World {
    pub(super) fn has_namespace(&self, namespace: &str) -> bool {
        self.namespaces.contains(namespace)
    }

    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&KnownService> {
        self.services.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Services with that cluster address, written in that way.
    pub(super) fn services_at(&self, ip: &str) -> impl Iterator<Item = &KnownService> {
        let keys = self.services_by_ip.get(ip).map_or(&[][..], |keys| keys);
        keys.iter().map(|key| &self.services[key])
    }

    pub(super) fn slices_of(&self, service: &KnownService) -> impl Iterator<Item = &KnownSlice> {
        let at = self.slices_by_service.get(&(service.namespace.clone(), service.name.clone()));
        at.map_or(&[][..], |at| at).iter().map(|at| &self.slices[*at])
    }

    /// Slices with that ready address, written in that way.
    pub(super) fn slices_at(&self, ip: &str) -> impl Iterator<Item = &KnownSlice> {
        self.slices_by_ip.get(ip).map_or(&[][..], |at| at).iter().map(|at| &self.slices[*at])
    }

    /// The namespaces of the Pods with that address, one for each Pod.
    pub(super) fn pods_at(&self, ip: &str) -> &[String] {
        self.pods_by_ip.get(ip).map_or(&[], |namespaces| namespaces)
    }

    pub(super) fn add_namespace(&mut self, it: &Namespace, config: &Config) {
        if config.namespace_labels.matches(&it.meta.labels) {
            self.namespaces.insert(it.meta.name.clone());
        }
    }

    pub(super) fn add_service(&mut self, it: &Service, config: &Config) {
        if !config.labels.matches(&it.meta.labels) {
            return;
        }
        let spec = &it.spec;
        let cluster_ips = if spec.cluster_ips.is_empty() {
            vec![spec.cluster_ip.clone()]
        } else {
            spec.cluster_ips.clone()
        };
        let mut ports: Vec<Port> = spec.ports.iter().map(service_port).collect();
        if ports.is_empty() {
            ports.push(Port::none());
        }
        let key = (it.meta.namespace.clone(), it.meta.name.clone());
        for ip in cluster_ips.iter().collect::<BTreeSet<_>>() {
            self.services_by_ip.entry(ip.clone()).or_default().push(key.clone());
        }
        let (namespace, name) = key.clone();
        let external = (spec.type_ == "ExternalName").then(|| spec.external_name.clone());
        self.services.insert(key, KnownService { name, namespace, external, cluster_ips, ports });
    }

    pub(super) fn add_slice(&mut self, it: &EndpointSlice, config: &Config) {
        if config.no_endpoints || !config.labels.matches(&it.meta.labels) {
            return;
        }
        let addresses = known_addresses(it, config.endpoint_pod_names);
        let mut ports: Vec<Port> = it.ports.iter().map(slice_port).collect();
        if ports.is_empty() {
            ports.push(Port::none());
        }
        let at = self.slices.len();
        let namespace = it.meta.namespace.clone();
        let service = it.meta.labels.get(SERVICE_NAME).filter(|name| !name.is_empty()).cloned();
        if let Some(service) = &service {
            self.slices_by_service.entry((namespace.clone(), service.clone())).or_default().push(at);
        }
        for ip in addresses.iter().map(|address| &address.ip).collect::<BTreeSet<_>>() {
            self.slices_by_ip.entry(ip.clone()).or_default().push(at);
        }
        self.slices.push(KnownSlice { namespace, service, addresses, ports });
    }

    /// Source: CoreDNS plugin/kubernetes/controller.go: Pods that ended or are terminating are not watched.
    pub(super) fn add_pod(&mut self, it: &Pod) {
        let ended = matches!(it.status.phase.as_str(), "Succeeded" | "Failed" | "Unknown");
        if !ended && it.meta.deletion_timestamp.is_none() {
            self.pods_by_ip.entry(it.status.pod_ip.clone()).or_default().push(it.meta.namespace.clone());
        }
    }
}

fn service_port(port: &crate::object::ServicePort) -> Port {
    Port { number: i32::from(port.port), name: port.name.clone(), protocol: port.protocol.clone() }
}

fn slice_port(port: &crate::object::EndpointPort) -> Port {
    Port {
        number: port.port.unwrap_or(NO_PORT),
        name: port.name.clone().unwrap_or_default(),
        protocol: port.protocol.clone().unwrap_or_default(),
    }
}

/// Ready addresses; unknown counts as ready. Source: EndpointSlice API, `conditions.ready`.
fn known_addresses(it: &EndpointSlice, pod_names: bool) -> Vec<KnownAddress> {
    let mut found = Vec::new();
    for endpoint in it.endpoints.iter().filter(|it| it.conditions.ready != Some(false)) {
        let pod = endpoint.target_ref.as_ref().map(|it| it.name.as_str());
        let pod = pod.filter(|name| pod_names && !name.is_empty() && name.len() <= LABEL_LEN_MAX);
        let named = endpoint.hostname.as_deref().filter(|name| !name.is_empty()).or(pod);
        found.extend(endpoint.addresses.iter().map(|ip| KnownAddress {
            ip: ip.clone(),
            host: named.map_or_else(|| dashed(ip), str::to_owned),
            zone: endpoint.zone.as_ref().map(|zone| zone.to_ascii_lowercase()),
        }));
    }
    found
}

/// The name of an endpoint that has no other: its address with dashes.
/// Source: CoreDNS plugin/kubernetes/kubernetes.go, `endpointHostname`: an address with a dot loses its dots alone.
fn dashed(ip: &str) -> String {
    if ip.contains('.') {
        return ip.replace('.', "-");
    }
    let dashed = if ip.contains(':') { ip.replace(':', "-") } else { String::new() };
    if dashed.ends_with('-') { dashed + "0" } else { dashed }
}
