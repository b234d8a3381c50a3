//! Cases of single functions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{CaseError, read};
use crate::endpoints::legacy::{Repeats, repack, truncate};
use crate::labels::{FieldSelector, Selector, validate_key, validate_value};
use crate::object::{EndpointAddress, EndpointSubset, LabelSelector};

/// One row of selectors, by `kind`: `string`, `labelSelector`, `map`, `field`, `key`, `value`.
///
/// # Errors
/// A row of another form.
pub fn run_selector(row: &Value) -> Result<Value, CaseError> {
    let labels: BTreeMap<String, String> = read::<Option<_>>(row, "labels")?.unwrap_or_default();
    let kind: String = read(row, "kind")?;
    let parsed = match kind.as_str() {
        "string" => Selector::parse(&read::<String>(row, "selector")?),
        "labelSelector" => Selector::from_object(read::<Option<LabelSelector>>(row, "selector")?.as_ref()),
        "map" => {
            match Selector::from_map(read::<Option<BTreeMap<String, String>>>(row, "selector")?.as_ref()) {
                Some(selector) => Ok(selector),
                None => return Ok(json!({"result": "unmanaged"})),
            }
        }
        "field" => return Ok(field(&read::<String>(row, "selector")?, &labels)),
        "key" => return Ok(validity(validate_key(&read::<String>(row, "selector")?))),
        "value" => return Ok(validity(validate_value(&read::<String>(row, "selector")?))),
        _ => return Err(CaseError::new(row, "kind", format!("{kind:?} is not a kind of row"))),
    };
    Ok(match parsed {
        Ok(selector) => matched(selector.matches(&labels), &selector),
        Err(error) => failed(error.code(), &error),
    })
}

fn field(text: &str, fields: &BTreeMap<String, String>) -> Value {
    match FieldSelector::parse(text) {
        Ok(selector) => matched(selector.matches(fields), &selector),
        Err(error) => failed(error.code(), &error),
    }
}

fn matched(matches: bool, selector: &impl ToString) -> Value {
    let result = if matches { "match" } else { "nomatch" };
    json!({"result": result, "canonical": selector.to_string()})
}

fn failed(code: &str, error: &impl ToString) -> Value {
    json!({"result": "error", "code": code, "message": error.to_string()})
}

fn validity(checked: Result<(), &'static str>) -> Value {
    match checked {
        Ok(()) => json!({"result": "valid"}),
        Err(reason) => json!({"result": "invalid", "message": reason}),
    }
}

/// `given`, repacked: a list of subsets.
///
/// # Errors
/// A row of another form.
pub fn run_repack(row: &Value) -> Result<Value, CaseError> {
    let given: Vec<EndpointSubset> = read(row, "given")?;
    serde_json::to_value(repack(&given, Repeats::Keep)).map_err(|error| CaseError::new(row, "given", error))
}

/// `ready` and `notReady`, numbers of addresses by subset, after cutting down to capacity.
///
/// # Errors
/// A row of another form.
pub fn run_truncate(row: &Value) -> Result<Value, CaseError> {
    let (ready, not_ready): (Vec<usize>, Vec<usize>) = (read(row, "ready")?, read(row, "notReady")?);
    let addresses = |count: &usize| vec![EndpointAddress::default(); *count];
    let subset = |(ready, not_ready): (&usize, &usize)| EndpointSubset {
        addresses: addresses(ready),
        not_ready_addresses: addresses(not_ready),
        ports: Vec::new(),
    };
    let mut subsets: Vec<_> = ready.iter().zip(&not_ready).map(subset).collect();
    let truncated = truncate(&mut subsets);
    let ready: Vec<_> = subsets.iter().map(|subset| subset.addresses.len()).collect();
    let not_ready: Vec<_> = subsets.iter().map(|subset| subset.not_ready_addresses.len()).collect();
    Ok(json!({"ready": ready, "notReady": not_ready, "truncated": truncated}))
}
