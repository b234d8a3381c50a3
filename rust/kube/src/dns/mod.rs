//! Names to addresses: what a Pod's resolver asks and what cluster DNS answers.
//!
//! Source: Kubernetes DNS-based service discovery 1.1.0; CoreDNS plugin `kubernetes`; resolv.conf(5).
//! [`server`] answers every type of question as the real server does, [`walk`] asks as C libraries do; [`ClusterDns`]
//! and [`resolve`] are the short way for a packet that needs an address. These do not model what an upstream server says
//! about names outside the cluster ([`Rcode::Outside`]).

mod resolver;
pub mod server;
#[cfg(test)]
mod tests;
pub mod walk;

use std::fmt;
use std::net::IpAddr;

use kdp_packet::{Family, parse_ip_lenient};

use crate::object::{EndpointSlice, KindName, Service};
use crate::store::Store;
pub use resolver::{Query, Resolution, ResolvConf, resolve};

/// The label by which a slice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// How many CNAMEs are followed. Source: CoreDNS `maxCnameDepth`-like limits; kdp's own figure.
const MAX_CNAMES: usize = 8;

/// The type of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

impl RecordType {
    fn family(self) -> Family {
        match self {
            RecordType::A => Family::V4,
            RecordType::Aaaa => Family::V6,
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
        })
    }
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rcode {
    /// The name exists; without answers this is NODATA.
    NoError,
    /// The name does not exist.
    NxDomain,
    /// The name is not the cluster's: an upstream server would be asked, which is not modelled.
    Outside,
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rcode::NoError => "NOERROR",
            Rcode::NxDomain => "NXDOMAIN",
            Rcode::Outside => "outside the cluster, not modelled",
        })
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Record {
    /// An address, of a Service or of an endpoint.
    Address(IpAddr),
    /// Another name to look up instead.
    Cname(String),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Address(address) => address.fmt(f),
            Record::Cname(name) => write!(f, "CNAME {name}"),
        }
    }
}

/// What cluster DNS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub rcode: Rcode,
    /// The answers, CNAMEs first, addresses in the order of Service or slices (a real server shuffles them).
    pub answers: Vec<Record>,
}

impl Answer {
    fn exists(answers: Vec<Record>) -> Answer {
        Answer { rcode: Rcode::NoError, answers }
    }

    fn no_data() -> Answer {
        Answer::exists(Vec::new())
    }

    fn no_name() -> Answer {
        Answer { rcode: Rcode::NxDomain, answers: Vec::new() }
    }

    fn outside() -> Answer {
        Answer { rcode: Rcode::Outside, answers: Vec::new() }
    }
}

/// Cluster DNS over the Services and `EndpointSlices` of a store.
#[derive(Clone, Copy, Debug)]
pub struct ClusterDns<'s> {
    store: &'s Store,
    zone: &'s str,
}

impl<'s> ClusterDns<'s> {
    /// The DNS of that cluster with the zone `cluster.local`.
    pub fn new(store: &'s Store) -> ClusterDns<'s> {
        ClusterDns { store, zone: "cluster.local" }
    }

    /// The zone: `cluster.local`.
    pub fn zone(&self) -> &'s str {
        self.zone
    }

    /// Answers one question about an absolute name, with or without its last dot, in any case.
    pub fn lookup(&self, name: &str, rtype: RecordType) -> Answer {
        self.follow(&name.trim_end_matches('.').to_ascii_lowercase(), rtype, 0)
    }

    fn follow(&self, name: &str, rtype: RecordType, cnames: usize) -> Answer {
        let inside = match name.strip_suffix(self.zone) {
            Some("") => return Answer::no_data(),
            Some(inside) if inside.ends_with('.') => &inside[..inside.len() - 1],
            _ => return Answer::outside(),
        };
        let labels: Vec<&str> = inside.split('.').collect();
        match labels[..] {
            ["svc" | "pod"] => Answer::no_data(),
            [namespace, "svc" | "pod"] => self.namespace(namespace),
            [service, namespace, "svc"] => self.service(namespace, service, rtype, cnames),
            [host, service, namespace, "svc"] => self.endpoint(namespace, service, host, rtype),
            [address, namespace, "pod"] => self.pod(namespace, address, rtype),
            _ => Answer::no_name(),
        }
    }

