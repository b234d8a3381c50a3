//! The node controller: leases that stop, taints, and Pods that have borne them long enough.
//!
//! Source: `pkg/controller/nodelifecycle/node_lifecycle_controller.go`, `pkg/controller/tainteviction/taint_eviction.go`, v1.33.
//!
//! DEVIATION(workload-eviction-rate): kube-controller-manager taints lost nodes of one zone one by one, a node in ten
//! seconds (`--node-eviction-rate`), and stops when a zone is mostly lost.

use std::time::Duration;

use kdp_sim::Time;

use super::pod_life::PodStep;
use super::scheduler::tolerates;
use super::timing::{LEASE_RENEWAL, MONITOR_PERIOD, TOLERATION_SECONDS};
use super::writes::{edit, set_condition};
use super::{Timer, Workloads};
use crate::object::{Condition, KindName, Node, ObjectKey, Pod, Taint};
use crate::store::Store;

/// The taint of a node whose kubelet says that it is not ready.
pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The taint of a node of which nobody hears.
pub(super) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The taint of a cordoned node.
pub(super) const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// A node whose kubelet is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// When the node controller saw the last renewal of its lease.
    seen: Time,
}

impl Workloads {
    /// The node's kubelet falls silent: power, kernel or network is gone.
    pub fn lose_node(&mut self, node: &str, now: Time) {
        let renewed = now.as_nanos() / nanos(LEASE_RENEWAL) * nanos(LEASE_RENEWAL);
        let lost = Lost { seen: Time(renewed) };
        self.lost.insert(node.into(), lost);
        // The first look after the grace: looks come at whole periods, and the grace must be over.
        let over = renewed.saturating_add(nanos(self.timing.node_grace));
        let looks = over / nanos(MONITOR_PERIOD) + 1;
        let look = Time(looks.saturating_mul(nanos(MONITOR_PERIOD))).max(now);
        self.timers.push(look, Timer::Monitor(node.into()));
    }

    /// The node is back: its kubelet says so, and goes on with its Pods.
    pub fn find_node(&mut self, store: &mut Store, node: &str, now: Time) {
        self.lost.remove(node);
        let ready = self.condition("Ready", true, "KubeletReady", now);
        edit::<Node>(store, &node_key(node), |node| set_condition(&mut node.status.conditions, ready));
        for key in self.index.pods_of_node(node) {
            let Some(object) = store.get(&key).cloned() else { continue };
            let Some(pod) = object.get::<Pod>() else { continue };
            self.follow_pod(None, pod, now);
            let waits = !pod.meta.is_terminating() && !pod.is_ready() && pod.addresses().next().is_some();
            if waits {
                self.pod_after(pod, self.timing.ready, PodStep::Ready, now);
            }
        }
    }

    /// Whether nobody hears of a node.
    pub fn is_lost(&self, node: &str) -> bool {
        self.lost.contains_key(node)
    }

    pub(super) fn see_node(&mut self, before: Option<&Node>, after: Option<&Node>, now: Time) {
        let Some(node) = after.or(before) else { return };
        self.offer_node(&node.meta.name, after.is_some());
        if let Some(after) = after {
            self.addresses.set_node(after);
        }
        let facts = |node: &Node| {
            (
                node.spec.unschedulable,
                node.spec.taints.clone(),
                node.meta.labels.clone(),
                readiness(node).to_owned(),
            )
        };
        let (was, is) = (before.map(facts), after.map(facts));
        if was != is {
            self.retry_unplaced(now);
            let sets = self.index.all_workloads().filter(|key| key.kind == KindName::DaemonSet);
            self.queue.extend(sets.cloned().collect::<Vec<_>>());
        }
        if before.is_some() && was != is {
            self.timers.push(now, Timer::Monitor(node.meta.name.as_str().into()));
        }
    }

    /// A look at one node.
    pub(super) fn monitor(&mut self, store: &mut Store, name: &str, now: Time) {
        let key = node_key(name);
        if let Some(lost) = self.lost.get(name)
            && now.since(lost.seen) > self.timing.node_grace
        {
            let mut unknown = self.condition("Ready", false, "NodeStatusUnknown", now);
            "Unknown".clone_into(&mut unknown.status);
            "Kubelet stopped posting node status.".clone_into(&mut unknown.message);
            edit::<Node>(store, &key, |node| set_condition(&mut node.status.conditions, unknown));
        }
        let Some(object) = store.get(&key).cloned() else { return };
        let Some(node) = object.get::<Node>() else { return };
        let taints = taints_of(node);
        if !matches!(readiness(node), "True" | "") {
            self.mark_pods(store, name, now);
        }
        let new: Vec<Taint> =
            taints.iter().filter(|it| is_execute(it) && !node.spec.taints.contains(it)).cloned().collect();
        edit::<Node>(store, &key, |node| node.spec.taints = taints);
        if !new.is_empty() {
            self.arm_evictions(store, name, now);
        }
    }

