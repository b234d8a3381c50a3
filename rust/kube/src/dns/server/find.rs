//! What a name of a cluster zone stands for.
//!
//! Source: Kubernetes DNS-based service discovery 1.1.0; CoreDNS 1.14 plugin/kubernetes: parse.go, kubernetes.go,
//! reverse.go, ns.go.

use std::net::IpAddr;

use super::config::PodsMode;
use super::world::{KnownService, KnownSlice, NO_PORT, Port};
use super::{QueryType, Server};

/// The text of `dns-version.<zone>`: the version of the specification.
const SCHEMA_VERSION: &str = "1.1.0";
/// The TTL of that text, in seconds.
const SCHEMA_TTL: u32 = 28_800;
/// The name of the server itself, below the zone.
const NS: &str = "ns.dns.";

/// Something that a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// An address, or a name to go on with.
    pub(super) host: String,
    /// The port, [`NO_PORT`] for none.
    pub(super) port: i32,
    /// The name that SRV and NS records give it.
    pub(super) name: String,
    pub(super) text: Option<&'static str>,
    pub(super) ttl: u32,
}

impl Found {
    pub(super) fn address(&self) -> Option<IpAddr> {
        if self.text.is_some() { None } else { address(&self.host) }
    }
}

/// There is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoName;

/// A question as the search sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'q> {
    /// The name in lower case.
    pub(super) name: &'q str,
    /// The zone in the letter case of the question.
    pub(super) zone: &'q str,
    pub(super) rtype: &'q QueryType,
}

/// The parts of `<endpoint>.<service>.<namespace>.svc` and of its other forms.
#[derive(Clone, Debug, Default)]
struct Request<'q> {
    port: &'q str,
    protocol: &'q str,
    endpoint: &'q str,
    zone: String,
    /// Whether all endpoints stand in for a zone without any.
    prefers: bool,
    service: &'q str,
    namespace: &'q str,
    is_pod: bool,
    /// The apex, `svc` or `pod`: it exists, and has nothing.
    is_top: bool,
}

impl Server {
    /// Everything that a name stands for, for a type.
    pub(super) fn services(&self, asked: Asked<'_>) -> Result<Vec<Found>, NoName> {
        match asked.rtype {
            QueryType::Txt => return self.texts(asked),
            QueryType::Ns => return Ok(self.name_servers(asked.zone)),
            _ => {}
        }
        if asked.name.starts_with(NS) && asked.name.find(asked.zone) == Some(NS.len()) {
            let mut found = self.name_servers(asked.zone);
            found.retain(|it| match asked.rtype {
                QueryType::A => it.address().is_some_and(|ip| ip.is_ipv4()),
                QueryType::Aaaa => it.address().is_some_and(|ip| ip.is_ipv6()),
                _ => false,
            });
            return Ok(found);
        }
        let mut found = self.records(asked)?;
        if *asked.rtype == QueryType::Srv {
            found.retain(|it| it.address().is_some());
        }
        Ok(found)
    }

    /// `dns-version` alone has a text. Names that exist with data are NODATA; names that exist without any, as
    /// `<namespace>.svc`, are NXDOMAIN for this type alone.
    fn texts(&self, asked: Asked<'_>) -> Result<Vec<Found>, NoName> {
        if below(asked) == "dns-version" {
            let (host, name) = (String::new(), String::new());
            return Ok(vec![Found { host, name, port: 0, text: Some(SCHEMA_VERSION), ttl: SCHEMA_TTL }]);
        }
        let found = self.records(asked)?;
        let is_zonal = || self.config.zonal && request(asked, true).is_ok_and(|it| !it.zone.is_empty());
        if !found.is_empty() || is_zonal() { Ok(Vec::new()) } else { Err(NoName) }
    }

    /// Services, endpoints and Pods of a name.
    pub(super) fn records(&self, asked: Asked<'_>) -> Result<Vec<Found>, NoName> {
        let request = request(asked, self.config.zonal)?;
        if request.is_top {
            return Ok(Vec::new());
        }
        let is_reverse = asked.name.ends_with(".in-addr.arpa.") || asked.name.ends_with(".ip6.arpa.");
        if is_reverse || !self.exposes(request.namespace) {
            return Err(NoName);
        }
        if request.is_pod { self.pods(&request, asked.zone) } else { self.of_service(&request, asked.zone) }
    }

    fn exposes(&self, namespace: &str) -> bool {
        let configured = &self.config.namespaces;
        (configured.is_empty() || configured.iter().any(|it| it == namespace))
            && self.world.has_namespace(namespace)
    }

