//! What the API server does to a write before it is stored, beside defaults: what a new object may bring, what a changed
//! one keeps, and what may not change.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::resource::Resource;
use crate::object::{Deployment, LabelSelector, Object, Pod, ReplicaSet, Service, StatefulSet};

/// Sets what a new object has before any controller saw it.
pub(super) fn prepare_new(value: &mut Value, resource: &Resource) {
    match (resource.group.as_str(), resource.kind.as_str()) {
        // Source: `pkg/registry/core/pod/strategy.go`, PrepareForCreate.
        ("", "Pod") => value["status"] = json!({"phase": "Pending", "qosClass": qos_class(value)}),
        // Source: `pkg/registry/core/namespace/strategy.go`, PrepareForCreate.
        ("", "Namespace") => {
            value["status"] = json!({"phase": "Active"});
            let name = value["metadata"]["name"].clone();
            let meta = value["metadata"].as_object_mut().expect("an object has metadata");
            let labels = meta.entry("labels").or_insert_with(|| Value::Object(Map::new()));
            if let Some(labels) = labels.as_object_mut() {
                labels.insert("kubernetes.io/metadata.name".to_owned(), name);
            }
            value["spec"]["finalizers"] = json!(["kubernetes"]);
        }
        ("", "Service") => value["status"] = json!({"loadBalancer": {}}),
        _ => {}
    }
}

