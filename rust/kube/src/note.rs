//! What is worth saying about an input that is not an error.

use std::fmt;

/// Something that kdp did or left out, to be said once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Objects of a kind that is kept, but not modelled.
    UnmodelledKind {
        /// Group and version of the first one.
        api_version: String,
        /// The kind.
        kind: String,
        /// How many.
        objects: usize,
    },
    /// Objects or fields that kdp made because the input had none.
    Made {
        /// What, in the plural or singular that fits `count`: `nodes`, `cluster IPs`.
        what: String,
        /// How many.
        count: usize,
    },
}

impl Note {
    /// The code by which programs know the note.
    pub fn code(&self) -> &'static str {
        match self {
            Note::UnmodelledKind { .. } => "kind-not-modelled",
            Note::Made { .. } => "made",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::UnmodelledKind { api_version, kind, objects } => {
                write!(f, "kept {objects} of kind {kind} ({api_version}), which kdp does not model")
            }
            Note::Made { what, count } => write!(f, "kdp made {count} {what}"),
        }
    }
}
