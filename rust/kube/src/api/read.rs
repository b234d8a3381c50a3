//! `get` and `list`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::query::{Filter, Query};
use super::refusal::Refusal;
use super::resource::Resource;
use super::route::Objects;
use crate::object::{Object, ObjectKey};
use crate::store::Store;

/// The object that a path names.
pub(super) fn find<'s>(store: &'s Store, at: &Objects) -> Result<&'s Arc<Object>, Refusal> {
    let name = at.name.as_deref().expect("the route names an object");
    store.get(&key(at, name)).ok_or_else(|| Refusal::not_found(&at.resource, name))
}

/// The store's key of a name at a path.
pub(super) fn key(at: &Objects, name: &str) -> ObjectKey {
    ObjectKey::new(at.resource.kind_name(), at.namespace.as_deref().unwrap_or_default(), name)
}

/// A collection as JSON text: `items` in the order of namespace and name, as the API lists them.
///
/// `limit` cuts it, and `continue` names where the rest begins. The rest is of the state at the time of its own request:
/// an object that was made before its place in the order meanwhile is not in it, as with the API's inconsistent continue.
pub(super) fn list(store: &Store, at: &Objects, query: &Query<'_>) -> Result<String, Refusal> {
    let filter = Filter::read(query, at.namespace.as_deref(), &at.resource)?;
    check_version(query, store)?;
    let mut found: Vec<&Arc<Object>> =
        store.list(&at.resource.kind_name(), at.namespace.as_deref()).collect();
    found.retain(|object| filter.matches(object));
    found.sort_by(|a, b| place(a).cmp(&place(b)));
    let from = query.get("continue").filter(|text| !text.is_empty()).map(read_continue).transpose()?;
    if let Some((namespace, name)) = &from {
        found.retain(|object| place(object) > (namespace.as_str(), name.as_str()));
    }
    let limit = usize::try_from(query.number("limit")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let left = if limit == 0 { 0 } else { found.len().saturating_sub(limit) };
    found.truncate(found.len() - left);
    let mut meta = json!({"resourceVersion": store.version().to_string()});
    if left > 0 {
        let (namespace, name) = place(found.last().expect("a limit is at least 1"));
        meta["continue"] = write_continue(namespace, name).into();
        meta["remainingItemCount"] = left.into();
    }
    Ok(collection(&at.resource, &meta, &found))
}

fn collection(resource: &Resource, meta: &Value, objects: &[&Arc<Object>]) -> String {
    let mut text = format!(
        "{{\"kind\":\"{}List\",\"apiVersion\":\"{}\",\"metadata\":{meta},\"items\":[",
        resource.kind,
        resource.group_version()
    );
    for (i, object) in objects.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(&object.to_json());
    }
    text.push_str("]}");
    text
}

fn place(object: &Object) -> (&str, &str) {
    (&object.meta().namespace, &object.meta().name)
}

/// A list of a version to come cannot be answered; one of the past is answered from now.
/// Source: `resourceVersionMatch` in the API concepts; `Exact` needs history that the server need not keep.
fn check_version(query: &Query<'_>, store: &Store) -> Result<(), Refusal> {
    let version = query.number("resourceVersion")?.unwrap_or(0);
    if version > store.version() {
        return Err(Refusal {
            code: 504,
            reason: "Timeout",
            message: format!("Too large resource version: {version}, current: {}", store.version()),
            details: json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1}),
        });
    }
    if query.get("resourceVersionMatch") == Some("Exact") && version != store.version() {
        return Err(Refusal::expired(format!("The provided resource version is not available: {version}")));
    }
    Ok(())
}

/// A token of hexadecimal digits: namespace, a zero byte, name.
fn write_continue(namespace: &str, name: &str) -> String {
    use std::fmt::Write;
    format!("{namespace}\0{name}").bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn read_continue(token: &str) -> Result<(String, String), Refusal> {
    let wrong = || Refusal::bad_request("continue key is not valid: encoding error");
    if !token.len().is_multiple_of(2) || !token.is_ascii() {
        return Err(wrong());
    }
    let byte = |i: usize| u8::from_str_radix(&token[i..i + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (0..token.len()).step_by(2).map(byte).collect();
    let text = String::from_utf8(bytes.ok_or_else(wrong)?).map_err(|_| wrong())?;
    let (namespace, name) = text.split_once('\0').ok_or_else(wrong)?;
    Ok((namespace.to_owned(), name.to_owned()))
}