    fn pods(&self, request: &Request<'_>, zone: &str) -> Result<Vec<Found>, NoName> {
        if self.config.pods == PodsMode::Disabled {
            return Err(NoName);
        }
        let spelled = request.service;
        if spelled.is_empty() {
            return Ok(Vec::new());
        }
        let is_v4 = spelled.matches('-').count() == 3 && !spelled.contains("--");
        let ip = spelled.replace('-', if is_v4 { "." } else { ":" });
        let times = match self.config.pods {
            PodsMode::Disabled => 0,
            PodsMode::Insecure => usize::from(address(&ip).is_some()),
            PodsMode::Verified => {
                self.world.pods_at(&ip).iter().filter(|it| *it == request.namespace).count()
            }
        };
        if times == 0 {
            return Err(NoName);
        }
        let name = format!("{spelled}.{}.pod.{zone}", request.namespace);
        Ok(vec![self.found(ip, 0, name); times])
    }

    fn found(&self, host: String, port: i32, name: String) -> Found {
        Found { host, port, name, text: None, ttl: self.config.ttl }
    }

    fn of_service(&self, request: &Request<'_>, zone: &str) -> Result<Vec<Found>, NoName> {
        if request.service.is_empty() {
            return Ok(Vec::new());
        }
        let service = self.world.service(request.namespace, request.service).ok_or(NoName)?;
        let is_plain = service.external.is_none() && !service.is_headless();
        let is_zonal = !request.zone.is_empty();
        if (is_plain && self.config.ignore_empty_service && self.is_empty(service))
            || (is_zonal && !service.is_headless())
        {
            return Err(NoName);
        }
        let name = format!("{}.{}.svc.{zone}", service.name, service.namespace);
        if let Some(target) = &service.external {
            let is_bare = [request.endpoint, request.port, request.protocol].iter().all(|it| it.is_empty());
            let is_name = is_bare && address(target).is_none();
            return if is_name { Ok(vec![self.found(target.clone(), 0, name)]) } else { Err(NoName) };
        }
        let found = if service.is_headless() || !request.endpoint.is_empty() {
            self.endpoints(service, request, &name)
        } else {
            let ports = service.ports.iter().filter(|port| is_asked(port, request));
            let each = |port: &Port| {
                let at = port.number;
                service.cluster_ips.iter().map(move |ip| (ip.clone(), at)).collect::<Vec<_>>()
            };
            ports.flat_map(each).map(|(ip, port)| self.found(ip, port, name.clone())).collect()
        };
        if found.is_empty() && !is_zonal { Err(NoName) } else { Ok(found) }
    }

    fn is_empty(&self, service: &KnownService) -> bool {
        self.world.slices_of(service).all(|slice| slice.addresses.is_empty())
    }

    fn endpoints(&self, service: &KnownService, request: &Request<'_>, name: &str) -> Vec<Found> {
        let in_zone = |zone: &str| -> Vec<Found> {
            let slices = self.world.slices_of(service);
            slices.flat_map(|slice| self.of_slice(slice, request, zone, name)).collect()
        };
        let found = in_zone(&request.zone);
        if found.is_empty() && request.prefers { in_zone("") } else { found }
    }

    fn of_slice(&self, slice: &KnownSlice, request: &Request<'_>, zone: &str, name: &str) -> Vec<Found> {
        let ports: Vec<&Port> = slice.ports.iter().filter(|port| is_asked(port, request)).collect();
        let is_meant =
            |host: &str| request.endpoint.is_empty() || host.eq_ignore_ascii_case(request.endpoint);
        let mut found = Vec::new();
        for it in &slice.addresses {
            if is_meant(&it.host) && (zone.is_empty() || zone_of(slice, &it.ip) == Some(zone)) {
                let name = if it.host.is_empty() { name.to_owned() } else { format!("{}.{name}", it.host) };
                found.extend(ports.iter().map(|port| self.found(it.ip.clone(), port.number, name.clone())));
            }
        }
        found
    }

    /// The Services behind which this very server is, or, if it is behind none, its own addresses.
    fn name_servers(&self, zone: &str) -> Vec<Found> {
        let mut found = Vec::new();
        let mut is_endpoint = false;
        for ip in self.config.local_ips.iter().map(ToString::to_string) {
            for slice in self.world.slices_at(&ip) {
                is_endpoint = true;
                let service = slice.service.as_deref();
                let service = service.and_then(|name| self.world.service(&slice.namespace, name));
                found.extend(service.into_iter().flat_map(|it| self.of_name_server(it, slice, zone)));
            }
        }
        if !is_endpoint {
            let own = self.config.local_ips.iter().map(ToString::to_string);
            found.extend(own.map(|ip| self.found(ip, 0, format!("{NS}{zone}"))));
        }
        found.retain(|it| it.address().is_some());
        found
    }

    fn of_name_server(&self, service: &KnownService, slice: &KnownSlice, zone: &str) -> Vec<Found> {
        let name = format!("{}.{}.svc.{zone}", service.name, service.namespace);
        if service.is_headless() {
            let each = slice.addresses.iter();
            return each.map(|it| self.found(it.ip.clone(), 0, format!("{}.{name}", it.host))).collect();
        }
        service.cluster_ips.iter().map(|ip| self.found(ip.clone(), 0, name.clone())).collect()
    }

