//! Services.

use kdp_packet::{Family, parse_ip_lenient};

use super::{Check, LABEL, PROTOCOLS, is_label};
use crate::error::Error;
use crate::object::{Service, ServicePort, ServiceSpec};

impl Check<'_> {
    pub(super) fn service(&mut self, service: &Service) {
        let spec = &service.spec;
        self.one_of(".spec.type", &spec.type_, "ClusterIP, NodePort, LoadBalancer, ExternalName");
        self.one_of(".spec.sessionAffinity", &spec.session_affinity, "None, ClientIP");
        self.policy(".spec.internalTrafficPolicy", &spec.internal_traffic_policy);
        self.policy(".spec.externalTrafficPolicy", &spec.external_traffic_policy);
        if spec.type_ == "ExternalName" && spec.external_name.is_empty() {
            self.missing(".spec.externalName");
        }
        if let Some(map) = &spec.selector {
            self.selector_map(".spec.selector", map);
        }
        self.service_addresses(service);
        self.service_ports(&spec.ports);
    }

    fn policy(&mut self, field: &str, found: &str) {
        if !found.is_empty() {
            self.one_of(field, found, "Cluster, Local");
        }
    }

    fn service_addresses(&mut self, service: &Service) {
        let spec = &service.spec;
        for (i, family) in spec.ip_families.iter().enumerate() {
            self.one_of(&format!(".spec.ipFamilies[{i}]"), family, "IPv4, IPv6");
        }
        if !matches!(spec.cluster_ip.as_str(), "" | "None") {
            self.address(".spec.clusterIP", &spec.cluster_ip);
        }
        let needs_address = matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer");
        if needs_address && spec.cluster_ip == "None" {
            // Source: `pkg/apis/core/validation`, `ValidateService`.
            let (field, found) = (".spec.clusterIP".to_owned(), "None".to_owned());
            let allowed = "an address, or left out: .spec.type NodePort or LoadBalancer needs one";
            self.fault(|object| Error::InvalidAddress { object, field, found, allowed });
        }
        self.families_of_addresses(spec);
        for (i, ip) in spec.cluster_ips.iter().enumerate().skip(1) {
            self.address(&format!(".spec.clusterIPs[{i}]"), ip);
        }
        for (i, ip) in spec.external_ips.iter().enumerate() {
            self.address(&format!(".spec.externalIPs[{i}]"), ip);
        }
        for (i, range) in spec.load_balancer_source_ranges.iter().enumerate() {
            // Source: kube-proxy trims these; the API accepts blanks around them.
            self.network(&format!(".spec.loadBalancerSourceRanges[{i}]"), range.trim());
        }
        for (i, ingress) in service.status.load_balancer.ingress.iter().enumerate() {
            if !ingress.ip.is_empty() {
                self.address(&format!(".status.loadBalancer.ingress[{i}].ip"), &ingress.ip);
            }
        }
    }

    /// Source: `pkg/apis/core/validation`, `ValidateServiceClusterIPsRelatedFields`.
    fn families_of_addresses(&mut self, spec: &ServiceSpec) {
        for (i, (family, ip)) in spec.ip_families.iter().zip(&spec.cluster_ips).enumerate() {
            let found = parse_ip_lenient(ip).map(Family::of);
            let allowed = match (family.as_str(), found) {
                ("IPv4", Some(Family::V6)) => "an IPv4 address, as .spec.ipFamilies says",
                ("IPv6", Some(Family::V4)) => "an IPv6 address, as .spec.ipFamilies says",
                _ => continue,
            };
            let (field, found) = (format!(".spec.clusterIPs[{i}]"), ip.clone());
            self.fault(|object| Error::InvalidAddress { object, field, found, allowed });
        }
    }

    fn service_ports(&mut self, ports: &[ServicePort]) {
        for (i, port) in ports.iter().enumerate() {
            let field = |last: &str| format!(".spec.ports[{i}].{last}");
            self.port(&field("port"), port.port.into());
            self.one_of(&field("protocol"), &port.protocol, PROTOCOLS);
            if !port.target_port.is_unset() {
                self.port_or_name(&field("targetPort"), &port.target_port);
            }
            if !port.name.is_empty() {
                self.name(&field("name"), &port.name, LABEL, is_label);
            } else if ports.len() > 1 {
                self.missing(&field("name"));
            }
            self.same_port(i, port, &ports[..i]);
        }
    }

    fn same_port(&mut self, i: usize, port: &ServicePort, before: &[ServicePort]) {
        let same_number = |other: &ServicePort| (other.port, &other.protocol) == (port.port, &port.protocol);
        let same_name = |other: &ServicePort| !port.name.is_empty() && other.name == port.name;
        let number = before.iter().position(same_number);
        let name = before.iter().position(same_name);
        let found = [
            number.map(|first| (first, format!("port {}/{}", port.port, port.protocol))),
            name.map(|first| (first, format!("name {:?}", port.name))),
        ];
        for (first, what) in found.into_iter().flatten() {
            let field = format!(".spec.ports[{i}]");
            self.fault(|object| Error::DuplicateServicePort { object, field, what, first });
        }
    }
}
