//! What a workload's Pods were made of: templates that were, so that the newest can be told from those before.
//!
//! DEVIATION(workload-revisions): a StatefulSet's and a DaemonSet's history is kept here, not in ControllerRevision objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::complete::names;
use crate::object::{
    DaemonSet, Deployment, Kind, KindName, Object, ObjectKey, PodTemplate, ReplicaSet, StatefulSet,
};
use crate::store::Store;

/// The label by which the Pods of one ReplicaSet know each other.
pub(super) const TEMPLATE_HASH: &str = "pod-template-hash";
/// The label by which the Pods of a StatefulSet or DaemonSet name their template.
pub(crate) const REVISION_HASH: &str = "controller-revision-hash";

/// Templates, by the workload that they are of.
#[derive(Clone, Debug, Default)]
pub(super) struct Revisions {
    /// What a made ReplicaSet was made of, with fields that kdp does not know.
    made_of: BTreeMap<ObjectKey, Arc<Value>>,
    /// A workload's template as it was last looked at.
    seen: BTreeMap<ObjectKey, Seen>,
    /// A StatefulSet's or DaemonSet's templates, the oldest first.
    history: BTreeMap<ObjectKey, Vec<Revision>>,
}

#[derive(Clone, Debug)]
struct Seen {
    original: Option<Box<str>>,
    typed: PodTemplate,
    whole: Arc<Value>,
}

/// A template with a name.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    /// The value of [`REVISION_HASH`].
    pub(super) name: String,
    /// The template.
    pub(super) template: PodTemplate,
    whole: Arc<Value>,
}

impl Revisions {
    /// The start: ReplicaSets that were made beside their Deployment are of its template, and the template of a set is the one
    /// that its status names as newest.
    pub(super) fn adopt(&mut self, store: &Store) {
        for object in store.list(&KindName::Deployment, None) {
            let whole = self.whole(object);
            let template = bare(&object.get::<Deployment>().expect("listed by kind").spec.template);
            let namespace = object.meta().namespace.as_str();
            for set in
                store.list(&KindName::ReplicaSet, Some(namespace)).filter(|set| set.original().is_none())
            {
                let owned = set.meta().controller().is_some_and(|owner| owner.uid == object.meta().uid);
                if owned && bare(&set.get::<ReplicaSet>().expect("listed by kind").spec.template) == template
                {
                    self.made_of.insert(set.key(), Arc::clone(&whole));
                }
            }
        }
        for object in store.list(&KindName::StatefulSet, None) {
            let newest = object.get::<StatefulSet>().map(|set| set.status.update_revision.clone());
            self.newest(object, newest.filter(|name| !name.is_empty()));
        }
        for object in store.list(&KindName::DaemonSet, None) {
            self.newest(object, None);
        }
    }

    /// The whole template of a workload, without what tells ReplicaSets of one Deployment apart.
    /// Source: `pkg/controller/deployment/util/deployment_util.go` `EqualIgnoreHash`, v1.33.
    pub(super) fn whole(&mut self, object: &Object) -> Arc<Value> {
        let key = object.key();
        if let Some(whole) = self.made_of.get(&key) {
            return Arc::clone(whole);
        }
        let typed = template_of(object);
        if let Some(seen) = self.seen.get(&key)
            && seen.original.as_deref() == object.original()
            && seen.typed == *typed
        {
            return Arc::clone(&seen.whole);
        }
        let whole = Arc::new(whole_template(object));
        let original = object.original().map(Into::into);
        self.seen.insert(key, Seen { original, typed: typed.clone(), whole: Arc::clone(&whole) });
        whole
    }

    /// Remembers what a ReplicaSet is made of.
    pub(super) fn made(&mut self, set: ObjectKey, whole: Arc<Value>) {
        self.made_of.insert(set, whole);
    }

    /// The newest revision of a set: one that was there with the same template, or a new one. `name` names a new one.
    pub(super) fn newest(&mut self, object: &Object, name: Option<String>) -> Revision {
        let whole = self.whole(object);
        let history = self.history.entry(object.key()).or_default();
        let revision = match history.iter().position(|revision| revision.whole == whole) {
            Some(at) => history.remove(at),
            None => Revision {
                name: name.unwrap_or_else(|| name_of(&object.meta().name, &whole)),
                template: template_of(object).clone(),
                whole,
            },
        };
        history.push(revision.clone());
        revision
    }

    /// A revision of a set by its name; without a name, the oldest.
    pub(super) fn find(&self, set: &ObjectKey, name: &str) -> Option<&Revision> {
        self.history.get(set)?.iter().find(|revision| name.is_empty() || revision.name == name)
    }

    /// The workload is gone.
    pub(super) fn forget(&mut self, key: &ObjectKey) {
        self.made_of.remove(key);
        self.seen.remove(key);
        self.history.remove(key);
    }
}

/// The value of [`REVISION_HASH`] on Pods that are made beside their StatefulSet.
pub(crate) fn first_revision(set: &Object) -> String {
    name_of(&set.meta().name, &whole_template(set))
}

/// Source: `pkg/controller/history/controller_history.go` `ControllerRevisionName`, v1.33.
fn name_of(set: &str, whole: &Value) -> String {
    format!("{set}-{}", names::template_hash(&whole.to_string()))
}

fn whole_template(object: &Object) -> Value {
    let mut whole = object.to_value()["spec"]["template"].take();
    strip(&mut whole);
    whole
}

fn template_of(object: &Object) -> &PodTemplate {
    match &object.kind {
        Kind::Deployment(it) => &it.spec.template,
        Kind::ReplicaSet(it) => &it.spec.template,
        Kind::StatefulSet(it) => &it.spec.template,
        Kind::DaemonSet(it) => &it.spec.template,
        other => unreachable!("{} has no template", other.name()),
    }
}

/// A template without the label of its ReplicaSet.
fn bare(template: &PodTemplate) -> PodTemplate {
    let mut template = template.clone();
    template.meta.labels.remove(TEMPLATE_HASH);
    template
}

fn strip(template: &mut Value) {
    let Some(meta) = template.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    meta.remove("creationTimestamp");
    if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
        labels.remove(TEMPLATE_HASH);
    }
}

/// A DaemonSet's or StatefulSet's Pod is of a revision if it says so; one that says nothing is of the newest: it was made
/// beside its set.
pub(super) fn is_of(labels: &BTreeMap<String, String>, newest: &str, set: &str) -> bool {
    labels.get(REVISION_HASH).is_none_or(|name| name == newest || *newest == format!("{set}-{name}"))
}

impl Revision {
    /// The value of a DaemonSet's Pods' label: without the set's name.
    pub(super) fn hash<'a>(&'a self, set: &DaemonSet) -> &'a str {
        self.name.strip_prefix(&format!("{}-", set.meta.name)).unwrap_or(&self.name)
    }
}
