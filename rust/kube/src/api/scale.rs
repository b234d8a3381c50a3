//! `/scale`: how many replicas there are and should be, the same for every workload.
//!
//! Source: `autoscaling/v1` Scale.

use serde_json::{Value, json};

use super::patch::{self, Form};
use super::refusal::Refusal;
use super::resource::Resource;
use super::schema::Schemas;
use super::{Request, body};
use crate::labels::Selector;

/// The `Scale` of an object.
pub(super) fn of(object: &Value) -> Value {
    let meta = &object["metadata"];
    let mut kept = json!({"name": meta["name"], "namespace": meta["namespace"]});
    for key in ["uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = meta.get(key) {
            kept[key] = value.clone();
        }
    }
    let selector = serde_json::from_value(object["spec"]["selector"].clone()).ok();
    let selector = selector.and_then(|it| Selector::from_object(Some(&it)).ok()).map(|it| it.to_string());
    let mut status = json!({"replicas": object["status"]["replicas"].as_i64().unwrap_or(0)});
    if let Some(selector) = selector {
        status["selector"] = selector.into();
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept,
        "spec": {"replicas": object["spec"]["replicas"].as_i64().unwrap_or(1)}, "status": status,
    })
}

/// The number of replicas that a request asks for.
pub(super) fn wanted(object: &Value, request: &Request<'_>, resource: &Resource) -> Result<i64, Refusal> {
    let now = of(object);
    let given = body::read(request)?;
    let scale = if request.method == "PUT" {
        given
    } else {
        let schemas = Schemas::default();
        match Form::of(request.content_type, resource)? {
            Form::Apply => given,
            form => patch::patched(form, &now, given, schemas.named(""))?,
        }
    };
    let version = scale["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if !version.is_empty() && version != object["metadata"]["resourceVersion"].as_str().unwrap_or_default() {
        return Err(Refusal::stale(resource, name));
    }
    let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let cause = format!("Invalid value: {replicas}: must be greater than or equal to 0");
        return Err(Refusal::invalid(resource, name, &[("spec.replicas".to_owned(), cause)]));
    }
    Ok(replicas)
}
