//! How far labels are from a selector: the requirements that do not hold, and what stands there instead.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use kdp_kube::labels::{Operator, Requirement, Selector};
use kdp_kube::nearest::distance;
use serde_json::{Value, json};

use super::NEAREST_MAX;

/// The labels of an object.
pub(super) type LabelMap = BTreeMap<String, String>;

/// The requirements of a selector that these labels do not satisfy.
pub(super) fn unmet<'s>(selector: &'s Selector, labels: &LabelMap) -> Vec<&'s Requirement> {
    let value = |key: &str| labels.get(key).map(String::as_str);
    selector.requirements().iter().filter(|r| !r.accepts(value(r.key()))).collect()
}

/// The nearest of the objects, best first, each with its distance; ties in the given order.
///
/// Every requirement that holds outweighs any likeness of values; then a value that is misspelt is nearer than another
/// word, and another word nearer than no such label.
pub(super) fn nearest_by<'o, T>(
    selector: &Selector,
    objects: impl Iterator<Item = &'o T>,
    labels: impl Fn(&T) -> &LabelMap,
) -> Vec<&'o T> {
    let mut ranked: Vec<(Reverse<usize>, usize, &T)> = Vec::new();
    for object in objects {
        let unmet = unmet(selector, labels(object));
        let holds = selector.requirements().len() - unmet.len();
        let far = unmet.iter().map(|requirement| remoteness(requirement, labels(object))).sum();
        let at = ranked.partition_point(|(h, f, _)| (*h, *f) <= (Reverse(holds), far));
        if at < NEAREST_MAX {
            ranked.insert(at, (Reverse(holds), far, object));
            ranked.truncate(NEAREST_MAX);
        }
    }
    ranked.into_iter().map(|(_, _, object)| object).collect()
}

/// In parts of a hundred: 0 to 100 for another value, up to 100 more for a key that is misspelt, 200 for none.
fn remoteness(requirement: &Requirement, labels: &LabelMap) -> usize {
    let value = |found: &str| requirement.values().map(|wanted| share(wanted, found)).min().unwrap_or(100);
    if let Some(found) = labels.get(requirement.key()) {
        return value(found);
    }
    let slips = slip(requirement, labels).map(|(key, found)| share(requirement.key(), key) + value(found));
    slips.unwrap_or(200).min(200)
}

/// Edits in a hundred letters.
fn share(wanted: &str, found: &str) -> usize {
    100 * distance(wanted, found) / wanted.len().max(found.len()).max(1)
}

/// Whether a key is another one with a slip of the pen: a third of its letters at most.
pub(super) fn is_slip(wanted: &str, key: &str) -> bool {
    wanted != key && wanted.len().abs_diff(key.len()) <= 3 && share(wanted, key) <= 33
}

/// The label whose key is the likest to one that is missing, if it has a value that is asked for.
fn slip<'l>(requirement: &Requirement, labels: &'l LabelMap) -> Option<(&'l str, &'l str)> {
    let asked = |value: &str| requirement.values().any(|wanted| wanted == value);
    let near = labels.iter().filter(|(key, value)| is_slip(requirement.key(), key) && asked(value));
    let nearest = near.min_by_key(|(key, _)| distance(requirement.key(), key))?;
    Some((nearest.0, nearest.1))
}

/// One requirement that does not hold, as JSON. `path` is where it stands in its object.
pub(super) fn as_json(requirement: &Requirement, labels: &LabelMap, path: &str) -> Value {
    let values: Vec<&str> = requirement.values().collect();
    json!({
        "key": requirement.key(),
        "operator": operator_word(requirement.operator()),
        "values": values,
        "wanted": values.first(),
        "found": labels.get(requirement.key()),
        "slip": slip(requirement, labels).filter(|_| !labels.contains_key(requirement.key())).map(|(key, _)| key),
        "path": path,
    })
}

/// The operator as a `LabelSelector` writes it.
pub(super) fn operator_word(operator: Operator) -> &'static str {
    match operator {
        Operator::Equals | Operator::DoubleEquals | Operator::In => "In",
        Operator::NotEquals | Operator::NotIn => "NotIn",
        Operator::Exists => "Exists",
        Operator::DoesNotExist => "DoesNotExist",
        Operator::GreaterThan => "Gt",
        Operator::LessThan => "Lt",
    }
}
