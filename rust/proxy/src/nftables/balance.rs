//! Affinity, load balancing and the chains of endpoints.

use std::net::IpAddr;

use kdp_netfilter::Name;
use kdp_netfilter::nft::{Element, Rule, Span};

use super::names::EndpointNames;
use super::section::Writer;
use super::sets::Shared;
use crate::view::Endpoint;

impl Writer<'_> {
    pub(super) fn endpoint_chains(&mut self) {
        let Some(endpoints) = &self.endpoints else { return };
        let mut chains = Vec::with_capacity(endpoints.len());
        for (endpoint, names) in self.selected.reachable.iter().zip(endpoints) {
            let ip = endpoint.backend.ip;
            let mut rules = Vec::with_capacity(3);
            if !self.settings.profile.nft.one_rule {
                // An endpoint that reaches itself must see another source, or it would answer past the translation.
                rules.push(self.mark(self.any().saddr(ip), None));
            }
            if let Some(seconds) = self.port.affinity_seconds {
                rules.push(self.any().update(&names.affinity));
                self.section.affinity.push((names.affinity.clone(), seconds));
            }
            rules.push(self.any().protocol(self.port.protocol).dnat(ip, endpoint.port));
            chains.push((names.chain.clone(), rules));
        }
        self.section.chains.extend(chains);
    }

    pub(super) fn balancing_chains(&mut self) {
        let selected = self.selected;
        if !selected.cluster.is_empty() && self.port.uses_cluster() {
            self.balancing_chain(self.service_chain(), !self.port.internal_local, &selected.cluster);
        }
        if !selected.local.is_empty() && self.port.uses_local() {
            self.balancing_chain(self.local_chain(), self.port.internal_local, &selected.local);
        }
    }

    fn balancing_chain(&mut self, chain: Name, internal: bool, endpoints: &[&Endpoint]) {
        let mut rules = Vec::new();
        if internal {
            rules.extend(self.masquerade_cluster_ip());
        }
        if self.endpoints.is_some() {
            self.to_chains(&mut rules, endpoints);
        } else {
            let to: Vec<(IpAddr, u16)> =
                endpoints.iter().map(|endpoint| (endpoint.backend.ip, endpoint.port)).collect();
            rules.push(self.any().protocol(self.port.protocol).dnat_spread(&to));
        }
        self.chain(chain, rules);
    }

    /// The endpoint that a client had before, where there is affinity; else any one.
    fn to_chains(&self, rules: &mut Vec<Rule>, endpoints: &[&Endpoint]) {
        let names: Vec<&EndpointNames> = endpoints.iter().map(|endpoint| self.names_of(endpoint)).collect();
        if self.port.affinity_seconds.is_some() {
            let back = names.iter().map(|names| self.any().saddr_in(&names.affinity).goto(&names.chain));
            rules.extend(back);
        }
        let chains: Vec<Name> = names.iter().map(|names| names.chain.clone()).collect();
        rules.push(self.any().spread(&chains));
    }

    fn names_of(&self, endpoint: &Endpoint) -> &EndpointNames {
        let found = self.selected.reachable.binary_search_by(|own| own.text.cmp(&endpoint.text));
        let place = found.expect("every chosen endpoint is reachable");
        &self.endpoints.as_ref().expect("asked for where there are chains")[place]
    }

    /// Up to 1.35 each Service has the rule of its own; then one of chain `services` is for all.
    fn masquerade_cluster_ip(&self) -> Option<Rule> {
        let nft = &self.settings.profile.nft;
        let detected = self.settings.local.test(false).is_some();
        if nft.one_rule || !(self.settings.masquerade_all || detected) {
            return None;
        }
        let mut draft = self.any().daddr(self.port.cluster_ip);
        if nft.masquerade_names_port {
            draft = draft.port(self.port.protocol, self.port.port);
        }
        if !self.settings.masquerade_all {
            draft = draft.pods(self.settings, false);
        }
        Some(self.mark(draft, None))
    }

    /// From 1.36 on: endpoints of this node, which may reach themselves. A remote one needs a route anyway.
    pub(super) fn hairpins(&mut self) {
        if !self.settings.profile.nft.one_rule {
            return;
        }
        let selected = self.selected;
        let node = &self.settings.node_name;
        for endpoint in selected.reachable.iter().filter(|endpoint| endpoint.backend.is_local(node)) {
            let addr = Span::addr(endpoint.backend.ip);
            let key = [addr, addr, Span::proto(self.port.protocol), Span::port(endpoint.port)];
            self.element(Shared::HairpinConnections, Element::new(&key));
        }
    }
}
