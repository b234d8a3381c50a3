//! The frontends of a service port: rules of the shared chains, and the chains between frontend and load balancing.

use std::net::IpAddr;

use kdp_netfilter::{Match, Name, Rule, Target, Test};
use kdp_packet::{Cidr, Proto};

use super::chains::{CHAINS, Shared};
use super::fixed::loopback_net;
use super::rule::{Draft, any, heads, reject, to_vip};
use super::section::Writer;

impl Writer<'_> {
    pub(super) fn cluster_ip(&mut self) {
        let vip = self.port.cluster_ip;
        if self.has_internal() {
            let rule = self.vip_rule(vip, "cluster IP", &self.internal_chain());
            self.share(Shared::NatServices, rule);
        } else {
            let rule = self.refusal(to_vip(vip, self.port.protocol), self.port.port);
            self.share(Shared::FilterServices, rule);
        }
    }

    pub(super) fn external_ips(&mut self) {
        for &vip in &self.port.external_ips {
            if self.selected.has_any {
                let rule = self.vip_rule(vip, "external IP", &self.ext());
                self.share(Shared::NatServices, rule);
            }
            self.refuse_external(vip);
        }
    }

    pub(super) fn load_balancer_ips(&mut self) {
        for &vip in &self.port.load_balancer_vips {
            if self.selected.has_any {
                let chain = if self.uses_firewall() { self.fw() } else { self.ext() };
                let rule = self.vip_rule(vip, "loadbalancer IP", &chain);
                self.share(Shared::NatServices, rule);
            }
            if self.uses_firewall() {
                let comment = format!("{} traffic not accepted by {}", self.spn, self.fw());
                let rule = self
                    .to(vip)
                    .comment(comment)
                    .dport(self.port.protocol, self.port.port)
                    .then(Target::Drop);
                self.share(Shared::FilterFirewall, rule);
            }
        }
        for &vip in &self.port.load_balancer_vips {
            self.refuse_external(vip);
        }
    }

    pub(super) fn node_port(&mut self) {
        let (Some(node_port), protocol) = (self.port.node_port, self.port.protocol) else { return };
        if self.selected.has_any {
            let comment = |draft: Draft| draft.comment(self.spn.clone()).dport(protocol, node_port);
            let ext = self.ext();
            let rule = comment(heads(None, None, Some(protocol))).jump(&ext);
            if self.settings.localhost_nodeports && self.settings.nfacct {
                let local = comment(heads(None, Some(loopback_net()), Some(protocol)));
                let counted = local.nfacct("localhost_nps_accepted_pkts").jump(&ext);
                self.share(Shared::NatNodePorts, counted);
            }
            self.share(Shared::NatNodePorts, rule);
        }
        if !self.has_external() {
            let (comment, target) = self.refusal_parts();
            let draft = heads(None, None, Some(protocol)).comment(comment).dst_type_local();
            self.share(Shared::FilterExternal, draft.dport(protocol, node_port).then(target));
        }
    }

    pub(super) fn health_check(&mut self) {
        let Some(port) = self.port.health_check_node_port else { return };
        let draft =
            heads(None, None, Some(Proto::TCP)).comment(format!("{} health check node port", self.spn));
        self.share(Shared::FilterNodePorts, draft.dport(Proto::TCP, port).then(Target::Accept));
    }

    /// Cluster-IP traffic that is not from a local pod is masqueraded, so that replies come back this way.
    pub(super) fn masquerade_cluster_ip(&mut self) {
        if !self.has_internal() {
            return;
        }
        let outside = self.settings.local.test(false);
        if !self.settings.masquerade_all && outside.is_none() {
            return;
        }
        let outside = outside.filter(|_| !self.settings.masquerade_all);
        let draft = heads(outside, Some(Cidr::host(self.port.cluster_ip)), Some(self.port.protocol))
            .comment(format!("{} cluster IP", self.spn))
            .dport(self.port.protocol, self.port.port);
        let chain = self.internal_chain();
        self.append(&chain, draft.jump(&CHAINS.mark_masq));
    }

    pub(super) fn external_chain(&mut self) {
        if !self.uses_external() {
            return;
        }
        let ext = self.ext();
        self.open(&ext);
        if self.port.external_local {
            self.short_circuits(&ext);
        } else {
            let comment = format!("masquerade traffic for {} external destinations", self.spn);
            self.append(&ext, any().comment(comment).jump(&CHAINS.mark_masq));
        }
        if self.has_external() {
            let chain = if self.port.external_local { self.svl() } else { self.svc() };
            self.append(&ext, any().jump(&chain));
        }
    }

    /// Traffic of this node's pods and of the node itself goes to endpoints anywhere, whatever the external policy.
    fn short_circuits(&mut self, ext: &Name) {
        let svc = self.svc();
        if let Some(pods) = self.settings.local.test(true) {
            let comment = format!("pod traffic for {} external destinations", self.spn);
            self.append(ext, heads(Some(pods), None, None).comment(comment).jump(&svc));
        }
        for (what, chain) in [("masquerade", &CHAINS.mark_masq), ("route", &svc)] {
            let comment = format!("{what} LOCAL traffic for {} external destinations", self.spn);
            self.append(ext, any().comment(comment).src_type_local().jump(chain));
        }
    }

    /// Source ranges. What they do not accept is not translated, and dropped by KUBE-PROXY-FIREWALL then.
    pub(super) fn firewall_chain(&mut self) {
        if !self.uses_firewall() {
            return;
        }
        let (fw, ext) = (self.fw(), self.ext());
        self.open(&fw);
        let ranges = self.port.source_ranges.iter();
        let holds_node =
            self.settings.node_ip.is_some_and(|ip| ranges.clone().any(|range| range.contains(ip)));
        // A node that talks to a load-balancer IP bound to itself has that IP as its source.
        let own = self.port.load_balancer_vips.iter().filter(|_| holds_node).map(|vip| Cidr::host(*vip));
        let sources: Vec<Cidr> = ranges.copied().chain(own).collect();
        for source in sources {
            let draft =
                any().with(Match::Src(Test::is(source))).comment(format!("{} loadbalancer IP", self.spn));
            self.append(&fw, draft.jump(&ext));
        }
        let rest = format!("other traffic to {} will be dropped by KUBE-PROXY-FIREWALL", self.spn);
        self.append(&fw, any().comment(rest).then(Target::Continue));
    }

    fn to(&self, vip: IpAddr) -> Draft {
        to_vip(vip, self.port.protocol)
    }

    fn vip_rule(&self, vip: IpAddr, what: &str, chain: &Name) -> Rule {
        let comment = format!("{} {what}", self.spn);
        self.to(vip).comment(comment).dport(self.port.protocol, self.port.port).jump(chain)
    }

    /// Comment and target of rules for frontends without an endpoint.
    fn refusal_parts(&self) -> (String, Target) {
        if self.selected.has_any {
            (format!("{} has no local endpoints", self.spn), Target::Drop)
        } else {
            (format!("{} has no endpoints", self.spn), reject(self.settings.family))
        }
    }

    fn refusal(&self, draft: Draft, port: u16) -> Rule {
        let (comment, target) = self.refusal_parts();
        draft.comment(comment).dport(self.port.protocol, port).then(target)
    }

    fn refuse_external(&mut self, vip: IpAddr) {
        if !self.has_external() {
            let rule = self.refusal(self.to(vip), self.port.port);
            self.share(Shared::FilterExternal, rule);
        }
    }
}
