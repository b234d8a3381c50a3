//! Server-side apply: what a manager wants, merged with what others manage.
//!
//! Source: Kubernetes documentation of server-side apply; structured-merge-diff `merge/update.go`.

use serde_json::{Map, Value};

use super::fields::{self, Fields, Path};
use super::managed::{self, Manager};
use crate::api::schema::{ListKind, Schema};

/// What an apply comes to.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) enum Applied {
    /// The object as it is to be.
    Object(Value),
    /// Fields that others manage and have otherwise: a pair of manager and field each.
    Conflicts(Vec<(String, String)>),
}

/// Applies a configuration to an object, or to none: then it is made.
pub(in crate::api) fn apply(
    current: Option<&Value>,
    wanted: &Value,
    manager: &Manager<'_>,
    force: bool,
    schema: Schema<'_>,
) -> Applied {
    let mine = fields::of(wanted, schema);
    let mut entries = current.map(managed::read).unwrap_or_default();
    let mut merged = current.cloned().unwrap_or_else(|| wanted.clone());
    if let Some(current) = current {
        let differing = differing(current, wanted, &mine, schema);
        let others = entries.iter().filter(|entry| !entry.is(manager));
        let conflicts: Vec<(String, String)> = others
            .flat_map(|entry| {
                entry.fields.intersection(&differing).map(|path| (entry.manager.clone(), spoken(path)))
            })
            .collect();
        if !conflicts.is_empty() && !force {
            return Applied::Conflicts(conflicts);
        }
        for entry in entries.iter_mut().filter(|entry| !entry.is(manager)) {
            entry.fields.retain(|path| !differing.contains(path));
        }
        merge(&mut merged, wanted, schema);
        for path in given_up(&entries, &mine, manager) {
            fields::remove(&mut merged, &path, schema);
        }
    }
    entries.retain(|entry| !entry.is(manager));
    managed::add(&mut entries, mine, manager);
    managed::write(&mut merged, &entries);
    Applied::Object(merged)
}

/// The applied fields whose value is another one now.
fn differing(current: &Value, wanted: &Value, mine: &Fields, schema: Schema<'_>) -> Fields {
    let differs = |path: &&Path| {
        let now = fields::get(current, path, schema);
        path.last().is_none_or(|last| last != ".")
            && now.is_some()
            && now != fields::get(wanted, path, schema)
    };
    mine.iter().filter(differs).cloned().collect()
}

/// Fields that the manager applied before and no longer does, and that nobody else manages.
fn given_up(entries: &[managed::Entry], mine: &Fields, manager: &Manager<'_>) -> Vec<Path> {
    let Some(before) = entries.iter().find(|entry| entry.is(manager)) else { return Vec::new() };
    let gone = before.fields.difference(mine);
    gone.filter(|path| !entries.iter().any(|entry| !entry.is(manager) && entry.fields.contains(*path)))
        .cloned()
        .collect()
}

/// Merges what is wanted into the object, mapping by mapping, list by list as the schema says.
fn merge(value: &mut Value, wanted: &Value, schema: Schema<'_>) {
    match wanted {
        Value::Object(wanted) if value.is_object() && !schema.is_atomic_map() => {
            let fields: &mut Map<String, Value> = value.as_object_mut().expect("it is a mapping");
            for (name, wanted) in wanted {
                let below = schema.field(name).unwrap_or(schema.nothing());
                match fields.get_mut(name) {
                    Some(field) => merge(field, wanted, below),
                    None => _ = fields.insert(name.clone(), wanted.clone()),
                }
            }
        }
        Value::Array(wanted) if value.is_array() && schema.list_kind() != ListKind::Atomic => {
            let items = value.as_array_mut().expect("it is a list");
            for wanted in wanted {
                let name = fields::item_name(wanted, schema);
                match items.iter_mut().find(|item| fields::item_name(item, schema) == name) {
                    Some(item) => merge(item, wanted, schema.item()),
                    None => items.push(wanted.clone()),
                }
            }
        }
        _ => *value = wanted.clone(),
    }
}

/// A path as conflicts print it: `.spec.ports[port=80,protocol="TCP"].name`.
fn spoken(path: &[String]) -> String {
    path.iter().fold(String::new(), |text, part| match part.split_once(':') {
        Some(("f", name)) => format!("{text}.{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{text}[{}]", keys.join(","))
        }
        Some((_, value)) => format!("{text}[={value}]"),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::schema::tests::schemas;
    use serde_json::json;

    fn manager(name: &str) -> Manager<'_> {
        Manager { name, operation: "Apply", subresource: "", time: "2026-01-01T00:00:00Z".to_owned() }
    }

    fn by(current: Option<&Value>, wanted: &Value, name: &str, force: bool) -> Applied {
        let schemas = schemas();
        apply(current, wanted, &manager(name), force, schemas.named("io.k8s.api.core.v1.Service"))
    }

    fn object(applied: Applied) -> Value {
        match applied {
            Applied::Object(object) => object,
            Applied::Conflicts(all) => panic!("{all:?}"),
        }
    }

    fn service(spec: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
    }

    #[test]
    fn two_managers_share_an_object() {
        let first =
            object(by(None, &service(&json!({"type": "ClusterIP", "ports": [{"port": 80}]})), "a", false));
        let second =
            object(by(Some(&first), &service(&json!({"ports": [{"port": 81, "name": "x"}]})), "b", false));
        assert_eq!(second["spec"]["ports"], json!([{"port": 80}, {"port": 81, "name": "x"}]));
        let third = object(by(Some(&second), &service(&json!({"type": "ClusterIP"})), "a", false));
        assert_eq!(third["spec"], json!({"type": "ClusterIP", "ports": [{"port": 81, "name": "x"}]}));
        assert_eq!(third["metadata"]["managedFields"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_another_has_otherwise_is_a_conflict_unless_forced() {
        let first = object(by(None, &service(&json!({"ports": [{"port": 80, "name": "a"}]})), "a", false));
        let wanted = service(&json!({"ports": [{"port": 80, "name": "b"}]}));
        assert_eq!(
            by(Some(&first), &wanted, "b", false),
            Applied::Conflicts(vec![(
                "a".to_owned(),
                ".spec.ports[port=80,protocol=\"TCP\"].name".to_owned()
            )])
        );
        let forced = object(by(Some(&first), &wanted, "b", true));
        assert_eq!(forced["spec"]["ports"][0]["name"], "b");
        assert_eq!(object(by(Some(&forced), &wanted, "b", false)), forced, "again changes nothing");
    }

    #[test]
    fn an_update_takes_what_it_changes() {
        let schemas = schemas();
        let schema = schemas.named("io.k8s.api.core.v1.Service");
        let before =
            object(by(None, &service(&json!({"type": "ClusterIP", "clusterIP": "10.0.0.1"})), "a", false));
        let mut after = before.clone();
        after["spec"]["type"] = "NodePort".into();
        let editor = Manager { operation: "Update", ..manager("edit") };
        managed::follow(Some(&before), &mut after, &editor, schema);
        let entries = managed::read(&after);
        let mine =
            |name: &str| fields::to_value(&entries.iter().find(|it| it.manager == name).unwrap().fields);
        assert_eq!(mine("edit"), json!({"f:spec": {"f:type": {}}}));
        assert_eq!(mine("a"), json!({"f:spec": {"f:clusterIP": {}}}));
    }
}
