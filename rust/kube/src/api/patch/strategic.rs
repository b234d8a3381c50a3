//! Strategic merge patches: lists whose items have a key merge item by item.
//!
//! Source: apimachinery `pkg/util/strategicpatch` and its documentation of directives: `$patch`, `$retainKeys`,
//! `$setElementOrder/…`, `$deleteFromPrimitiveList/…`.

use serde_json::{Map, Value};

use crate::api::refusal::Refusal;
use crate::api::schema::Schema;

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Puts a patch on an object of that schema.
pub(super) fn patch(value: &mut Value, patch: Value, schema: Schema<'_>) -> Result<(), Refusal> {
    match patch {
        Value::Object(fields) => merge(value, fields, schema),
        _ => Err(Refusal::bad_request("a strategic merge patch is a mapping")),
    }
}

fn merge(value: &mut Value, mut patch: Map<String, Value>, schema: Schema<'_>) -> Result<(), Refusal> {
    match patch.shift_remove(PATCH).as_ref().map(|it| it.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("replace") => {
            *value = Value::Object(patch);
            return Ok(());
        }
        Some("delete") => {
            *value = Value::Object(Map::new());
            return Ok(());
        }
        Some(other) => return Err(Refusal::bad_request(format!("Unknown patch type found: {other}"))),
    }
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let fields = value.as_object_mut().expect("it is a mapping now");
    if let Some(Value::Array(kept)) = patch.shift_remove(RETAIN) {
        fields.retain(|key, _| kept.iter().any(|it| it == key));
    }
    let (directives, plain): (Vec<_>, Vec<_>) = patch.into_iter().partition(|(key, _)| key.starts_with('$'));
    for (key, gone) in directives.iter().filter(|(key, _)| key.starts_with(DELETE_FROM)) {
        if let (Some(Value::Array(items)), Value::Array(gone)) =
            (fields.get_mut(&key[DELETE_FROM.len()..]), gone)
        {
            items.retain(|item| !gone.contains(item));
        }
    }
    let before = fields.clone();
    for (key, new) in plain {
        field(fields, key, new, schema)?;
    }
    for (key, order) in directives.iter().filter(|(key, _)| key.starts_with(ORDER)) {
        let name = &key[ORDER.len()..];
        if let (Some(Value::Array(items)), Value::Array(order)) = (fields.get_mut(name), order) {
            let key = known(schema, name).and_then(Schema::patch_merge_key).unwrap_or("");
            let server = before.get(name).and_then(Value::as_array).map_or(&[][..], |items| items);
            arrange(items, order, server, key);
        }
    }
    Ok(())
}

fn known<'a>(schema: Schema<'a>, name: &str) -> Option<Schema<'a>> {
    schema.field(name).ok()
}

fn field(
    fields: &mut Map<String, Value>,
    key: String,
    new: Value,
    schema: Schema<'_>,
) -> Result<(), Refusal> {
    let below = known(schema, &key);
    match new {
        Value::Null => _ = fields.shift_remove(&key),
        Value::Object(new) => {
            let nothing = Schema::nothing(schema);
            let below = below.unwrap_or(nothing);
            if below.patch_replaces() {
                fields.insert(key, Value::Object(new));
                return Ok(());
            }
            let deleted = new.get(PATCH).is_some_and(|it| it == "delete");
            merge(fields.entry(key.clone()).or_insert(Value::Null), new, below)?;
            if deleted {
                fields.shift_remove(&key);
            }
        }
        Value::Array(new) => {
            let by = below.and_then(|schema| Some((schema, schema.patch_merge_key()?)));
            match by {
                Some((schema, merge_key)) => {
                    let place = fields.entry(key).or_insert(Value::Null);
                    if !place.is_array() {
                        *place = Value::Array(Vec::new());
                    }
                    let items = place.as_array_mut().expect("it is a list now");
                    merge_items(items, new, merge_key, schema.item())?;
                }
                None => _ = fields.insert(key, Value::Array(new)),
            }
        }
        scalar => _ = fields.insert(key, scalar),
    }
    Ok(())
}