    fn has_namespace(&self, namespace: &str) -> bool {
        self.store.find::<crate::object::Namespace>("", namespace).is_some()
            || self.store.list(&KindName::Service, Some(namespace)).next().is_some()
    }

    fn namespace(&self, namespace: &str) -> Answer {
        if self.has_namespace(namespace) { Answer::no_data() } else { Answer::no_name() }
    }

    fn service(&self, namespace: &str, name: &str, rtype: RecordType, cnames: usize) -> Answer {
        let Some(service) = self.store.find::<Service>(namespace, name) else { return Answer::no_name() };
        let spec = &service.spec;
        if spec.type_ == "ExternalName" {
            return self.external(&spec.external_name, rtype, cnames);
        }
        if spec.is_headless() {
            return self.headless(service, rtype);
        }
        let addresses = spec.cluster_ips.iter().filter_map(|ip| parse_ip_lenient(ip));
        Answer::exists(of_family(addresses, rtype))
    }

    /// A CNAME, and what it leads to as far as that is in the cluster.
    fn external(&self, target: &str, rtype: RecordType, cnames: usize) -> Answer {
        let target = target.trim_end_matches('.').to_ascii_lowercase();
        let mut answers = vec![Record::Cname(target.clone())];
        if cnames < MAX_CNAMES {
            answers.extend(self.follow(&target, rtype, cnames + 1).answers);
        }
        Answer::exists(answers)
    }

    /// The ready endpoints; a headless Service without any does not exist.
    /// Source: CoreDNS plugin `kubernetes`, `findServices`: no endpoint, no record, NXDOMAIN.
    fn headless(&self, service: &Service, rtype: RecordType) -> Answer {
        let all: Vec<IpAddr> = self.endpoints(service, None);
        if all.is_empty() { Answer::no_name() } else { Answer::exists(of_family(all, rtype)) }
    }

    fn endpoint(&self, namespace: &str, service: &str, host: &str, rtype: RecordType) -> Answer {
        let Some(service) = self.store.find::<Service>(namespace, service) else { return Answer::no_name() };
        if !service.spec.is_headless() {
            return Answer::no_name();
        }
        let all = self.endpoints(service, Some(host));
        if all.is_empty() { Answer::no_name() } else { Answer::exists(of_family(all, rtype)) }
    }

    /// Addresses of a Service's ready endpoints; of those with a name alone if one is given. An endpoint without
    /// hostname is named by its address with dashes.
    fn endpoints(&self, service: &Service, host: Option<&str>) -> Vec<IpAddr> {
        let slices = self.store.all::<EndpointSlice>(Some(&service.meta.namespace));
        let own = slices.filter(|it| it.meta.labels.get(SERVICE_NAME) == Some(&service.meta.name));
        let ready = own.flat_map(|it| &it.endpoints).filter(|it| it.conditions.ready != Some(false));
        let mut found = Vec::new();
        for endpoint in ready {
            for text in &endpoint.addresses {
                let is_named = host.is_none_or(|host| match &endpoint.hostname {
                    Some(name) if !name.is_empty() => name.eq_ignore_ascii_case(host),
                    _ => dashed(text) == host,
                });
                found.extend(parse_ip_lenient(text).filter(|ip| is_named && !found.contains(ip)));
            }
        }
        found
    }

    /// `10-244-0-5.default.pod`: the address that the name spells, of a namespace that exists.
    /// Source: CoreDNS `pods insecure`, kubeadm's setting.
    fn pod(&self, namespace: &str, spelled: &str, rtype: RecordType) -> Answer {
        let address =
            spelled.replace('-', ".").parse().or_else(|_| spelled.replace('-', ":").parse::<IpAddr>());
        match address {
            Ok(address) if self.has_namespace(namespace) => Answer::exists(of_family([address], rtype)),
            _ => Answer::no_name(),
        }
    }
}

fn dashed(address: &str) -> String {
    address.replace(['.', ':'], "-")
}

fn of_family(addresses: impl IntoIterator<Item = IpAddr>, rtype: RecordType) -> Vec<Record> {
    let of_type = addresses.into_iter().filter(|address| Family::of(*address) == rtype.family());
    of_type.map(Record::Address).collect()
}
