//! ReplicaSet: as many Pods as it should have.
//!
//! Source: `pkg/controller/replicaset/replica_set.go` and `replica_set_utils.go`, v1.33.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_sim::Time;

use super::index::controller_of;
use super::make::controlled_by;
use super::timing::BURST_REPLICAS;
use super::writes::edit;
use super::{Timer, Workloads, pod_key, victims};
use crate::labels::Selector;
use crate::object::{Deployment, KindName, Object, ObjectKey, OwnerReference, Pod, ReplicaSet};
use crate::store::Store;

impl Workloads {
    pub(super) fn sync_replica_set(&mut self, store: &mut Store, set: &ReplicaSet, now: Time) {
        let Ok(selector) = Selector::from_object(set.spec.selector.as_ref()) else { return };
        let owner = controlled_by("ReplicaSet", &set.meta);
        let claimed = self.claim_pods(store, &owner, &set.meta.namespace, &selector);
        let pods: Vec<&Pod> = claimed.iter().filter_map(|object| object.get::<Pod>()).collect();
        let active: Vec<&Pod> = pods.iter().copied().filter(|pod| is_active(pod)).collect();
        let wanted = usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or(0);
        let key = ObjectKey::new(KindName::ReplicaSet, &set.meta.namespace, &set.meta.name);
        if set.meta.deletion_timestamp.is_none() {
            if active.len() < wanted {
                self.grow(store, set, &owner, wanted - active.len(), now);
            } else {
                self.shrink(store, set, active.clone(), active.len() - wanted, now);
            }
            if active.len().abs_diff(wanted) > BURST_REPLICAS {
                self.timers.push(now, Timer::Sync(key.clone()));
            }
        }
        self.report_replica_set(store, &key, set, &active, now);
        self.tell_recreate(store, set);
    }

    fn grow(
        &mut self,
        store: &mut Store,
        set: &ReplicaSet,
        owner: &OwnerReference,
        missing: usize,
        now: Time,
    ) {
        let like = ObjectKey::new(KindName::Pod, &set.meta.namespace, "");
        let prefix = format!("{}-", set.meta.name);
        for _ in 0..missing.min(BURST_REPLICAS) {
            let name = self.free_name(store, &like, &prefix);
            let mut pod = self.pod_of(&set.spec.template, owner.clone(), &set.meta.namespace, &name, now);
            pod.meta.generate_name.clone_from(&prefix);
            self.create_pod(store, pod);
        }
    }

    fn shrink(
        &mut self,
        store: &mut Store,
        set: &ReplicaSet,
        mut active: Vec<&Pod>,
        extra: usize,
        now: Time,
    ) {
        if extra == 0 {
            return;
        }
        let related = self.related(store, set);
        let mut on_node: BTreeMap<&str, usize> = BTreeMap::new();
        for pod in related.iter().filter_map(|object| object.get::<Pod>()).filter(|pod| is_active(pod)) {
            *on_node.entry(&pod.spec.node_name).or_default() += 1;
        }
        victims::sort(&mut active, &on_node, self.epoch, now);
        for pod in active.into_iter().take(extra.min(BURST_REPLICAS)) {
            self.delete_pod(store, &pod_key(pod), None, now);
        }
    }

    /// A Recreate waits for the end of Pods, which no status shows.
    /// Source: `pkg/controller/deployment/deployment_controller.go` `deletePod`, v1.33.
    fn tell_recreate(&mut self, store: &Store, set: &ReplicaSet) {
        let owner = controller_of(&set.meta).and_then(|key| store.get(&key).cloned());
        let waits = |it: &Deployment| it.spec.strategy.type_ == "Recreate";
        if let Some(owner) = owner.filter(|owner| owner.get::<Deployment>().is_some_and(waits)) {
            self.queue.insert(owner.key());
        }
    }

