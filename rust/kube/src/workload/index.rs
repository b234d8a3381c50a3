//! Who owns what, and which Pods are where.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::object::{Kind, KindName, Meta, Object, ObjectKey, Pod};

/// Owners and what they control, Pods by node, and objects that nobody controls.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// What the owner of a uid controls.
    owned: HashMap<Box<str>, BTreeSet<ObjectKey>, FixedState>,
    /// Pods and ReplicaSets without a controller, by namespace.
    orphans: BTreeMap<Box<str>, BTreeSet<ObjectKey>>,
    pods_of_node: BTreeMap<Box<str>, BTreeSet<ObjectKey>>,
    /// Workloads by namespace.
    workloads: BTreeMap<Box<str>, BTreeSet<ObjectKey>>,
}

impl Index {
    pub(super) fn apply(&mut self, before: Option<&Object>, after: Option<&Object>) {
        if let Some(before) = before {
            self.remove(before);
        }
        if let Some(after) = after {
            self.add(after);
        }
    }

    /// What the owner of a uid controls, in the order of keys.
    pub(super) fn owned(&self, uid: &str) -> Vec<ObjectKey> {
        self.owned.get(uid).into_iter().flatten().cloned().collect()
    }

    /// How much the owner of a uid controls.
    pub(super) fn owns(&self, uid: &str) -> bool {
        self.owned.contains_key(uid)
    }

    /// Objects of a kind that nobody controls.
    pub(super) fn orphans(&self, namespace: &str, kind: &KindName) -> Vec<ObjectKey> {
        let orphans = self.orphans.get(namespace).into_iter().flatten();
        orphans.filter(|key| key.kind == *kind).cloned().collect()
    }

    pub(super) fn pods_of_node(&self, node: &str) -> Vec<ObjectKey> {
        self.pods_of_node.get(node).into_iter().flatten().cloned().collect()
    }

    pub(super) fn workloads(&self, namespace: &str) -> impl Iterator<Item = &ObjectKey> {
        self.workloads.get(namespace).into_iter().flatten()
    }

    pub(super) fn all_workloads(&self) -> impl Iterator<Item = &ObjectKey> {
        self.workloads.values().flatten()
    }

    fn add(&mut self, object: &Object) {
        let (key, meta) = (object.key(), object.meta());
        if is_owned_kind(&object.kind) {
            let set = match meta.controller() {
                Some(owner) => self.owned.entry(owner.uid.as_str().into()).or_default(),
                None => self.orphans.entry(key.namespace.clone()).or_default(),
            };
            set.insert(key.clone());
        }
        if is_workload(&object.kind) {
            self.workloads.entry(key.namespace.clone()).or_default().insert(key.clone());
        }
        if let Some(pod) = object.get::<Pod>().filter(|pod| !pod.spec.node_name.is_empty()) {
            self.pods_of_node.entry(pod.spec.node_name.as_str().into()).or_default().insert(key);
        }
    }

    fn remove(&mut self, object: &Object) {
        let (key, meta) = (object.key(), object.meta());
        if is_owned_kind(&object.kind) {
            match meta.controller() {
                Some(owner) => drop_from(&mut self.owned, &owner.uid, &key),
                None => _ = self.orphans.get_mut(&key.namespace).is_some_and(|set| set.remove(&key)),
            }
        }
        if is_workload(&object.kind) {
            let set = self.workloads.get_mut(&key.namespace);
            set.expect("an object is where it was put").remove(&key);
        }
        if let Some(pod) = object.get::<Pod>()
            && let Some(set) = self.pods_of_node.get_mut(pod.spec.node_name.as_str())
        {
            set.remove(&key);
        }
    }
}

fn drop_from(map: &mut HashMap<Box<str>, BTreeSet<ObjectKey>, FixedState>, uid: &str, key: &ObjectKey) {
    if let Some(set) = map.get_mut(uid) {
        set.remove(key);
        if set.is_empty() {
            map.remove(uid);
        }
    }
}

/// Kinds that workloads own.
fn is_owned_kind(kind: &Kind) -> bool {
    matches!(kind, Kind::Pod(_) | Kind::ReplicaSet(_))
}

/// Kinds that own Pods, or what owns Pods.
pub(super) fn is_workload(kind: &Kind) -> bool {
    matches!(kind, Kind::Deployment(_) | Kind::ReplicaSet(_) | Kind::StatefulSet(_) | Kind::DaemonSet(_))
}

/// The key of the object that controls this one.
pub(super) fn controller_of(meta: &Meta) -> Option<ObjectKey> {
    let owner = meta.controller()?;
    let kind = KindName::of(&owner.api_version, &owner.kind);
    Some(ObjectKey::new(kind, &meta.namespace, &owner.name))
}
