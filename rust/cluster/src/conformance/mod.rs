//! Runs one case of a kind, JSON in and JSON out: what `kdp.conformance` and `kdp test` stand on.

mod dns;
mod flows;
mod tcp;

use kdp_proxy::conformance::NodeRules;
use serde_json::{Value, json};

use crate::Error;

pub use dns::{run_dns, run_resolver};
pub use flows::run_flows;
pub use tcp::run_tcp_sequences;

/// Every kind that [`run`] knows.
pub const KINDS: &[&str] = &[
    "run_selector",
    "run_slices",
    "run_endpoints",
    "run_churn",
    "list_churn",
    "run_repack",
    "run_truncate",
    "render_rules",
    "render_rules_after",
    "run_flows",
    "run_tcp_sequences",
    "run_dns",
    "run_resolver",
];

/// Runs a case by the name of its function in `kdp.conformance`.
pub fn run(kind: &str, case: &Value) -> Result<Value, Error> {
    use kdp_kube::endpoints::conformance as kube;
    let wrong = |why: String| Error::Case { kind: kind.to_owned(), why };
    match kind {
        "run_selector" => kube::run_selector(case).map_err(|e| wrong(e.to_string())),
        "run_slices" => kube::run_slices(case).map_err(|e| wrong(e.to_string())),
        "run_endpoints" => kube::run_endpoints(case).map_err(|e| wrong(e.to_string())),
        "run_churn" | "list_churn" => {
            let lines = case.as_array().map_or(&[][..], |lines| lines);
            let run = if kind == "run_churn" { kube::run_churn } else { kube::list_churn };
            run(lines).map_err(|e| wrong(e.to_string()))
        }
        "run_repack" => kube::run_repack(case).map_err(|e| wrong(e.to_string())),
        "run_truncate" => kube::run_truncate(case).map_err(|e| wrong(e.to_string())),
        "render_rules" => {
            let rules = NodeRules::new(objects(case, "objects"), &case["proxy"])?;
            Ok(rules.texts())
        }
        "render_rules_after" => {
            let mut rules = NodeRules::new(objects(case, "objects"), &case["proxy"])?;
            let first = rules.texts();
            rules.change(objects(case, "objects_after"))?;
            Ok(json!([first, rules.texts()]))
        }
        "run_flows" => run_flows(case),
        "run_tcp_sequences" => run_tcp_sequences(case),
        "run_dns" => run_dns(case),
        "run_resolver" => run_resolver(case),
        _ => Err(wrong(format!("there is no such function; there are {}", KINDS.join(", ")))),
    }
}

fn objects<'a>(case: &'a Value, key: &str) -> &'a [Value] {
    case[key].as_array().map_or(&[], |objects| objects)
}
