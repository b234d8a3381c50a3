//! Workloads on virtual time: what makes Pods, moves them and ends them.
//!
//! [`Workloads`] holds the controllers of Deployments, ReplicaSets, StatefulSets and DaemonSets, a scheduler, the kubelets'
//! part of a Pod's life, and the node controller. It sees changes ([`Workloads::apply`]) and does one thing at a time
//! ([`Workloads::step`]), always by a write to the store. It acts only when time runs: a dump that is loaded stays as it is.
//!
//! DEVIATION(workload-informers): these controllers read the store itself, without an informer's delay.

mod addresses;
mod clock;
mod daemon_set;
mod deployment;
mod garbage;
mod index;
mod make;
mod nodes;
mod pod_life;
mod replica_set;
pub(crate) mod revisions;
mod scheduler;
mod stateful_set;
mod stop;
#[cfg(test)]
mod tests;
mod timing;
mod victims;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kdp_sim::{EventQueue, Time};

pub use clock::Epoch;
pub use make::fresh_uid;
pub use timing::{AddressOrder, Timing, node_grace};
pub use writes::write_spec;

use self::addresses::Addresses;
use self::index::{Index, controller_of, is_workload};
use self::nodes::Lost;
use self::pod_life::PodStep;
use self::revisions::Revisions;
use crate::object::{Kind, KindName, Node, Object, ObjectKey, Pod};
use crate::store::{Change, Store};

/// The controllers over workloads, with what they have seen and what they have to do.
#[derive(Clone)]
pub struct Workloads {
    timing: Timing,
    epoch: Epoch,
    index: Index,
    addresses: Addresses,
    revisions: Revisions,
    /// Workloads that wait for a sync.
    queue: BTreeSet<ObjectKey>,
    timers: EventQueue<Timer>,
    /// Pods that no node takes.
    unplaced: BTreeSet<ObjectKey>,
    /// Nodes by how many Pods they have: who is asked first.
    by_load: BTreeSet<(usize, Box<str>)>,
    loads: BTreeMap<Box<str>, usize>,
    /// Nodes whose kubelet is silent.
    lost: BTreeMap<Box<str>, Lost>,
    /// When a Deployment last made progress.
    progress_at: BTreeMap<ObjectKey, Time>,
    /// When the listeners of Pods that end close.
    closing: BTreeMap<ObjectKey, Time>,
    /// Made names: each gets letters of its own.
    names: u64,
}

/// Something that happens at a time.
#[derive(Clone, Debug)]
enum Timer {
    /// A Pod goes on; void if the Pod of that uid is gone.
    Pod { key: ObjectKey, uid: Box<str>, step: PodStep },
    /// A workload is looked at again.
    Sync(ObjectKey),
    /// The node controller looks at a node.
    Monitor(Box<str>),
    /// A Pod has borne its node's taints for long enough.
    Evict { key: ObjectKey, uid: Box<str> },
}

impl Workloads {
    /// Controllers that start now among these objects.
    pub fn start(timing: Timing, epoch: Epoch, store: &Store, now: Time) -> Workloads {
        let mut workloads = Workloads {
            timing,
            epoch,
            index: Index::default(),
            addresses: Addresses::new(timing.addresses),
            revisions: Revisions::default(),
            queue: BTreeSet::new(),
            timers: EventQueue::default(),
            unplaced: BTreeSet::new(),
            by_load: BTreeSet::new(),
            loads: BTreeMap::new(),
            lost: BTreeMap::new(),
            progress_at: BTreeMap::new(),
            closing: BTreeMap::new(),
            names: 0,
        };
        for node in store.all::<Node>(None) {
            workloads.addresses.set_node(node);
        }
        for object in store.objects() {
            workloads.see(None, Some(object), now);
        }
        workloads.revisions.adopt(store);
        workloads
    }

    /// How API times and virtual time go together.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How long things take.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Takes note of a change of any object.
    pub fn apply(&mut self, change: &Change, now: Time) {
        self.see(change.before.as_deref(), change.after.as_deref(), now);
    }

    /// When something happens next, if nobody writes before.
    pub fn next_at(&self) -> Option<Time> {
        if self.queue.is_empty() { self.timers.next_at() } else { Some(Time::ZERO) }
    }

    /// Does the next thing that is due. Whether there was one: then there may be changes to [`Workloads::apply`].
    pub fn step(&mut self, store: &mut Store, now: Time) -> bool {
        if let Some(key) = self.queue.pop_first() {
            self.sync(store, &key, now);
            return true;
        }
        let Some((_, timer)) = self.timers.pop_due(now) else { return false };
        match timer {
            Timer::Pod { key, uid, step } => self.pod_step(store, &key, &uid, step, now),
            Timer::Sync(key) => _ = self.queue.insert(key),
            Timer::Monitor(node) => self.monitor(store, &node, now),
            Timer::Evict { key, uid } => self.evict_tainted(store, &key, &uid, now),
        }
        true
    }

    fn sync(&mut self, store: &mut Store, key: &ObjectKey, now: Time) {
        let Some(object) = store.get(key).cloned() else {
            self.revisions.forget(key);
            return;
        };
        match &object.kind {
            Kind::Deployment(it) => self.sync_deployment(store, &object, it, now),
            Kind::ReplicaSet(it) => self.sync_replica_set(store, it, now),
            Kind::StatefulSet(it) => self.sync_stateful_set(store, &object, it, now),
            Kind::DaemonSet(it) => self.sync_daemon_set(store, &object, it, now),
            _ => {}
        }
    }

    fn see(&mut self, before: Option<&Object>, after: Option<&Object>, now: Time) {
        self.index.apply(before, after);
        let Some(object) = after.or(before) else { return };
        for owner in [before, after].into_iter().flatten().filter_map(|object| controller_of(object.meta())) {
            self.queue.insert(owner);
        }
        match &object.kind {
            Kind::Pod(_) => self.see_pod(before.and_then(Object::get), after.and_then(Object::get), now),
            Kind::Node(_) => self.see_node(before.and_then(Object::get), after.and_then(Object::get), now),
            kind if is_workload(kind) && after.is_some() => _ = self.queue.insert(object.key()),
            _ => {}
        }
        if after.is_none() && self.index.owns(&object.meta().uid) {
            self.orphaned(object, now);
        }
    }

    fn see_pod(&mut self, before: Option<&Pod>, after: Option<&Pod>, now: Time) {
        self.count_load(before, after);
        if let Some(pod) = after.or(before).filter(|pod| pod.meta.controller().is_none()) {
            let changed = before.zip(after).is_none_or(|(a, b)| a.meta.labels != b.meta.labels);
            if changed {
                let namespace = pod.meta.namespace.clone();
                self.queue.extend(self.index.workloads(&namespace).cloned());
            }
        }
        match (before, after) {
            (_, Some(pod)) => self.follow_pod(before, pod, now),
            (Some(pod), None) => {
                self.addresses.release(pod);
                self.unplaced.remove(&pod_key(pod));
                self.closing.remove(&pod_key(pod));
                self.retry_unplaced(now);
            }
            (None, None) => {}
        }
    }

    fn after(&mut self, now: Time, wait: Duration, timer: Timer) {
        self.timers.push(now + wait, timer);
    }
}

/// The key of a Pod.
fn pod_key(pod: &Pod) -> ObjectKey {
    ObjectKey::new(KindName::Pod, &pod.meta.namespace, &pod.meta.name)
}
