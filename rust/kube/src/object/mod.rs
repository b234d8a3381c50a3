//! Typed objects with the API's own words, and the untouched rest.
//!
//! An [`Object`] is a typed [`Kind`] beside the text it was read from, so that fields that kdp does not know survive.

mod endpoints;
mod int_or_string;
mod kind;
mod meta;
mod monitoring;
mod node;
mod other;
mod pod;
pub(crate) mod serde_api;
mod service;
#[cfg(test)]
mod tests;
mod whole;
mod workload;

pub use endpoints::{
    Endpoint, EndpointAddress, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice,
    EndpointSubset, Endpoints, HintName,
};
pub use int_or_string::IntOrString;
pub use kind::{Kind, KindName, ObjectKey, Typed};
pub use meta::{Condition, LabelRequirement, LabelSelector, Meta, ObjectReference, OwnerReference};
pub use monitoring::{
    MonitorEndpoint, NamespaceSelector, Prometheus, PrometheusSpec, Relabeling, ServiceMonitor,
    ServiceMonitorSpec,
};
pub use node::{
    Namespace, NamespaceStatus, Node, NodeAddress, NodeInfo, NodeSpec, NodeStatus, Quantity, Taint,
};
pub use other::Other;
pub use pod::{
    Container, ContainerLifecycle, ContainerPort, ContainerRunning, ContainerState, ContainerStatus,
    ContainerTerminated, ContainerWaiting, Pod, PodDnsConfig, PodDnsOption, PodIp, PodSpec, PodStatus, Probe,
    ReadinessGate, SleepAction, StopHandler, Toleration,
};
pub use service::{
    ClientIpConfig, LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec,
    ServiceStatus, SessionAffinityConfig,
};
pub use whole::Object;
pub use workload::{
    DaemonSet, DaemonSetSpec, DaemonSetStatus, Deployment, DeploymentSpec, DeploymentStrategy, PodTemplate,
    ReplicaSet, ReplicaSetSpec, RollingUpdate, StatefulSet, StatefulSetOrdinals, StatefulSetSpec,
    WorkloadStatus,
};
