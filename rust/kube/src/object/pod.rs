//! Pod.

use std::collections::BTreeMap;

use super::meta::{Condition, Meta};
use super::serde_api::api;

api! {
    /// A Pod (`v1`).
    pub struct Pod {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: PodSpec,
        /// What is.
        pub status: PodStatus,
    }

    /// `Pod.spec`.
    pub struct PodSpec {
        /// The node it runs on; empty if not scheduled.
        pub node_name: String,
        /// Whether it uses its node's network.
        pub host_network: bool,
        /// The name it gives itself.
        pub hostname: String,
        /// The headless Service that names it.
        pub subdomain: String,
        /// Containers that run first, and sidecars.
        pub init_containers: Vec<Container>,
        /// Its containers.
        pub containers: Vec<Container>,
        /// `Always`, `OnFailure` or `Never`.
        pub restart_policy: String,
        /// `ClusterFirst`, `ClusterFirstWithHostNet`, `Default` or `None`.
        pub dns_policy: String,
        /// Further resolver settings.
        pub dns_config: Option<PodDnsConfig>,
        /// Labels of nodes it may run on.
        pub node_selector: BTreeMap<String, String>,
        /// Seconds it has to end.
        pub termination_grace_period_seconds: Option<i64>,
        /// Conditions of others that its readiness waits for.
        pub readiness_gates: Vec<ReadinessGate>,
        /// Taints of nodes that it bears.
        pub tolerations: Vec<Toleration>,
    }

    /// One toleration. Source: Kubernetes API, `v1.Toleration`.
    pub struct Toleration {
        /// The taint's key; empty with `Exists` for every key.
        pub key: String,
        /// `Equal`, which is the default, or `Exists`.
        pub operator: String,
        /// The taint's value, for `Equal`.
        pub value: String,
        /// The taint's effect; empty for every effect.
        pub effect: String,
        /// Seconds for which a `NoExecute` taint is borne; absent for ever.
        pub toleration_seconds: Option<i64>,
    }

    /// One readiness gate.
    pub struct ReadinessGate {
        /// The condition it waits for.
        pub condition_type: String,
    }

    /// A container.
    pub struct Container {
        /// Its name.
        pub name: String,
        /// Its image.
        pub image: String,
        /// The ports it declares.
        pub ports: Vec<ContainerPort>,
        /// `Always` makes an init container a sidecar.
        pub restart_policy: Option<String>,
        /// Says when it takes requests.
        pub readiness_probe: Option<Probe>,
        /// What runs beside its start and its end.
        pub lifecycle: Option<ContainerLifecycle>,
    }

    /// A probe: its times alone.
    pub struct Probe {
        /// Seconds from the container's start to the first probe.
        pub initial_delay_seconds: i32,
        /// Seconds from probe to probe; 10 unless said.
        pub period_seconds: i32,
        /// Failures in a row that count; 3 unless said.
        pub failure_threshold: i32,
    }

    /// `lifecycle` of a container.
    pub struct ContainerLifecycle {
        /// What runs before SIGTERM.
        pub pre_stop: Option<StopHandler>,
    }

    /// `preStop`.
    pub struct StopHandler {
        /// It sleeps.
        pub sleep: Option<SleepAction>,
    }

    /// A sleep.
    pub struct SleepAction {
        /// For how many seconds.
        pub seconds: i64,
    }

    /// A port that a container declares.
    pub struct ContainerPort {
        /// Its name; empty if it has none.
        pub name: String,
        /// The port on the node, if any.
        pub host_port: Option<u16>,
        /// The port.
        pub container_port: u16,
        /// `TCP`, `UDP` or `SCTP`.
        pub protocol: String,
        /// The node's address to bind.
        #[serde(rename = "hostIP")]
        pub host_ip: String,
    }

    /// `dnsConfig`.
    pub struct PodDnsConfig {
        /// Servers.
        pub nameservers: Vec<String>,
        /// Search list.
        pub searches: Vec<String>,
        /// Options.
        pub options: Vec<PodDnsOption>,
    }

    /// A resolver option.
    pub struct PodDnsOption {
        /// Its name: `ndots`.
        pub name: String,
        /// Its value.
        pub value: Option<String>,
    }

    /// `Pod.status`.
    pub struct PodStatus {
        /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
        pub phase: String,
        /// Conditions.
        pub conditions: Vec<Condition>,
        /// One word why, as for `Evicted`.
        pub reason: String,
        /// Its node's address.
        #[serde(rename = "hostIP")]
        pub host_ip: String,
        /// Its first address; empty if it has none.
        #[serde(rename = "podIP")]
        pub pod_ip: String,
        /// Its addresses, one per family.
        #[serde(rename = "podIPs")]
        pub pod_ips: Vec<PodIp>,
        /// When it was accepted.
        pub start_time: Option<String>,
        /// The node it waits for.
        pub nominated_node_name: String,
        /// How its init containers are.
        pub init_container_statuses: Vec<ContainerStatus>,
        /// How its containers are.
        pub container_statuses: Vec<ContainerStatus>,
    }

    /// An address of a Pod.
    pub struct PodIp {
        /// The address.
        pub ip: String,
    }

    /// How a container is.
    pub struct ContainerStatus {
        /// Its name.
        pub name: String,
        /// Whether its readiness probe holds.
        pub ready: bool,
        /// How often it was started again.
        pub restart_count: i32,
        /// Whether it has started.
        pub started: Option<bool>,
        /// What it does now.
        pub state: ContainerState,
        /// What it did before.
        pub last_state: ContainerState,
    }

    /// What a container does: at most one is set.
    pub struct ContainerState {
        /// It waits.
        pub waiting: Option<ContainerWaiting>,
        /// It runs.
        pub running: Option<ContainerRunning>,
        /// It has ended.
        pub terminated: Option<ContainerTerminated>,
    }

    /// A container that waits.
    pub struct ContainerWaiting {
        /// One word why: `CrashLoopBackOff`.
        pub reason: String,
        /// A sentence why.
        pub message: String,
    }

    /// A container that runs.
    pub struct ContainerRunning {
        /// Since when.
        pub started_at: Option<String>,
    }

    /// A container that has ended.
    pub struct ContainerTerminated {
        /// Its exit code.
        pub exit_code: i32,
        /// The signal that ended it.
        pub signal: i32,
        /// One word why: `Completed`.
        pub reason: String,
        /// A sentence why.
        pub message: String,
        /// Since when it ran.
        pub started_at: Option<String>,
        /// Until when it ran.
        pub finished_at: Option<String>,
    }
}

impl Pod {
    /// Whether its Ready condition is True.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
    }

    /// Whether it has ended: phase Succeeded or Failed.
    pub fn is_terminal(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Its addresses as texts, the first being the primary.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let alone = self.status.pod_ips.is_empty() && !self.status.pod_ip.is_empty();
        let alone = alone.then_some(self.status.pod_ip.as_str());
        alone.into_iter().chain(self.status.pod_ips.iter().map(|ip| ip.ip.as_str()))
    }
}
