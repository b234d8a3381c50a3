//! Who manages which fields: `metadata.managedFields`.
//!
//! Source: Kubernetes documentation of server-side apply, "Field management".

use serde_json::{Value, json};

use super::fields::{self, Fields};
use crate::api::schema::Schema;

/// Who writes, how, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Manager<'a> {
    /// The name: `fieldManager` of the request.
    pub name: &'a str,
    /// `Apply` or `Update`.
    pub operation: &'static str,
    /// `status`, `scale`, or empty.
    pub subresource: &'a str,
    /// The moment, RFC 3339.
    pub time: String,
}

/// A manager's entry of an object.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) operation: String,
    pub(super) subresource: String,
    pub(super) time: String,
    pub(super) fields: Fields,
}

impl Entry {
    pub(super) fn is(&self, manager: &Manager<'_>) -> bool {
        self.manager == manager.name
            && self.operation == manager.operation
            && self.subresource == manager.subresource
    }
}

/// The entries of an object.
pub(super) fn read(object: &Value) -> Vec<Entry> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = object["metadata"]["managedFields"].as_array();
    let entry = |entry: &Value| Entry {
        manager: text(entry, "manager"),
        operation: text(entry, "operation"),
        subresource: text(entry, "subresource"),
        time: text(entry, "time"),
        fields: fields::from_value(&entry["fieldsV1"]),
    };
    entries.into_iter().flatten().map(entry).collect()
}

/// Writes the entries into an object; those without fields go.
pub(super) fn write(object: &mut Value, entries: &[Entry]) {
    let api_version = object["apiVersion"].clone();
    let value = |entry: &Entry| {
        let mut value = json!({
            "manager": entry.manager, "operation": entry.operation, "apiVersion": api_version, "time": entry.time,
            "fieldsType": "FieldsV1", "fieldsV1": fields::to_value(&entry.fields),
        });
        if !entry.subresource.is_empty() {
            value["subresource"] = entry.subresource.as_str().into();
        }
        value
    };
    let all: Vec<Value> = entries.iter().filter(|entry| !entry.fields.is_empty()).map(value).collect();
    let meta = object["metadata"].as_object_mut().expect("an object has metadata");
    meta.shift_remove("managedFields");
    if !all.is_empty() {
        meta.insert("managedFields".to_owned(), all.into());
    }
}

/// Carries the managers of `before` over to `after`: what the write changed is the writer's, what it removed nobody's.
pub(in crate::api) fn follow(
    before: Option<&Value>,
    after: &mut Value,
    writer: &Manager<'_>,
    schema: Schema<'_>,
) {
    let now = fields::of(after, schema);
    let mut entries = before.map(read).unwrap_or_default();
    let changed: Fields = match before {
        None => now.clone(),
        Some(before) => {
            let differs =
                |path: &&Vec<String>| fields::get(before, path, schema) != fields::get(after, path, schema);
            // An item itself is nobody's change when a field of it changes.
            let news = |path: &&Vec<String>| {
                if path.last().is_some_and(|last| last == ".") {
                    fields::get(before, path, schema).is_none()
                } else {
                    differs(path)
                }
            };
            now.iter().filter(news).cloned().collect()
        }
    };
    for entry in &mut entries {
        let own = entry.is(writer);
        entry.fields.retain(|path| now.contains(path) && (own || !changed.contains(path)));
    }
    if !changed.is_empty() {
        add(&mut entries, changed, writer);
    }
    write(after, &entries);
}

/// Gives fields to a manager.
pub(super) fn add(entries: &mut Vec<Entry>, new: Fields, writer: &Manager<'_>) {
    if let Some(entry) = entries.iter_mut().find(|entry| entry.is(writer)) {
        entry.fields.extend(new);
        entry.time.clone_from(&writer.time);
        return;
    }
    entries.push(Entry {
        manager: writer.name.to_owned(),
        operation: writer.operation.to_owned(),
        subresource: writer.subresource.to_owned(),
        time: writer.time.clone(),
        fields: new,
    });
}
