//! DaemonSet: one Pod on each node that takes it.
//!
//! Source: `pkg/controller/daemon/daemon_controller.go`, `update.go`, v1.33.
//!
//! DEVIATION(workload-daemon-surge): a DaemonSet's `maxSurge` is not heeded; `maxUnavailable` is.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_sim::Time;

use super::deployment::share;
use super::make::controlled_by;
use super::replica_set::count;
use super::revisions::{REVISION_HASH, Revision, is_of};
use super::scheduler::{suits, tolerates};
use super::writes::edit;
use super::{Workloads, pod_key};
use crate::labels::Selector;
use crate::object::{
    DaemonSet, DaemonSetStatus, IntOrString, KindName, Node, Object, ObjectKey, Pod, Taint, Toleration,
};
use crate::store::Store;

/// What one look at a DaemonSet finds on a node.
struct OnNode {
    wanted: bool,
    pods: Vec<Arc<Object>>,
}

impl Workloads {
    pub(super) fn sync_daemon_set(&mut self, store: &mut Store, object: &Object, set: &DaemonSet, now: Time) {
        let Ok(selector) = Selector::from_object(set.spec.selector.as_ref()) else { return };
        let owner = controlled_by("DaemonSet", &set.meta);
        let claimed = self.claim_pods(store, &owner, &set.meta.namespace, &selector);
        let newest = self.revisions.newest(object, None);
        let model = self.daemon_pod(set, &newest, now);
        let mut nodes = nodes_of(store, &model, claimed);
        if set.meta.deletion_timestamp.is_none() {
            self.man_nodes(store, &mut nodes, &model, now);
            if set.spec.update_strategy.type_ != "OnDelete" {
                self.update_daemons(store, set, &nodes, &newest, now);
            }
        }
        self.report_daemon_set(store, object, set, &nodes, &newest, now);
    }

    /// The Pod as it would be on any node, with the tolerations that every daemon has.
    /// Source: `pkg/controller/daemon/util/daemonset_util.go` `AddOrUpdateDaemonPodTolerations`.
    fn daemon_pod(&self, set: &DaemonSet, newest: &Revision, now: Time) -> Pod {
        let owner = controlled_by("DaemonSet", &set.meta);
        let mut pod = self.pod_of(&newest.template, owner, &set.meta.namespace, "", now);
        pod.spec.tolerations.retain(|it| it.toleration_seconds != Some(super::timing::TOLERATION_SECONDS));
        for (key, effect) in [
            (super::nodes::NOT_READY, "NoExecute"),
            (super::nodes::UNREACHABLE, "NoExecute"),
            (super::nodes::NOT_READY, "NoSchedule"),
            (super::nodes::UNREACHABLE, "NoSchedule"),
            ("node.kubernetes.io/disk-pressure", "NoSchedule"),
            ("node.kubernetes.io/memory-pressure", "NoSchedule"),
            ("node.kubernetes.io/pid-pressure", "NoSchedule"),
            (super::nodes::UNSCHEDULABLE, "NoSchedule"),
        ] {
            let (key, effect, operator) = (key.to_owned(), effect.to_owned(), "Exists".to_owned());
            pod.spec.tolerations.push(Toleration { key, operator, effect, ..Toleration::default() });
        }
        pod.meta.generate_name = format!("{}-", set.meta.name);
        pod.meta.labels.insert(REVISION_HASH.to_owned(), newest.hash(set).to_owned());
        pod
    }

    /// Nodes without a Pod get one, nodes that should have none lose theirs. Source: `podsShouldBeOnNode`.
    fn man_nodes(&mut self, store: &mut Store, nodes: &mut BTreeMap<String, OnNode>, model: &Pod, now: Time) {
        for (name, on) in nodes {
            if on.wanted && on.pods.is_empty() {
                let like = ObjectKey::new(KindName::Pod, &model.meta.namespace, "");
                let mut pod = model.clone();
                pod.meta.name = self.free_name(store, &like, &model.meta.generate_name);
                pod.spec.node_name.clone_from(name);
                let scheduled = self.condition("PodScheduled", true, "", now);
                pod.status.conditions.push(scheduled);
                self.create_pod(store, pod);
            }
            let keeps = store.find::<Node>("", name).is_some_and(|node| may_stay(node, model));
            for (at, object) in on.pods.iter().enumerate() {
                let pod = object.get::<Pod>().expect("a DaemonSet owns Pods");
                if !pod.meta.is_terminating() && (!keeps || at > 0 || pod.is_terminal()) {
                    self.delete_pod(store, &object.key(), None, now);
                }
            }
        }
    }

