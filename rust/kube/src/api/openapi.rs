//! OpenAPI v3: what kubectl asks for before it applies, and to explain fields.
//!
//! Source: the shape of the API server's own documents: a path per resource with its verbs, schemas with their kinds.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::resource::{Registry, Resource};
use super::schema::Schemas;

/// `GET /openapi/v3`.
pub(super) fn index(registry: &Registry, release: &str) -> Value {
    let mut paths = Map::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            let path = path_of(&group, &version);
            let url = format!("/openapi/v3/{path}?hash={release}");
            paths.insert(path, json!({ "serverRelativeURL": url }));
        }
    }
    json!({ "paths": paths })
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `GET /openapi/v3/…`: the document of a group and version.
pub(super) fn document(
    registry: &Registry,
    schemas: &Schemas,
    group: &str,
    version: &str,
) -> Result<Value, Refusal> {
    let ours: Vec<&Resource> =
        registry.all().iter().filter(|it| it.group == group && it.version == version).collect();
    if ours.is_empty() {
        return Err(Refusal::no_such_path());
    }
    let mut paths = Map::new();
    let mut wanted = BTreeSet::new();
    for resource in &ours {
        let base = format!("/{}", path_of(group, version));
        let base = if resource.namespaced { format!("{base}/namespaces/{{namespace}}") } else { base };
        paths.insert(format!("{base}/{}", resource.plural), collection(resource));
        paths.insert(format!("{base}/{}/{{name}}", resource.plural), item(resource));
        wanted.insert(resource.schema());
    }
    let mut components = closure(schemas, wanted);
    for resource in ours {
        let schema = components.entry(resource.schema()).or_insert_with(free_form);
        schema["x-kubernetes-group-version-kind"] = json!([kind_of(resource)]);
    }
    Ok(json!({
        "openapi": "3.0.0", "info": {"title": "kdp", "version": "v1"}, "paths": paths,
        "components": {"schemas": components},
    }))
}

/// `GET /openapi/v2` as kubectl before 1.29 reads it, in protobuf: which kinds take `fieldValidation`, and no more.
///
/// Source: gnostic's OpenAPIv2.proto for the numbers; kubectl's `QueryParamVerifier` for what is read.
pub(super) fn version_2(registry: &Registry) -> Vec<u8> {
    let paths = registry.all().iter().map(|resource| {
        let base = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let path =
            format!("/{}{base}/{}/{{name}}", path_of(&resource.group, &resource.version), resource.plural);
        let kind = format!(
            "group: {:?}\nversion: {:?}\nkind: {:?}\n",
            resource.group, resource.version, resource.kind
        );
        let extension =
            [part(1, b"x-kubernetes-group-version-kind"), part(2, &part(2, kind.as_bytes()))].concat();
        let names = ["dryRun", "fieldManager", "fieldValidation"];
        let parameters = names.map(|name| {
            let query = [part(2, b"query"), part(4, name.as_bytes())].concat();
            part(8, &part(1, &part(2, &part(3, &query))))
        });
        let patch = [parameters.concat(), part(13, &extension)].concat();
        part(2, &[part(1, path.as_bytes()), part(2, &part(7, &patch))].concat())
    });
    let paths: Vec<u8> = paths.collect::<Vec<_>>().concat();
    let info = [part(1, b"kdp"), part(2, b"v1")].concat();
    [part(1, b"2.0"), part(2, &info), part(8, &paths), part(9, b"")].concat()
}

/// A field of bytes in protobuf.
fn part(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(0x80 | u8::try_from(length & 0x7f).expect("seven bits"));
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("seven bits"));
    out.extend(bytes);
    out
}

/// A custom resource: anything may be in it.
fn free_form() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn kind_of(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn reference(resource: &Resource) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", resource.schema())})
}

fn collection(resource: &Resource) -> Value {
    let body = json!({"content": {"application/json": {"schema": reference(resource)}}});
    let parameters = |names: &[&str]| -> Vec<Value> { names.iter().map(|name| parameter(name)).collect() };
    json!({
        "parameters": path_parameters(resource, false),
        "get": operation(resource, "list", &parameters(&["labelSelector", "fieldSelector", "limit", "continue", "watch", "resourceVersion"]), None),
        "post": operation(resource, "post", &parameters(&["dryRun", "fieldManager", "fieldValidation"]), Some(body)),
    })
}

fn item(resource: &Resource) -> Value {
    let whole = json!({"content": {"application/json": {"schema": reference(resource)}}});
    let mut forms = json!({"application/json-patch+json": {}, "application/merge-patch+json": {}, "application/apply-patch+yaml": {}});
    if resource.built_in {
        forms["application/strategic-merge-patch+json"] = json!({});
    }
    let parameters = |names: &[&str]| -> Vec<Value> { names.iter().map(|name| parameter(name)).collect() };
    let writes = parameters(&["dryRun", "fieldManager", "fieldValidation"]);
    let applies = parameters(&["dryRun", "fieldManager", "fieldValidation", "force"]);
    json!({
        "parameters": path_parameters(resource, true),
        "get": operation(resource, "get", &[], None),
        "put": operation(resource, "put", &writes, Some(whole)),
        "patch": operation(resource, "patch", &applies, Some(json!({ "content": forms }))),
        "delete": operation(resource, "delete", &parameters(&["dryRun", "gracePeriodSeconds", "propagationPolicy"]), None),
    })
}

fn path_parameters(resource: &Resource, named: bool) -> Vec<Value> {
    let names = [("namespace", resource.namespaced), ("name", named)];
    let line =
        |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    names.into_iter().filter(|(_, there)| *there).map(|(name, _)| line(name)).collect()
}

fn parameter(name: &str) -> Value {
    let kind = match name {
        "limit" | "gracePeriodSeconds" => "integer",
        "watch" | "force" => "boolean",
        _ => "string",
    };
    json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
}

fn operation(resource: &Resource, action: &str, parameters: &[Value], body: Option<Value>) -> Value {
    let mut operation = json!({
        "operationId": format!("{action}{}{}", resource.version, resource.kind),
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference(resource)}}}},
        "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind_of(resource),
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// The schemas of those names, with all that they refer to, in the words of OpenAPI 3.0.
fn closure(schemas: &Schemas, wanted: BTreeSet<String>) -> Map<String, Value> {
    let mut left: Vec<String> = wanted.into_iter().collect();
    let mut out = Map::new();
    while let Some(name) = left.pop() {
        if out.contains_key(&name) {
            continue;
        }
        if let Some(schema) = schemas.all().get(&name) {
            let mut schema = schema.clone();
            plain(&mut schema, &mut left);
            out.insert(name, schema);
        }
    }
    out.sort_keys();
    out
}

/// JSON Schema's references and lists of types, as OpenAPI 3.0 has them.
fn plain(schema: &mut Value, left: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).and_then(|it| it.rsplit('/').next())
            {
                let name = name.to_owned();
                fields.insert("$ref".to_owned(), format!("#/components/schemas/{name}").into());
                left.push(name);
            }
            if let Some(Value::Array(types)) = fields.get("type") {
                let one = types.iter().find(|it| *it != "null").cloned();
                fields.insert("type".to_owned(), one.unwrap_or_else(|| "object".into()));
            }
            fields.values_mut().for_each(|value| plain(value, left));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| plain(item, left)),
        _ => {}
    }
}
