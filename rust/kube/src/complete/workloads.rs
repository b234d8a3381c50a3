//! Deployments get a `ReplicaSet`, `ReplicaSets` and `StatefulSets` get Pods.
//!
//! Source: Kubernetes `pkg/controller/{deployment,replicaset,statefulset}`: names, labels and owners of what they make.

use std::collections::{BTreeMap, BTreeSet};

use super::{Made, names};
use crate::defaults;
use crate::labels::Selector;
use crate::object::{
    Deployment, Kind, LabelSelector, Meta, Object, OwnerReference, Pod, PodTemplate, ReplicaSet, StatefulSet,
};
use crate::workload::revisions::{REVISION_HASH, first_revision};

/// The label by which the Pods of one template know each other.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Makes the Pods of every bare workload that has none.
pub(super) fn make_pods(objects: &mut Vec<Object>, made: &mut Made) {
    if !objects.iter().any(is_bare_workload) {
        return;
    }
    let existing = Existing::of(objects);
    let deployments = objects.iter().filter_map(|object| object.get::<Deployment>());
    let sets: Vec<Object> = deployments.filter_map(|it| replica_set(it, &existing)).collect();
    let pods: Vec<Object> = objects.iter().chain(&sets).flat_map(|it| pods_of(it, &existing)).collect();
    made.add("ReplicaSet", "ReplicaSets", sets.len());
    made.add("Pod", "Pods", pods.len());
    objects.extend(sets);
    objects.extend(pods);
}

fn is_bare_workload(object: &Object) -> bool {
    let is_workload = matches!(object.kind, Kind::Deployment(_) | Kind::ReplicaSet(_) | Kind::StatefulSet(_));
    is_workload && object.meta().uid.is_empty()
}