    /// Old Pods that are unavailable go at once, of the others as many as may be unavailable. Source: `rollingUpdate`.
    fn update_daemons(
        &mut self,
        store: &mut Store,
        set: &DaemonSet,
        nodes: &BTreeMap<String, OnNode>,
        newest: &Revision,
        now: Time,
    ) {
        let wanted: Vec<&OnNode> = nodes.values().filter(|on| on.wanted).collect();
        let rolling = set.spec.update_strategy.rolling_update.as_ref();
        let limit = rolling.and_then(|it| it.max_unavailable.clone()).unwrap_or(IntOrString::Int(1));
        let most = share(&limit, count(wanted.len()), true).max(1);
        let is_available = |object: &Arc<Object>| self.is_available(object, set, now);
        let mut unavailable = count(wanted.iter().filter(|on| !on.pods.iter().any(is_available)).count());
        let mut doomed: Vec<ObjectKey> = Vec::new();
        for object in nodes.values().flat_map(|on| &on.pods) {
            let pod = object.get::<Pod>().expect("a DaemonSet owns Pods");
            if pod.meta.is_terminating() || is_of(&pod.meta.labels, &newest.name, &set.meta.name) {
                continue;
            }
            if !is_available(object) {
                doomed.push(pod_key(pod));
            } else if unavailable < most {
                unavailable += 1;
                doomed.push(pod_key(pod));
            }
        }
        for key in doomed {
            self.delete_pod(store, &key, None, now);
        }
    }

    fn is_available(&self, object: &Object, set: &DaemonSet, now: Time) -> bool {
        let pod = object.get::<Pod>().expect("a DaemonSet owns Pods");
        let from = self.available_from(pod, set.spec.min_ready_seconds);
        !pod.meta.is_terminating() && from.is_some_and(|from| from <= now)
    }

    fn report_daemon_set(
        &mut self,
        store: &mut Store,
        object: &Object,
        set: &DaemonSet,
        nodes: &BTreeMap<String, OnNode>,
        newest: &Revision,
        now: Time,
    ) {
        let mut status =
            DaemonSetStatus { observed_generation: set.meta.generation, ..DaemonSetStatus::default() };
        let mut pods: Vec<&Pod> = Vec::new();
        for on in nodes.values() {
            let here: Vec<&Pod> = on.pods.iter().filter_map(|object| object.get::<Pod>()).collect();
            if !on.wanted {
                status.number_misscheduled += i32::from(!here.is_empty());
                continue;
            }
            status.desired_number_scheduled += 1;
            status.current_number_scheduled += i32::from(!here.is_empty());
            status.number_ready += i32::from(here.first().is_some_and(|pod| pod.is_ready()));
            let of = |pod: &&Pod| is_of(&pod.meta.labels, &newest.name, &set.meta.name);
            status.updated_number_scheduled += i32::from(here.first().is_some_and(of));
            pods.extend(here.first());
        }
        status.number_available = self.count_available(&object.key(), &pods, set.spec.min_ready_seconds, now);
        status.number_unavailable = status.desired_number_scheduled - status.number_available;
        edit::<DaemonSet>(store, &object.key(), |set| set.status = status);
    }
}

fn nodes_of(store: &Store, model: &Pod, pods: Vec<Arc<Object>>) -> BTreeMap<String, OnNode> {
    let mut nodes: BTreeMap<String, OnNode> = store
        .all::<Node>(None)
        .map(|node| (node.meta.name.clone(), OnNode { wanted: suits(node, model), pods: Vec::new() }))
        .collect();
    for object in pods {
        let pod = object.get::<Pod>().expect("a DaemonSet owns Pods");
        let on = nodes.entry(pod.spec.node_name.clone());
        on.or_insert(OnNode { wanted: false, pods: Vec::new() }).pods.push(object);
    }
    nodes
}

/// Whether a Pod that is there may stay: taints against new Pods alone do not drive it away.
fn may_stay(node: &Node, pod: &Pod) -> bool {
    let has = |(key, value): (&String, &String)| node.meta.labels.get(key) == Some(value);
    let bears = |taint: &Taint| pod.spec.tolerations.iter().any(|it| tolerates(it, taint));
    pod.spec.node_selector.iter().all(has)
        && node.spec.taints.iter().filter(|taint| taint.effect == "NoExecute").all(bears)
}
