//! The kinds: one line of the list at the end for each.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer};

use super::{
    DaemonSet, Deployment, EndpointSlice, Endpoints, Meta, Namespace, Node, Other, Pod, Prometheus,
    ReplicaSet, Service, ServiceMonitor, StatefulSet,
};

/// A struct that is one of the typed kinds.
pub trait Typed: Sized + Into<Kind> {
    /// Its kind.
    const KIND: KindName;

    /// The struct inside, if it is of this kind.
    fn of(kind: &Kind) -> Option<&Self>;

    /// The struct inside, to change, if it is of this kind.
    fn of_mut(kind: &mut Kind) -> Option<&mut Self>;
}

/// What names an object in a cluster: kind, namespace (empty for objects of the cluster), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: KindName,
    /// The namespace; empty for objects of the cluster.
    pub namespace: Box<str>,
    /// The name.
    pub name: Box<str>,
}

impl ObjectKey {
    /// The key of those parts.
    pub fn new(kind: KindName, namespace: &str, name: &str) -> ObjectKey {
        ObjectKey { kind, namespace: namespace.into(), name: name.into() }
    }
}

/// As messages name an object: `Service default/web`, `Node n1`.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return write!(f, "{} {}", self.kind, self.name);
        }
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl KindName {
    /// The API group: empty for `v1`.
    pub fn group_of(api_version: &str) -> &str {
        api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Kind {
    /// The object's key.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.name(), &self.meta().namespace, &self.meta().name)
    }
}

/// Makes [`Kind`], [`KindName`] and all that differs by kind, so that a kind is one line.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident $api_version:literal $plural:literal $namespaced:literal; )*) => {
        /// A typed object.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Kind {
            $( $(#[$doc])* $kind(Box<$kind>), )*
            /// A kind that is kept without being understood.
            Other(Box<Other>),
        }

        /// The name of a kind.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum KindName {
            $( $(#[$doc])* $kind, )*
            /// A kind that is kept without being understood, by API group and kind.
            Other {
                /// The API group; empty for the core group.
                group: Box<str>,
                /// The kind.
                kind: Box<str>,
            },
        }

        impl Kind {
            /// `metadata`.
            pub fn meta(&self) -> &Meta {
                match self {
                    $( Kind::$kind(object) => &object.meta, )*
                    Kind::Other(object) => &object.meta,
                }
            }

            /// `metadata`, to change.
            pub fn meta_mut(&mut self) -> &mut Meta {
                match self {
                    $( Kind::$kind(object) => &mut object.meta, )*
                    Kind::Other(object) => &mut object.meta,
                }
            }

            /// `apiVersion`: `v1`, `apps/v1`.
            pub fn api_version(&self) -> &str {
                match self {
                    $( Kind::$kind(_) => $api_version, )*
                    Kind::Other(object) => &object.api_version,
                }
            }

            /// Its kind.
            pub fn name(&self) -> KindName {
                match self {
                    $( Kind::$kind(_) => KindName::$kind, )*
                    Kind::Other(object) => KindName::of(&object.api_version, &object.kind),
                }
            }

            /// The typed part as JSON, without `apiVersion` and `kind`.
            pub(super) fn typed_value(&self) -> serde_json::Value {
                let value = match self {
                    $( Kind::$kind(object) => serde_json::to_value(object), )*
                    Kind::Other(object) => serde_json::to_value(object),
                };
                value.expect("API structs have text keys and no failing parts")
            }

            /// The same as text.
            pub(super) fn typed_text(&self) -> String {
                let text = match self {
                    $( Kind::$kind(object) => serde_json::to_string(object), )*
                    Kind::Other(object) => serde_json::to_string(object),
                };
                text.expect("API structs have text keys and no failing parts")
            }

            /// Reads the typed part of an object whose kind is known.
            pub(crate) fn read<'de, D: Deserializer<'de>>(
                name: &KindName,
                api_version: &str,
                from: D,
            ) -> Result<Kind, D::Error> {
                match name {
                    $( KindName::$kind => Box::deserialize(from).map(Kind::$kind), )*
                    KindName::Other { kind, .. } => {
                        let mut object = Box::<Other>::deserialize(from)?;
                        object.kind = kind.to_string();
                        object.api_version = api_version.to_owned();
                        Ok(Kind::Other(object))
                    }
                }
            }
        }

        impl KindName {
            /// Every kind that is typed.
            pub const TYPED: &[KindName] = &[ $( KindName::$kind, )* ];

            /// The kind of that `apiVersion` and `kind`. A version that is not the typed one is another kind.
            pub fn of(api_version: &str, kind: &str) -> KindName {
                match (api_version, kind) {
                    $( ($api_version, stringify!($kind)) => KindName::$kind, )*
                    _ => KindName::Other { group: KindName::group_of(api_version).into(), kind: kind.into() },
                }
            }

            /// The kind as the API writes it: `Service`.
            pub fn as_str(&self) -> &str {
                match self {
                    $( KindName::$kind => stringify!($kind), )*
                    KindName::Other { kind, .. } => kind,
                }
            }

            /// The API group; empty for the core group.
            pub fn group(&self) -> &str {
                match self {
                    $( KindName::$kind => KindName::group_of($api_version), )*
                    KindName::Other { group, .. } => group,
                }
            }

            /// The resource in URLs: `services`. A guess (lower case and `s`) for kinds that are not typed.
            pub fn plural(&self) -> Cow<'static, str> {
                match self {
                    $( KindName::$kind => $plural.into(), )*
                    KindName::Other { kind, .. } => format!("{}s", kind.to_lowercase()).into(),
                }
            }

            /// Whether its objects live in namespaces. `None` if that is not known.
            pub fn is_namespaced(&self) -> Option<bool> {
                match self {
                    $( KindName::$kind => Some($namespaced), )*
                    KindName::Other { .. } => None,
                }
            }
        }

        $(
            impl From<$kind> for Kind {
                fn from(object: $kind) -> Kind {
                    Kind::$kind(Box::new(object))
                }
            }

            impl Typed for $kind {
                const KIND: KindName = KindName::$kind;

                fn of(kind: &Kind) -> Option<&Self> {
                    if let Kind::$kind(object) = kind { Some(object) } else { None }
                }

                fn of_mut(kind: &mut Kind) -> Option<&mut Self> {
                    if let Kind::$kind(object) = kind { Some(object) } else { None }
                }
            }
        )*
    };
}

kinds! {
    /// Service.
    Service "v1" "services" true;
    /// Pod.
    Pod "v1" "pods" true;
    /// Node.
    Node "v1" "nodes" false;
    /// Namespace.
    Namespace "v1" "namespaces" false;
    /// `EndpointSlice`.
    EndpointSlice "discovery.k8s.io/v1" "endpointslices" true;
    /// Endpoints.
    Endpoints "v1" "endpoints" true;
    /// Deployment.
    Deployment "apps/v1" "deployments" true;
    /// `ReplicaSet`.
    ReplicaSet "apps/v1" "replicasets" true;
    /// `StatefulSet`.
    StatefulSet "apps/v1" "statefulsets" true;
    /// `DaemonSet`.
    DaemonSet "apps/v1" "daemonsets" true;
    /// `ServiceMonitor`.
    ServiceMonitor "monitoring.coreos.com/v1" "servicemonitors" true;
    /// Prometheus.
    Prometheus "monitoring.coreos.com/v1" "prometheuses" true;
}
