//! Deployment: from the ReplicaSets that are to the one that should be.
//!
//! Source: `pkg/controller/deployment/{deployment_controller,sync,rolling,recreate,progress}.go`, v1.33.

mod sets;
mod sizes;
mod status;

use kdp_sim::Time;

use self::sets::{Sets, size_of};
use self::sizes::Limits;
pub(super) use self::sizes::share;
use super::Workloads;
use crate::object::{Deployment, Object, ObjectKey, Pod};
use crate::store::Store;

impl Workloads {
    pub(super) fn sync_deployment(
        &mut self,
        store: &mut Store,
        object: &Object,
        deployment: &Deployment,
        now: Time,
    ) {
        let limits = Limits::of(deployment);
        let sets = self.sets_of(store, object, deployment);
        if deployment.meta.deletion_timestamp.is_none() {
            if deployment.spec.paused || is_scaled(deployment, &sets) {
                scale(store, limits, &sets);
            } else if deployment.spec.strategy.type_ == "Recreate" {
                self.recreate(store, object, deployment, &sets, now);
            } else {
                self.roll(store, object, limits, &sets, now);
            }
        }
        let sets = self.sets_of(store, object, deployment);
        self.report_deployment(store, &object.key(), limits, &sets, now);
        if is_complete(store, &object.key(), limits) {
            sets::drop_old_sets(store, deployment, &sets);
        }
    }

    /// One sync of a rolling update: the new ReplicaSet grows, or the old ones shrink.
    fn roll(&mut self, store: &mut Store, object: &Object, limits: Limits, sets: &Sets, now: Time) {
        let Some(new) = &sets.new else {
            let replicas = limits.grown(0, sets.replicas());
            self.create_set(store, object, sets, limits, replicas, now);
            return;
        };
        sets::refresh_set(store, object, new, sets, limits);
        let size = size_of(new);
        let grown = limits.grown(size.replicas, sets.replicas());
        if grown != size.replicas {
            sets::set_replicas(store, new, grown, limits);
            return;
        }
        let old: Vec<_> = sets.old.iter().map(|set| size_of(set)).collect();
        for (set, left) in sets.old.iter().zip(limits.shrunk(size, &old)) {
            sets::set_replicas(store, set, left, limits);
        }
    }

    /// One sync of a Recreate: all old Pods go, then all new ones come.
    fn recreate(
        &mut self,
        store: &mut Store,
        object: &Object,
        deployment: &Deployment,
        sets: &Sets,
        now: Time,
    ) {
        let limits = Limits::of(deployment);
        let mut scaled = false;
        for set in &sets.old {
            scaled |= sets::set_replicas(store, set, 0, limits);
        }
        if scaled || sets.old.iter().any(|set| self.has_running_pods(store, set)) {
            return;
        }
        match &sets.new {
            None => self.create_set(store, object, sets, limits, limits.wanted, now),
            Some(new) => {
                sets::refresh_set(store, object, new, sets, limits);
                sets::set_replicas(store, new, limits.wanted, limits);
            }
        }
    }

    /// Source: `recreate.go` `oldPodsRunning`: Pods that are asked to end run until they have ended.
    fn has_running_pods(&self, store: &Store, set: &Object) -> bool {
        let keys = self.index.owned(&set.meta().uid).into_iter();
        let mut pods = keys.filter_map(|key| store.get(&key).cloned());
        pods.any(|object| object.get::<Pod>().is_some_and(|pod| !pod.is_terminal()))
    }
}

/// Whether the Deployment was scaled since its active ReplicaSets were written.
/// Source: `sync.go` `isScalingEvent`.
fn is_scaled(deployment: &Deployment, sets: &Sets) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1).to_string();
    let said = |set: &Object| set.meta().annotations.get(sets::DESIRED).cloned();
    sets.active().any(|set| said(set).is_some_and(|said| said != wanted))
}

/// Source: `sync.go` `scale`.
fn scale(store: &mut Store, limits: Limits, sets: &Sets) {
    if let Some(only) = sets.active_or_latest() {
        sets::set_replicas(store, only, limits.wanted, limits);
        return;
    }
    let saturated = sets.new.as_ref().is_some_and(|new| {
        let size = size_of(new);
        size.replicas == limits.wanted && size.available == limits.wanted
    });
    if saturated {
        for old in &sets.old {
            sets::set_replicas(store, old, 0, limits);
        }
        return;
    }
    let adds = limits.most() > sets.replicas();
    let active = sets.by_size(adds);
    let sizes: Vec<(i32, i32)> =
        active.iter().map(|set| (size_of(set).replicas, sets::most_then(set))).collect();
    for (set, size) in active.iter().zip(limits.proportional(&sizes)) {
        sets::set_replicas(store, set, size, limits);
    }
}

/// Source: `deployment_util.go` `DeploymentComplete`.
fn is_complete(store: &Store, key: &ObjectKey, limits: Limits) -> bool {
    store.get(key).and_then(|object| object.get::<Deployment>()).is_some_and(|it| {
        let status = &it.status;
        [status.updated_replicas, status.replicas, status.available_replicas] == [limits.wanted; 3]
    })
}
