//! Pods as controllers make them from templates.
//!
//! Source: `pkg/controller/controller_utils.go` `GetPodFromTemplate`, v1.33.
//!
//! DEVIATION(workload-pod-fields): a made Pod has the fields of its template that kdp knows, not the others.

use super::Workloads;
use super::timing::TOLERATION_SECONDS;
use crate::complete::names;
use crate::defaults;
use crate::object::{Meta, Object, ObjectKey, OwnerReference, Pod, PodTemplate, Toleration};
use crate::store::Store;
use kdp_sim::Time;

/// The reference to an owner that controls.
pub(super) fn controlled_by(kind: &str, owner: &Meta) -> OwnerReference {
    OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: kind.to_owned(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// A uid for an object that is made now: `number` tells it from those that had its name before.
pub fn fresh_uid(key: &ObjectKey, number: u64) -> String {
    names::uid(&format!("{key} {number}"))
}

impl Workloads {
    /// A Pod of a template, as the API server stores it: Pending, with a uid and the tolerations that every Pod gets.
    pub(super) fn pod_of(
        &self,
        template: &PodTemplate,
        owner: OwnerReference,
        namespace: &str,
        name: &str,
        now: Time,
    ) -> Pod {
        let mut pod = Pod { spec: template.spec.clone(), ..Pod::default() };
        pod.meta.labels.clone_from(&template.meta.labels);
        pod.meta.annotations.clone_from(&template.meta.annotations);
        name.clone_into(&mut pod.meta.name);
        namespace.clone_into(&mut pod.meta.namespace);
        pod.meta.owner_references = vec![owner];
        pod.meta.creation_timestamp = Some(self.epoch.text(now));
        "Pending".clone_into(&mut pod.status.phase);
        admit(&mut pod);
        pod
    }

    /// Writes a new Pod, with a uid of its own.
    pub(super) fn create_pod(&mut self, store: &mut Store, pod: Pod) {
        let mut object = Object::new(pod);
        self.identify(&mut object);
        defaults::apply(&mut object);
        store.put(object);
    }

    /// Gives a new object its uid: no two objects of one name have the same.
    pub(super) fn identify(&mut self, object: &mut Object) {
        self.names += 1;
        object.meta_mut().uid = fresh_uid(&object.key(), self.names);
    }

    /// A name behind a prefix that nobody has.
    pub(super) fn free_name(&mut self, store: &Store, like: &ObjectKey, prefix: &str) -> String {
        loop {
            self.names += 1;
            let name = format!("{prefix}{}", names::suffix(prefix, self.names));
            if store.get(&ObjectKey::new(like.kind.clone(), &like.namespace, &name)).is_none() {
                return name;
            }
        }
    }
}

/// Source: `plugin/pkg/admission/defaulttolerationseconds/admission.go`, v1.33.
fn admit(pod: &mut Pod) {
    for key in [super::nodes::NOT_READY, super::nodes::UNREACHABLE] {
        let bears = |it: &Toleration| {
            (it.key == key || it.key.is_empty()) && (it.effect == "NoExecute" || it.effect.is_empty())
        };
        if !pod.spec.tolerations.iter().any(bears) {
            pod.spec.tolerations.push(Toleration {
                key: key.to_owned(),
                operator: "Exists".to_owned(),
                effect: "NoExecute".to_owned(),
                toleration_seconds: Some(TOLERATION_SECONDS),
                ..Toleration::default()
            });
        }
    }
}
