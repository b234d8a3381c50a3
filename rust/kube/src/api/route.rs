//! From a URL's path to what it names.

use super::refusal::Refusal;
use super::resource::{Registry, Resource};

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/version`.
    Version,
    /// `/healthz`, `/livez`, `/readyz`.
    Health,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`.
    Resources(String, String),
    /// `/openapi/v2`.
    OldSchemas,
    /// `/openapi/v3`.
    Schemas,
    /// `/openapi/v3/…`: the group and version behind it.
    Schema(String, String),
    /// A resource's objects.
    Objects(Objects),
    /// A review of what a user may do: the resource's name.
    Review(String),
}

/// Objects of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    /// The resource.
    pub resource: Resource,
    /// The namespace; `None` for all of them, or for a resource of the cluster.
    pub namespace: Option<String>,
    /// The object's name; `None` for the collection.
    pub name: Option<String>,
    /// `status`, `scale`, `eviction`…
    pub subresource: Option<String>,
}

/// Reads a path. A slash at its end changes nothing.
pub(super) fn route(path: &str, registry: &Registry) -> Result<Route, Refusal> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(Refusal::bad_request("a path has no . or .. in it"));
    }
    Ok(match parts[..] {
        ["version"] => Route::Version,
        ["healthz" | "livez" | "readyz", ..] => Route::Health,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["api", "v1"] => Route::Resources(String::new(), "v1".to_owned()),
        ["apis", group] => known_group(registry, group)?,
        ["apis", group, version] => known_version(registry, group, version)?,
        ["openapi", "v2"] => Route::OldSchemas,
        ["openapi", "v3"] => Route::Schemas,
        ["openapi", "v3", "api", "v1"] => Route::Schema(String::new(), "v1".to_owned()),
        ["openapi", "v3", "apis", group, version] => Route::Schema(group.to_owned(), version.to_owned()),
        ["api", "v1", ref rest @ ..] => objects(registry, "", "v1", rest)?,
        ["apis", "authorization.k8s.io" | "authentication.k8s.io", "v1", kind] => {
            Route::Review(kind.to_owned())
        }
        ["apis", group, version, ref rest @ ..] => objects(registry, group, version, rest)?,
        _ => return Err(Refusal::no_such_path()),
    })
}

fn known_group(registry: &Registry, group: &str) -> Result<Route, Refusal> {
    let known = registry.all().iter().any(|it| it.group == group) || group == "authorization.k8s.io";
    if known { Ok(Route::Group(group.to_owned())) } else { Err(Refusal::no_such_path()) }
}

fn known_version(registry: &Registry, group: &str, version: &str) -> Result<Route, Refusal> {
    let known = registry.all().iter().any(|it| it.group == group && it.version == version);
    if known || (group, version) == ("authorization.k8s.io", "v1") {
        return Ok(Route::Resources(group.to_owned(), version.to_owned()));
    }
    Err(Refusal::no_such_path())
}

fn objects(registry: &Registry, group: &str, version: &str, rest: &[&str]) -> Result<Route, Refusal> {
    let (namespace, rest) = match rest {
        // A namespace is an object too: /namespaces/NAME, /namespaces/NAME/status, /namespaces/NAME/finalize.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
        _ => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, None, None),
        [plural, name] => (*plural, Some(*name), None),
        [plural, name, subresource] => (*plural, Some(*name), Some(*subresource)),
        _ => return Err(Refusal::no_such_path()),
    };
    let resource = registry.find(group, version, plural).ok_or_else(Refusal::no_such_path)?.clone();
    if namespace.is_some() != resource.namespaced && (namespace.is_some() || name.is_some()) {
        return Err(Refusal::no_such_path());
    }
    let own = |part: Option<&str>| part.map(str::to_owned);
    Ok(Route::Objects(Objects { resource, namespace, name: own(name), subresource: own(subresource) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(path: &str) -> Objects {
        match route(path, &Registry::default()) {
            Ok(Route::Objects(objects)) => objects,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_namespace_is_an_object_and_a_place() {
        let at = objects("/api/v1/namespaces/shop");
        assert_eq!((at.resource.plural.as_str(), at.name.as_deref()), ("namespaces", Some("shop")));
        let at = objects("/api/v1/namespaces/shop/services/web/");
        assert_eq!((at.namespace.as_deref(), at.name.as_deref()), (Some("shop"), Some("web")));
        let at = objects("/apis/apps/v1/namespaces/shop/deployments/web/scale");
        assert_eq!(at.subresource.as_deref(), Some("scale"));
        assert_eq!(objects("/api/v1/pods").namespace, None);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let registry = Registry::default();
        for path in
            ["/api/v2", "/apis/nope", "/api/v1/pods/x", "/api/v1/namespaces/a/nodes", "/x", "/api/v1/widgets"]
        {
            assert_eq!(route(path, &registry).unwrap_err().code, 404, "{path}");
        }
        assert_eq!(route("/api/v1/namespaces/../secrets", &registry).unwrap_err().code, 400);
    }
}
