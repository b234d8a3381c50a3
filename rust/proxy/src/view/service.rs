//! From a Service to its service ports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kdp_kube::object::{Service, ServicePort as ApiPort};
use kdp_packet::{Cidr, Family, Proto, parse_ip_lenient};

use crate::error::{Error, Result};
use crate::names::PortName;
use crate::profile::{Profile, Watch};

/// The service ports of one Service for one family.
pub type ServicePorts = BTreeMap<PortName, ServicePort>;

/// What rules need to know of a service port, for one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The cluster IP of the family.
    pub cluster_ip: IpAddr,
    /// The port at its VIPs.
    pub port: u16,
    /// TCP, UDP or SCTP.
    pub protocol: Proto,
    /// The node port, if it has one.
    pub node_port: Option<u16>,
    /// External IPs of the family.
    pub external_ips: Vec<IpAddr>,
    /// Load-balancer IPs of the family whose mode is VIP.
    pub load_balancer_vips: Vec<IpAddr>,
    /// Source ranges of the family; none: no firewall.
    pub source_ranges: Vec<Cidr>,
    /// Seconds that a client keeps its endpoint, with affinity by client address.
    pub affinity_seconds: Option<u32>,
    /// `externalTrafficPolicy: Local`, where it counts.
    pub external_local: bool,
    /// `internalTrafficPolicy: Local`.
    pub internal_local: bool,
    /// The health-check node port, where it counts.
    pub health_check_node_port: Option<u16>,
    /// Whether hints by zone count for it.
    pub hints_wanted: bool,
}

impl ServicePort {
    /// Whether it has any frontend beside the cluster IP.
    pub fn externally_accessible(&self) -> bool {
        self.node_port.is_some() || !self.load_balancer_vips.is_empty() || !self.external_ips.is_empty()
    }

    /// Whether some traffic goes to endpoints anywhere. Local external traffic needs them too, for pods and the node itself.
    pub fn uses_cluster(&self) -> bool {
        !self.internal_local || self.externally_accessible()
    }

    /// Whether some traffic goes to endpoints of this node alone.
    pub fn uses_local(&self) -> bool {
        self.internal_local || (self.external_local && self.externally_accessible())
    }
}

const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Whether the proxy's watch lets a Service through. The key counts, whatever its value.
/// Source: kube-proxy, `ProxyServer.Run` (cmd/kube-proxy/app/server.go).
fn is_watched(service: &Service, watch: Watch) -> bool {
    let labelled = |key| service.meta.labels.contains_key(key);
    match watch {
        Watch::BothLabels => !labelled(PROXY_NAME) && !labelled(HEADLESS),
        Watch::LabelByKind => !labelled(PROXY_NAME),
    }
}

/// Whether the proxy's watch lets a slice with these labels through.
pub(super) fn slice_is_watched(labels: &BTreeMap<String, String>, watch: Watch) -> bool {
    match watch {
        Watch::BothLabels => !labels.contains_key(PROXY_NAME) && !labels.contains_key(HEADLESS),
        Watch::LabelByKind => !labels.contains_key(HEADLESS),
    }
}

/// The service ports of a Service for one family: none if the proxy does not serve it.
/// Source: kube-proxy, `serviceToServiceMap` and `newBaseServiceInfo` (pkg/proxy).
pub fn service_ports(service: &Service, family: Family, profile: &Profile) -> Result<ServicePorts> {
    let spec = &service.spec;
    let skipped = spec.cluster_ip.is_empty() || spec.cluster_ip == "None" || spec.type_ == "ExternalName";
    if skipped || !is_watched(service, profile.watch) {
        return Ok(ServicePorts::new());
    }
    let Some(cluster_ip) = cluster_ip(service, family)? else { return Ok(ServicePorts::new()) };
    let shared = shared(service, cluster_ip, family, profile);
    let port = |(i, port): (usize, &ApiPort)| {
        let protocol = protocol(&port.protocol).ok_or_else(|| {
            not_valid(service, format!(".spec.ports[{i}].protocol"), &port.protocol, "TCP, UDP or SCTP")
        })?;
        let node_port = port.node_port.filter(|port| *port != 0);
        let name = PortName { name: port.name.as_str().into(), protocol };
        Ok((name, ServicePort { port: port.port, protocol, node_port, ..shared.clone() }))
    };
    spec.ports.iter().enumerate().map(port).collect()
}

/// TCP, UDP or SCTP; an empty text is TCP, as the API defaults it.
pub(super) fn protocol(text: &str) -> Option<Proto> {
    match text {
        "" | "TCP" => Some(Proto::TCP),
        "UDP" => Some(Proto::UDP),
        "SCTP" => Some(Proto::SCTP),
        _ => None,
    }
}

