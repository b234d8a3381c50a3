//! Deployment, `ReplicaSet`, `StatefulSet`.

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

    /// `status` of the three.
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
        /// Conditions.
        pub conditions: Vec<Condition>,
    }
}
