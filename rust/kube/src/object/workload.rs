//! Deployment, `ReplicaSet`, `StatefulSet`, `DaemonSet`.

use super::int_or_string::IntOrString;
use super::meta::{Condition, LabelSelector, Meta};
use super::pod::PodSpec;
use super::serde_api::api;

api! {
    /// A Deployment (`apps/v1`).
    pub struct Deployment {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: DeploymentSpec,
        /// What is.
        pub status: WorkloadStatus,
    }

    /// `Deployment.spec`.
    pub struct DeploymentSpec {
        /// How many Pods; 1 unless said.
        pub replicas: Option<i32>,
        /// Which Pods are its own.
        pub selector: Option<LabelSelector>,
        /// What a Pod looks like.
        pub template: PodTemplate,
        /// How Pods are replaced.
        pub strategy: DeploymentStrategy,
        /// Seconds a Pod must be ready to count as available.
        pub min_ready_seconds: i32,
        /// Whether changes wait.
        pub paused: bool,
        /// How many old `ReplicaSet`s are kept; 10 unless said.
        pub revision_history_limit: Option<i32>,
        /// Seconds without progress after which a rollout counts as failed; 600 unless said.
        pub progress_deadline_seconds: Option<i32>,
    }

    /// `Deployment.spec.strategy`.
    pub struct DeploymentStrategy {
        /// `RollingUpdate` or `Recreate`.
        #[serde(rename = "type")]
        pub type_: String,
        /// For `RollingUpdate`.
        pub rolling_update: Option<RollingUpdate>,
    }

    /// Limits of a rolling update.
    pub struct RollingUpdate {
        /// How many Pods may be missing: a number or a percentage.
        pub max_unavailable: Option<IntOrString>,
        /// How many Pods may be too many: a number or a percentage.
        pub max_surge: Option<IntOrString>,
        /// The first ordinal that is updated, of a `StatefulSet`.
        pub partition: Option<i32>,
    }

    /// `template`: what a Pod looks like.
    pub struct PodTemplate {
        /// Labels and annotations of the Pod.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// The Pod's spec.
        pub spec: PodSpec,
    }

    /// A `ReplicaSet` (`apps/v1`).
    pub struct ReplicaSet {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: ReplicaSetSpec,
        /// What is.
        pub status: WorkloadStatus,
    }

    /// `ReplicaSet.spec`.
    pub struct ReplicaSetSpec {
        /// How many Pods; 1 unless said.
        pub replicas: Option<i32>,
        /// Which Pods are its own.
        pub selector: Option<LabelSelector>,
        /// What a Pod looks like.
        pub template: PodTemplate,
        /// Seconds a Pod must be ready to count as available.
        pub min_ready_seconds: i32,
    }

    /// A `StatefulSet` (`apps/v1`).
    pub struct StatefulSet {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: StatefulSetSpec,
        /// What is.
        pub status: WorkloadStatus,
    }

    /// `StatefulSet.spec`.
    pub struct StatefulSetSpec {
        /// How many Pods; 1 unless said.
        pub replicas: Option<i32>,
        /// Which Pods are its own.
        pub selector: Option<LabelSelector>,
        /// What a Pod looks like.
        pub template: PodTemplate,
        /// The headless Service that names its Pods.
        pub service_name: String,
        /// `OrderedReady` or `Parallel`.
        pub pod_management_policy: String,
        /// How Pods are replaced.
        pub update_strategy: DeploymentStrategy,
        /// Where ordinals begin.
        pub ordinals: Option<StatefulSetOrdinals>,
        /// Seconds a Pod must be ready to count as available.
        pub min_ready_seconds: i32,
    }

    /// `StatefulSet.spec.ordinals`.
    pub struct StatefulSetOrdinals {
        /// The first ordinal.
        pub start: i32,
    }

    /// A `DaemonSet` (`apps/v1`).
    pub struct DaemonSet {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// What is wanted.
        pub spec: DaemonSetSpec,
        /// What is.
        pub status: DaemonSetStatus,
    }

    /// `DaemonSet.spec`.
    pub struct DaemonSetSpec {
        /// Which Pods are its own.
        pub selector: Option<LabelSelector>,
        /// What a Pod looks like.
        pub template: PodTemplate,
        /// How Pods are replaced: `RollingUpdate` or `OnDelete`.
        pub update_strategy: DeploymentStrategy,
        /// Seconds a Pod must be ready to count as available.
        pub min_ready_seconds: i32,
    }

    /// `DaemonSet.status`.
    pub struct DaemonSetStatus {
        /// The generation that was seen.
        pub observed_generation: i64,
        /// Nodes that run a Pod and should.
        pub current_number_scheduled: i32,
        /// Nodes that run a Pod and should not.
        pub number_misscheduled: i32,
        /// Nodes that should run a Pod.
        pub desired_number_scheduled: i32,
        /// Nodes whose Pod is ready.
        pub number_ready: i32,
        /// Nodes whose Pod is of the newest template.
        pub updated_number_scheduled: i32,
        /// Nodes whose Pod is ready for long enough.
        pub number_available: i32,
        /// Nodes that should run an available Pod and do not.
        pub number_unavailable: i32,
    }

    /// `status` of the three that have replicas.
    pub struct WorkloadStatus {
        /// The generation that was seen.
        pub observed_generation: i64,
        /// Pods there are.
        pub replicas: i32,
        /// Pods of the newest template.
        pub updated_replicas: i32,
        /// Pods that are ready.
        pub ready_replicas: i32,
        /// Pods ready for long enough.
        pub available_replicas: i32,
        /// Pods that are missing.
        pub unavailable_replicas: i32,
        /// Pods of the template before the newest, of a `StatefulSet`.
        pub current_replicas: i32,
        /// The template before the newest, of a `StatefulSet`.
        pub current_revision: String,
        /// The newest template, of a `StatefulSet`.
        pub update_revision: String,
        /// Conditions.
        pub conditions: Vec<Condition>,
    }
}
