//! What the health-check servers answer: one for each Service with a health-check node port, and kube-proxy's own.
//! Source: kube-proxy, pkg/proxy/healthcheck (`service_health.go`, `proxy_health.go`).

use std::collections::BTreeSet;
use std::time::Duration;

use kdp_sim::Time;

use crate::names::ServiceName;
use crate::view::FamilyView;

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthAnswer {
    /// 200 or 503.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub body: String,
}

/// The health-check node port of a Service, if it has one.
pub fn health_check_node_port(view: &FamilyView, service: &ServiceName) -> Option<u16> {
    view.service(service)?.values().find_map(|port| port.health_check_node_port)
}

/// Local ready endpoints of a Service: distinct addresses, over all its ports.
pub fn local_ready_endpoints(view: &FamilyView, service: &ServiceName, node: &str) -> usize {
    let ports = view.endpoints_of(service).into_iter().flat_map(|map| map.values());
    let backends = ports.flat_map(|own| &own.endpoints).map(|endpoint| &*endpoint.backend);
    let ready = backends.filter(|backend| backend.ready && backend.is_local(node));
    ready.map(|backend| backend.ip).collect::<BTreeSet<_>>().len()
}

/// What the server on a Service's health-check node port answers.
pub fn service_health(service: &ServiceName, endpoints: usize, proxy_healthy: bool) -> HealthAnswer {
    let name = |text: &str| serde_json::Value::from(text).to_string();
    HealthAnswer {
        status: if endpoints > 0 && proxy_healthy { 200 } else { 503 },
        headers: vec![
            ("Content-Type", "application/json".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            ("X-Load-Balancing-Endpoint-Weight", endpoints.to_string()),
        ],
        body: format!(
            "{{\n\t\"service\": {{\n\t\t\"namespace\": {},\n\t\t\"name\": {}\n\t}},\n\t\"localEndpoints\": {endpoints},\n\t\
             \"serviceProxyHealthy\": {proxy_healthy}\n}}",
            name(&service.namespace),
            name(&service.name),
        ),
    }
}

/// Whether a proxier is alive: its oldest queued sync does not wait longer than twice the sync period.
pub fn is_alive(queued_at: Option<Time>, sync_period: Duration, now: Time) -> bool {
    queued_at.is_none_or(|at| now.since(at) < 2 * sync_period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_weight_and_its_body() {
        let answer = service_health(&ServiceName::new("ns", "web"), 2, true);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers[2], ("X-Load-Balancing-Endpoint-Weight", "2".to_owned()));
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"service": {"namespace": "ns", "name": "web"}, "localEndpoints": 2, "serviceProxyHealthy": true})
        );
        assert_eq!(service_health(&ServiceName::new("ns", "web"), 0, true).status, 503);
        assert_eq!(service_health(&ServiceName::new("ns", "web"), 1, false).status, 503);
    }

    #[test]
    fn a_queued_sync_may_wait_for_two_periods() {
        let period = Duration::from_secs(30);
        assert!(is_alive(None, period, Time::from_secs(900)));
        assert!(is_alive(Some(Time::from_secs(1)), period, Time::from_secs(60)));
        assert!(!is_alive(Some(Time::from_secs(1)), period, Time::from_secs(61)));
    }
}
