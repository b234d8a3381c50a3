//! The ReplicaSets of a Deployment: found, made, sized, numbered.

use std::sync::Arc;

use kdp_sim::Time;

use super::sizes::{Limits, Size};
use crate::complete::names;
use crate::labels::Selector;
use crate::object::{Deployment, KindName, Object, ObjectKey, ReplicaSet};
use crate::store::Store;
use crate::workload::Workloads;
use crate::workload::make::controlled_by;
use crate::workload::revisions::TEMPLATE_HASH;
use crate::workload::timing::REVISION_HISTORY_LIMIT;
use crate::workload::writes::{edit, edit_spec};

/// Pods that the Deployment wanted when the ReplicaSet was last written.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// Pods that the Deployment might have when the ReplicaSet was last written.
const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// The number of a template in a Deployment's history.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

/// A Deployment's ReplicaSets.
pub(super) struct Sets {
    /// That of the Deployment's template.
    pub(super) new: Option<Arc<Object>>,
    /// The others, the oldest first.
    pub(super) old: Vec<Arc<Object>>,
}

impl Sets {
    fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.old.iter().chain(&self.new)
    }

    /// Those that should have Pods.
    pub(super) fn active(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.all().filter(|set| size_of(set).replicas > 0)
    }

    /// Pods that they should have together.
    pub(super) fn replicas(&self) -> i32 {
        self.all().map(|set| size_of(set).replicas).sum()
    }

    /// The only active one; without any, the newest. `None` if several are active.
    /// Source: `deployment_util.go` `FindActiveOrLatest`.
    pub(super) fn active_or_latest(&self) -> Option<&Arc<Object>> {
        let mut active = self.active();
        match (active.next(), active.next()) {
            (None, _) => self.new.as_ref().or_else(|| self.old.last()),
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => None,
        }
    }

    /// The active ones, the largest first; of equal ones the newest first if Pods are added, else the oldest.
    pub(super) fn by_size(&self, adds: bool) -> Vec<&Arc<Object>> {
        let mut sets: Vec<_> = self.active().collect();
        if adds {
            sets.reverse();
        }
        sets.sort_by_key(|set| std::cmp::Reverse(size_of(set).replicas));
        sets
    }

    /// The status of all of them, added up.
    pub(super) fn total(&self, field: impl Fn(&ReplicaSet) -> i32) -> i32 {
        self.all().filter_map(|set| set.get::<ReplicaSet>()).map(field).sum()
    }
}

/// A ReplicaSet's size.
pub(super) fn size_of(set: &Object) -> Size {
    let set = set.get::<ReplicaSet>().expect("a Deployment owns ReplicaSets");
    Size { replicas: set.spec.replicas.unwrap_or(1), available: set.status.available_replicas }
}

