//! What every object carries: its name, labels and history.

use std::collections::BTreeMap;

use super::serde_api::api;

api! {
    /// `metadata`. Texts are empty where the API leaves them out; times are RFC 3339 texts.
    pub struct Meta {
        /// The object's name.
        pub name: String,
        /// The prefix from which a name is made.
        pub generate_name: String,
        /// The namespace; empty for objects of the cluster.
        pub namespace: String,
        /// The unique id.
        pub uid: String,
        /// The version that the store gave at the last write.
        pub resource_version: String,
        /// Counts changes of the spec.
        pub generation: i64,
        /// When it was made.
        pub creation_timestamp: Option<String>,
        /// When its deletion was asked for: the object is terminating if set.
        pub deletion_timestamp: Option<String>,
        /// Seconds between the request and `deletionTimestamp`.
        pub deletion_grace_period_seconds: Option<i64>,
        /// The labels.
        pub labels: BTreeMap<String, String>,
        /// The annotations.
        pub annotations: BTreeMap<String, String>,
        /// Who made it, and takes it along when deleted.
        pub owner_references: Vec<OwnerReference>,
    }

    /// An owner of an object.
    pub struct OwnerReference {
        /// The owner's group and version.
        pub api_version: String,
        /// The owner's kind.
        pub kind: String,
        /// The owner's name.
        pub name: String,
        /// The owner's unique id.
        pub uid: String,
        /// Whether this owner manages the object.
        pub controller: Option<bool>,
        /// Whether the owner waits for the object to go.
        pub block_owner_deletion: Option<bool>,
    }

    /// A pointer to an object, as endpoints carry it.
    pub struct ObjectReference {
        /// The group and version.
        pub api_version: String,
        /// The kind.
        pub kind: String,
        /// The namespace.
        pub namespace: String,
        /// The name.
        pub name: String,
        /// The unique id.
        pub uid: String,
        /// The version that was seen.
        pub resource_version: String,
        /// A part of the object.
        pub field_path: String,
    }

    /// A condition of a Pod, a Node, or another object.
    pub struct Condition {
        /// What it is about: `Ready`.
        #[serde(rename = "type")]
        pub type_: String,
        /// `True`, `False` or `Unknown`.
        pub status: String,
        /// When the status last changed.
        pub last_transition_time: Option<String>,
        /// One word why.
        pub reason: String,
        /// A sentence why.
        pub message: String,
    }

    /// A selector over labels. Absent selects nothing, an empty one everything: hence the `Option` around it where it is used.
    pub struct LabelSelector {
        /// Labels that must be equal.
        pub match_labels: Option<BTreeMap<String, String>>,
        /// Further requirements; all must hold.
        pub match_expressions: Option<Vec<LabelRequirement>>,
    }

    /// One requirement of a selector.
    pub struct LabelRequirement {
        /// The label's key.
        pub key: String,
        /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
        pub operator: String,
        /// The values; none for the last two operators.
        pub values: Vec<String>,
    }
}

impl Meta {
    /// Whether deletion was asked for.
    pub fn is_terminating(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// The owner that manages the object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }
}