fn not_valid(service: &Service, field: String, found: &str, allowed: &'static str) -> Error {
    let object = format!("Service {}/{}", service.meta.namespace, service.meta.name);
    Error::ObjectNotValid { object, field, found: found.to_owned(), allowed }
}

/// The cluster IP of a family: by `ipFamilies` where they are said, else `clusterIP` if its family fits.
/// Source: kube-proxy, `GetClusterIPByFamily` (pkg/proxy/util).
fn cluster_ip(service: &Service, family: Family) -> Result<Option<IpAddr>> {
    let spec = &service.spec;
    let ip = |text: &str, field: String| {
        parse_ip_lenient(text).ok_or_else(|| not_valid(service, field, text, "an IP address"))
    };
    if spec.ip_families.is_empty() {
        return Ok(
            Some(ip(&spec.cluster_ip, ".spec.clusterIP".into())?).filter(|ip| Family::of(*ip) == family)
        );
    }
    let index = spec.ip_families.iter().position(|name| name == family.as_str());
    match index.and_then(|i| Some((i, spec.cluster_ips.get(i)?))) {
        Some((i, text)) => ip(text, format!(".spec.clusterIPs[{i}]")).map(Some),
        None => Ok(None),
    }
}

/// What all ports of a Service share; port, protocol and node port are filled in by the caller.
fn shared(service: &Service, cluster_ip: IpAddr, family: Family, profile: &Profile) -> ServicePort {
    let spec = &service.spec;
    let reachable = match spec.type_.as_str() {
        "NodePort" | "LoadBalancer" => true,
        _ => !spec.external_ips.is_empty(),
    };
    let external_local = reachable && spec.external_traffic_policy == "Local";
    let checked = spec.type_ == "LoadBalancer" && external_local;
    let affinity_seconds = spec.affinity_timeout_seconds().and_then(|seconds| u32::try_from(seconds).ok());
    ServicePort {
        cluster_ip,
        port: 0,
        protocol: Proto::TCP,
        node_port: None,
        external_ips: of_family(spec.external_ips.iter().map(String::as_str), family),
        load_balancer_vips: load_balancer_vips(service, family),
        source_ranges: source_ranges(service, family, profile),
        affinity_seconds,
        external_local,
        internal_local: spec.internal_traffic_policy == "Local",
        health_check_node_port: spec.health_check_node_port.filter(|port| checked && *port != 0),
        hints_wanted: !profile.hints_need_annotation || hints_annotated(service),
    }
}

/// Addresses of one family; what is no address is left out, as kube-proxy does.
fn of_family<'a>(texts: impl Iterator<Item = &'a str>, family: Family) -> Vec<IpAddr> {
    texts.filter_map(parse_ip_lenient).filter(|ip| Family::of(*ip) == family).collect()
}

/// Ingress addresses but those of mode `Proxy`, which the load balancer itself must see.
fn load_balancer_vips(service: &Service, family: Family) -> Vec<IpAddr> {
    let ingress = service.status.load_balancer.ingress.iter();
    let vips = ingress.filter(|ingress| ingress.ip_mode.as_deref().is_none_or(|mode| mode == "VIP"));
    of_family(vips.map(|ingress| ingress.ip.as_str()), family)
}

/// Source ranges of one family. Blanks around them are trimmed; what is no CIDR is left out, as kube-proxy does.
fn source_ranges(service: &Service, family: Family, profile: &Profile) -> Vec<Cidr> {
    let texts = service.spec.load_balancer_source_ranges.iter().map(|text| text.trim());
    let cidrs = texts.filter(|text| text.contains('/')).filter_map(Cidr::parse);
    let ranges: Vec<Cidr> = cidrs.filter(|cidr| cidr.family() == family).collect();
    let opens = profile.zero_source_range_opens && ranges.iter().any(|cidr| cidr.prefix_len() == 0);
    if opens { Vec::new() } else { ranges }
}

/// Whether the Service asks for hints by annotation. The older key counts alone where it is there.
/// Source: kube-proxy 1.30, `newBaseServiceInfo` and `canUseTopology`.
fn hints_annotated(service: &Service) -> bool {
    let annotation = |key| service.meta.annotations.get(key);
    let mode = annotation("service.kubernetes.io/topology-aware-hints")
        .or_else(|| annotation("service.kubernetes.io/topology-mode"));
    mode.is_some_and(|mode| !matches!(mode.as_str(), "" | "Disabled" | "disabled"))
}
