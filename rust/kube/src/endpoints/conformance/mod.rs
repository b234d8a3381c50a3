//! Runs cases of selectors, slices, Endpoints and churn, and gives results in the form that comparers read.
//!
//! Each function takes one case as JSON. A result is what happened; whether it was expected is for others to say.

mod churn;
mod pure;
mod scenario;
mod world;

use serde_json::Value;
use thiserror::Error;

pub use churn::{list_churn, run_churn};
pub use pure::{run_repack, run_selector, run_truncate};
pub use scenario::{run_endpoints, run_slices};

/// A case that cannot be run.
#[derive(Debug, Error)]
#[error("case {case}: {field}: {reason}")]
pub struct CaseError {
    /// Its name or id.
    pub case: String,
    /// The field at fault.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

impl CaseError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        "case-invalid"
    }

    fn new(case: &Value, field: &str, reason: impl Into<Reason>) -> CaseError {
        let name = case.get("name").or_else(|| case.get("id")).and_then(Value::as_str).unwrap_or("?");
        CaseError { case: name.to_owned(), field: field.to_owned(), reason: reason.into().0 }
    }
}

/// A field of a case, read as a type; absent reads as null.
fn read<T: serde::de::DeserializeOwned>(case: &Value, field: &str) -> Result<T, CaseError> {
    let value = case.get(field).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|error| CaseError::new(case, field, error))
}

/// A sentence, from an error or from text.
struct Reason(String);

impl From<serde_json::Error> for Reason {
    fn from(error: serde_json::Error) -> Reason {
        Reason(error.to_string())
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Reason {
        Reason(text.to_owned())
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Reason {
        Reason(text)
    }
}
