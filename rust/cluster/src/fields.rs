//! The fields that objects of a kind publish to field selectors.
//!
//! Source: `pkg/apis/*/v1/conversion.go` (`AddFieldLabelConversionsFor…`) and `pkg/registry/*/strategy.go`, 1.33.

use std::collections::BTreeMap;

use kdp_kube::labels::FieldSelector;
use kdp_kube::object::{KindName, Object};
use serde_json::Value;

use crate::Error;

/// A field's name, and where its value is: a JSON pointer.
type Published = (&'static str, &'static str);

const METADATA: &[Published] =
    &[("metadata.name", "/metadata/name"), ("metadata.namespace", "/metadata/namespace")];
const POD: &[Published] = &[
    ("spec.nodeName", "/spec/nodeName"),
    ("spec.restartPolicy", "/spec/restartPolicy"),
    ("spec.schedulerName", "/spec/schedulerName"),
    ("spec.serviceAccountName", "/spec/serviceAccountName"),
    ("spec.hostNetwork", "/spec/hostNetwork"),
    ("status.phase", "/status/phase"),
    ("status.podIP", "/status/podIPs/0/ip"),
    // Converted and never published: its value is empty for every Pod.
    ("status.podIPs", ""),
    ("status.nominatedNodeName", "/status/nominatedNodeName"),
];
const SERVICE: &[Published] = &[("spec.clusterIP", "/spec/clusterIP"), ("spec.type", "/spec/type")];
const NODE: &[Published] = &[("spec.unschedulable", "/spec/unschedulable")];
const NAMESPACE: &[Published] = &[("status.phase", "/status/phase")];
const REPLICA_SET: &[Published] = &[("status.replicas", "/status/replicas")];
const EVENT: &[Published] = &[
    ("involvedObject.kind", "/involvedObject/kind"),
    ("involvedObject.namespace", "/involvedObject/namespace"),
    ("involvedObject.name", "/involvedObject/name"),
    ("involvedObject.uid", "/involvedObject/uid"),
    ("involvedObject.apiVersion", "/involvedObject/apiVersion"),
    ("involvedObject.resourceVersion", "/involvedObject/resourceVersion"),
    ("involvedObject.fieldPath", "/involvedObject/fieldPath"),
    ("reason", "/reason"),
    ("reportingComponent", "/reportingComponent"),
    ("source", "/source/component"),
    ("type", "/type"),
];

/// Fields that are true or false: absent means false.
const FLAGS: &[&str] = &["spec.hostNetwork", "spec.unschedulable"];

/// A field selector over one kind.
pub(crate) struct Fields {
    selector: FieldSelector,
    kind: KindName,
}

impl Fields {
    /// Reads a field selector and checks that the kind publishes its fields.
    pub(crate) fn parse(kind: &KindName, text: &str) -> Result<Fields, Error> {
        let selector = FieldSelector::parse(text).map_err(Error::Selector)?;
        for term in selector.terms() {
            let field = alias(&term.field);
            if !of_kind(kind).any(|(name, _)| *name == field) {
                return Err(unpublished(kind, &term.field));
            }
        }
        Ok(Fields { selector, kind: kind.clone() })
    }

    /// Whether the object is meant.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        let whole = object.to_value();
        let published: BTreeMap<String, String> = self
            .selector
            .terms()
            .iter()
            .map(|term| (term.field.clone(), self.value(&whole, &term.field)))
            .collect();
        self.selector.matches(&published)
    }

    fn value(&self, object: &Value, field: &str) -> String {
        let field = alias(field);
        let (_, pointer) =
            of_kind(&self.kind).find(|(name, _)| *name == field).expect("parse has checked it");
        let found = if pointer.is_empty() { None } else { object.pointer(pointer) };
        match found {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None if FLAGS.contains(&field) => "false".to_owned(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }
}

/// `spec.host` is the old name of a Pod's `spec.nodeName`.
fn alias(field: &str) -> &str {
    if field == "spec.host" { "spec.nodeName" } else { field }
}

fn of_kind(kind: &KindName) -> impl Iterator<Item = &'static Published> + use<> {
    let own: &[Published] = match kind {
        KindName::Pod => POD,
        KindName::Service => SERVICE,
        KindName::Node => NODE,
        KindName::Namespace => NAMESPACE,
        KindName::ReplicaSet => REPLICA_SET,
        KindName::Other { kind, .. } if &**kind == "Event" => EVENT,
        _ => &[],
    };
    let namespaced = kind.is_namespaced() != Some(false);
    METADATA.iter().filter(move |(name, _)| namespaced || *name != "metadata.namespace").chain(own)
}

fn unpublished(kind: &KindName, field: &str) -> Error {
    let known = of_kind(kind).map(|(name, _)| *name).collect();
    Error::FieldUnknown { kind: kind.to_string(), field: field.to_owned(), known }
}

#[cfg(test)]
mod tests {
    use kdp_kube::object::Pod;

    use super::*;

    fn pod(phase: &str, node: &str) -> Object {
        let mut pod = Pod::default();
        pod.meta.name = "a".into();
        pod.status.phase = phase.into();
        pod.spec.node_name = node.into();
        Object::new(pod)
    }

    fn matches(text: &str, object: &Object) -> bool {
        Fields::parse(&KindName::Pod, text).unwrap().matches(object)
    }

    #[test]
    fn published_fields_are_compared_as_texts() {
        let running = pod("Running", "n1");
        for holds in [
            "status.phase=Running",
            "spec.host==n1,metadata.name=a",
            "spec.hostNetwork=false",
            "status.podIP=",
        ] {
            assert!(matches(holds, &running), "{holds}");
        }
        for fails in ["status.phase!=Running", "spec.nodeName=n2", "spec.hostNetwork=true", "status.podIP!="]
        {
            assert!(!matches(fails, &running), "{fails}");
        }
    }

    #[test]
    fn a_field_that_is_not_published_is_an_error_with_those_that_are() {
        let error = Fields::parse(&KindName::Node, "status.phase=x").map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "field-unknown");
        assert!(error.to_string().contains("metadata.name, spec.unschedulable"), "{error}");
    }

    #[test]
    fn of_a_kind_without_fields_of_its_own_only_name_and_namespace_are_published() {
        let kind = KindName::of("example.com/v1", "Thing");
        assert!(Fields::parse(&kind, "metadata.name=a,metadata.namespace!=b").is_ok());
        assert!(Fields::parse(&kind, "spec.x=a").is_err());
    }
}