/// See [`Limits::proportional`].
pub(super) fn most_then(set: &Object) -> i32 {
    set.meta().annotations.get(MOST).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Sizes a ReplicaSet. Whether its size changed.
pub(super) fn set_replicas(store: &mut Store, set: &Object, replicas: i32, limits: Limits) -> bool {
    let key = set.key();
    let resized = size_of(set).replicas != replicas;
    let write = |set: &mut ReplicaSet| {
        set.spec.replicas = Some(replicas);
        annotate(set, limits);
    };
    if resized {
        edit_spec(store, &key, write)
    } else {
        edit(store, &key, write)
    };
    resized
}

fn annotate(set: &mut ReplicaSet, limits: Limits) {
    set.meta.annotations.insert(DESIRED.to_owned(), limits.wanted.to_string());
    set.meta.annotations.insert(MOST.to_owned(), limits.most().to_string());
}

/// A ReplicaSet's number; the first one's, if it says none.
fn revision_of(set: &Object) -> i64 {
    set.meta().annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(1)
}

impl Workloads {
    /// The ReplicaSets that a Deployment owns, those that nobody owns and its selector matches among them.
    pub(super) fn sets_of(&mut self, store: &mut Store, object: &Object, deployment: &Deployment) -> Sets {
        self.adopt_sets(store, deployment);
        let keys = self
            .index
            .owned(&deployment.meta.uid)
            .into_iter()
            .chain(self.index.orphans(&deployment.meta.namespace, &KindName::ReplicaSet));
        let uid = &deployment.meta.uid;
        let owned = |set: &Arc<Object>| set.meta().controller().is_some_and(|owner| owner.uid == *uid);
        let mut sets: Vec<Arc<Object>> =
            keys.filter_map(|key| store.get(&key).cloned()).filter(owned).collect();
        let made = |set: &Arc<Object>| {
            (set.meta().creation_timestamp.clone(), revision_of(set), set.meta().name.clone())
        };
        sets.sort_by_cached_key(made);
        let whole = self.revisions.whole(object);
        let new = sets.iter().position(|set| self.revisions.whole(set) == whole);
        let new = new.map(|at| sets.remove(at));
        Sets { new, old: sets }
    }

    fn adopt_sets(&self, store: &mut Store, deployment: &Deployment) {
        let Ok(selector) = Selector::from_object(deployment.spec.selector.as_ref()) else { return };
        for key in self.index.orphans(&deployment.meta.namespace, &KindName::ReplicaSet) {
            let fits = store.get(&key).is_some_and(|set| selector.matches(&set.meta().labels));
            if fits {
                let owner = controlled_by("Deployment", &deployment.meta);
                edit::<ReplicaSet>(store, &key, |set| {
                    if set.meta.controller().is_none() {
                        set.meta.owner_references.push(owner);
                    }
                });
            }
        }
    }

    /// Makes the ReplicaSet of the Deployment's template.
    pub(super) fn create_set(
        &mut self,
        store: &mut Store,
        object: &Object,
        sets: &Sets,
        limits: Limits,
        replicas: i32,
        now: Time,
    ) {
        let deployment = object.get::<Deployment>().expect("the caller looked at the kind");
        let whole = self.revisions.whole(object);
        let (hash, key) = free_hash(store, deployment, &whole.to_string());
        let mut set = ReplicaSet::default();
        set.meta.name = key.name.to_string();
        set.meta.namespace.clone_from(&deployment.meta.namespace);
        set.meta.labels.clone_from(&deployment.spec.template.meta.labels);
        set.meta.owner_references = vec![controlled_by("Deployment", &deployment.meta)];
        set.meta.creation_timestamp = Some(self.epoch.text(now));
        set.spec.replicas = Some(replicas);
        set.spec.min_ready_seconds = deployment.spec.min_ready_seconds;
        set.spec.template.clone_from(&deployment.spec.template);
        set.spec.selector.clone_from(&deployment.spec.selector);
        let selected = set.spec.selector.get_or_insert_default().match_labels.get_or_insert_default();
        for labels in [selected, &mut set.meta.labels, &mut set.spec.template.meta.labels] {
            labels.insert(TEMPLATE_HASH.to_owned(), hash.clone());
        }
        annotate(&mut set, limits);
        let revision = (next_revision(sets)).to_string();
        set.meta.annotations.insert(REVISION.to_owned(), revision.clone());
        let mut made = Object::new(set);
        made.meta_mut().generation = 1;
        self.identify(&mut made);
        self.revisions.made(key, whole);
        store.put(made);
        number(store, &object.key(), &revision);
    }
}

/// Keeps the new ReplicaSet's annotations in step: a template that comes back gets a new number.
pub(super) fn refresh_set(store: &mut Store, object: &Object, new: &Object, sets: &Sets, limits: Limits) {
    let revision = next_revision(sets).max(revision_of(new)).to_string();
    let min_ready = object.get::<Deployment>().map_or(0, |it| it.spec.min_ready_seconds);
    edit::<ReplicaSet>(store, &new.key(), |set| {
        set.spec.min_ready_seconds = min_ready;
        annotate(set, limits);
        set.meta.annotations.insert(REVISION.to_owned(), revision.clone());
    });
    number(store, &object.key(), &revision);
}

/// Deletes the oldest empty ReplicaSets beyond the limit. Source: `sync.go` `cleanupDeployment`.
pub(super) fn drop_old_sets(store: &mut Store, deployment: &Deployment, sets: &Sets) {
    let limit = deployment.spec.revision_history_limit.unwrap_or(REVISION_HISTORY_LIMIT);
    let extra = sets.old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    let mut old: Vec<_> = sets.old.iter().collect();
    old.sort_by_key(|set| revision_of(set));
    for set in old.into_iter().take(extra) {
        let typed = set.get::<ReplicaSet>().expect("a Deployment owns ReplicaSets");
        if typed.status.replicas == 0 && typed.spec.replicas == Some(0) {
            store.delete(&set.key());
        }
    }
}

fn next_revision(sets: &Sets) -> i64 {
    sets.old.iter().map(|set| revision_of(set)).max().unwrap_or(0) + 1
}

fn number(store: &mut Store, deployment: &ObjectKey, revision: &str) {
    edit::<Deployment>(store, deployment, |it| {
        it.meta.annotations.insert(REVISION.to_owned(), revision.to_owned());
    });
}

/// A hash of the template whose name nobody has. Source: `sync.go`: a name that is taken raises `collisionCount`.
fn free_hash(store: &Store, deployment: &Deployment, template: &str) -> (String, ObjectKey) {
    let mut text = template.to_owned();
    loop {
        let hash = names::template_hash(&text);
        let name = format!("{}-{hash}", deployment.meta.name);
        let key = ObjectKey::new(KindName::ReplicaSet, &deployment.meta.namespace, &name);
        if store.get(&key).is_none() {
            return (hash, key);
        }
        text.push('#');
    }
}
