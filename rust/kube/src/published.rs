//! The fields that objects of a kind publish to field selectors.
//!
//! Source: `pkg/apis/*/v1/conversion.go` (`AddFieldLabelConversionsFor…`) and `pkg/registry/*/strategy.go`, 1.33.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::labels::{self, FieldSelector};
use crate::object::{KindName, Object, Pod};

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

/// Why a field selector is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The text is no field selector.
    Syntax(labels::Error),
    /// The kind does not publish the field.
    Unpublished {
        /// The field.
        field: String,
        /// Those that it publishes.
        known: Vec<&'static str>,
    },
}

/// A field selector over one kind.
#[derive(Clone, Debug)]
pub struct Fields {
    selector: FieldSelector,
    kind: KindName,
}

impl Fields {
    /// Reads a field selector and checks that the kind publishes its fields.
    pub fn parse(kind: &KindName, text: &str) -> Result<Fields, Refused> {
        let selector = FieldSelector::parse(text).map_err(Refused::Syntax)?;
        for term in selector.terms() {
            let field = alias(&term.field);
            if !of_kind(kind).any(|(name, _)| *name == field) {
                let known = of_kind(kind).map(|(name, _)| *name).collect();
                return Err(Refused::Unpublished { field: term.field.clone(), known });
            }
        }
        Ok(Fields { selector, kind: kind.clone() })
    }

    /// Whether the object is meant.
    pub fn matches(&self, object: &Object) -> bool {
        if self.selector.terms().is_empty() {
            return true;
        }
        let mut whole = None;
        let mut value = |field: &str| {
            let field = alias(field);
            typed(object, field)
                .unwrap_or_else(|| self.value(whole.get_or_insert_with(|| object.to_value()), field))
        };
        let published: BTreeMap<String, String> =
            self.selector.terms().iter().map(|term| (term.field.clone(), value(&term.field))).collect();
        self.selector.matches(&published)
    }

    fn value(&self, object: &Value, field: &str) -> String {
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

/// A field that is read without making the whole object.
fn typed(object: &Object, field: &str) -> Option<String> {
    match field {
        "metadata.name" => return Some(object.meta().name.clone()),
        "metadata.namespace" => return Some(object.meta().namespace.clone()),
        _ => {}
    }
    let pod = object.get::<Pod>()?;
    match field {
        "spec.nodeName" => Some(pod.spec.node_name.clone()),
        "status.phase" => Some(pod.status.phase.clone()),
        _ => None,
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

#[cfg(test)]
mod tests {
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
        let refused = Fields::parse(&KindName::Node, "status.phase=x").map(|_| ()).unwrap_err();
        let known = vec!["metadata.name", "spec.unschedulable"];
        assert_eq!(refused, Refused::Unpublished { field: "status.phase".to_owned(), known });
    }

    #[test]
    fn of_a_kind_without_fields_of_its_own_only_name_and_namespace_are_published() {
        let kind = KindName::of("example.com/v1", "Thing");
        assert!(Fields::parse(&kind, "metadata.name=a,metadata.namespace!=b").is_ok());
        assert!(Fields::parse(&kind, "spec.x=a").is_err());
    }
}
