//! Service.

use std::collections::BTreeMap;

use super::int_or_string::IntOrString;
use super::meta::{Condition, Meta};
use super::serde_api::api;

api! {
    /// A Service (`v1`).
    pub struct Service {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: ServiceSpec,
        /// What is.
        pub status: ServiceStatus,
    }

    /// `Service.spec`.
    pub struct ServiceSpec {
        /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
        #[serde(rename = "type")]
        pub type_: String,
        /// Labels of the Pods behind it. `None`: not managed. Empty: every Pod of the namespace.
        pub selector: Option<BTreeMap<String, String>>,
        /// The first cluster address; `None` (the text) for a headless Service.
        #[serde(rename = "clusterIP")]
        pub cluster_ip: String,
        /// One cluster address per family, or `None` (the text).
        #[serde(rename = "clusterIPs")]
        pub cluster_ips: Vec<String>,
        /// `IPv4`, `IPv6`, the first being the primary.
        pub ip_families: Vec<String>,
        /// `SingleStack`, `PreferDualStack` or `RequireDualStack`.
        pub ip_family_policy: String,
        /// Addresses outside the cluster that lead to it.
        #[serde(rename = "externalIPs")]
        pub external_ips: Vec<String>,
        /// The name that stands for it, of type `ExternalName`.
        pub external_name: String,
        /// Its ports.
        pub ports: Vec<ServicePort>,
        /// `None` (the text) or `ClientIP`.
        pub session_affinity: String,
        /// How long a client keeps its endpoint.
        pub session_affinity_config: Option<SessionAffinityConfig>,
        /// `Cluster` or `Local`, for traffic from outside.
        pub external_traffic_policy: String,
        /// `Cluster` or `Local`, for traffic from inside.
        pub internal_traffic_policy: String,
        /// The port on which a node tells whether it has local endpoints.
        pub health_check_node_port: Option<u16>,
        /// Networks that may use the load balancer's address.
        pub load_balancer_source_ranges: Vec<String>,
        /// The address asked of the load balancer.
        #[serde(rename = "loadBalancerIP")]
        pub load_balancer_ip: String,
        /// Whose load balancer.
        pub load_balancer_class: Option<String>,
        /// Whether a load balancer gets node ports; true unless said.
        pub allocate_load_balancer_node_ports: Option<bool>,
        /// Whether Pods that are not ready count.
        pub publish_not_ready_addresses: bool,
        /// `PreferClose`, `PreferSameZone` or `PreferSameNode`.
        pub traffic_distribution: Option<String>,
    }

    /// One port of a Service.
    pub struct ServicePort {
        /// Its name; empty if it has none.
        pub name: String,
        /// `TCP`, `UDP` or `SCTP`.
        pub protocol: String,
        /// A hint about the protocol above.
        pub app_protocol: Option<String>,
        /// The port at the cluster address.
        pub port: u16,
        /// The port of the Pod.
        pub target_port: IntOrString,
        /// The port on every node.
        pub node_port: Option<u16>,
    }

    /// `sessionAffinityConfig`.
    pub struct SessionAffinityConfig {
        /// For affinity by client address.
        #[serde(rename = "clientIP")]
        pub client_ip: Option<ClientIpConfig>,
    }

    /// `sessionAffinityConfig.clientIP`.
    pub struct ClientIpConfig {
        /// Seconds that a client keeps its endpoint after its last connection.
        pub timeout_seconds: Option<i32>,
    }

    /// `Service.status`.
    pub struct ServiceStatus {
        /// What the load balancer gave.
        pub load_balancer: LoadBalancerStatus,
        /// Conditions.
        pub conditions: Vec<Condition>,
    }

    /// `status.loadBalancer`.
    pub struct LoadBalancerStatus {
        /// Ways in.
        pub ingress: Vec<LoadBalancerIngress>,
    }

    /// One way into a load balancer.
    pub struct LoadBalancerIngress {
        /// Its address.
        pub ip: String,
        /// Its name.
        pub hostname: String,
        /// `VIP` or `Proxy`.
        pub ip_mode: Option<String>,
    }
}

impl ServiceSpec {
    /// Whether it has no cluster address by choice: `clusterIP: None`.
    pub fn is_headless(&self) -> bool {
        self.cluster_ip == "None" || self.cluster_ips.first().is_some_and(|ip| ip == "None")
    }

    /// Seconds that a client keeps its endpoint, if affinity is by client address; 10800 if not said.
    /// Source: Kubernetes API, `DefaultClientIPServiceAffinitySeconds`.
    pub fn affinity_timeout_seconds(&self) -> Option<i32> {
        let given = self.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
        (self.session_affinity == "ClientIP")
            .then(|| given.and_then(|client| client.timeout_seconds).unwrap_or(10_800))
    }
}