    /// Pods of every ReplicaSet of the same owner.
    fn related(&self, store: &Store, set: &ReplicaSet) -> Vec<Arc<Object>> {
        let uids = match set.meta.controller() {
            Some(owner) => {
                let sets = self.index.owned(&owner.uid).into_iter();
                sets.filter_map(|key| Some(store.get(&key)?.meta().uid.clone())).collect()
            }
            None => vec![set.meta.uid.clone()],
        };
        uids.iter().flat_map(|uid| self.index.owned(uid)).filter_map(|key| store.get(&key).cloned()).collect()
    }

    /// The Pods that a controller owns after it has let go of those that its selector no longer matches, and taken on
    /// those that nobody owns and it does. Source: `pkg/controller/controller_ref_manager.go`, v1.33.
    pub(super) fn claim_pods(
        &mut self,
        store: &mut Store,
        owner: &OwnerReference,
        namespace: &str,
        selector: &Selector,
    ) -> Vec<Arc<Object>> {
        let mut claimed = Vec::new();
        for key in self.index.owned(&owner.uid) {
            let Some(object) = store.get(&key).cloned() else { continue };
            if selector.matches(&object.meta().labels) || object.meta().is_terminating() {
                claimed.push(object);
            } else {
                edit::<Pod>(store, &key, |pod| pod.meta.owner_references.retain(|it| it.uid != owner.uid));
            }
        }
        for key in self.index.orphans(namespace, &KindName::Pod) {
            let Some(object) = store.get(&key).cloned() else { continue };
            let pod = object.get::<Pod>().expect("the key says so");
            if is_active(pod) && selector.matches(&pod.meta.labels) {
                edit::<Pod>(store, &key, |pod| pod.meta.owner_references.push(owner.clone()));
                claimed.extend(store.get(&key).cloned());
            }
        }
        claimed
    }

    fn report_replica_set(
        &mut self,
        store: &mut Store,
        key: &ObjectKey,
        set: &ReplicaSet,
        active: &[&Pod],
        now: Time,
    ) {
        let ready = active.iter().filter(|pod| pod.is_ready()).count();
        let available = self.count_available(key, active, set.spec.min_ready_seconds, now);
        edit::<ReplicaSet>(store, key, |set| {
            set.status.replicas = count(active.len());
            set.status.ready_replicas = count(ready);
            set.status.available_replicas = available;
            set.status.observed_generation = set.meta.generation;
        });
    }

    /// How many Pods are available; the workload is looked at again when the next one may be.
    pub(super) fn count_available(
        &mut self,
        key: &ObjectKey,
        pods: &[&Pod],
        min_ready: i32,
        now: Time,
    ) -> i32 {
        let mut available = 0;
        let mut next: Option<Time> = None;
        for since in pods.iter().filter_map(|pod| self.available_from(pod, min_ready)) {
            if since <= now {
                available += 1;
            } else {
                next = Some(next.map_or(since, |next| next.min(since)));
            }
        }
        if let Some(at) = next {
            self.timers.push(at, Timer::Sync(key.clone()));
        }
        available
    }

    /// When a ready Pod counts as available. `None` if it is not ready.
    /// Source: `pkg/api/v1/pod/util.go` `IsPodAvailable`, v1.33.
    pub(super) fn available_from(&self, pod: &Pod, min_ready: i32) -> Option<Time> {
        let ready = pod.status.conditions.iter().find(|it| it.type_ == "Ready" && it.status == "True")?;
        let seconds = u64::from(min_ready.max(0).unsigned_abs());
        let since = ready.last_transition_time.as_deref();
        Some(self.epoch.time_behind(since, std::time::Duration::from_secs(seconds)))
    }
}

/// Neither ended nor asked to end. Source: `pkg/controller/controller_utils.go` `IsPodActive`, v1.33.
pub(super) fn is_active(pod: &Pod) -> bool {
    !pod.is_terminal() && !pod.meta.is_terminating()
}

/// A count as the API has it.
pub(super) fn count(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}
