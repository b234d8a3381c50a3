//! An object as a whole: the typed part, and the text it came from.

use serde_json::{Map, Value, json};

use super::{Kind, KindName, Meta, ObjectKey, Typed};

/// A typed object, with the JSON text it was read from, if it was read.
///
/// Only the typed part is ever changed. [`Object::to_value`] carries the changes over into what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The typed part.
    pub kind: Kind,
    original: Option<Box<str>>,
}

impl Object {
    /// An object made here, not read.
    pub fn new(kind: impl Into<Kind>) -> Object {
        Object { kind: kind.into(), original: None }
    }

    /// An object read from that JSON text. The caller has checked that the text is this object's.
    pub(crate) fn read(kind: Kind, original: Box<str>) -> Object {
        Object { kind, original: Some(original) }
    }

    /// `metadata`.
    pub fn meta(&self) -> &Meta {
        self.kind.meta()
    }

    /// `metadata`, to change.
    pub fn meta_mut(&mut self) -> &mut Meta {
        self.kind.meta_mut()
    }

    /// Kind, namespace and name.
    pub fn key(&self) -> ObjectKey {
        self.kind.key()
    }

    /// The typed struct, if the object is of that kind.
    pub fn get<T: Typed>(&self) -> Option<&T> {
        T::of(&self.kind)
    }

    /// The typed struct, to change, if the object is of that kind.
    pub fn get_mut<T: Typed>(&mut self) -> Option<&mut T> {
        T::of_mut(&mut self.kind)
    }

    /// The JSON text it was read from, without later changes.
    pub fn original(&self) -> Option<&str> {
        self.original.as_deref()
    }

    /// The object as API JSON: what was read, with the changes since, unknown fields kept.
    pub fn to_value(&self) -> Value {
        let now = self.kind.typed_value();
        let mut value = match &self.original {
            None => now,
            Some(text) => {
                let mut value: Value = serde_json::from_str(text).expect("an original was parsed once");
                let then = read_typed(&value, &self.kind.name());
                carry_over(&mut value, &then, &now);
                value
            }
        };
        name_first(&mut value, &self.kind);
        value
    }

    /// [`Object::to_value`] as text on one line.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }
}

impl Object {
    /// How many bytes [`Object::to_json`] has. For an object made here, nothing is built for it.
    pub fn json_len(&self) -> usize {
        if self.original.is_some() {
            return self.to_json().len();
        }
        let names = json!({"apiVersion": self.kind.api_version(), "kind": self.kind.name().as_str()});
        let own = self.kind.typed_text().len();
        // Both have braces of their own; between them comes a comma unless the object is empty.
        names.to_string().len() + own - if own == 2 { 2 } else { 1 }
    }
}

fn read_typed(value: &Value, name: &KindName) -> Value {
    let api_version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    Kind::read(name, api_version, value).expect("an original was parsed once").typed_value()
}

/// Writes into `value` what differs between `then` and `now`, its typed part before and after.
fn carry_over(value: &mut Value, then: &Value, now: &Value) {
    if then == now {
        return;
    }
    match (value, then, now) {
        (Value::Object(value), Value::Object(then), Value::Object(now)) => {
            carry_over_fields(value, then, now);
        }
        (Value::Array(value), Value::Array(then), Value::Array(now)) if value.len() == then.len() => {
            value.truncate(now.len());
            for (i, item) in now.iter().enumerate() {
                match then.get(i) {
                    Some(old) => carry_over(&mut value[i], old, item),
                    None => value.push(item.clone()),
                }
            }
        }
        (value, _, now) => *value = now.clone(),
    }
}

fn carry_over_fields(value: &mut Map<String, Value>, then: &Map<String, Value>, now: &Map<String, Value>) {
    for key in then.keys().filter(|key| !now.contains_key(*key)) {
        value.shift_remove(key);
    }
    for (key, new) in now {
        match (value.get_mut(key), then.get(key)) {
            (Some(field), Some(old)) => carry_over(field, old, new),
            (Some(field), None) => carry_over(field, &empty_like(new), new),
            (None, _) => {
                value.insert(key.clone(), new.clone());
            }
        }
    }
}

/// What a field that was present, but empty, looked like to the typed part.
fn empty_like(value: &Value) -> Value {
    match value {
        Value::Object(_) => Value::Object(Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

fn name_first(value: &mut Value, kind: &Kind) {
    let Value::Object(fields) = value else { return };
    fields.shift_remove("apiVersion");
    fields.shift_remove("kind");
    fields.shift_insert(0, "apiVersion".to_owned(), kind.api_version().into());
    fields.shift_insert(1, "kind".to_owned(), kind.name().as_str().into());
}
