//! What a Pod's resolver makes of a name before it asks.

use std::net::IpAddr;

use super::{Answer, ClusterDns, Rcode, Record, RecordType};
use crate::object::{Pod, Service};
use crate::store::Store;

/// A Pod's `/etc/resolv.conf`, as far as it decides what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Whether the cluster's DNS is asked at all. If not, every answer is unknown.
    pub cluster_dns: bool,
    /// The search list.
    pub search: Vec<String>,
    /// With fewer dots than this in a name, the search list comes first.
    pub ndots: usize,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The absolute name that was asked, with its last dot.
    pub name: String,
    /// The type that was asked.
    pub rtype: RecordType,
    /// How it ended.
    pub rcode: Rcode,
    /// The answers.
    pub answers: Vec<Record>,
}

/// What became of a name: every question in order; the last name is the one that had an answer, if any had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The questions.
    pub queries: Vec<Query>,
    /// The addresses found.
    pub addresses: Vec<IpAddr>,
}

impl Resolution {
    /// Whether a question went to a server that is not modelled, so that no address does not mean no such name.
    pub fn is_unknown(&self) -> bool {
        let leads_out = |query: &Query| {
            query.rcode == Rcode::Outside || matches!(query.answers.last(), Some(Record::Cname(_)))
        };
        self.addresses.is_empty() && self.queries.iter().any(leads_out)
    }
}

impl ResolvConf {
    /// Of a Pod with `dnsPolicy: ClusterFirst` in that namespace.
    pub fn cluster_first(namespace: &str, zone: &str) -> ResolvConf {
        let search = vec![format!("{namespace}.svc.{zone}"), format!("svc.{zone}"), zone.to_owned()];
        ResolvConf { cluster_dns: true, search, ndots: 5 }
    }

    /// Of that Pod. Source: kubelet `pkg/kubelet/network/dns`: a Pod on its node's network with `ClusterFirst` gets
    /// its node's file; `dnsConfig` adds to the search list and overrides options.
    pub fn of(pod: &Pod, store: &Store) -> ResolvConf {
        let zone = ClusterDns::new(store).zone();
        let mut conf = match pod.spec.dns_policy.as_str() {
            "ClusterFirstWithHostNet" => ResolvConf::cluster_first(&pod.meta.namespace, zone),
            "" | "ClusterFirst" if !pod.spec.host_network => {
                ResolvConf::cluster_first(&pod.meta.namespace, zone)
            }
            "None" => ResolvConf { cluster_dns: names_cluster_dns(pod, store), search: Vec::new(), ndots: 1 },
            _ => ResolvConf { cluster_dns: false, search: Vec::new(), ndots: 1 },
        };
        conf.add_config(pod);
        conf
    }

    fn add_config(&mut self, pod: &Pod) {
        let Some(config) = &pod.spec.dns_config else { return };
        for search in &config.searches {
            if !self.search.contains(search) {
                self.search.push(search.clone());
            }
        }
        let ndots = config.options.iter().find(|option| option.name == "ndots");
        if let Some(ndots) = ndots.and_then(|option| option.value.as_ref()?.parse().ok()) {
            self.ndots = ndots;
        }
    }

    /// The absolute names that are tried for a name, in order. Source: resolv.conf(5), `search` and `ndots`.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let as_it_is = format!("{name}.");
        let searched = self.search.iter().map(|domain| format!("{name}.{}.", domain.trim_end_matches('.')));
        if name.matches('.').count() >= self.ndots {
            std::iter::once(as_it_is).chain(searched).collect()
        } else {
            searched.chain(std::iter::once(as_it_is)).collect()
        }
    }
}

/// Whether a Pod with servers of its own names the cluster's: the address of `kube-dns`.
fn names_cluster_dns(pod: &Pod, store: &Store) -> bool {
    let Some(config) = &pod.spec.dns_config else { return false };
    let kube_dns = store.find::<Service>("kube-system", "kube-dns");
    kube_dns.is_some_and(|dns| config.nameservers.iter().any(|ip| dns.spec.cluster_ips.contains(ip)))
}

/// Resolves a name as a program with that resolver would: each candidate with each type, until one has an address.
/// A text that is an address is that address, and nothing is asked.
pub fn resolve(dns: ClusterDns<'_>, conf: &ResolvConf, name: &str, types: &[RecordType]) -> Resolution {
    let mut resolution = Resolution::default();
    if let Ok(address) = name.parse() {
        resolution.addresses.push(address);
        return resolution;
    }
    for candidate in conf.candidates(name) {
        for rtype in types {
            let Answer { rcode, answers } =
                if conf.cluster_dns { dns.lookup(&candidate, *rtype) } else { Answer::outside() };
            let address = |record: &Record| if let Record::Address(ip) = record { Some(*ip) } else { None };
            resolution.addresses.extend(answers.iter().filter_map(address));
            resolution.queries.push(Query { name: candidate.clone(), rtype: *rtype, rcode, answers });
        }
        let answered = resolution.queries.iter().rev().take(types.len()).any(|it| !it.answers.is_empty());
        if answered {
            break;
        }
    }
    resolution
}
