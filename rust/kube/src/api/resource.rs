//! What the API serves: resources by group, version and plural.

use std::collections::BTreeSet;

use crate::object::{KindName, Object};
use crate::store::Store;

/// One resource of the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that discovery tells")]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version in the group: `v1`.
    pub version: String,
    /// The name in URLs: `services`.
    pub plural: String,
    /// The kind: `Service`.
    pub kind: String,
    /// Names for people: `svc`.
    pub short: Vec<String>,
    /// Groups of resources that `kubectl get` expands: `all`.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it has `/status`: then a write to the object leaves its status alone.
    pub status: bool,
    /// Whether it has `/scale`.
    pub scale: bool,
    /// Whether it is defined by Kubernetes itself: then it takes strategic merge patches.
    pub built_in: bool,
}

impl Resource {
    /// `v1`, `apps/v1`.
    pub fn group_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `services`, `deployments.apps`: as messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind as the store names it.
    pub fn kind_name(&self) -> KindName {
        KindName::of(&self.group_version(), &self.kind)
    }

    /// The singular name.
    pub fn singular(&self) -> String {
        self.kind.to_lowercase()
    }

    /// The name of its OpenAPI schema, if Kubernetes defines it.
    pub fn schema(&self) -> String {
        let group = match self.group.as_str() {
            "" => "core",
            group => group.split('.').next().unwrap_or_default(),
        };
        let domain = if self.group == "apiextensions.k8s.io" {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned()
        } else {
            format!("io.k8s.api.{group}")
        };
        format!("{domain}.{}.{}", self.version, self.kind)
    }
}

/// A built-in resource on one line: group, version, plural, kind, short names, `all` or nothing, flags: `n` for
/// namespaced, `s` for `/status`, `c` for `/scale`.
type Line =
    (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Source: `kubectl api-resources`, Kubernetes 1.33.
const BUILT_IN: &[Line] = &[
    ("", "v1", "bindings", "Binding", "", "", "n"),
    ("", "v1", "configmaps", "ConfigMap", "cm", "", "n"),
    ("", "v1", "endpoints", "Endpoints", "ep", "", "n"),
    ("", "v1", "events", "Event", "ev", "", "n"),
    ("", "v1", "limitranges", "LimitRange", "limits", "", "n"),
    ("", "v1", "namespaces", "Namespace", "ns", "", "s"),
    ("", "v1", "nodes", "Node", "no", "", "s"),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", "", "ns"),
    ("", "v1", "persistentvolumes", "PersistentVolume", "pv", "", "s"),
    ("", "v1", "pods", "Pod", "po", "all", "ns"),
    ("", "v1", "replicationcontrollers", "ReplicationController", "rc", "all", "nsc"),
    ("", "v1", "resourcequotas", "ResourceQuota", "quota", "", "ns"),
    ("", "v1", "secrets", "Secret", "", "", "n"),
    ("", "v1", "serviceaccounts", "ServiceAccount", "sa", "", "n"),
    ("", "v1", "services", "Service", "svc", "all", "ns"),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd,crds",
        "",
        "s",
    ),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", "", "", "n"),
    ("apps", "v1", "daemonsets", "DaemonSet", "ds", "all", "ns"),
    ("apps", "v1", "deployments", "Deployment", "deploy", "all", "nsc"),
    ("apps", "v1", "replicasets", "ReplicaSet", "rs", "all", "nsc"),
    ("apps", "v1", "statefulsets", "StatefulSet", "sts", "all", "nsc"),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa", "all", "ns"),
    ("batch", "v1", "cronjobs", "CronJob", "cj", "all", "ns"),
    ("batch", "v1", "jobs", "Job", "", "all", "ns"),
    ("coordination.k8s.io", "v1", "leases", "Lease", "", "", "n"),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "", "", "n"),
    ("events.k8s.io", "v1", "events", "Event", "ev", "", "n"),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", "", "", ""),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", "", "ns"),
    ("networking.k8s.io", "v1", "ipaddresses", "IPAddress", "ip", "", ""),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol", "", "n"),
    ("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", "", "", "s"),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", "", "ns"),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", "", ""),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", "", ""),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", "", "n"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", "", "", "n"),
    ("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", "", ""),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", "", ""),
];

/// Custom resources that are served without a definition, since kdp reads them.
/// Source: prometheus-operator's definitions.
const CUSTOM: &[Line] = &[
    ("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor", "pmon", "", "n"),
    ("monitoring.coreos.com", "v1", "prometheuses", "Prometheus", "prom", "", "nsc"),
    ("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule", "promrule", "", "n"),
    ("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor", "smon", "", "n"),
];

fn read(line: &Line, built_in: bool) -> Resource {
    let (group, version, plural, kind, short, category, flags) = *line;
    let words = |text: &str| text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        kind: kind.to_owned(),
        short: words(short),
        categories: words(category),
        namespaced: flags.contains('n'),
        status: flags.contains('s'),
        scale: flags.contains('c'),
        built_in,
    }
}

/// Every resource that is served.
#[derive(Clone, Debug)]
pub struct Registry {
    all: Vec<Resource>,
}

impl Default for Registry {
    fn default() -> Registry {
        let built_in = BUILT_IN.iter().map(|line| read(line, true));
        Registry { all: built_in.chain(CUSTOM.iter().map(|line| read(line, false))).collect() }
    }
}