/// Source: `pkg/apis/core/v1/helper/qos`: what requests and limits of CPU and memory make of a Pod.
fn qos_class(pod: &Value) -> &'static str {
    let containers = pod["spec"]["containers"].as_array().map_or(&[][..], |all| all);
    let of = |container: &Value, which: &str, what: &str| container["resources"][which].get(what).cloned();
    let nothing = containers.iter().all(|it| {
        ["requests", "limits"]
            .iter()
            .all(|which| ["cpu", "memory"].iter().all(|what| of(it, which, what).is_none()))
    });
    if nothing {
        return "BestEffort";
    }
    let guaranteed = containers.iter().all(|it| {
        ["cpu", "memory"].iter().all(|what| {
            let limit = of(it, "limits", what);
            limit.is_some() && of(it, "requests", what).is_none_or(|request| Some(request) == limit)
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

/// What a changed object keeps although the client left it out.
pub(super) fn carry_over(before: &Value, after: &mut Value, resource: &Resource) {
    if resource.group.is_empty() && resource.kind == "Service" {
        service_keeps(&before["spec"], after);
    }
    if resource.group.is_empty() && resource.kind == "Namespace" && after["spec"].get("finalizers").is_none()
    {
        after["spec"]["finalizers"] = before["spec"]["finalizers"].clone();
    }
}

/// Addresses and ports that were allocated stay, unless the type does not have them any more.
/// Source: `pkg/registry/core/service/storage/storage.go`, `patchAllocatedValues` and `dropTypeDependentFields`.
fn service_keeps(old: &Value, after: &mut Value) {
    let Some(new) = after.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let type_of = |spec: &Value| spec["type"].as_str().unwrap_or("ClusterIP").to_owned();
    let (was, is) = (type_of(old), new.get("type").and_then(Value::as_str).unwrap_or("ClusterIP").to_owned());
    let has_address = |kind: &str| kind != "ExternalName";
    if has_address(&was) && has_address(&is) {
        for key in ["clusterIP", "clusterIPs"] {
            if is_empty(new.get(key)) && !is_empty(old.get(key)) {
                new.insert(key.to_owned(), old[key].clone());
            }
        }
    } else if !has_address(&is) {
        for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if new.get(key) == old.get(key) {
                new.shift_remove(key);
            }
        }
    }
    let has_ports = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    let Some(ports) = new.get_mut("ports").and_then(Value::as_array_mut) else { return };
    for port in ports {
        let same = |it: &&Value| it["port"] == port["port"] && protocol(it) == protocol(port);
        let before =
            old["ports"].as_array().into_iter().flatten().find(same).and_then(|it| it.get("nodePort"));
        let fields = port.as_object_mut();
        match (has_ports(&was), has_ports(&is), before, fields) {
            (true, true, Some(before), Some(port)) if is_empty(port.get("nodePort")) => {
                port.insert("nodePort".to_owned(), before.clone());
            }
            (true, false, Some(before), Some(port)) if port.get("nodePort") == Some(before) => {
                port.shift_remove("nodePort");
            }
            _ => {}
        }
    }
    if was == "LoadBalancer" && is != "LoadBalancer" {
        for key in ["allocateLoadBalancerNodePorts", "healthCheckNodePort"] {
            new.shift_remove(key);
        }
    }
    if !has_ports(&is)
        && new.get("externalTrafficPolicy") == old.get("externalTrafficPolicy")
        && is_empty(new.get("externalIPs"))
    {
        new.shift_remove("externalTrafficPolicy");
    }
}

fn protocol(port: &Value) -> &str {
    port["protocol"].as_str().unwrap_or("TCP")
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(_) => false,
    }
}

/// Refuses a change of what may not change.
pub(super) fn check_change(
    before: Option<&Object>,
    after: &Object,
    resource: &Resource,
) -> Result<(), Refusal> {
    let Some(before) = before else { return Ok(()) };
    let fault = service_change(before, after)
        .or_else(|| selector_change(before, after))
        .or_else(|| pod_change(before, after));
    match fault {
        Some(cause) => Err(Refusal::invalid(resource, &after.meta().name, &[cause])),
        None => Ok(()),
    }
}

/// Source: `pkg/apis/core/validation`, `validateServiceClusterIPsRelatedFields`.
fn service_change(before: &Object, after: &Object) -> Option<(String, String)> {
    let (old, new) = (&before.get::<Service>()?.spec, &after.get::<Service>()?.spec);
    let stays = old.type_ != "ExternalName" && new.type_ != "ExternalName";
    let (was, is) = (old.cluster_ips.first()?, new.cluster_ips.first().map_or("", String::as_str));
    (stays && was != is).then(|| {
        ("spec.clusterIPs[0]".to_owned(), format!("Invalid value: [{is:?}]: may not change once set"))
    })
}

/// Source: `pkg/apis/apps/validation`: the selector of a workload is immutable.
fn selector_change(before: &Object, after: &Object) -> Option<(String, String)> {
    /// The selector of a workload as text; `null` if a workload has none.
    fn selector(object: &Object) -> Option<String> {
        let text = |selector: Option<&LabelSelector>| serde_json::to_string(&selector).unwrap_or_default();
        let deployment = object.get::<Deployment>().map(|it| text(it.spec.selector.as_ref()));
        let set = || object.get::<ReplicaSet>().map(|it| text(it.spec.selector.as_ref()));
        let stateful = || object.get::<StatefulSet>().map(|it| text(it.spec.selector.as_ref()));
        deployment.or_else(set).or_else(stateful)
    }
    let (old, new) = (selector(before)?, selector(after)?);
    (old != new).then(|| ("spec.selector".to_owned(), format!("Invalid value: {new}: field is immutable")))
}

/// Source: `pkg/apis/core/validation`, `ValidatePodUpdate`.
fn pod_change(before: &Object, after: &Object) -> Option<(String, String)> {
    let (old, new) = (before.get::<Pod>()?, after.get::<Pod>()?);
    let mut fixed = new.spec.clone();
    fixed.node_name.clone_from(&old.spec.node_name);
    fixed.termination_grace_period_seconds = old.spec.termination_grace_period_seconds;
    let images = |containers: &mut Vec<crate::object::Container>, old: &[crate::object::Container]| {
        containers.iter_mut().zip(old).for_each(|(container, old)| container.image.clone_from(&old.image));
    };
    images(&mut fixed.containers, &old.spec.containers);
    images(&mut fixed.init_containers, &old.spec.init_containers);
    let moved = !old.spec.node_name.is_empty() && old.spec.node_name != new.spec.node_name;
    (fixed != old.spec || moved).then(|| {
        let allowed = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        ("spec".to_owned(), format!("Forbidden: pod updates may not change fields other than {allowed}"))
    })
}
