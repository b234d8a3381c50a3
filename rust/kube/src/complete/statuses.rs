//! What bare workloads report of their Pods, as their controllers would by now.

use std::collections::BTreeMap;

use crate::object::{Deployment, Object, Pod, ReplicaSet, StatefulSet, WorkloadStatus};

/// Kind, namespace and name of an owner.
type Owner = (String, String, String);

/// Pods of an owner, and how many of them are ready.
#[derive(Clone, Copy, Default)]
struct Count {
    pods: i32,
    ready: i32,
}

/// Fills in the status of every workload that did not come from a cluster.
pub(super) fn fill(objects: &mut [Object]) {
    if !objects.iter().any(|object| object.meta().uid.is_empty() && status(object).is_some()) {
        return;
    }
    let counts = count(objects);
    let bare = objects.iter_mut().filter(|object| object.meta().uid.is_empty());
    for object in bare {
        let owner = owner(object);
        let count = counts.get(&owner).copied().unwrap_or_default();
        if let Some(status) = status_mut(object) {
            status.replicas = count.pods;
            status.updated_replicas = count.pods;
            status.ready_replicas = count.ready;
            status.available_replicas = count.ready;
        }
    }
}

fn owner(object: &Object) -> Owner {
    let meta = object.meta();
    (object.kind.name().as_str().to_owned(), meta.namespace.clone(), meta.name.clone())
}

/// Pods by the workload that owns them; a Deployment owns those of its ReplicaSets.
fn count(objects: &[Object]) -> BTreeMap<Owner, Count> {
    let mut counts: BTreeMap<Owner, Count> = BTreeMap::new();
    for pod in objects.iter().filter_map(Object::get::<Pod>) {
        for reference in &pod.meta.owner_references {
            let owner = (reference.kind.clone(), pod.meta.namespace.clone(), reference.name.clone());
            let count = counts.entry(owner).or_default();
            count.pods += 1;
            count.ready += i32::from(pod.is_ready());
        }
    }
    for set in objects.iter().filter_map(Object::get::<ReplicaSet>) {
        let own = ("ReplicaSet".to_owned(), set.meta.namespace.clone(), set.meta.name.clone());
        let of_set = counts.get(&own).copied().unwrap_or_default();
        for reference in &set.meta.owner_references {
            let owner = (reference.kind.clone(), set.meta.namespace.clone(), reference.name.clone());
            let count = counts.entry(owner).or_default();
            count.pods += of_set.pods;
            count.ready += of_set.ready;
        }
    }
    counts
}

fn status(object: &Object) -> Option<&WorkloadStatus> {
    let deployment = object.get::<Deployment>().map(|it| &it.status);
    let set = object.get::<ReplicaSet>().map(|it| &it.status);
    deployment.or(set).or_else(|| object.get::<StatefulSet>().map(|it| &it.status))
}

fn status_mut(object: &mut Object) -> Option<&mut WorkloadStatus> {
    if object.get::<Deployment>().is_some() {
        return object.get_mut::<Deployment>().map(|it| &mut it.status);
    }
    if object.get::<ReplicaSet>().is_some() {
        return object.get_mut::<ReplicaSet>().map(|it| &mut it.status);
    }
    object.get_mut::<StatefulSet>().map(|it| &mut it.status)
}
