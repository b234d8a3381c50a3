//! What a request carries: JSON, YAML or protobuf.

use serde_json::Value;

use super::Request;
use super::protobuf;
use super::refusal::Refusal;
use crate::load::{self, Source};

/// The body as a JSON value.
///
/// Without a type it is JSON: some clients send none. Source: Python's `kubernetes` client.
pub(super) fn read(request: &Request<'_>) -> Result<Value, Refusal> {
    let media = request.content_type.split(';').next().unwrap_or_default().trim();
    match media {
        "application/vnd.kubernetes.protobuf" => protobuf::decode(request.body),
        "application/yaml" | "application/apply-patch+yaml" => yaml(request.body),
        "" | "application/json" => json(request.body),
        other if other.ends_with("+json") || other == "*/*" => json(request.body),
        other => Err(Refusal::unsupported_media_type(
            other,
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

fn json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("error decoding: the body is no JSON: {error}")))
}

fn yaml(body: &[u8]) -> Result<Value, Refusal> {
    let source = Source { name: "body", bytes: body };
    load::value(source).map_err(|error| Refusal::bad_request(format!("error decoding YAML: {error}")))
}

/// The fields that are there twice, as far as the first of them.
pub(super) fn duplicate_field(request: &Request<'_>) -> Option<String> {
    let text = std::str::from_utf8(request.body).ok()?;
    load::duplicate_key(text).map(|key| format!("duplicate field {key:?}"))
}
