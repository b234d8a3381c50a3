//! Schemas of the kinds that Kubernetes defines: which fields there are, and how their lists merge.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value};

/// JSON Schemas by name, as they are published for a release.
#[derive(Clone, Debug, Default)]
pub struct Schemas(Arc<Map<String, Value>>);

/// A place in a schema; `None` inside where nothing is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    all: &'a Map<String, Value>,
    here: Option<&'a Value>,
}

/// How a list merges with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind<'a> {
    /// As a whole.
    Atomic,
    /// Value by value.
    Set,
    /// Item by item, named by the value of these fields.
    Map(&'a [Value]),
}

impl Schemas {
    /// Schemas under `$defs`, `definitions` or `components.schemas`.
    pub fn new(document: Value) -> Schemas {
        let Value::Object(mut document) = document else { return Schemas::default() };
        let defs = ["$defs", "definitions"].iter().find_map(|key| document.remove(*key));
        match defs {
            Some(Value::Object(defs)) => Schemas(Arc::new(defs)),
            _ => Schemas::default(),
        }
    }

    /// The schema of that name, or one that knows nothing.
    pub fn named(&self, name: &str) -> Schema<'_> {
        Schema { all: &self.0, here: self.0.get(name) }
    }

    /// Every schema by its name.
    pub fn all(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl<'a> Schema<'a> {
    /// Whether anything is known.
    pub fn is_known(self) -> bool {
        self.here.is_some()
    }

    /// A place of which nothing is known.
    pub fn nothing(self) -> Schema<'a> {
        Schema { all: self.all, here: None }
    }

    /// The schema behind a reference.
    fn resolved(self) -> Option<&'a Value> {
        let mut here = self.here?;
        for _ in 0..8 {
            let Some(reference) = here.get("$ref").and_then(Value::as_str) else { break };
            here = self.all.get(reference.rsplit('/').next()?)?;
        }
        Some(here)
    }

    /// The schema of a field. `Err` if the object has no such field.
    pub fn field(self, name: &str) -> Result<Schema<'a>, ()> {
        let Some(here) = self.resolved() else { return Ok(Schema { all: self.all, here: None }) };
        if let Some(found) = here.get("properties").and_then(|it| it.get(name)) {
            return Ok(Schema { all: self.all, here: Some(found) });
        }
        let free =
            here.get("properties").is_none() || here.get("x-kubernetes-preserve-unknown-fields").is_some();
        match here.get("additionalProperties") {
            Some(Value::Bool(false)) | None if !free => Err(()),
            Some(values @ Value::Object(_)) => Ok(Schema { all: self.all, here: Some(values) }),
            _ => Ok(Schema { all: self.all, here: None }),
        }
    }

    /// The schema of a list's items.
    pub fn item(self) -> Schema<'a> {
        Schema { all: self.all, here: self.resolved().and_then(|here| here.get("items")) }
    }

    /// What stands beside the reference, or behind it.
    fn note(self, key: &str) -> Option<&'a Value> {
        self.here?.get(key).or_else(|| self.resolved()?.get(key))
    }

    /// The field by which strategic merge patches name a list's items; `""` where they merge value by value.
    pub fn patch_merge_key(self) -> Option<&'a str> {
        let strategies = self.note("x-kubernetes-patch-strategy")?.as_str()?;
        if !strategies.split(',').any(|it| it == "merge") {
            return None;
        }
        Some(self.note("x-kubernetes-patch-merge-key").and_then(Value::as_str).unwrap_or(""))
    }

    /// Whether a strategic merge patch replaces what it names. Source: `patchStrategy: replace`, `retainKeys`.
    pub fn patch_replaces(self) -> bool {
        let strategies = self.note("x-kubernetes-patch-strategy").and_then(Value::as_str).unwrap_or_default();
        strategies.split(',').any(|it| it == "replace")
    }

    /// How server-side apply merges a list. Source: `x-kubernetes-list-type`; atomic where nothing is said.
    pub fn list_kind(self) -> ListKind<'a> {
        match self.note("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => ListKind::Set,
            Some("map") => {
                let keys = self.note("x-kubernetes-list-map-keys").and_then(Value::as_array);
                keys.map_or(ListKind::Atomic, |keys| ListKind::Map(keys))
            }
            _ => ListKind::Atomic,
        }
    }

    /// The default that the schema states for a field of a list's item.
    pub fn default_of(self, field: &str) -> Option<&'a Value> {
        self.field(field).ok()?.note("default")
    }

    /// Whether server-side apply takes a mapping as a whole. Source: `x-kubernetes-map-type`.
    pub fn is_atomic_map(self) -> bool {
        self.note("x-kubernetes-map-type").is_some_and(|it| it == "atomic")
    }

    /// The fields of a value that the schema does not have, as paths: `spec.portz`, `spec.ports[0].nam`.
    pub fn unknown_fields(self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_unknown(value, &mut String::new(), &mut found);
        found
    }

    fn collect_unknown(self, value: &Value, path: &mut String, found: &mut Vec<String>) {
        let length = path.len();
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if length > 0 {
                        path.push('.');
                    }
                    path.push_str(name);
                    match self.field(name) {
                        Err(()) => found.push(path.clone()),
                        Ok(schema) if schema.is_known() => schema.collect_unknown(value, path, found),
                        Ok(_) => {}
                    }
                    path.truncate(length);
                }
            }
            Value::Array(items) if self.item().is_known() => {
                for (i, item) in items.iter().enumerate() {
                    let _ = write!(path, "[{i}]");
                    self.item().collect_unknown(item, path, found);
                    path.truncate(length);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// A few fields of a Service, as the published schemas state them.
    pub(in crate::api) fn schemas() -> Schemas {
        Schemas::new(json!({"$defs": {
            "io.k8s.api.core.v1.Service": {"properties": {
                "apiVersion": {}, "kind": {}, "metadata": {"$ref": "#/$defs/Meta"}, "spec": {"$ref": "#/$defs/Spec"}, "status": {"type": "object"}}},
            "Meta": {"properties": {"name": {}, "namespace": {}, "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}}},
            "Spec": {"properties": {"type": {}, "clusterIP": {}, "selector": {"type": "object", "additionalProperties": {"type": "string"}, "x-kubernetes-map-type": "atomic"},
                "externalIPs": {"type": "array", "items": {"type": "string"}},
                "ports": {"type": "array", "items": {"$ref": "#/$defs/Port"}, "x-kubernetes-patch-merge-key": "port", "x-kubernetes-patch-strategy": "merge",
                    "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"]}}},
            "Port": {"properties": {"name": {}, "port": {}, "protocol": {"default": "TCP"}, "targetPort": {}, "nodePort": {}}},
        }}))
    }

    #[test]
    fn a_field_that_is_not_there_is_named_by_its_path() {
        let schemas = schemas();
        let value = json!({"metadata": {"labels": {"any": "x"}}, "spec": {"portz": [], "ports": [{"port": 1, "nam": "x"}]}});
        let unknown = schemas.named("io.k8s.api.core.v1.Service").unknown_fields(&value);
        assert_eq!(unknown, ["spec.portz", "spec.ports[0].nam"]);
        assert!(schemas.named("Nobody").unknown_fields(&value).is_empty());
    }

    #[test]
    fn lists_say_how_they_merge() {
        let schemas = schemas();
        let ports = schemas.named("Spec").field("ports").unwrap();
        assert_eq!(ports.patch_merge_key(), Some("port"));
        assert!(matches!(ports.list_kind(), ListKind::Map(keys) if keys.len() == 2));
        assert_eq!(ports.item().default_of("protocol"), Some(&json!("TCP")));
        assert_eq!(schemas.named("Spec").field("externalIPs").unwrap().list_kind(), ListKind::Atomic);
    }
}
