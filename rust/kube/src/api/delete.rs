//! Deleting: grace, finalizers, dependents, namespaces; eviction and binding of Pods.

use std::sync::Arc;

use serde_json::{Value, json};

use super::query::Filter;
use super::refusal::Refusal;
use super::resource::{Registry, Resource};
use super::route::Objects;
use super::{Request, body, read};
use crate::endpoints::Timestamp;
use crate::load::{self, Source};
use crate::object::{KindName, Namespace, Object, ObjectKey, Pod};
use crate::store::Store;

const SECOND: i128 = 1_000_000_000;

/// How a client wants things deleted.
struct Options {
    grace: Option<i64>,
    orphan: bool,
    uid: Option<String>,
    version: Option<String>,
    dry_run: bool,
}

impl Options {
    /// From the body, `DeleteOptions`, and from the query.
    fn read(request: &Request<'_>) -> Result<Options, Refusal> {
        let given = if request.body.is_empty() { Value::Null } else { body::read(request)? };
        let policy = given["propagationPolicy"]
            .as_str()
            .or(request.query.get("propagationPolicy"))
            .unwrap_or_default();
        if !["", "Background", "Foreground", "Orphan"].contains(&policy) {
            return Err(Refusal::bad_request(format!(
                "propagationPolicy: Unsupported value: {policy:?}: supported values: \"Background\", \"Foreground\", \"Orphan\""
            )));
        }
        let grace = match given["gracePeriodSeconds"].as_i64() {
            Some(seconds) => Some(seconds),
            None => request.query.number("gracePeriodSeconds")?.map(u64::cast_signed),
        };
        if grace.is_some_and(|seconds| seconds < 0) {
            return Err(Refusal::bad_request("gracePeriodSeconds: must be greater than or equal to 0"));
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let dry_run =
            given["dryRun"].as_array().is_some_and(|all| !all.is_empty()) || request.query.dry_run()?;
        Ok(Options {
            grace,
            // DEVIATION(api-foreground-deletion): dependents go at once, so the owner need not wait for them.
            orphan: policy == "Orphan" || given["orphanDependents"] == Value::Bool(true),
            uid: text(&given["preconditions"]["uid"]),
            version: text(&given["preconditions"]["resourceVersion"]),
            dry_run,
        })
    }
}

/// `DELETE` of an object or a collection.
pub(super) fn delete(
    store: &mut Store,
    registry: &Registry,
    at: &Objects,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let options = Options::read(request)?;
    if at.name.is_some() {
        let object = Arc::clone(read::find(store, at)?);
        check(&object, &options, &at.resource)?;
        return Ok(one(store, registry, &object, &options, request.now, &at.resource));
    }
    let filter = Filter::read(&request.query, at.namespace.as_deref(), &at.resource)?;
    let found: Vec<Arc<Object>> = store
        .list(&at.resource.kind_name(), at.namespace.as_deref())
        .filter(|object| filter.matches(object))
        .cloned()
        .collect();
    let items: Vec<Value> = found.iter().map(|object| object.to_value()).collect();
    for object in &found {
        one(store, registry, object, &options, request.now, &at.resource);
    }
    let kind = format!("{}List", at.resource.kind);
    Ok(
        json!({"kind": kind, "apiVersion": at.resource.group_version(), "metadata": {"resourceVersion": store.version().to_string()}, "items": items}),
    )
}

fn check(object: &Object, options: &Options, resource: &Resource) -> Result<(), Refusal> {
    let meta = object.meta();
    for (what, wanted, found) in
        [("UID", &options.uid, &meta.uid), ("ResourceVersion", &options.version, &meta.resource_version)]
    {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been deleted and then recreated"
            );
            return Err(Refusal::conflict(resource, &meta.name, &why));
        }
    }
    Ok(())
}

/// Deletes an object, or begins to. Gives what the API answers: the object while it terminates, else a `Status`.
fn one(
    store: &mut Store,
    registry: &Registry,
    object: &Arc<Object>,
    options: &Options,
    now: Timestamp,
    resource: &Resource,
) -> Value {
    let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {"name": object.meta().name, "group": resource.group, "kind": resource.plural, "uid": object.meta().uid}});
    if options.dry_run {
        return done;
    }
    let value = object.to_value();
    let (grace, is_namespace) = (grace_of(object, options), object.get::<Namespace>().is_some());
    if grace > 0 || is_namespace || has_finalizers(&value) {
        let terminating = mark(store, object, grace, now);
        if is_namespace {
            empty(store, registry, &object.meta().name, now);
        }
        return store.get(&object.key()).map_or(terminating, |object| object.to_value());
    }
    store.delete(&object.key());
    dependents(store, registry, object, options, now);
    done
}

/// Seconds that a Pod has. Source: `pkg/registry/core/pod/strategy.go`, CheckGracefulDelete.
fn grace_of(object: &Object, options: &Options) -> i64 {
    let Some(pod) = object.get::<Pod>() else { return 0 };
    if pod.spec.node_name.is_empty() || pod.is_terminal() {
        return 0;
    }
    options.grace.or(pod.spec.termination_grace_period_seconds).unwrap_or(30)
}