impl Registry {
    /// The built-in resources, and what the store holds beside them.
    pub fn of(store: &Store) -> Registry {
        let mut registry = Registry::default();
        let mut seen = BTreeSet::new();
        for object in store.objects() {
            let kind = object.key().kind;
            if matches!(kind, KindName::Other { .. }) && seen.insert(kind) {
                registry.learn(object);
            }
        }
        for object in store.list(&KindName::of("apiextensions.k8s.io/v1", "CustomResourceDefinition"), None) {
            registry.define(object);
        }
        registry
    }

    /// All of them, by group, version and plural.
    pub fn all(&self) -> &[Resource] {
        &self.all
    }

    /// The resource of a URL.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Resource> {
        self.all.iter().find(|it| it.group == group && it.version == version && it.plural == plural)
    }

    /// The resource of an object's kind.
    pub fn of_kind(&self, group: &str, kind: &str) -> Option<&Resource> {
        self.all.iter().find(|it| it.group == group && it.kind == kind)
    }

    /// The groups with their versions, the core group first.
    pub fn groups(&self) -> Vec<(String, BTreeSet<String>)> {
        let mut groups: Vec<(String, BTreeSet<String>)> = Vec::new();
        for it in &self.all {
            match groups.iter_mut().find(|(group, _)| *group == it.group) {
                Some((_, versions)) => _ = versions.insert(it.version.clone()),
                None => groups.push((it.group.clone(), BTreeSet::from([it.version.clone()]))),
            }
        }
        groups
    }

    /// Serves a kind of which there are objects and no definition: its plural is guessed.
    fn learn(&mut self, object: &Object) {
        let api_version = object.kind.api_version();
        let group = KindName::group_of(api_version).to_owned();
        let kind = object.key().kind.as_str().to_owned();
        if self.all.iter().any(|it| it.group == group && it.kind == kind) {
            return;
        }
        let version = api_version.rsplit('/').next().unwrap_or_default().to_owned();
        self.add(Resource {
            group,
            version,
            plural: plural_of(&kind),
            kind,
            short: Vec::new(),
            categories: Vec::new(),
            namespaced: !object.meta().namespace.is_empty(),
            status: false,
            scale: false,
            built_in: false,
        });
    }

    /// Serves what a `CustomResourceDefinition` defines, in each version that it serves.
    pub(super) fn define(&mut self, object: &Object) {
        let value = object.to_value();
        let (spec, text) =
            (&value["spec"], |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned());
        let words = |value: &serde_json::Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|it| it.as_str()).map(str::to_owned).collect()
        };
        let names = &spec["names"];
        for version in spec["versions"].as_array().into_iter().flatten() {
            if version["served"] == serde_json::Value::Bool(false) {
                continue;
            }
            self.add(Resource {
                group: text(&spec["group"]),
                version: text(&version["name"]),
                plural: text(&names["plural"]),
                kind: text(&names["kind"]),
                short: words(&names["shortNames"]),
                categories: words(&names["categories"]),
                namespaced: spec["scope"] == "Namespaced",
                status: version["subresources"].get("status").is_some(),
                scale: version["subresources"].get("scale").is_some(),
                built_in: false,
            });
        }
    }

    /// Serves no longer what a definition defined.
    pub(super) fn forget(&mut self, object: &Object) {
        let value = object.to_value();
        let (group, plural) = (value["spec"]["group"].clone(), value["spec"]["names"]["plural"].clone());
        self.all.retain(|it| it.built_in || group != it.group.as_str() || plural != it.plural.as_str());
    }

    fn add(&mut self, resource: Resource) {
        let same = |it: &Resource| {
            it.group == resource.group
                && it.version == resource.version
                && (it.plural == resource.plural || it.kind == resource.kind)
        };
        self.all.retain(|it| it.built_in || !same(it));
        if !self.all.iter().any(same) {
            self.all.push(resource);
            self.all.sort();
        }
    }
}

/// The usual plural of a kind in lower case.
fn plural_of(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.as_bytes() {
        [.., b's' | b'x'] | [.., b's' | b'c', b'h'] => format!("{lower}es"),
        [.., before, b'y'] if !b"aeiou".contains(before) => format!("{}ies", &lower[..lower.len() - 1]),
        _ => format!("{lower}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_the_usual_ones() {
        for (kind, plural) in
            [("Gateway", "gateways"), ("NetworkPolicy", "networkpolicies"), ("Ingress", "ingresses")]
        {
            assert_eq!(plural_of(kind), plural);
        }
    }

    #[test]
    fn a_kind_of_which_there_are_objects_is_served() {
        let text = br#"{"apiVersion":"example.com/v1alpha1","kind":"Widget","metadata":{"name":"w","namespace":"default"}}"#;
        let loaded = crate::load::load(&[crate::load::Source { name: "-", bytes: text }]).unwrap();
        let mut store = Store::new();
        loaded.objects.into_iter().for_each(|object| _ = store.put(object));
        let registry = Registry::of(&store);
        assert_eq!(registry.find("example.com", "v1alpha1", "widgets").map(|it| it.namespaced), Some(true));
        assert!(registry.find("", "v1", "services").is_some_and(|it| it.built_in && it.status));
    }
}
