//! Selectors that come as objects.
//!
//! Source: apimachinery `meta/v1` `LabelSelectorAsSelector` (2026-07); Kubernetes API, `Service.spec.selector`.

use std::collections::BTreeMap;

use super::error::Error;
use super::selector::{Operator, Requirement, Selector};
use super::syntax::{validate_key, validate_value};
use crate::object::{LabelRequirement, LabelSelector};

impl Selector {
    /// The selector that a `LabelSelector` object means: an absent one selects nothing, an empty one everything.
    ///
    /// # Errors
    /// `selector-operator`, `selector-values`, `label-key-invalid`, `label-value-invalid`.
    pub fn from_object(object: Option<&LabelSelector>) -> Result<Selector, Error> {
        let Some(object) = object else { return Ok(Selector::Nothing) };
        let mut requirements = Vec::new();
        for (key, value) in object.match_labels.iter().flatten() {
            let field = format!("matchLabels[{key}]");
            requirements.push(checked(&field, key, Operator::Equals, std::slice::from_ref(value))?);
        }
        for (i, expression) in object.match_expressions.iter().flatten().enumerate() {
            requirements.push(expressed(&format!("matchExpressions[{i}]"), expression)?);
        }
        Ok(Selector::all_of(requirements))
    }

    /// The selector that a Service's map means. `None` for an absent map: no controller manages its endpoints.
    /// An empty map selects every Pod of the namespace. Keys and values are taken as they are.
    pub fn from_map(map: Option<&BTreeMap<String, String>>) -> Option<Selector> {
        let equal = |(key, value): (&String, &String)| {
            Requirement::new(key, Operator::Equals, vec![value.as_str().into()])
        };
        Some(Selector::AllOf(map?.iter().map(equal).collect()))
    }
}

fn expressed(field: &str, expression: &LabelRequirement) -> Result<Requirement, Error> {
    let (operator, name, takes_values) = match expression.operator.as_str() {
        "In" => (Operator::In, "In", true),
        "NotIn" => (Operator::NotIn, "NotIn", true),
        "Exists" => (Operator::Exists, "Exists", false),
        "DoesNotExist" => (Operator::DoesNotExist, "DoesNotExist", false),
        found => return Err(Error::Operator { field: field.to_owned(), found: found.to_owned() }),
    };
    let found = expression.values.len();
    if takes_values == (found == 0) {
        let allowed = if takes_values { "at least one" } else { "none" };
        return Err(Error::Values { field: field.to_owned(), operator: name, found, allowed });
    }
    checked(field, &expression.key, operator, &expression.values)
}

fn checked(field: &str, key: &str, operator: Operator, values: &[String]) -> Result<Requirement, Error> {
    validate_key(key).map_err(|reason| Error::Key {
        text: field.to_owned(),
        at: 0,
        key: key.to_owned(),
        reason,
    })?;
    for value in values {
        validate_value(value).map_err(|reason| Error::Value {
            text: field.to_owned(),
            at: 0,
            value: value.clone(),
            reason,
        })?;
    }
    Ok(Requirement::new(key, operator, values.iter().map(|value| value.as_str().into()).collect()))
}