/// What is there already, so that nothing is made twice.
struct Existing<'o> {
    /// Pods by namespace.
    pods: BTreeMap<&'o str, Vec<&'o Meta>>,
    /// Labels of Pods, each with its namespace: a selector that asks for another one matches none.
    labels: BTreeSet<(&'o str, &'o str, &'o str)>,
    /// Owners of anything: namespace, kind, name.
    owners: BTreeSet<(&'o str, &'o str, &'o str)>,
}

impl<'o> Existing<'o> {
    fn of(objects: &'o [Object]) -> Self {
        let mut existing =
            Existing { pods: BTreeMap::new(), labels: BTreeSet::new(), owners: BTreeSet::new() };
        for object in objects {
            let meta = object.meta();
            let owners = meta.owner_references.iter();
            existing.owners.extend(owners.map(|it| (&*meta.namespace, &*it.kind, &*it.name)));
            if object.get::<Pod>().is_some() {
                existing.pods.entry(&meta.namespace).or_default().push(meta);
                existing.labels.extend(meta.labels.iter().map(|(k, v)| (&*meta.namespace, &**k, &**v)));
            }
        }
        existing
    }

    /// Whether a workload owns something, or selects a Pod.
    fn has(&self, meta: &Meta, kind: &str, selector: Option<&LabelSelector>) -> bool {
        self.owners.contains(&(&*meta.namespace, kind, &*meta.name))
            || self.selects(&meta.namespace, selector)
    }

    fn selects(&self, namespace: &str, selector: Option<&LabelSelector>) -> bool {
        let equal = selector.and_then(|selector| selector.match_labels.as_ref());
        let impossible = |(k, v): (&String, &String)| !self.labels.contains(&(namespace, &**k, &**v));
        if equal.is_some_and(|labels| labels.iter().any(impossible)) {
            return false;
        }
        let Ok(selector) = Selector::from_object(selector) else { return false };
        self.pods.get(namespace).is_some_and(|pods| pods.iter().any(|pod| selector.matches(&pod.labels)))
    }
}

fn replica_set(deployment: &Deployment, existing: &Existing<'_>) -> Option<Object> {
    let (meta, spec) = (&deployment.meta, &deployment.spec);
    if !meta.uid.is_empty() || existing.has(meta, "Deployment", spec.selector.as_ref()) {
        return None;
    }
    let template = serde_json::to_string(&spec.template).expect("API structs are JSON");
    let hash = names::template_hash(&template);
    let meta = owned(meta, "Deployment", format!("{}-{hash}", meta.name));
    let mut set = ReplicaSet { meta, ..ReplicaSet::default() };
    set.meta.labels.clone_from(&spec.template.meta.labels);
    set.spec.replicas = spec.replicas;
    set.spec.template = spec.template.clone();
    set.spec.selector.clone_from(&spec.selector);
    let selected = set.spec.selector.get_or_insert_default().match_labels.get_or_insert_default();
    for labels in [selected, &mut set.meta.labels, &mut set.spec.template.meta.labels] {
        labels.insert(TEMPLATE_HASH.to_owned(), hash.clone());
    }
    Some(Object::new(set))
}

fn pods_of(object: &Object, existing: &Existing<'_>) -> Vec<Object> {
    match &object.kind {
        Kind::ReplicaSet(set) => replica_set_pods(set, existing),
        Kind::StatefulSet(set) => stateful_set_pods(object, set, existing),
        _ => Vec::new(),
    }
}

fn replica_set_pods(set: &ReplicaSet, existing: &Existing<'_>) -> Vec<Object> {
    if !set.meta.uid.is_empty() || existing.has(&set.meta, "ReplicaSet", set.spec.selector.as_ref()) {
        return Vec::new();
    }
    let owner = format!("{}/{}", set.meta.namespace, set.meta.name);
    let mut taken = BTreeSet::new();
    let suffixes = (0..).map(|ordinal| names::suffix(&owner, ordinal)).filter(|it| taken.insert(it.clone()));
    let count = usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or(0);
    suffixes
        .take(count)
        .map(|suffix| {
            let mut pod = pod(&set.spec.template);
            pod.meta = owned(&set.meta, "ReplicaSet", format!("{}-{suffix}", set.meta.name));
            pod.meta.generate_name = format!("{}-", set.meta.name);
            pod.meta.labels.clone_from(&set.spec.template.meta.labels);
            finished(pod, &set.spec.template)
        })
        .collect()
}

fn stateful_set_pods(object: &Object, set: &StatefulSet, existing: &Existing<'_>) -> Vec<Object> {
    if !set.meta.uid.is_empty() || existing.has(&set.meta, "StatefulSet", set.spec.selector.as_ref()) {
        return Vec::new();
    }
    let start = set.spec.ordinals.as_ref().map_or(0, |ordinals| ordinals.start);
    let ordinals = (0..set.spec.replicas.unwrap_or(1)).map(|ordinal| start.saturating_add(ordinal));
    let revision = first_revision(object);
    ordinals.map(|ordinal| stateful_pod(set, ordinal, &revision)).collect()
}

fn stateful_pod(set: &StatefulSet, ordinal: i32, revision: &str) -> Object {
    let name = format!("{}-{ordinal}", set.meta.name);
    let mut pod = pod(&set.spec.template);
    pod.meta = owned(&set.meta, "StatefulSet", name.clone());
    pod.meta.labels.clone_from(&set.spec.template.meta.labels);
    pod.meta.labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), name.clone());
    pod.meta.labels.insert("apps.kubernetes.io/pod-index".to_owned(), ordinal.to_string());
    pod.meta.labels.insert(REVISION_HASH.to_owned(), revision.to_owned());
    pod.spec.hostname = name;
    pod.spec.subdomain.clone_from(&set.spec.service_name);
    finished(pod, &set.spec.template)
}

fn pod(template: &PodTemplate) -> Pod {
    Pod { spec: template.spec.clone(), ..Pod::default() }
}

fn finished(mut pod: Pod, template: &PodTemplate) -> Object {
    pod.meta.annotations.clone_from(&template.meta.annotations);
    let mut object = Object::new(pod);
    defaults::apply(&mut object);
    object
}

/// The metadata of something that a workload of the kind owns.
fn owned(owner: &Meta, kind: &str, name: String) -> Meta {
    let key = format!("{kind} {}/{}", owner.namespace, owner.name);
    let reference = OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: kind.to_owned(),
        name: owner.name.clone(),
        uid: names::uid(&key),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    Meta { name, namespace: owner.namespace.clone(), owner_references: vec![reference], ..Meta::default() }
}