fn merge_items(
    items: &mut Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    schema: Schema<'_>,
) -> Result<(), Refusal> {
    let directive = |item: &Value| item.get(PATCH).and_then(Value::as_str).map(str::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        *items = patch.into_iter().filter(|item| directive(item).is_none()).collect();
        return Ok(());
    }
    for new in patch {
        if key.is_empty() {
            if !items.contains(&new) {
                items.push(new);
            }
            continue;
        }
        let name = new.get(key).cloned().ok_or_else(|| {
            Refusal::bad_request(format!("map: {new} does not contain declared merge key: {key}"))
        })?;
        let at = items.iter().position(|item| item.get(key) == Some(&name));
        match (directive(&new).as_deref(), at) {
            (Some("delete"), _) => items.retain(|item| item.get(key) != Some(&name)),
            (_, Some(at)) => patch_item(&mut items[at], new, schema)?,
            (_, None) => {
                items.push(Value::Null);
                patch_item(items.last_mut().expect("one was added"), new, schema)?;
            }
        }
    }
    Ok(())
}

fn patch_item(item: &mut Value, new: Value, schema: Schema<'_>) -> Result<(), Refusal> {
    match new {
        Value::Object(new) => merge(item, new, schema),
        other => {
            *item = other;
            Ok(())
        }
    }
}

/// Puts items in the patch's order; items that only the server has keep their place before those that they preceded.
fn arrange(items: &mut Vec<Value>, order: &[Value], server: &[Value], key: &str) {
    let name = |item: &Value| if key.is_empty() { Some(item.clone()) } else { item.get(key).cloned() };
    let order: Vec<Option<Value>> = order.iter().map(name).collect();
    let server: Vec<Option<Value>> = server.iter().map(name).collect();
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        items.drain(..).partition(|item| order.contains(&name(item)));
    named.sort_by_key(|item| order.iter().position(|it| *it == name(item)));
    let at = |item: &Value| server.iter().position(|it| *it == name(item));
    let mut others = others.into_iter().peekable();
    for item in named {
        while let (Some(other), Some(place)) = (others.peek().and_then(&at), at(&item)) {
            if other > place {
                break;
            }
            items.extend(others.next());
        }
        items.push(item);
    }
    items.extend(others);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::schema::tests::schemas;
    use serde_json::json;

    fn ports(current: &Value, change: &Value) -> Value {
        let schemas = schemas();
        let mut value = json!({"spec": {"ports": current}});
        patch(&mut value, json!({ "spec": change }), schemas.named("io.k8s.api.core.v1.Service")).unwrap();
        value["spec"]["ports"].clone()
    }

    #[test]
    fn items_merge_by_their_key() {
        let now = json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]);
        let change = json!({"ports": [{"port": 80, "targetPort": 8080}, {"port": 82}]});
        assert_eq!(
            ports(&now, &change),
            json!([{"port": 80, "name": "a", "targetPort": 8080}, {"port": 81, "name": "b"}, {"port": 82}])
        );
        let change = json!({"ports": [{"port": 80, "$patch": "delete"}]});
        assert_eq!(ports(&now, &change), json!([{"port": 81, "name": "b"}]));
        let change = json!({"ports": [{"port": 9}, {"$patch": "replace"}]});
        assert_eq!(ports(&now, &change), json!([{"port": 9}]));
    }

    #[test]
    fn an_order_is_kept_and_the_servers_own_items_stay_in_place() {
        let now = json!([{"port": 1}, {"port": 2}, {"port": 3}]);
        let change = json!({"$setElementOrder/ports": [{"port": 3}, {"port": 1}], "ports": [{"port": 3, "name": "x"}]});
        assert_eq!(ports(&now, &change), json!([{"port": 2}, {"port": 3, "name": "x"}, {"port": 1}]));
    }

    #[test]
    fn scalars_lists_without_keys_and_directives() {
        let schemas = schemas();
        let service = schemas.named("io.k8s.api.core.v1.Service");
        let mut value = json!({"metadata": {"finalizers": ["a", "b"], "labels": {"x": "1", "y": "2"}}, "spec": {"externalIPs": ["1", "2"]}});
        let change = json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"], "labels": {"$retainKeys": ["x"], "x": "3"}},
            "spec": {"externalIPs": ["9"]}});
        patch(&mut value, change, service).unwrap();
        assert_eq!(
            value,
            json!({"metadata": {"finalizers": ["b", "c"], "labels": {"x": "3"}}, "spec": {"externalIPs": ["9"]}})
        );
        patch(
            &mut value,
            json!({"metadata": {"labels": null}, "spec": {"$patch": "replace", "type": "x"}}),
            service,
        )
        .unwrap();
        assert_eq!(value, json!({"metadata": {"finalizers": ["b", "c"]}, "spec": {"type": "x"}}));
        assert!(patch(&mut value, json!({"spec": {"ports": [{"name": "no key"}]}}), service).is_err());
    }
}
