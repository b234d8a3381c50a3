//! The scheduler: the node with the fewest Pods that takes the Pod, the first by name among equals.
//!
//! DEVIATION(workload-scheduler): kube-scheduler scores nodes by requests, spread, affinity and images.

use std::time::Duration;

use kdp_sim::Time;

use super::pod_life::PodStep;
use super::timing::PODS_PER_NODE;
use super::writes::{edit, set_condition};
use super::{Timer, Workloads, pod_key};
use crate::object::{Condition, Node, Pod, Taint, Toleration};
use crate::store::Store;

impl Workloads {
    pub(super) fn place(&mut self, store: &mut Store, pod: &Pod, now: Time) {
        if !pod.spec.node_name.is_empty() || pod.meta.is_terminating() || pod.is_terminal() {
            return;
        }
        let key = pod_key(pod);
        let takes = |(load, name): &&(usize, Box<str>)| {
            store
                .find::<Node>("", name)
                .is_some_and(|node| *load < room(node) && is_up(node) && suits(node, pod))
        };
        let Some(name) = self.by_load.iter().find(takes).map(|(_, name)| name.clone()) else {
            let mut condition = self.condition("PodScheduled", false, "Unschedulable", now);
            condition.message = format!("0/{} nodes are available", self.by_load.len());
            edit::<Pod>(store, &key, |pod| set_condition(&mut pod.status.conditions, condition));
            self.unplaced.insert(key);
            return;
        };
        self.bind(store, pod, &name, now);
    }

    /// Puts a Pod on a node.
    pub(super) fn bind(&mut self, store: &mut Store, pod: &Pod, node: &str, now: Time) {
        let condition = self.condition("PodScheduled", true, "", now);
        edit::<Pod>(store, &pod_key(pod), |pod| {
            node.clone_into(&mut pod.spec.node_name);
            set_condition(&mut pod.status.conditions, condition);
        });
    }

    /// Something may have made room: Pods without a node are tried again.
    pub(super) fn retry_unplaced(&mut self, now: Time) {
        for key in std::mem::take(&mut self.unplaced) {
            let timer = Timer::Pod { key, uid: "".into(), step: PodStep::Place };
            self.after(now, Duration::ZERO, timer);
        }
    }

    /// Counts a Pod on its node, or no longer.
    pub(super) fn count_load(&mut self, before: Option<&Pod>, after: Option<&Pod>) {
        let counts = |pod: &&Pod| !pod.spec.node_name.is_empty() && !pod.is_terminal();
        let (before, after) = (before.filter(counts), after.filter(counts));
        if before.map(|pod| &pod.spec.node_name) == after.map(|pod| &pod.spec.node_name) {
            return;
        }
        if let Some(pod) = before {
            self.move_load(&pod.spec.node_name, |load| load.saturating_sub(1));
        }
        if let Some(pod) = after {
            self.move_load(&pod.spec.node_name, |load| load + 1);
        }
    }

    fn move_load(&mut self, node: &str, change: impl Fn(usize) -> usize) {
        let load = self.loads.entry(node.into()).or_default();
        let known = self.by_load.remove(&(*load, node.into()));
        *load = change(*load);
        if known {
            self.by_load.insert((*load, node.into()));
        }
    }

    /// A node is there, or no longer.
    pub(super) fn offer_node(&mut self, node: &str, there: bool) {
        let load = *self.loads.entry(node.into()).or_default();
        if there {
            self.by_load.insert((load, node.into()));
        } else {
            self.by_load.remove(&(load, node.into()));
        }
    }
}

fn room(node: &Node) -> usize {
    let pods = node.status.allocatable.get("pods").and_then(|quantity| quantity.0.parse().ok());
    pods.unwrap_or(PODS_PER_NODE)
}

/// Whether a node is what the Pod asks for, and the Pod bears the node's taints.
/// Source: `pkg/scheduler/framework/plugins` `nodeunschedulable`, `nodeaffinity` (`nodeSelector`), `tainttoleration`, v1.33.
pub(super) fn suits(node: &Node, pod: &Pod) -> bool {
    let has = |(key, value): (&String, &String)| node.meta.labels.get(key) == Some(value);
    let keeps_away = |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute");
    let bears = |taint: &Taint| pod.spec.tolerations.iter().any(|it| tolerates(it, taint));
    let cordoned = Taint {
        key: super::nodes::UNSCHEDULABLE.to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    pod.spec.node_selector.iter().all(has)
        && (!node.spec.unschedulable || bears(&cordoned))
        && node.spec.taints.iter().filter(keeps_away).all(bears)
}

/// A node that says that it is not ready takes no Pods, tainted or not.
fn is_up(node: &Node) -> bool {
    let down = |it: &Condition| it.type_ == "Ready" && it.status != "True";
    !node.status.conditions.iter().any(down)
}

/// Source: `staging/src/k8s.io/api/core/v1/toleration.go` `ToleratesTaint`, v1.33.
pub(super) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let fits = |own: &str, its: &str| own.is_empty() || own == its;
    fits(&toleration.effect, &taint.effect)
        && fits(&toleration.key, &taint.key)
        && match toleration.operator.as_str() {
            "" | "Equal" => toleration.value == taint.value,
            "Exists" => true,
            _ => false,
        }
}
