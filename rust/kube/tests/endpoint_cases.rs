//! Cases whose outcomes the published controllers gave: selectors, slices, Endpoints, churn.

use std::collections::BTreeMap;
use std::path::Path;

use kdp_kube::endpoints::conformance::{
    run_churn, run_endpoints, run_repack, run_selector, run_slices, run_truncate,
};
use serde_json::{Value, json};

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/endpoints").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn name(case: &Value) -> &str {
    case["name"].as_str().or_else(|| case["id"].as_str()).unwrap()
}

#[test]
fn selectors() {
    let rows = cases("selectors.jsonl");
    assert!(rows.len() > 100);
    for row in rows {
        let got = run_selector(&row).unwrap();
        assert_eq!(got["result"], row["expect"], "{row}");
        assert!(row["canonical"].is_null() || row["canonical"] == got["canonical"], "{row}: {got}");
    }
}

#[test]
fn repacked_subsets() {
    for row in cases("repack.jsonl") {
        assert_eq!(subsets(&run_repack(&row).unwrap()), subsets(&row["expect"]), "{}", name(&row));
    }
}

#[test]
fn truncated_subsets() {
    for row in cases("truncate.jsonl") {
        let expect = json!({"ready": row["expectReady"], "notReady": row["expectNotReady"], "truncated": row["truncated"]});
        assert_eq!(run_truncate(&row).unwrap(), expect, "{}", name(&row));
    }
}

#[test]
fn endpoints() {
    for case in cases("endpoints.jsonl") {
        let got = run_endpoints(&case).unwrap();
        common(&case, &got);
        let object = |o: &Value| {
            let meta = &o["metadata"];
            json!([
                meta["name"],
                filled(&meta["labels"]),
                filled(&meta["annotations"]),
                subsets(&o["subsets"])
            ])
        };
        let expected = |o: &Value| json!([o["name"], o["labels"], o["annotations"], subsets(&o["subsets"])]);
        let have = sorted(&got["objects"], object);
        assert_eq!(have, sorted(&case["expect"]["endpoints"], expected), "{}", name(&case));
    }
}

#[test]
fn slices() {
    for case in cases("slices.jsonl") {
        let got = run_slices(&case).unwrap();
        common(&case, &got);
        let (expect, what) = (&case["expect"], name(&case));
        assert_eq!(list(&got["objects"]).len(), expect["slicesAfter"], "{what}");
        for field in ["events", "garbageCollected"] {
            assert_eq!(
                sorted(&got[field], Value::clone),
                sorted(&expect[field], Value::clone),
                "{what} {field}"
            );
        }
        let objects = list(&got["objects"]);
        for want in list(&expect["slices"]) {
            let found = objects.iter().any(|object| is_slice(want, object, &got));
            assert!(found, "{what}: none of\n{}\nis {want}", got["objects"]);
        }
    }
}

#[test]
fn churn() {
    let lines = cases("churn.jsonl");
    let got = run_churn(&lines[1..]).unwrap();
    for row in list(&lines[0]) {
        let run = &got[row["controller"].as_str().unwrap()];
        assert_eq!(run["podEvents"], row["podEvents"]);
        for (field, op) in [("creates", "create"), ("updates", "update"), ("deletes", "delete")] {
            let total: u64 = list(&run["steps"]).iter().map(|step| step[op].as_u64().unwrap()).sum();
            let bounds = row[field][0].as_u64().unwrap()..=row[field][1].as_u64().unwrap();
            assert!(bounds.contains(&total), "{field} {total} not in {bounds:?}");
        }
    }
}

fn common(case: &Value, got: &Value) {
    let (expect, what) = (&case["expect"], name(case));
    for op in ["create", "update", "delete"] {
        let count = list(&got["writes"]).iter().filter(|write| write["op"] == op).count();
        assert_eq!(json!(count), expect["writes"][op], "{what}: {op}s of {}", got["writes"]);
    }
    assert_eq!(got["syncErrors"], expect["syncErrors"], "{what}");
    if !expect["enqueued"].is_null() {
        assert_eq!(got["enqueued"], expect["enqueued"], "{what}");
    }
}

/// Whether an object is the slice that was expected, as far as the case says.
fn is_slice(want: &Value, object: &Value, got: &Value) -> bool {
    let meta = &object["metadata"];
    let write = list(&got["writes"]).iter().rev().find(|write| write["name"] == meta["name"]);
    let op = write.map_or("none", |write| write["op"].as_str().unwrap());
    let stated = |field: &str| want[field] != "unspecified";
    let trigger = &meta["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"];
    let size = list(&object["endpoints"]).len();
    (want["name"].is_null() || want["name"] == meta["name"])
        && (!stated("write") || want["write"] == op)
        && want["addressType"] == object["addressType"]
        && want["labels"] == filled(&meta["labels"])
        && sorted(&want["ports"], Value::clone) == sorted(&object["ports"], port)
        && (op == "none" || want.get("triggerTime").is_none_or(|time| time == trigger))
        && (!stated("numEndpoints") || want["numEndpoints"] == size)
        && (!stated("membership")
            || sorted(&want["endpoints"], Value::clone) == sorted(&object["endpoints"], Value::clone))
}

fn port(port: &Value) -> Value {
    let mut port = port.clone();
    if port["name"] == "" {
        port.as_object_mut().unwrap().remove("name");
    }
    port
}

/// Subsets and ports as sets, addresses in order.
fn subsets(value: &Value) -> Vec<String> {
    let address = |a: &Value| {
        let target = &a["targetRef"];
        let target: Vec<_> =
            ["kind", "namespace", "name", "uid"].iter().map(|field| &target[field]).collect();
        json!([a["ip"], a["nodeName"].as_str().unwrap_or(""), a["hostname"], target])
    };
    let addresses = |list_of: &Value| list(list_of).iter().map(address).collect::<Vec<_>>();
    let subset = |s: &Value| {
        json!([sorted(&s["ports"], port), addresses(&s["addresses"]), addresses(&s["notReadyAddresses"])])
    };
    sorted(value, subset)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn filled(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}

/// The elements as texts with sorted keys, sorted.
fn sorted(value: &Value, form: impl Fn(&Value) -> Value) -> Vec<String> {
    let mut texts: Vec<_> = list(value).iter().map(|v| text(&form(v))).collect();
    texts.sort_unstable();
    texts
}

fn text(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(key, value)| (key, text(value))).collect();
            format!("{fields:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(text).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}
