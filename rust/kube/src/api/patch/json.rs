//! JSON patches.
//!
//! Source: RFC 6902, and RFC 6901 for pointers.

use serde_json::Value;

use crate::api::refusal::Refusal;

/// Operations of one patch. Source: apiserver `pkg/endpoints/handlers/patch.go`, `maxJSONPatchOperations`.
const MOST: usize = 10_000;

/// Puts a patch on a value; on an error the value is of no use.
pub(super) fn patch(value: &mut Value, patch: &Value) -> Result<(), Refusal> {
    let steps =
        patch.as_array().ok_or_else(|| Refusal::bad_request("a JSON patch is a list of operations"))?;
    if steps.len() > MOST {
        return Err(Refusal {
            code: 413,
            reason: "RequestEntityTooLarge",
            message: format!("The allowed maximum operations in a JSON patch is {MOST}, got {}", steps.len()),
            details: Value::Null,
        });
    }
    steps.iter().try_for_each(|step| one(value, step))
}

fn one(value: &mut Value, step: &Value) -> Result<(), Refusal> {
    let text = |key: &str| {
        step.get(key).and_then(Value::as_str).ok_or_else(|| refused(step, &format!("has no {key}")))
    };
    let given = || step.get("value").cloned().ok_or_else(|| refused(step, "has no value"));
    let path = pointer(text("path")?);
    match text("op")? {
        "add" => add(value, &path, given()?, step),
        "remove" => remove(value, &path, step).map(|_| ()),
        "replace" => {
            let place = find_mut(value, &path).ok_or_else(|| refused(step, "names nothing"))?;
            *place = given()?;
            Ok(())
        }
        "move" => {
            let moved = remove(value, &pointer(text("from")?), step)?;
            add(value, &path, moved, step)
        }
        "copy" => {
            let copied = find_mut(value, &pointer(text("from")?))
                .ok_or_else(|| refused(step, "copies nothing"))?
                .clone();
            add(value, &path, copied, step)
        }
        "test" => {
            let expected = given()?;
            let found = find_mut(value, &path).map_or(Value::Null, |found| found.clone());
            if found == expected { Ok(()) } else { Err(refused(step, "does not hold")) }
        }
        _ => Err(Refusal::bad_request(format!("unknown operation of a JSON patch: {step}"))),
    }
}

/// Source: apiserver: an operation that cannot be done is 422.
fn refused(step: &Value, why: &str) -> Refusal {
    Refusal {
        code: 422,
        reason: "Invalid",
        message: format!("the server rejected our request due to an error in our request: {step} {why}"),
        details: Value::Null,
    }
}

fn pointer(text: &str) -> Vec<String> {
    text.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

fn find_mut<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Object(fields) => fields.get_mut(part),
        Value::Array(items) => items.get_mut(index(part)?),
        _ => None,
    })
}

/// A number without leading zeros.
fn index(part: &str) -> Option<usize> {
    (part == "0" || !part.starts_with(['0', '+'])).then(|| part.parse().ok())?
}

fn add(value: &mut Value, path: &[String], new: Value, step: &Value) -> Result<(), Refusal> {
    let Some((last, parent)) = path.split_last() else {
        *value = new;
        return Ok(());
    };
    match find_mut(value, parent).ok_or_else(|| refused(step, "has no place to add to"))? {
        Value::Object(fields) => _ = fields.insert(last.clone(), new),
        Value::Array(items) => {
            let at =
                if last == "-" { Some(items.len()) } else { index(last).filter(|at| *at <= items.len()) };
            items.insert(at.ok_or_else(|| refused(step, "is beyond the list"))?, new);
        }
        _ => return Err(refused(step, "adds to a scalar")),
    }
    Ok(())
}

fn remove(value: &mut Value, path: &[String], step: &Value) -> Result<Value, Refusal> {
    let nothing = || refused(step, "removes nothing");
    let (last, parent) = path.split_last().ok_or_else(nothing)?;
    match find_mut(value, parent).ok_or_else(nothing)? {
        Value::Object(fields) => fields.shift_remove(last).ok_or_else(nothing),
        Value::Array(items) => match index(last).filter(|at| *at < items.len()) {
            Some(at) => Ok(items.remove(at)),
            None => Err(nothing()),
        },
        _ => Err(nothing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_operation() {
        // Source: RFC 6902, appendix A.
        for (original, change, expected) in [
            (
                json!({"foo":"bar"}),
                json!([{"op":"add","path":"/baz","value":"qux"}]),
                json!({"foo":"bar","baz":"qux"}),
            ),
            (
                json!({"foo":["bar","baz"]}),
                json!([{"op":"add","path":"/foo/1","value":"qux"}]),
                json!({"foo":["bar","qux","baz"]}),
            ),
            (
                json!({"foo":["bar","qux","baz"]}),
                json!([{"op":"remove","path":"/foo/1"}]),
                json!({"foo":["bar","baz"]}),
            ),
            (
                json!({"baz":"qux"}),
                json!([{"op":"replace","path":"/baz","value":"boo"}]),
                json!({"baz":"boo"}),
            ),
            (
                json!({"a":{"b":1},"c":{}}),
                json!([{"op":"move","from":"/a/b","path":"/c/d"}]),
                json!({"a":{},"c":{"d":1}}),
            ),
            (json!({"a":[1]}), json!([{"op":"copy","from":"/a/0","path":"/a/-"}]), json!({"a":[1,1]})),
            (
                json!({"a/b":{"~":1}}),
                json!([{"op":"test","path":"/a~1b/~0","value":1}]),
                json!({"a/b":{"~":1}}),
            ),
        ] {
            let mut value = original.clone();
            patch(&mut value, &change).unwrap();
            assert_eq!(value, expected, "{original} {change}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for change in [
            json!([{"op":"test","path":"/a","value":2}]),
            json!([{"op":"remove","path":"/b"}]),
            json!([{"op":"replace","path":"/b","value":1}]),
            json!([{"op":"add","path":"/l/7","value":1}]),
            json!([{"op":"add","path":"/l/01","value":1}]),
            json!([{"op":"add","path":"/a"}]),
        ] {
            assert_eq!(patch(&mut json!({"a":1,"l":[1]}), &change).unwrap_err().code, 422, "{change}");
        }
        assert_eq!(patch(&mut json!({}), &json!({})).unwrap_err().code, 400);
    }
}
