//! `create`, `update`, `patch`: from a body to an object in the store.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::admit;
use super::body;
use super::patch::{self, Applied, Form, Manager};
use super::refusal::Refusal;
use super::route::Objects;
use super::schema::{Schema, Schemas};
use super::{Reply, Request, Response, key_of, read};
use crate::complete::{self, Options};
use crate::load::{self, Source};
use crate::object::{KindName, Namespace, Object, ObjectKey};
use crate::store::Store;
use crate::{defaults, validate};

/// A write that is under way.
pub(super) struct Write<'w> {
    schema: Schema<'w>,
    ranges: &'w Options,
    store: &'w mut Store,
    at: &'w Objects,
    request: &'w Request<'w>,
    dry_run: bool,
    time: String,
    warnings: Vec<String>,
}

impl<'w> Write<'w> {
    pub(super) fn new(
        schemas: &'w Schemas,
        ranges: &'w Options,
        store: &'w mut Store,
        at: &'w Objects,
        request: &'w Request<'w>,
    ) -> Result<Write<'w>, Refusal> {
        let dry_run = request.query.dry_run()?;
        let whole_seconds = request.now.0.div_euclid(1_000_000_000) * 1_000_000_000;
        let time = crate::endpoints::Timestamp(whole_seconds).to_string();
        let schema = schemas.named(&at.resource.schema());
        Ok(Write { schema, ranges, store, at, request, dry_run, time, warnings: Vec::new() })
    }

    /// `POST`.
    pub(super) fn create(mut self) -> Result<Reply, Refusal> {
        let value = body::read(self.request)?;
        self.check_strictly(&value)?;
        let written = self.make(value)?;
        Ok(self.reply(201, &written))
    }

    /// `PUT`.
    pub(super) fn replace(mut self) -> Result<Reply, Refusal> {
        let value = body::read(self.request)?;
        self.check_strictly(&value)?;
        let before = Arc::clone(read::find(self.store, self.at)?);
        let manager = self.manager("Update");
        let written = self.change(&before, value, &manager)?;
        Ok(self.reply(200, &written))
    }

    /// `PATCH`.
    pub(super) fn patch(mut self) -> Result<Reply, Refusal> {
        let form = Form::of(self.request.content_type, &self.at.resource)?;
        let change = body::read(self.request)?;
        if form == Form::Apply {
            return self.apply(change);
        }
        let before = Arc::clone(read::find(self.store, self.at)?);
        let current = before.to_value();
        let value = patch::patched(form, &current, change, self.schema)?;
        self.check_strictly(&value)?;
        let manager = self.manager("Update");
        let written = self.change(&before, value, &manager)?;
        Ok(self.reply(200, &written))
    }

    /// Sets `spec.replicas`.
    pub(super) fn replicas(mut self, replicas: i64) -> Result<Value, Refusal> {
        let before = Arc::clone(read::find(self.store, self.at)?);
        let mut value = before.to_value();
        value["spec"]["replicas"] = replicas.into();
        let manager = Manager { subresource: "scale", ..self.manager("Update") };
        self.change_spec(&before, value, &manager)
    }

    fn apply(mut self, mut wanted: Value) -> Result<Reply, Refusal> {
        self.check_strictly(&wanted)?;
        if self.request.query.get("fieldManager").is_none_or(str::is_empty) {
            let cause = ("fieldManager".to_owned(), "Required value: is required for apply patch".to_owned());
            return Err(Refusal::invalid(&self.at.resource, self.name(), &[cause]));
        }
        self.fit(&mut wanted)?;
        if !wanted["metadata"]["managedFields"].as_array().is_none_or(Vec::is_empty) {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        let found = self.store.get(&read::key(self.at, self.name())).cloned();
        let current = found.as_ref().map(|object| object.to_value());
        let (force, manager) = (self.request.query.flag("force"), self.manager("Apply"));
        let merged = match patch::apply(current.as_ref(), &wanted, &manager, force, self.schema) {
            Applied::Object(merged) => merged,
            Applied::Conflicts(all) => return Err(conflicts(&all)),
        };
        if let Some(before) = found {
            let written = self.put_over(&before, merged)?;
            return Ok(self.reply(200, &written));
        }
        let written = self.put_new(merged)?;
        Ok(self.reply(201, &written))
    }

    fn name(&self) -> &'w str {
        self.at.name.as_deref().unwrap_or_default()
    }

    fn manager(&self, operation: &'static str) -> Manager<'w> {
        let name =
            self.request.query.get("fieldManager").filter(|name| !name.is_empty()).unwrap_or("unknown");
        let subresource = self.at.subresource.as_deref().unwrap_or_default();
        Manager { name, operation, subresource, time: self.time.clone() }
    }

    fn reply(&self, status: u16, value: &Value) -> Reply {
        let mut response = Response::json(status, value);
        response.warnings.clone_from(&self.warnings);
        Reply::Whole(response)
    }

    /// Unknown and duplicate fields: refused, warned of, or ignored, as the client asks.
    fn check_strictly(&mut self, value: &Value) -> Result<(), Refusal> {
        let mode =
            self.request.query.get("fieldValidation").filter(|mode| !mode.is_empty()).unwrap_or("Warn");
        if !["Ignore", "Warn", "Strict"].contains(&mode) {
            return Err(Refusal::bad_request(format!(
                "fieldValidation: Unsupported value: {mode:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
            )));
        }
        if mode == "Ignore" {
            return Ok(());
        }
        let unknown =
            self.schema.unknown_fields(value).into_iter().map(|path| format!("unknown field {path:?}"));
        let faults: Vec<String> = body::duplicate_field(self.request).into_iter().chain(unknown).collect();
        if faults.is_empty() {
            return Ok(());
        }
        if mode == "Strict" {
            let kind = &self.at.resource;
            return Err(Refusal::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                kind.kind,
                kind.version,
                kind.kind,
                faults.join(", ")
            )));
        }
        self.warnings.extend(faults);
        Ok(())
    }

    /// Puts the body in line with the path: kind, version, namespace and name.
    fn fit(&self, value: &mut Value) -> Result<(), Refusal> {
        let resource = &self.at.resource;
        let Value::Object(fields) = value else { return Err(Refusal::bad_request("the body is no object")) };
        for (key, expected) in [("apiVersion", resource.group_version()), ("kind", resource.kind.clone())] {
            let found = fields.get(key).and_then(Value::as_str).unwrap_or_default();
            if !found.is_empty() && found != expected {
                return Err(Refusal::bad_request(format!(
                    "the {key} in the data ({found}) does not match the expected {key} ({expected})"
                )));
            }
            fields.insert(key.to_owned(), expected.into());
        }
        if !fields.get("metadata").is_some_and(Value::is_object) {
            fields.insert("metadata".to_owned(), Value::Object(Map::new()));
        }
        let meta = fields["metadata"].as_object_mut().expect("it is a mapping now");
        let namespace = self.at.namespace.as_deref().unwrap_or_default();
        match meta.get("namespace").and_then(Value::as_str).unwrap_or_default() {
            "" if namespace.is_empty() => _ = meta.shift_remove("namespace"),
            "" => _ = meta.insert("namespace".to_owned(), namespace.into()),
            found if found == namespace => {}
            _ => {
                return Err(Refusal::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
        }
        if let Some(name) = &self.at.name {
            match meta.get("name").and_then(Value::as_str).unwrap_or_default() {
                "" => _ = meta.insert("name".to_owned(), name.as_str().into()),
                found if found == name => {}
                found => {
                    return Err(Refusal::bad_request(format!(
                        "the name of the object ({found}) does not match the name on the URL ({name})"
                    )));
                }
            }
        }
        Ok(())
    }

    fn make(&mut self, mut value: Value) -> Result<Value, Refusal> {
        self.fit(&mut value)?;
        if value["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            return Err(Refusal::bad_request("resourceVersion should not be set on objects to be created"));
        }
        let manager = self.manager("Update");
        patch::follow(None, &mut value, &manager, self.schema);
        self.put_new(value)
    }

    fn put_new(&mut self, mut value: Value) -> Result<Value, Refusal> {
        self.check_namespace()?;
        let resource = &self.at.resource;
        self.name_it(&mut value)?;
        let key = key_of(resource, &value);
        if self.store.get(&key).is_some() {
            return Err(Refusal::already_exists(resource, &key.name));
        }
        let meta = value["metadata"].as_object_mut().expect("fit made it a mapping");
        for server_set in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            meta.shift_remove(server_set);
        }
        meta.insert("uid".to_owned(), complete::uid(&format!("{key}#{}", self.store.version())).into());
        meta.insert("creationTimestamp".to_owned(), self.time.as_str().into());
        if has_generation(resource) {
            meta.insert("generation".to_owned(), 1.into());
        }
        if resource.status && resource.kind != "Node" {
            value.as_object_mut().expect("fit made it a mapping").shift_remove("status");
        }
        admit::prepare_new(&mut value, resource);
        self.put(&value, None)
    }

    fn check_namespace(&self) -> Result<(), Refusal> {
        let Some(name) = &self.at.namespace else { return Ok(()) };
        let Some(namespace) = self.store.find::<Namespace>("", name) else {
            let resource = super::Registry::default();
            let namespaces = resource.find("", "v1", "namespaces").expect("it is built in");
            return Err(Refusal::not_found(namespaces, name));
        };
        if namespace.meta.is_terminating() {
            let why =
                format!("unable to create new content in namespace {name} because it is being terminated");
            return Err(Refusal::forbidden(&self.at.resource, self.name(), &why));
        }
        Ok(())
    }

    fn name_it(&self, value: &mut Value) -> Result<(), Refusal> {
        let meta = value["metadata"].as_object_mut().expect("fit made it a mapping");
        let text = |meta: &Map<String, Value>, key: &str| {
            meta.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        if !text(meta, "name").is_empty() {
            return Ok(());
        }
        let prefix = text(meta, "generateName");
        if prefix.is_empty() {
            let cause =
                ("metadata.name".to_owned(), "Required value: name or generateName is required".to_owned());
            return Err(Refusal::invalid(&self.at.resource, "", &[cause]));
        }
        let namespace = text(meta, "namespace");
        let free =
            (self.store.version()..).map(|ordinal| format!("{prefix}{}", complete::suffix(&prefix, ordinal)));
        let taken = |name: &String| {
            self.store.get(&ObjectKey::new(self.at.resource.kind_name(), &namespace, name)).is_some()
        };
        let name = free.into_iter().find(|name| !taken(name)).expect("five letters are many names");
        meta.insert("name".to_owned(), name.into());
        Ok(())
    }

    /// A write over an object by `PUT` or a patch: the status, or all but the status.
    fn change(
        &mut self,
        before: &Arc<Object>,
        value: Value,
        manager: &Manager<'_>,
    ) -> Result<Value, Refusal> {
        if self.at.subresource.is_none() {
            return self.change_spec(before, value, manager);
        }
        let mut whole = before.to_value();
        self.check_version(before, &value)?;
        let status = value.get("status").cloned().unwrap_or(Value::Null);
        let fields = whole.as_object_mut().expect("an object is a mapping");
        if status.is_null() {
            fields.shift_remove("status");
        } else {
            fields.insert("status".to_owned(), status);
        }
        patch::follow(Some(&before.to_value()), &mut whole, manager, self.schema);
        self.put_over(before, whole)
    }

    fn check_version(&self, before: &Object, value: &Value) -> Result<(), Refusal> {
        let given = value["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if given.is_empty() || given == before.meta().resource_version {
            return Ok(());
        }
        Err(Refusal::stale(&self.at.resource, &before.meta().name))
    }

    fn change_spec(
        &mut self,
        before: &Arc<Object>,
        mut value: Value,
        manager: &Manager<'_>,
    ) -> Result<Value, Refusal> {
        self.fit(&mut value)?;
        self.check_version(before, &value)?;
        let given = value["metadata"]["uid"].as_str().unwrap_or_default();
        if !given.is_empty() && given != before.meta().uid {
            let why = format!(
                "Precondition failed: UID in precondition: {given}, UID in object meta: {}",
                before.meta().uid
            );
            return Err(Refusal::conflict(&self.at.resource, &before.meta().name, &why));
        }
        let current = before.to_value();
        if self.at.resource.status {
            let fields = value.as_object_mut().expect("fit made it a mapping");
            match current.get("status") {
                Some(status) => _ = fields.insert("status".to_owned(), status.clone()),
                None => _ = fields.shift_remove("status"),
            }
        }
        let applied = value["metadata"].get("managedFields").cloned();
        if applied.is_none_or(|it| it.as_array().is_none_or(|all| !all.is_empty())) {
            value["metadata"]["managedFields"] = current["metadata"]["managedFields"].clone();
        }
        patch::follow(Some(&current), &mut value, manager, self.schema);
        self.put_over(before, value)
    }

    /// Carries over what the server sets, and what a client may leave out.
    fn put_over(&mut self, before: &Arc<Object>, mut value: Value) -> Result<Value, Refusal> {
        let current = before.to_value();
        let kept = [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "resourceVersion",
        ];
        let meta = value["metadata"].as_object_mut().expect("an object has metadata");
        for key in kept {
            match current["metadata"].get(key) {
                Some(old) => _ = meta.insert(key.to_owned(), old.clone()),
                None => _ = meta.shift_remove(key),
            }
        }
        admit::carry_over(&current, &mut value, &self.at.resource);
        if has_generation(&self.at.resource) && current.get("spec") != value.get("spec") {
            let generation = current["metadata"]["generation"].as_i64().unwrap_or(0);
            value["metadata"]["generation"] = (generation + 1).into();
        }
        self.put(&value, Some(before))
    }

    /// Reads, defaults, completes and validates the object, and writes it unless nothing changed.
    fn put(&mut self, value: &Value, before: Option<&Arc<Object>>) -> Result<Value, Refusal> {
        let mut object = self.read(value)?;
        defaults::apply(&mut object);
        let key = object.key();
        let full = |error: crate::Error| Refusal::of_errors(&self.at.resource, &key, &[error]);
        complete::allocate_one(self.store, &mut object, self.ranges).map_err(full)?;
        let mut faults = validate::check_one(&object);
        faults.extend(validate::check_beside(self.store, &object));
        if !faults.is_empty() {
            return Err(Refusal::of_errors(&self.at.resource, &key, &faults));
        }
        admit::check_change(before.map(AsRef::as_ref), &object, &self.at.resource)?;
        let after = object.to_value();
        if before.is_some_and(|before| plain(before.to_value()) == plain(after.clone())) {
            return Ok(before.expect("it was compared").to_value());
        }
        if self.dry_run {
            return Ok(after);
        }
        let finished = object.meta().is_terminating() && !super::delete::has_finalizers(&after);
        if finished && before.is_some() && object.key().kind != KindName::Pod {
            self.store.delete(&key);
            return Ok(after);
        }
        self.store.put(object);
        Ok(self.store.get(&key).expect("it was put").to_value())
    }

    fn read(&self, value: &Value) -> Result<Object, Refusal> {
        let text = value.to_string();
        let source = Source { name: "body", bytes: text.as_bytes() };
        let loaded = load::load(&[source]);
        let loaded = loaded.map_err(|error| {
            let kind = &self.at.resource;
            Refusal::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: {error}",
                kind.kind, kind.version, kind.kind
            ))
        })?;
        let mut objects = loaded.objects;
        match objects.pop() {
            Some(object) if objects.is_empty() => Ok(object),
            _ => Err(Refusal::bad_request("the body is not one object")),
        }
    }
}

