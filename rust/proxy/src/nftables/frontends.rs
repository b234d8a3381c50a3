//! The frontends of a service port: elements of the shared maps, and the chains between frontend and load balancing.

use std::net::IpAddr;

use kdp_netfilter::Name;
use kdp_netfilter::nft::{Element, Span, Verdict};
use kdp_packet::Cidr;

use super::fixed::REJECT_CHAIN;
use super::section::Writer;
use super::sets::Shared;

impl Writer<'_> {
    pub(super) fn cluster_ip(&mut self) {
        let vip = self.port.cluster_ip;
        self.element(Shared::ClusterIps, Element::new(&[Span::addr(vip)]));
        if self.has_internal() {
            let chain = self.internal_chain();
            self.lead(Shared::ServiceIps, &self.vip(vip), chain);
        } else {
            self.refuse(Shared::NoEndpointServices, &self.vip(vip));
        }
    }

    /// External and load-balancer IPs. Source ranges are looked at before, in a map of their own.
    pub(super) fn external_ips(&mut self) {
        let port = self.port;
        for &vip in port.external_ips.iter().chain(&port.load_balancer_vips) {
            let key = self.vip(vip);
            if self.selected.has_any {
                let chain = self.names.chain("external-");
                self.lead(Shared::ServiceIps, &key, chain);
            }
            if !self.has_external() {
                self.refuse(Shared::NoEndpointServices, &key);
            }
        }
        for &vip in port.load_balancer_vips.iter().filter(|_| !port.source_ranges.is_empty()) {
            let chain = self.names.chain("firewall-");
            let element = Element::to_verdict(&self.vip(vip), Verdict::Goto(chain));
            let commented = self.settings.profile.nft.firewall_comments;
            let spn = self.spn.clone();
            self.element(Shared::FirewallIps, if commented { element.with_comment(spn) } else { element });
        }
    }

    pub(super) fn node_port(&mut self) {
        let Some(node_port) = self.port.node_port else { return };
        let key = [Span::proto(self.port.protocol), Span::port(node_port)];
        if self.selected.has_any {
            let chain = self.names.chain("external-");
            self.lead(Shared::ServiceNodeports, &key, chain);
        }
        if !self.has_external() {
            self.refuse(Shared::NoEndpointNodeports, &key);
        }
    }

    pub(super) fn external_chain(&mut self) {
        if !(self.selected.has_any && self.port.externally_accessible()) {
            return;
        }
        let mut rules = Vec::new();
        if self.port.external_local {
            let service = self.service_chain();
            if self.settings.local.test(true).is_some() {
                let rule = self.any().pods(self.settings, true).goto(&service);
                rules.push(rule.with_comment("short-circuit pod traffic"));
            }
            rules.push(self.mark(self.any().saddr_local(), Some("masquerade local traffic")));
            let rule = self.any().saddr_local().goto(&service);
            rules.push(rule.with_comment("short-circuit local traffic"));
        } else {
            let comment = self.settings.profile.nft.one_rule.then_some("masquerade");
            rules.push(self.mark(self.any(), comment));
        }
        if self.has_external() {
            let chain = if self.port.external_local { self.local_chain() } else { self.service_chain() };
            rules.push(self.any().goto(&chain));
        }
        self.chain(self.names.chain("external-"), rules);
    }

    /// Source ranges, whether or not there are endpoints: who is not in them sees no rejection either.
    pub(super) fn firewall_chain(&mut self) {
        let port = self.port;
        if port.load_balancer_vips.is_empty() || port.source_ranges.is_empty() {
            return;
        }
        let mut sources = port.source_ranges.clone();
        let holds_node =
            self.settings.node_ip.is_some_and(|ip| port.source_ranges.iter().any(|range| range.contains(ip)));
        if holds_node {
            // A node that talks to a load-balancer IP bound to itself has that IP as its source.
            sources.extend(port.load_balancer_vips.iter().map(|vip| Cidr::host(*vip)));
        }
        let rule = self.any().saddr_outside(&sources).verdict(Verdict::Drop);
        self.chain(self.names.chain("firewall-"), vec![rule]);
    }

    fn vip(&self, vip: IpAddr) -> [Span; 3] {
        [Span::addr(vip), Span::proto(self.port.protocol), Span::port(self.port.port)]
    }

    fn lead(&mut self, map: Shared, key: &[Span], chain: Name) {
        self.element(map, Element::to_verdict(key, Verdict::Goto(chain)));
    }

    /// A frontend without a usable endpoint: rejected if there is none anywhere, else dropped.
    fn refuse(&mut self, map: Shared, key: &[Span]) {
        let verdict =
            if self.selected.has_any { Verdict::Drop } else { Verdict::Goto(Name::text(REJECT_CHAIN)) };
        let element = Element::to_verdict(key, verdict).with_comment(self.spn.clone());
        self.element(map, element);
    }
}
