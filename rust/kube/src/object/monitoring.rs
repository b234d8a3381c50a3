//! `ServiceMonitor` and Prometheus, as far as the selection of targets goes.
//!
//! Source: prometheus-operator API reference, `monitoring.coreos.com/v1`.

use std::collections::BTreeMap;

use super::int_or_string::IntOrString;
use super::meta::{LabelSelector, Meta};
use super::serde_api::api;

api! {
    /// A `ServiceMonitor` (`monitoring.coreos.com/v1`).
    pub struct ServiceMonitor {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: ServiceMonitorSpec,
    }

    /// `ServiceMonitor.spec`.
    pub struct ServiceMonitorSpec {
        /// The Service label whose value becomes `job`.
        pub job_label: String,
        /// Service labels that become target labels.
        pub target_labels: Vec<String>,
        /// Pod labels that become target labels.
        pub pod_target_labels: Vec<String>,
        /// The ports to scrape.
        pub endpoints: Vec<MonitorEndpoint>,
        /// Which Services, by their own labels.
        pub selector: LabelSelector,
        /// `RelabelConfig` or `RoleSelector`.
        pub selector_mechanism: Option<String>,
        /// Where the Services are.
        pub namespace_selector: NamespaceSelector,
        /// `Endpoints` or `EndpointSlice`.
        pub service_discovery_role: Option<String>,
        /// The scrape class.
        pub scrape_class: Option<String>,
    }

    /// One port to scrape.
    pub struct MonitorEndpoint {
        /// The Service port's name; wins over `target_port`.
        pub port: String,
        /// The Pod's port by number or name.
        pub target_port: Option<IntOrString>,
        /// The path; `/metrics` unless said.
        pub path: String,
        /// `http` or `https`.
        pub scheme: Option<String>,
        /// Parameters of the request.
        pub params: BTreeMap<String, Vec<String>>,
        /// How often.
        pub interval: String,
        /// How long at most.
        pub scrape_timeout: String,
        /// Whether labels of the target win.
        pub honor_labels: bool,
        /// Whether ended Pods are dropped; true unless said.
        pub filter_running: Option<bool>,
        /// Rules over target labels.
        pub relabelings: Vec<Relabeling>,
        /// Rules over sample labels.
        pub metric_relabelings: Vec<Relabeling>,
    }

    /// A relabeling rule.
    pub struct Relabeling {
        /// Labels that are joined.
        pub source_labels: Vec<String>,
        /// What joins them; `;` unless said.
        pub separator: Option<String>,
        /// The label that is written.
        pub target_label: String,
        /// What the joined text must match.
        pub regex: String,
        /// The divisor of `hashmod`.
        pub modulus: u64,
        /// What is written.
        pub replacement: Option<String>,
        /// What is done; `replace` unless said.
        pub action: String,
    }

    /// Where the Services of a monitor are; empty means the monitor's own namespace.
    pub struct NamespaceSelector {
        /// In every namespace.
        pub any: bool,
        /// In these.
        pub match_names: Vec<String>,
    }

    /// A Prometheus (`monitoring.coreos.com/v1`).
    pub struct Prometheus {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: PrometheusSpec,
    }

    /// `Prometheus.spec`. A selector of `None` selects nothing, an empty one everything.
    pub struct PrometheusSpec {
        /// Which `ServiceMonitors`.
        pub service_monitor_selector: Option<LabelSelector>,
        /// In which namespaces; `None` means its own.
        pub service_monitor_namespace_selector: Option<LabelSelector>,
        /// Which `PodMonitors`.
        pub pod_monitor_selector: Option<LabelSelector>,
        /// In which namespaces; `None` means its own.
        pub pod_monitor_namespace_selector: Option<LabelSelector>,
        /// Which `Probes`.
        pub probe_selector: Option<LabelSelector>,
        /// In which namespaces; `None` means its own.
        pub probe_namespace_selector: Option<LabelSelector>,
        /// Which `ScrapeConfigs`.
        pub scrape_config_selector: Option<LabelSelector>,
        /// In which namespaces; `None` means its own.
        pub scrape_config_namespace_selector: Option<LabelSelector>,
        /// Whether monitors see only their own namespace.
        pub ignore_namespace_selectors: bool,
        /// How many instances.
        pub replicas: Option<i32>,
        /// Into how many parts the targets are divided.
        pub shards: Option<i32>,
        /// `Endpoints` or `EndpointSlice`.
        pub service_discovery_role: Option<String>,
        /// How often, unless a monitor says.
        pub scrape_interval: String,
        /// How long at most, unless a monitor says.
        pub scrape_timeout: String,
        /// Pod labels that become target labels of every monitor.
        pub pod_target_labels: Vec<String>,
        /// The label that is forced to the monitor's namespace.
        pub enforced_namespace_label: String,
        /// Whether the target's labels never win.
        pub override_honor_labels: bool,
        /// Labels of every sample sent away.
        pub external_labels: BTreeMap<String, String>,
    }
}
