//! What the API refuses, as a `Status` object.
//!
//! Source: apimachinery `pkg/api/errors`: reasons, codes and the wording of messages.

use serde_json::{Value, json};

use super::resource::Resource;
use crate::error::Error;
use crate::object::ObjectKey;

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// One word why.
    pub reason: &'static str,
    /// A sentence why.
    pub message: String,
    /// What the request was about, for clients that print it.
    pub details: Value,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { code, reason, message: message.into(), details: Value::Null }
    }

    /// No such path.
    pub fn no_such_path() -> Refusal {
        Refusal::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// No such object.
    pub fn not_found(resource: &Resource, name: &str) -> Refusal {
        let mut it = Refusal::new(404, "NotFound", format!("{} {name:?} not found", resource.qualified()));
        it.details = about(resource, name);
        it
    }

    /// The name is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Refusal {
        let message = format!("{} {name:?} already exists", resource.qualified());
        let mut it = Refusal::new(409, "AlreadyExists", message);
        it.details = about(resource, name);
        it
    }

    /// The object changed since the client read it.
    pub fn stale(resource: &Resource, name: &str) -> Refusal {
        Refusal::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// Something else stands against the write.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Refusal {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified());
        let mut it = Refusal::new(409, "Conflict", message);
        it.details = about(resource, name);
        it
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "BadRequest", message)
    }

    /// The write is not allowed.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Refusal {
        let message = format!("{} {name:?} is forbidden: {why}", resource.qualified());
        let mut it = Refusal::new(403, "Forbidden", message);
        it.details = about(resource, name);
        it
    }

    /// The verb is not served here.
    pub fn method_not_allowed() -> Refusal {
        Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    /// A body of a type that is not read here.
    pub fn unsupported_media_type(found: &str, allowed: &str) -> Refusal {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {allowed} (found {found:?})"
        );
        Refusal::new(415, "UnsupportedMediaType", message)
    }

    /// The version that a watch or a list is to begin at is forgotten.
    pub fn expired(message: impl Into<String>) -> Refusal {
        Refusal::new(410, "Expired", message)
    }

    /// The object is not valid: pairs of a field and what is wrong with it.
    pub fn invalid(resource: &Resource, name: &str, causes: &[(String, String)]) -> Refusal {
        let each: Vec<String> = causes.iter().map(|(field, why)| format!("{field}: {why}")).collect();
        let text = if each.len() == 1 { each[0].clone() } else { format!("[{}]", each.join(", ")) };
        let kind = if resource.group.is_empty() {
            resource.kind.clone()
        } else {
            format!("{}.{}", resource.kind, resource.group)
        };
        let mut it = Refusal::new(422, "Invalid", format!("{kind} {name:?} is invalid: {text}"));
        let causes: Vec<Value> = causes
            .iter()
            .map(|(field, why)| json!({"reason": "FieldValueInvalid", "message": why, "field": field}))
            .collect();
        it.details = json!({"name": name, "group": resource.group, "kind": resource.kind, "causes": causes});
        it
    }

    /// What validation of the object found.
    pub fn of_errors(resource: &Resource, key: &ObjectKey, errors: &[Error]) -> Refusal {
        let causes: Vec<(String, String)> = errors.iter().map(|error| cause(error, key)).collect();
        Refusal::invalid(resource, &key.name, &causes)
    }

    /// The `Status` object.
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status["code"] = self.code.into();
        status
    }
}

fn about(resource: &Resource, name: &str) -> Value {
    json!({"name": name, "group": resource.group, "kind": resource.plural})
}

/// Field and sentence of an error about an object.
fn cause(error: &Error, key: &ObjectKey) -> (String, String) {
    let text = error.to_string();
    let rest = text.strip_prefix(&format!("{key} ")).unwrap_or(&text);
    match rest.split_once(": ") {
        Some((field, "is required")) => {
            (field.trim_start_matches('.').to_owned(), "Required value".to_owned())
        }
        Some((field, why)) if field.starts_with('.') => {
            (field[1..].to_owned(), format!("Invalid value: {why}"))
        }
        _ => ("metadata".to_owned(), format!("Invalid value: {rest}")),
    }
}