    /// The names of an address name, for PTR. None for other names.
    pub(super) fn reverse(&self, name: &str) -> Option<Result<Vec<String>, NoName>> {
        let ip = reversed(name)?.to_string();
        let is_served = |namespace: &str| self.config.namespaces.is_empty() || self.exposes(namespace);
        let zone = &self.config.primary_zone;
        let mut services = self.world.services_at(&ip);
        if let Some(it) = services.find(|it| is_served(&it.namespace)) {
            return Some(Ok(vec![format!("{}.{}.svc.{zone}", it.name, it.namespace)]));
        }
        let mut names: Vec<String> = Vec::new();
        for slice in self.world.slices_at(&ip).filter(|it| is_served(&it.namespace)) {
            // DEVIATION(dns-nameless-slice): the real server builds a name with an empty label, cannot pack it, and
            // lets the question go unanswered. Such a slice has no name here.
            let Some(service) = &slice.service else { continue };
            for it in slice.addresses.iter().filter(|it| it.ip == ip) {
                let name = format!("{}.{service}.{}.svc.{zone}", it.host, slice.namespace);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Some(if names.is_empty() { Err(NoName) } else { Ok(names) })
    }
}

/// What is left of the zone in a name, without the dot between.
fn below(asked: Asked<'_>) -> &str {
    let len = asked.name.len().saturating_sub(asked.zone.len());
    asked.name[..len].trim_end_matches('.')
}

/// Source: CoreDNS plugin/kubernetes/parse.go, `parseRequest`. The apex, `svc` and `pod` give an empty request.
fn request<'q>(asked: Asked<'q>, zonal: bool) -> Result<Request<'q>, NoName> {
    let base = below(asked);
    if matches!(base, "" | "svc" | "pod") {
        return Ok(Request { is_top: true, ..Request::default() });
    }
    let labels: Vec<&str> = base.split('.').collect();
    let (left, is_pod) = match labels.as_slice() {
        [left @ .., "svc"] => (left, false),
        [left @ .., "pod"] => (left, true),
        _ => return Err(NoName),
    };
    let of = |service, namespace| Request { service, namespace, is_pod, ..Request::default() };
    match left {
        [] => Ok(Request { is_top: true, ..Request::default() }),
        [namespace] => Ok(of("", namespace)),
        [service, namespace] => Ok(of(service, namespace)),
        [endpoint, service, namespace] => Ok(Request { endpoint, ..of(service, namespace) }),
        [port, protocol, service, namespace] => {
            let bare = |label: &'q str| label.strip_prefix('_').unwrap_or(label);
            Ok(Request { port: bare(port), protocol: bare(protocol), ..of(service, namespace) })
        }
        [zone @ .., "pin", "_zone", service, namespace] if zonal && !is_pod => {
            Ok(Request { zone: zone.join("."), ..of(service, namespace) })
        }
        [zone @ .., "prefer", "_zone", service, namespace] if zonal && !is_pod => {
            Ok(Request { zone: zone.join("."), prefers: true, ..of(service, namespace) })
        }
        _ => Err(NoName),
    }
}

/// Whether the port is of the asked name and protocol; an empty one asks for every port.
fn is_asked(port: &Port, request: &Request<'_>) -> bool {
    let fits = |asked: &str, own: &str| asked.is_empty() || asked.eq_ignore_ascii_case(own);
    fits(request.port, &port.name) && fits(request.protocol, &port.protocol)
}

/// The zone of an address in its slice, where the last entry of the address counts.
fn zone_of<'s>(slice: &'s KnownSlice, ip: &str) -> Option<&'s str> {
    slice.addresses.iter().rev().filter(|it| it.ip == ip).find_map(|it| it.zone.as_deref())
}

/// Reads an address; an IPv4 address in IPv6 clothes is an IPv4 address.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// The address of `4.3.2.1.in-addr.arpa.` or of its like with nibbles; the name is in lower case.
/// Source: CoreDNS plugin/pkg/dnsutil/reverse.go.
fn reversed(name: &str) -> Option<IpAddr> {
    let backwards = |text: &str| text.split('.').rev().map(str::to_owned).collect::<Vec<_>>();
    if let Some(octets) = name.strip_suffix(".in-addr.arpa.") {
        return address(&backwards(octets).join(".")).filter(IpAddr::is_ipv4);
    }
    let nibbles = backwards(name.strip_suffix(".ip6.arpa.")?);
    let groups: Vec<String> = nibbles.chunks_exact(4).map(<[String]>::concat).collect();
    address(&groups.join(":"))
}

/// Whether it has a port that a SRV record can name.
pub(super) fn has_port(found: &Found) -> bool {
    found.port != NO_PORT
}
