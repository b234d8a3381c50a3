//! Patches, in the four forms that the API takes.

mod apply;
mod fields;
mod json;
mod managed;
mod merge;
mod strategic;

use serde_json::Value;

pub(in crate::api) use apply::{Applied, apply};
pub(in crate::api) use managed::{Manager, follow};

use super::refusal::Refusal;
use super::resource::Resource;
use super::schema::Schema;

/// The forms of a patch, by their media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Form {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own: lists merge by keys.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl Form {
    /// The form of a media type, as far as the resource takes it.
    pub(in crate::api) fn of(content_type: &str, resource: &Resource) -> Result<Form, Refusal> {
        let all = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        let form = match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Form::Json,
            "application/merge-patch+json" => Form::Merge,
            "application/strategic-merge-patch+json" if resource.built_in => Form::Strategic,
            "application/apply-patch+yaml" => Form::Apply,
            other if resource.built_in => {
                let all = format!("{all}, application/strategic-merge-patch+json");
                return Err(Refusal::unsupported_media_type(other, &all));
            }
            other => return Err(Refusal::unsupported_media_type(other, all)),
        };
        Ok(form)
    }
}

/// An object with a patch of one of the first three forms put on it.
pub(in crate::api) fn patched(
    form: Form,
    current: &Value,
    patch: Value,
    schema: Schema<'_>,
) -> Result<Value, Refusal> {
    let mut value = current.clone();
    match form {
        Form::Json => json::patch(&mut value, &patch)?,
        Form::Merge => merge::patch(&mut value, patch),
        Form::Strategic => strategic::patch(&mut value, patch, schema)?,
        Form::Apply => unreachable!("an apply has a manager and goes its own way"),
    }
    Ok(value)
}
