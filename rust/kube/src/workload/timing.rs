//! Every constant of the workload controllers, the kubelets and the node controller, with its source.
//!
//! Those of [`Timing`] are how long a machine or a program takes: no release states them, so they are options.

use std::time::Duration;

/// Pods that a controller makes or deletes in one sync at most.
/// Source: `pkg/controller/replicaset/replica_set.go` `BurstReplicas`, `pkg/controller/daemon/daemon_controller.go`, v1.33.
pub(super) const BURST_REPLICAS: usize = 500;
/// Old ReplicaSets that a Deployment keeps. Source: Kubernetes API, `Deployment.spec.revisionHistoryLimit`.
pub(super) const REVISION_HISTORY_LIMIT: i32 = 10;
/// Seconds without progress after which a rollout has failed.
/// Source: Kubernetes API, `Deployment.spec.progressDeadlineSeconds`.
pub(super) const PROGRESS_DEADLINE_SECONDS: i32 = 600;
/// Seconds that a Pod has to end. Source: Kubernetes API, `Pod.spec.terminationGracePeriodSeconds`.
pub(super) const GRACE_SECONDS: i64 = 30;
/// Time that a program gets at least, whatever `preStop` took of the grace.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` `minimumGracePeriodInSeconds`, v1.33.
pub(super) const GRACE_LEFT: Duration = Duration::from_secs(2);
/// Seconds for which Pods bear a node that is not ready or out of reach, unless they say otherwise.
/// Source: `plugin/pkg/admission/defaulttolerationseconds/admission.go`, v1.33.
pub(super) const TOLERATION_SECONDS: i64 = 300;
/// Seconds between two renewals of a node's lease: a quarter of its 40 seconds.
/// Source: `pkg/kubelet/kubelet.go` `nodeLeaseRenewIntervalFraction`, `nodeLeaseDurationSeconds`, v1.33.
pub(super) const LEASE_RENEWAL: Duration = Duration::from_secs(10);
/// Time between two looks of the node controller: kube-controller-manager `--node-monitor-period`.
pub(super) const MONITOR_PERIOD: Duration = Duration::from_secs(5);
/// Pods that a node takes if it does not say. Source: kubelet `maxPods`.
pub(super) const PODS_PER_NODE: usize = 110;

/// How long things take that no release states; each is an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From a Pod's creation to its place on a node.
    pub schedule: Duration,
    /// From the place on a node to an address and running containers: sandbox, image, start.
    pub start: Duration,
    /// From the start to the first probe that succeeds, beside the probe's own `initialDelaySeconds`.
    pub ready: Duration,
    /// From SIGTERM to the program's end.
    pub shutdown: Duration,
    /// From SIGTERM to the moment from which the program takes no new connections.
    pub listen: Duration,
    /// From SIGTERM to the readiness probe that fails, if the program still runs then.
    pub unready: Duration,
    /// From the end of the containers to the object's end.
    pub cleanup: Duration,
    /// Time without a lease after which a node is taken for lost: `--node-monitor-grace-period`.
    pub node_grace: Duration,
    /// Which address a new Pod gets.
    pub addresses: AddressOrder,
}

/// Which free address of a node's network is given next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressOrder {
    /// The one behind the last one given: an address comes back after all others.
    /// Source: `containernetworking/plugins` `plugins/ipam/host-local/backend/allocator/allocator.go`, v1.7.
    #[default]
    RoundRobin,
    /// The lowest: an address comes back with the next Pod.
    Lowest,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            schedule: Duration::from_millis(10),
            start: Duration::from_secs(2),
            ready: Duration::from_secs(1),
            shutdown: Duration::from_secs(2),
            listen: Duration::ZERO,
            unready: Duration::from_secs(1),
            cleanup: Duration::from_millis(500),
            node_grace: node_grace(32),
            addresses: AddressOrder::RoundRobin,
        }
    }
}

/// `--node-monitor-grace-period` of release 1.`minor`: 40 seconds, from 1.32 on 50.
/// Source: `pkg/controller/nodelifecycle/config/v1alpha1/defaults.go`, v1.31 and v1.32.
pub const fn node_grace(minor: u32) -> Duration {
    Duration::from_secs(if minor < 32 { 40 } else { 50 })
}

impl Timing {
    /// The names of the times.
    pub const NAMES: [&str; 8] =
        ["schedule", "start", "ready", "shutdown", "listen", "unready", "cleanup", "node_grace"];

    /// Sets a time by its name. Whether there is one of that name.
    pub fn set(&mut self, name: &str, time: Duration) -> bool {
        let field = match name {
            "schedule" => &mut self.schedule,
            "start" => &mut self.start,
            "ready" => &mut self.ready,
            "shutdown" => &mut self.shutdown,
            "listen" => &mut self.listen,
            "unready" => &mut self.unready,
            "cleanup" => &mut self.cleanup,
            "node_grace" => &mut self.node_grace,
            _ => return false,
        };
        *field = time;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_its_name() {
        for name in Timing::NAMES {
            let mut timing = Timing::default();
            assert!(timing.set(name, Duration::from_secs(77)), "{name}");
            assert_ne!(timing, Timing::default(), "{name}");
        }
        assert!(!Timing::default().set("lunch", Duration::ZERO));
    }
}
