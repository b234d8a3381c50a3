//! JSON merge patches.
//!
//! Source: RFC 7386, section 2.

use serde_json::{Map, Value};

/// Puts a merge patch on a value: `null` removes, mappings merge, the rest replaces.
pub(super) fn patch(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let fields = value.as_object_mut().expect("it is a mapping now");
    for (key, new) in patch {
        if new.is_null() {
            fields.shift_remove(&key);
        } else {
            self::patch(fields.entry(key).or_insert(Value::Null), new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_examples_of_the_rfc() {
        // Source: RFC 7386, appendix A.
        for (original, change, expected) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut value = original.clone();
            patch(&mut value, change.clone());
            assert_eq!(value, expected, "{original} {change}");
        }
    }
}
