//! What one service port adds to the rules.

use std::cell::OnceCell;
use std::sync::Arc;

use kdp_netfilter::{Name, Rule};

use super::chains::Shared;
use crate::config::Settings;
use crate::names::{ServicePortName, endpoint_chain};
use crate::select::Selected;
use crate::view::{Endpoint, ServicePort};

/// The rules of one service port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Rules in chains that it shares with others: always written.
    pub(crate) shared: Vec<(Shared, Rule)>,
    /// Its own chains but those of endpoints, in the order of their chain lines.
    pub(crate) chains: Vec<Name>,
    /// Chains of all its endpoints, by endpoint.
    pub(crate) endpoints: Vec<(Arc<str>, Name)>,
    /// Chains of endpoints that are written: all but those that stand.
    pub(crate) endpoints_opened: Vec<Name>,
    /// Rules of its own chains that are written, in kube-proxy's order: left out of a partial sync while it does not change.
    pub(crate) rules: Vec<(Name, Rule)>,
}

/// What is known of chains of endpoints before a section is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointChains<'a> {
    /// Their names, by endpoint: kept, so that none is hashed twice.
    pub known: &'a [(Arc<str>, Name)],
    /// Whether they hold already the rules that would be written: then they are passed over.
    pub stand: bool,
}

impl EndpointChains<'_> {
    fn find(&self, endpoint: &str) -> Option<&Name> {
        let found = self.known.binary_search_by(|(own, _)| (**own).cmp(endpoint));
        found.ok().map(|i| &self.known[i].1)
    }
}

/// Rules in the chain of an endpoint: the hairpin's and the translation.
const ENDPOINT_RULES: usize = 2;

impl Section {
    /// Chains that kube-proxy writes, standing ones too.
    pub fn chains_len(&self) -> usize {
        self.chains.len() + self.endpoints.len()
    }

    /// Rules that kube-proxy writes into them, standing ones too.
    pub fn rules_len(&self) -> usize {
        self.rules.len() + ENDPOINT_RULES * (self.endpoints.len() - self.endpoints_opened.len())
    }

    /// Chains that are written.
    pub(crate) fn opened(&self) -> impl Iterator<Item = &Name> {
        self.chains.iter().chain(&self.endpoints_opened)
    }
}

/// Writes the section of a service port.
///
/// `large` leaves out comments of endpoint, affinity and load-balancing rules, as kube-proxy does above 1000 endpoints.
/// Source: kube-proxy, the loop over services in `syncProxyRules` (pkg/proxy/iptables/proxier.go).
pub fn section(
    settings: &Settings,
    key: &ServicePortName,
    port: &ServicePort,
    selected: &Selected<'_>,
    large: bool,
    standing: EndpointChains<'_>,
) -> Section {
    let mut writer = Writer::new(settings, key, port, selected, large, standing);
    writer.cluster_ip();
    writer.external_ips();
    writer.load_balancer_ips();
    writer.node_port();
    writer.health_check();
    writer.masquerade_cluster_ip();
    writer.external_chain();
    writer.firewall_chain();
    writer.balancing_chains();
    writer.endpoint_chains();
    writer.section
}

/// What the steps of [`section`] share.
pub(super) struct Writer<'a> {
    pub settings: &'a Settings,
    pub port: &'a ServicePort,
    pub selected: &'a Selected<'a>,
    pub large: bool,
    /// The service port as comments spell it.
    pub spn: Arc<str>,
    pub section: Section,
    seed: String,
    names: [OnceCell<Name>; 4],
    /// Chains of endpoints before.
    standing: EndpointChains<'a>,
}

impl<'a> Writer<'a> {
    fn new(
        settings: &'a Settings,
        key: &ServicePortName,
        port: &'a ServicePort,
        selected: &'a Selected<'a>,
        large: bool,
        standing: EndpointChains<'a>,
    ) -> Writer<'a> {
        let seed = key.seed();
        let spn = seed[..seed.len() - key.port.protocol.name().map_or(0, str::len)].into();
        let chain = |endpoint: &&Endpoint| {
            let known = standing.find(&endpoint.text).cloned();
            (endpoint.text.clone(), known.unwrap_or_else(|| endpoint_chain(&seed, &endpoint.text)))
        };
        let endpoints = selected.reachable.iter().map(chain).collect();
        let section = Section { endpoints, ..Section::default() };
        Writer { settings, port, selected, large, spn, section, seed, names: Default::default(), standing }
    }

    /// Adds a rule to a shared chain.
    pub(super) fn share(&mut self, chain: Shared, rule: Rule) {
        self.section.shared.push((chain, rule));
    }

    /// Makes a chain of its own.
    pub(super) fn open(&mut self, chain: &Name) {
        self.section.chains.push(chain.clone());
    }

    /// Adds a rule to a chain of its own.
    pub(super) fn append(&mut self, chain: &Name, rule: Rule) {
        self.section.rules.push((chain.clone(), rule));
    }

    fn name(&self, slot: usize, prefix: &'static str) -> Name {
        self.names[slot].get_or_init(|| Name::hashed(prefix, self.seed.as_str())).clone()
    }

    pub(super) fn svc(&self) -> Name {
        self.name(0, "KUBE-SVC-")
    }

    pub(super) fn svl(&self) -> Name {
        self.name(1, "KUBE-SVL-")
    }

    pub(super) fn ext(&self) -> Name {
        self.name(2, "KUBE-EXT-")
    }

    pub(super) fn fw(&self) -> Name {
        self.name(3, "KUBE-FW-")
    }

    /// The chain of an endpoint that is used: one name for all that mention it, so that it is hashed once.
    pub(super) fn sep(&self, endpoint: &Endpoint) -> Name {
        let found = self.section.endpoints.binary_search_by(|(own, _)| own.cmp(&endpoint.text));
        self.section.endpoints[found.expect("every chosen endpoint is reachable")].1.clone()
    }

    /// Makes the chain of an endpoint; `false` if it stands already.
    pub(super) fn open_endpoint(&mut self, endpoint: &Endpoint, chain: &Name) -> bool {
        let stands = self.standing.stand && self.standing.find(&endpoint.text).is_some();
        if !stands {
            self.section.endpoints_opened.push(chain.clone());
        }
        !stands
    }

    /// The chain of cluster-IP traffic.
    pub(super) fn internal_chain(&self) -> Name {
        if self.port.internal_local { self.svl() } else { self.svc() }
    }

    /// Whether cluster-IP traffic has an endpoint.
    pub(super) fn has_internal(&self) -> bool {
        self.selected.has_any && !(self.port.internal_local && self.selected.local.is_empty())
    }

    /// Whether traffic from outside has an endpoint.
    pub(super) fn has_external(&self) -> bool {
        self.selected.has_any && !(self.port.external_local && self.selected.local.is_empty())
    }

    /// Whether load-balancer traffic passes source ranges.
    pub(super) fn uses_firewall(&self) -> bool {
        self.selected.has_any
            && !self.port.load_balancer_vips.is_empty()
            && !self.port.source_ranges.is_empty()
    }

    /// Whether there is a chain for external frontends.
    pub(super) fn uses_external(&self) -> bool {
        self.selected.has_any && self.port.externally_accessible()
    }
}
