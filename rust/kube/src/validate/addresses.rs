//! Pods, Nodes, `EndpointSlices`, Endpoints: mostly addresses and ports.

use std::net::IpAddr;

use kdp_packet::{Cidr, Family, parse_ip_lenient};

use super::{Check, LABEL, PROTOCOLS, SUBDOMAIN, is_label, is_subdomain};
use crate::error::Error;
use crate::object::{EndpointPort, EndpointSlice, Endpoints, Node, Pod};

impl Check<'_> {
    pub(super) fn address(&mut self, field: &str, found: &str) -> Option<IpAddr> {
        let address = parse_ip_lenient(found);
        if address.is_none() {
            self.no_address(field, found, "an IPv4 or IPv6 address");
        }
        address
    }

    pub(super) fn network(&mut self, field: &str, found: &str) {
        if Cidr::parse(found).is_none_or(|_| !found.contains('/')) {
            self.no_address(field, found, "a network such as 10.244.0.0/24");
        }
    }

    fn no_address(&mut self, field: &str, found: &str, allowed: &'static str) {
        let (field, found) = (field.to_owned(), found.to_owned());
        self.fault(|object| Error::InvalidAddress { object, field, found, allowed });
    }

    pub(super) fn pod(&mut self, pod: &Pod) {
        let mut families: Vec<Family> = Vec::new();
        for (i, ip) in pod.status.pod_ips.iter().enumerate() {
            let field = format!(".status.podIPs[{i}].ip");
            let Some(family) = self.address(&field, &ip.ip).map(Family::of) else { continue };
            // Source: `pkg/apis/core/validation`, `validatePodIPs`.
            if families.contains(&family) {
                self.no_address(
                    &field,
                    &ip.ip,
                    "of another family than those before: a Pod has one address of each",
                );
            }
            families.push(family);
        }
        if pod.status.pod_ips.is_empty() && !pod.status.pod_ip.is_empty() {
            self.address(".status.podIP", &pod.status.pod_ip);
        }
        for (field, name) in
            [(".spec.hostname", &pod.spec.hostname), (".spec.subdomain", &pod.spec.subdomain)]
        {
            if !name.is_empty() {
                self.name(field, name, LABEL, is_label);
            }
        }
        if !pod.spec.node_name.is_empty() {
            self.name(".spec.nodeName", &pod.spec.node_name, SUBDOMAIN, is_subdomain);
        }
        self.containers(".spec.initContainers", &pod.spec.init_containers);
        self.containers(".spec.containers", &pod.spec.containers);
    }

    pub(super) fn node(&mut self, node: &Node) {
        for (i, network) in node.spec.pod_cidrs.iter().enumerate() {
            self.network(&format!(".spec.podCIDRs[{i}]"), network);
        }
        for (i, address) in node.status.addresses.iter().enumerate() {
            if matches!(address.type_.as_str(), "InternalIP" | "ExternalIP") {
                self.address(&format!(".status.addresses[{i}].address"), &address.address);
            }
        }
    }

    pub(super) fn slice(&mut self, slice: &EndpointSlice) {
        self.one_of(".addressType", &slice.address_type, "IPv4, IPv6, FQDN");
        let family = match slice.address_type.as_str() {
            "IPv4" => Some(Family::V4),
            "IPv6" => Some(Family::V6),
            _ => None,
        };
        if let Some(family) = family {
            self.slice_addresses(slice, family);
        }
        for (i, port) in slice.ports.iter().enumerate() {
            self.endpoint_port(&format!(".ports[{i}]"), port);
        }
    }

    fn slice_addresses(&mut self, slice: &EndpointSlice, family: Family) {
        let allowed = match family {
            Family::V4 => "an IPv4 address, as addressType says",
            Family::V6 => "an IPv6 address, as addressType says",
        };
        for (i, endpoint) in slice.endpoints.iter().enumerate() {
            for (j, found) in endpoint.addresses.iter().enumerate() {
                if parse_ip_lenient(found).map(Family::of) != Some(family) {
                    self.no_address(&format!(".endpoints[{i}].addresses[{j}]"), found, allowed);
                }
            }
        }
    }

    pub(super) fn endpoints(&mut self, endpoints: &Endpoints) {
        for (i, subset) in endpoints.subsets.iter().enumerate() {
            let lists =
                [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)];
            for (list, addresses) in lists {
                for (j, address) in addresses.iter().enumerate() {
                    self.address(&format!(".subsets[{i}].{list}[{j}].ip"), &address.ip);
                }
            }
            for (j, port) in subset.ports.iter().enumerate() {
                self.endpoint_port(&format!(".subsets[{i}].ports[{j}]"), port);
            }
        }
    }

    fn endpoint_port(&mut self, field: &str, port: &EndpointPort) {
        if let Some(number) = port.port {
            self.port(&format!("{field}.port"), number.into());
        }
        if let Some(protocol) = &port.protocol {
            self.one_of(&format!("{field}.protocol"), protocol, PROTOCOLS);
        }
    }
}
