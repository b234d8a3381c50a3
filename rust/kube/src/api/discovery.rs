//! What there is: versions, groups, resources, in the three forms that clients ask for.
//!
//! Source: apimachinery `meta/v1` (`APIVersions`, `APIGroupList`, `APIResourceList`) and `apidiscovery.k8s.io`.

use serde_json::{Value, json};

use super::resource::{Registry, Resource};

/// What may be done with every resource.
const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The version that the server says it is.
pub(super) fn version(release: &str) -> Value {
    let minor = release.rsplit('.').next().unwrap_or_default();
    json!({
        "major": "1", "minor": minor, "gitVersion": format!("v{release}.0+kdp"), "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}

/// `GET /api` as old clients read it.
pub(super) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `GET /apis` as old clients read it.
pub(super) fn groups(registry: &Registry) -> Value {
    let groups = registry.groups().into_iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Value> = groups
        .map(|(group, versions)| one_group(&group, versions.iter().map(String::as_str)))
        .chain([reviews()])
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn reviews() -> Value {
    one_group("authorization.k8s.io", ["v1"].into_iter())
}

fn one_group<'a>(group: &str, versions: impl Iterator<Item = &'a str>) -> Value {
    let version = |version: &str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let versions: Vec<Value> = versions.map(version).collect();
    json!({"name": group, "preferredVersion": versions.last(), "versions": versions})
}

/// `GET /apis/GROUP`.
pub(super) fn group(registry: &Registry, group: &str) -> Value {
    let found = registry.groups().into_iter().find(|(name, _)| name == group);
    let mut value = match found {
        Some((_, versions)) => one_group(group, versions.iter().map(String::as_str)),
        None => reviews(),
    };
    value["kind"] = "APIGroup".into();
    value["apiVersion"] = "v1".into();
    value
}

/// `GET /api/v1`, `GET /apis/GROUP/VERSION`.
pub(super) fn resources(registry: &Registry, group: &str, version: &str) -> Value {
    let ours = registry.all().iter().filter(|it| it.group == group && it.version == version);
    let mut list: Vec<Value> = ours.flat_map(lines).collect();
    if group == "authorization.k8s.io" {
        list.push(json!({"name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview",
            "namespaced": false, "kind": "SelfSubjectAccessReview", "verbs": ["create"]}));
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
}

/// A resource and its subresources, a line each.
fn lines(it: &Resource) -> Vec<Value> {
    let mut line = json!({
        "name": it.plural, "singularName": it.singular(), "namespaced": it.namespaced, "kind": it.kind,
        "verbs": verbs(it),
    });
    if !it.short.is_empty() {
        line["shortNames"] = json!(it.short);
    }
    if !it.categories.is_empty() {
        line["categories"] = json!(it.categories);
    }
    let below = |(name, kind, verbs): (&str, &str, Value)| {
        let mut line = json!({"name": format!("{}/{name}", it.plural), "singularName": "", "namespaced": it.namespaced, "kind": kind, "verbs": verbs});
        if name == "eviction" || name == "scale" {
            let (group, version) = if name == "scale" { ("autoscaling", "v1") } else { ("policy", "v1") };
            line["group"] = group.into();
            line["version"] = version.into();
        }
        line
    };
    let mut lines = vec![line];
    lines.extend(subresources(it).into_iter().map(below));
    lines
}

fn verbs(it: &Resource) -> Value {
    if it.kind == "Binding" { json!(["create"]) } else { json!(VERBS) }
}

fn subresources(it: &Resource) -> Vec<(&'static str, &str, Value)> {
    let mut all = Vec::new();
    if it.status {
        all.push(("status", it.kind.as_str(), json!(["get", "patch", "update"])));
    }
    if it.scale {
        all.push(("scale", "Scale", json!(["get", "patch", "update"])));
    }
    if it.kind == "Pod" {
        all.push(("binding", "Binding", json!(["create"])));
        all.push(("eviction", "Eviction", json!(["create"])));
        all.push(("exec", "PodExecOptions", json!(["create", "get"])));
        all.push(("attach", "PodAttachOptions", json!(["create", "get"])));
        all.push(("log", "Pod", json!(["get"])));
    }
    all
}

/// `GET /api` and `GET /apis` in one document each: `v2` or `v2beta1`.
pub(super) fn aggregated(registry: &Registry, core: bool, version: &str) -> Value {
    let groups = registry.groups().into_iter().filter(|(group, _)| group.is_empty() == core);
    let mut items: Vec<Value> = groups.map(|(group, versions)| {
        let versions: Vec<Value> = versions.iter().map(|version| one_version(registry, &group, version)).collect();
        json!({"metadata": if core { json!({"creationTimestamp": null}) } else { json!({"name": group, "creationTimestamp": null}) }, "versions": versions})
    }).collect();
    if !core {
        items.push(json!({"metadata": {"name": "authorization.k8s.io"}, "versions": [{"version": "v1", "freshness": "Current", "resources": [
            {"resource": "selfsubjectaccessreviews", "responseKind": {"group": "", "version": "", "kind": "SelfSubjectAccessReview"},
             "scope": "Cluster", "singularResource": "selfsubjectaccessreview", "verbs": ["create"]}]}]}));
    }
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {}, "items": items})
}

fn one_version(registry: &Registry, group: &str, version: &str) -> Value {
    let ours = registry.all().iter().filter(|it| it.group == group && it.version == version);
    let resources: Vec<Value> = ours.map(discovered).collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

fn discovered(it: &Resource) -> Value {
    let kind = |kind: &str| json!({"group": it.group, "version": it.version, "kind": kind});
    let mut line = json!({
        "resource": it.plural, "responseKind": kind(&it.kind),
        "scope": if it.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": it.singular(), "verbs": verbs(it),
    });
    if !it.short.is_empty() {
        line["shortNames"] = json!(it.short);
    }
    if !it.categories.is_empty() {
        line["categories"] = json!(it.categories);
    }
    let below: Vec<Value> = subresources(it)
        .into_iter()
        .map(|(name, response, verbs)| {
            let response = match name {
                "scale" => json!({"group": "autoscaling", "version": "v1", "kind": response}),
                "eviction" => json!({"group": "policy", "version": "v1", "kind": response}),
                _ => kind(response),
            };
            json!({"subresource": name, "responseKind": response, "verbs": verbs})
        })
        .collect();
    if !below.is_empty() {
        line["subresources"] = json!(below);
    }
    line
}
