//! What one service port adds to the rules.

use std::cell::OnceCell;
use std::sync::Arc;

use kdp_netfilter::{Name, Rule};

use super::chains::Shared;
use crate::config::Settings;
use crate::names::ServicePortName;
use crate::select::Selected;
use crate::view::{Endpoint, ServicePort};

/// The rules of one service port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Rules in chains that it shares with others: always written.
    pub(crate) shared: Vec<(Shared, Rule)>,
    /// Its own chains in table nat, in the order of their chain lines.
    pub(crate) chains: Vec<Name>,
    /// Rules of its own chains, in kube-proxy's order: left out of a partial sync while it does not change.
    pub(crate) rules: Vec<(Name, Rule)>,
}

impl Section {
    /// Its own chains in table nat.
    pub fn chains(&self) -> &[Name] {
        &self.chains
    }

    /// Rules of its own chains.
    pub fn rules(&self) -> &[(Name, Rule)] {
        &self.rules
    }

    /// Rules that it adds to shared chains: how many.
    pub fn shared_len(&self) -> usize {
        self.shared.len()
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
) -> Section {
    let mut writer = Writer::new(settings, key, port, selected, large);
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
    pub key: &'a ServicePortName,
    pub port: &'a ServicePort,
    pub selected: &'a Selected<'a>,
    pub large: bool,
    /// The service port as comments spell it.
    pub spn: Arc<str>,
    pub section: Section,
    names: [OnceCell<Name>; 4],
    /// Chains of the reachable endpoints, in their order.
    pub endpoint_chains: Vec<Name>,
}

impl<'a> Writer<'a> {
    fn new(
        settings: &'a Settings,
        key: &'a ServicePortName,
        port: &'a ServicePort,
        selected: &'a Selected<'a>,
        large: bool,
    ) -> Writer<'a> {
        let spn = key.to_string().into();
        let endpoint_chains =
            selected.reachable.iter().map(|endpoint| key.endpoint_chain(&endpoint.text)).collect();
        let (section, names) = (Section::default(), Default::default());
        Writer { settings, key, port, selected, large, spn, section, names, endpoint_chains }
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
        self.names[slot].get_or_init(|| self.key.chain(prefix)).clone()
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
        let found = self.selected.reachable.binary_search_by(|other| other.text.cmp(&endpoint.text));
        self.endpoint_chains[found.expect("every chosen endpoint is reachable")].clone()
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