/// Whether somebody has to finish before the object goes.
pub(super) fn has_finalizers(value: &Value) -> bool {
    value["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty())
}

/// Writes down that the object is to go. A grace period gets shorter, never longer.
fn mark(store: &mut Store, object: &Arc<Object>, grace: i64, now: Timestamp) -> Value {
    let mut value = object.to_value();
    let before = value["metadata"]["deletionGracePeriodSeconds"].as_i64();
    if object.meta().is_terminating() && before.is_none_or(|before| before <= grace) {
        return value;
    }
    let whole = now.0.div_euclid(SECOND) * SECOND;
    let at = Timestamp(whole + i128::from(grace) * SECOND);
    value["metadata"]["deletionTimestamp"] = at.to_string().into();
    value["metadata"]["deletionGracePeriodSeconds"] = grace.into();
    if object.get::<Namespace>().is_some() {
        value["status"]["phase"] = "Terminating".into();
    }
    put_value(store, &value);
    value
}

/// Writes a value that was an object of the store and was changed in fields that are valid.
pub(super) fn put_value(store: &mut Store, value: &Value) {
    let text = value.to_string();
    let loaded = load::load(&[Source { name: "object", bytes: text.as_bytes() }]);
    for object in loaded.expect("an object of the store can be read").objects {
        store.put(object);
    }
}

/// What an object owned goes with it, or is left to itself. Pods and ReplicaSets are collected by the controllers of
/// workloads.
fn dependents(store: &mut Store, registry: &Registry, owner: &Object, options: &Options, now: Timestamp) {
    let uid = &owner.meta().uid;
    if uid.is_empty() {
        return;
    }
    let owned = |object: &&Arc<Object>| object.meta().owner_references.iter().any(|it| it.uid == *uid);
    let found: Vec<Arc<Object>> = store.objects().filter(owned).cloned().collect();
    let background = Options { grace: None, orphan: false, uid: None, version: None, dry_run: false };
    for object in found {
        let others = object.meta().owner_references.iter().filter(|it| it.uid != *uid).count();
        if options.orphan || others > 0 {
            let mut kept = (*object).clone();
            kept.meta_mut().owner_references.retain(|it| it.uid != *uid);
            store.put(kept);
        } else if !matches!(object.key().kind, KindName::Pod | KindName::ReplicaSet)
            && let Some(resource) = resource_of(registry, &object)
        {
            one(store, registry, &object, &background, now, &resource);
        }
    }
}

fn resource_of(registry: &Registry, object: &Object) -> Option<Resource> {
    let group = KindName::group_of(object.kind.api_version());
    registry.of_kind(group, object.key().kind.as_str()).cloned()
}

/// Deletes everything in a namespace.
fn empty(store: &mut Store, registry: &Registry, namespace: &str, now: Timestamp) {
    let found: Vec<Arc<Object>> =
        store.objects().filter(|object| object.meta().namespace == namespace).cloned().collect();
    let background = Options { grace: None, orphan: false, uid: None, version: None, dry_run: false };
    for object in found {
        if store.get(&object.key()).is_some()
            && let Some(resource) = resource_of(registry, &object)
        {
            one(store, registry, &object, &background, now, &resource);
        }
    }
}

/// Removes namespaces in which nothing is left. Pods end by themselves: see [`crate::workload`].
pub(super) fn reap(store: &mut Store) {
    let terminating = store.list(&KindName::Namespace, None).filter(|object| object.meta().is_terminating());
    let empty = |object: &&Arc<Object>| !store.objects().any(|it| it.meta().namespace == object.meta().name);
    let namespaces: Vec<ObjectKey> = terminating.filter(empty).map(|object| object.key()).collect();
    for key in namespaces {
        store.delete(&key);
    }
}

/// `POST` to `/eviction` and `/binding` of a Pod.
pub(super) fn below_pod(store: &mut Store, at: &Objects, request: &Request<'_>) -> Result<Value, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::method_not_allowed());
    }
    let object = Arc::clone(read::find(store, at)?);
    let given = body::read(request)?;
    let success =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    if at.subresource.as_deref() == Some("eviction") {
        // DEVIATION(api-eviction-budget): PodDisruptionBudgets are kept and not asked.
        let seconds = given["deleteOptions"]["gracePeriodSeconds"].as_i64();
        let options = Options { grace: seconds, orphan: false, uid: None, version: None, dry_run: false };
        if grace_of(&object, &options) > 0 {
            mark(store, &object, grace_of(&object, &options), request.now);
        } else {
            store.delete(&object.key());
        }
        return Ok(success);
    }
    let node = given["target"]["name"].as_str().unwrap_or_default();
    let pod = object.get::<Pod>().expect("the route names a Pod");
    if !pod.spec.node_name.is_empty() {
        let why = format!("pod {} is already assigned to node {:?}", pod.meta.name, pod.spec.node_name);
        return Err(Refusal::conflict(&at.resource, &pod.meta.name, &why));
    }
    let mut bound = (*object).clone();
    node.clone_into(&mut bound.get_mut::<Pod>().expect("it is a Pod").spec.node_name);
    store.put(bound);
    Ok(success)
}