    /// Pods of a node that is not ready are not ready either.
    /// Source: `pkg/controller/util/node/controller_utils.go` `MarkPodsNotReady`, v1.33.
    fn mark_pods(&mut self, store: &mut Store, node: &str, now: Time) {
        let not_ready = self.condition("Ready", false, "NodeNotReady", now);
        for key in self.index.pods_of_node(node) {
            edit::<Pod>(store, &key, |pod| {
                let ready = |it: &Condition| it.type_ == "Ready" && it.status == "True";
                if pod.status.conditions.iter().any(ready) {
                    set_condition(&mut pod.status.conditions, not_ready.clone());
                }
            });
        }
    }

    fn arm_evictions(&mut self, store: &Store, node: &str, now: Time) {
        let taints = store.find::<Node>("", node).map(|node| node.spec.taints.clone()).unwrap_or_default();
        for key in self.index.pods_of_node(node) {
            let Some(pod) = store.get(&key).and_then(|object| object.get::<Pod>()) else { continue };
            if let Some(wait) = bears_for(pod, &taints) {
                let uid = pod.meta.uid.as_str().into();
                self.timers.push(now + wait, Timer::Evict { key, uid });
            }
        }
    }

    /// A Pod's time on a tainted node is over, if the taint is still there.
    pub(super) fn evict_tainted(&mut self, store: &mut Store, key: &ObjectKey, uid: &str, now: Time) {
        let Some(pod) = store.get(key).and_then(|object| object.get::<Pod>()) else { return };
        let node = store.find::<Node>("", &pod.spec.node_name);
        let still = node.is_some_and(|node| bears_for(pod, &node.spec.taints).is_some());
        if still && pod.meta.uid == uid && !pod.meta.is_terminating() {
            self.delete_pod(store, key, None, now);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn node_key(name: &str) -> ObjectKey {
    ObjectKey::new(KindName::Node, "", name)
}

/// The status of a Node's Ready condition; empty without one.
fn readiness(node: &Node) -> &str {
    let ready = node.status.conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.map_or("", |condition| condition.status.as_str())
}

fn is_execute(taint: &Taint) -> bool {
    taint.effect == "NoExecute"
}

/// The taints that a node has by its readiness and its cordon, beside those of others.
fn taints_of(node: &Node) -> Vec<Taint> {
    let own = |taint: &&Taint| ![NOT_READY, UNREACHABLE, UNSCHEDULABLE].contains(&taint.key.as_str());
    let mut taints: Vec<Taint> = node.spec.taints.iter().filter(own).cloned().collect();
    let taint = |key: &str, effect: &str| Taint {
        key: key.to_owned(),
        effect: effect.to_owned(),
        ..Taint::default()
    };
    if node.spec.unschedulable {
        taints.push(taint(UNSCHEDULABLE, "NoSchedule"));
    }
    let key = match readiness(node) {
        "False" => NOT_READY,
        "Unknown" => UNREACHABLE,
        _ => return taints,
    };
    taints.extend([taint(key, "NoSchedule"), taint(key, "NoExecute")]);
    taints
}

/// How long a Pod bears a node's `NoExecute` taints; `None` for ever.
/// Source: `pkg/controller/tainteviction/taint_eviction.go` `getMinTolerationTime`, v1.33.
fn bears_for(pod: &Pod, taints: &[Taint]) -> Option<Duration> {
    let mut shortest: Option<Duration> = None;
    for taint in taints.iter().filter(|taint| is_execute(taint)) {
        let used: Vec<_> = pod.spec.tolerations.iter().filter(|it| tolerates(it, taint)).collect();
        // A Pod that never met the API server lacks the tolerations that it would have given.
        let given = [NOT_READY, UNREACHABLE].contains(&taint.key.as_str()).then_some(TOLERATION_SECONDS);
        let seconds = if used.is_empty() {
            Some(given.unwrap_or(0))
        } else {
            used.iter().filter_map(|it| it.toleration_seconds).min()
        };
        let wait = seconds.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
        shortest = [shortest, wait].into_iter().flatten().min();
    }
    shortest
}
