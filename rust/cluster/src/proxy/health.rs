//! What a node's kube-proxy tells about itself: its metrics page and its health servers.

use kdp_packet::Family;
use kdp_proxy::{
    ChangeCounts, Chooser, HealthAnswer, PageFacts, ServiceName, View, health_check_node_port, is_alive,
    local_ready_endpoints, print_metrics, select, service_health,
};
use kdp_sim::Time;

use super::Proxy;

/// How often `/healthz` and `/livez` were asked, by answer: 200 and 503.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    healthz: (usize, usize),
    livez: (usize, usize),
}

impl Proxy {
    /// The metrics page.
    pub(crate) fn metrics(&self, view: &View, zone: Option<&str>) -> String {
        let mut facts = PageFacts {
            changes: view.changes_seen(),
            healthz: self.asked.healthz,
            livez: self.asked.livez,
            ..PageFacts::default()
        };
        for (at, own) in self.families.iter().enumerate() {
            let (services, slices) = own.pending(view);
            let ChangeCounts { services: all, slices: all_slices } = facts.pending;
            facts.pending = ChangeCounts { services: all + services, slices: all_slices + slices };
            facts.no_local_endpoints[at] = self.no_local_endpoints(view, own.family, zone);
        }
        let families: Vec<_> = self.families.iter().map(|own| (own.family, &own.metrics)).collect();
        print_metrics(&families, &facts)
    }

    /// Service ports of policy Local that have endpoints, but none here: internal, external.
    /// Source: kube-proxy, `syncProxyRules`: `serviceNoLocalEndpointsTotalInternal` and `…External`.
    fn no_local_endpoints(&self, view: &View, family: Family, zone: Option<&str>) -> (usize, usize) {
        let view = view.family(family);
        let chooser = Chooser { profile: &self.config.profile, node: &self.config.node_name, zone };
        let (mut internal, mut external) = (0, 0);
        for (service, ports) in view.services() {
            for (name, own) in ports.iter().filter(|(_, own)| own.uses_local()) {
                let selected = select(own, view.endpoints(service, name), chooser);
                if selected.has_any && selected.local.is_empty() {
                    internal += usize::from(own.internal_local);
                    external += usize::from(own.external_local && own.externally_accessible());
                }
            }
        }
        (internal, external)
    }

    /// Whether every family's oldest queued sync is young enough: `/livez`.
    pub(crate) fn is_alive(&self, now: Time) -> bool {
        self.families.iter().all(|own| is_alive(own.metrics.waiting_since(), self.config.sync_period, now))
    }

    /// Answers `/healthz`: 503 too while the node is going away.
    pub(crate) fn healthz(&mut self, going: bool, now: Time) -> u16 {
        let healthy = self.is_alive(now) && !going;
        answer(&mut self.asked.healthz, healthy)
    }

    /// Answers `/livez`.
    pub(crate) fn livez(&mut self, now: Time) -> u16 {
        let alive = self.is_alive(now);
        answer(&mut self.asked.livez, alive)
    }

    /// What the health-check node port of a Service answers; none where it has no such port.
    pub(crate) fn service_health(
        &self,
        view: &View,
        service: &ServiceName,
        family: Family,
        going: bool,
        now: Time,
    ) -> Option<(u16, HealthAnswer)> {
        let view = view.family(family);
        let port = health_check_node_port(view, service)?;
        let endpoints = local_ready_endpoints(view, service, &self.config.node_name);
        Some((port, service_health(service, endpoints, self.is_alive(now) && !going)))
    }
}

fn answer(counts: &mut (usize, usize), well: bool) -> u16 {
    let (count, status) = if well { (&mut counts.0, 200) } else { (&mut counts.1, 503) };
    *count += 1;
    status
}
