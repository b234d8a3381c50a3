//! Kinds that are kept without being understood.

use super::meta::Meta;
use super::serde_api::api;

api! {
    /// An object of a kind that kdp does not model: its name is known, the rest is kept as text.
    pub struct Other {
        /// Group and version.
        #[serde(skip_serializing)]
        pub api_version: String,
        /// The kind.
        #[serde(skip_serializing)]
        pub kind: String,
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
    }
}
