//! Sets of fields, as managed fields name them.
//!
//! Source: structured-merge-diff `fieldpath`: `f:NAME` is a field, `k:{…}` an item of a list by its keys, `v:…` an item
//! by its value, `.` the item itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::api::schema::{ListKind, Schema};

/// A way from the object's root to a field.
pub(super) type Path = Vec<String>;

/// Paths of fields that hold a value.
pub(super) type Fields = BTreeSet<Path>;

/// What an object names itself by is nobody's. Source: the fields that server-side apply strips.
fn is_identity(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        path[..],
        ["f:apiVersion" | "f:kind"]
            | [
                "f:metadata",
                "f:name"
                    | "f:namespace"
                    | "f:uid"
                    | "f:resourceVersion"
                    | "f:generation"
                    | "f:creationTimestamp"
                    | "f:managedFields"
                    | "f:selfLink"
                    | "f:generateName"
            ]
    )
}

/// Every field of a value that is somebody's.
pub(super) fn of(value: &Value, schema: Schema<'_>) -> Fields {
    let mut out = Fields::new();
    collect(value, schema, &mut Vec::new(), &mut out);
    out
}

fn collect(value: &Value, schema: Schema<'_>, path: &mut Path, out: &mut Fields) {
    if is_identity(path) {
        return;
    }
    match value {
        Value::Object(fields) if !fields.is_empty() && !schema.is_atomic_map() => {
            for (name, value) in fields {
                path.push(format!("f:{name}"));
                collect(value, schema.field(name).unwrap_or(schema.nothing()), path, out);
                path.pop();
            }
        }
        Value::Array(items) if !items.is_empty() && schema.list_kind() != ListKind::Atomic => {
            for item in items {
                path.push(item_name(item, schema));
                if item.is_object() {
                    path.push(".".to_owned());
                    out.insert(path.clone());
                    path.pop();
                }
                collect(item, schema.item(), path, out);
                path.pop();
            }
        }
        _ if !path.is_empty() => _ = out.insert(path.clone()),
        _ => {}
    }
}

/// How an item of a list is named: by its keys, with the defaults of those that it leaves out, or by its value.
pub(super) fn item_name(item: &Value, list: Schema<'_>) -> String {
    let ListKind::Map(keys) = list.list_kind() else { return format!("v:{item}") };
    let keys = keys.iter().filter_map(Value::as_str);
    let named: Map<String, Value> = keys
        .filter_map(|key| {
            let value = item.get(key).or_else(|| list.item().default_of(key))?;
            Some((key.to_owned(), value.clone()))
        })
        .collect();
    format!("k:{}", Value::Object(named))
}

/// The value at a path.
pub(super) fn get<'v>(value: &'v Value, path: &[String], schema: Schema<'_>) -> Option<&'v Value> {
    let Some((first, rest)) = path.split_first() else { return Some(value) };
    if first == "." {
        return Some(value);
    }
    if let Some(name) = first.strip_prefix("f:") {
        return get(value.get(name)?, rest, schema.field(name).unwrap_or(schema.nothing()));
    }
    let item = value.as_array()?.iter().find(|item| item_name(item, schema) == *first)?;
    get(item, rest, schema.item())
}

/// Takes what is at a path out; mappings and lists that become empty by it go too.
pub(super) fn remove(value: &mut Value, path: &[String], schema: Schema<'_>) {
    let Some((first, rest)) = path.split_first() else { return };
    let last = rest.is_empty() || rest == ["."];
    match (first.strip_prefix("f:"), value) {
        (Some(name), Value::Object(fields)) => {
            if last {
                fields.shift_remove(name);
            } else if let Some(below) = fields.get_mut(name) {
                remove(below, rest, schema.field(name).unwrap_or(schema.nothing()));
                if is_empty(below) {
                    fields.shift_remove(name);
                }
            }
        }
        (None, Value::Array(items)) => {
            if last {
                items.retain(|item| item_name(item, schema) != *first);
            } else if let Some(item) = items.iter_mut().find(|item| item_name(item, schema) == *first) {
                remove(item, rest, schema.item());
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A set as `fieldsV1`: nested mappings, the last one empty.
pub(super) fn to_value(fields: &Fields) -> Value {
    let mut root = Map::new();
    for path in fields {
        let mut here = &mut root;
        for part in path {
            let below = here.entry(part.clone()).or_insert_with(|| Value::Object(Map::new()));
            here = below.as_object_mut().expect("each part is a mapping");
        }
    }
    Value::Object(root)
}

/// A set from its `fieldsV1`.
pub(super) fn from_value(value: &Value) -> Fields {
    fn walk(value: &Value, path: &mut Path, out: &mut Fields) {
        match value.as_object().filter(|fields| !fields.is_empty()) {
            None => _ = out.insert(path.clone()),
            Some(fields) => fields.iter().for_each(|(part, below)| {
                path.push(part.clone());
                walk(below, path, out);
                path.pop();
            }),
        }
    }
    let mut out = Fields::new();
    if value.as_object().is_some_and(|fields| !fields.is_empty()) {
        walk(value, &mut Vec::new(), &mut out);
    }
    out
}