/// An object without its managers: what they manage is in the rest.
fn plain(mut value: Value) -> Value {
    if let Some(meta) = value["metadata"].as_object_mut() {
        meta.shift_remove("managedFields");
        meta.shift_remove("generation");
    }
    value
}

/// Whether the API counts changes of the spec. Source: `PrepareForCreate` of each strategy.
fn has_generation(resource: &super::Resource) -> bool {
    !resource.group.is_empty() || resource.kind == "ReplicationController"
}

/// Source: apiserver `pkg/endpoints/handlers/fieldmanager`: the message that kubectl prints.
fn conflicts(all: &[(String, String)]) -> Refusal {
    let mut managers: Vec<&str> = all.iter().map(|(manager, _)| manager.as_str()).collect();
    managers.dedup();
    let each = |manager: &&str| {
        let fields: Vec<&str> =
            all.iter().filter(|(it, _)| it == manager).map(|(_, field)| field.as_str()).collect();
        format!("conflicts with {manager:?}:\n- {}", fields.join("\n- "))
    };
    let text: Vec<String> = managers.iter().map(each).collect();
    let many = if all.len() == 1 { "conflict" } else { "conflicts" };
    let causes: Vec<Value> = all
        .iter()
        .map(|(manager, field)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager:?}"), "field": field}))
        .collect();
    Refusal {
        code: 409,
        reason: "Conflict",
        message: format!("Apply failed with {} {many}: {}", all.len(), text.join("\n")),
        details: json!({ "causes": causes }),
    }
}
