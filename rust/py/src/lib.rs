//! The extension module `kdp._core`: converts, releases the GIL, calls once, wraps.

#![allow(clippy::needless_pass_by_value, reason = "PyO3 hands arguments over by value")]

mod capture;
mod cluster;
mod columns;
mod errors;
mod guarded;
mod host;
mod interrupt;
mod packet_columns;
mod served;

use pyo3::prelude::*;

/// What decides and counts. Private to the package `kdp`.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::capture::{read_capture, write_capture};
    #[pymodule_export]
    use super::cluster::Cluster;
    #[pymodule_export]
    use super::conformance;
    #[pymodule_export]
    use super::errors::error_codes;
    #[pymodule_export]
    use super::host::Host;
    #[pymodule_export]
    use super::releases;
    #[pymodule_export]
    use super::rules_support;
    #[pymodule_export]
    use super::served::Api;
    #[pymodule_export]
    use super::yaml_documents;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// The Kubernetes releases that have a profile, oldest first.
#[pyfunction]
fn releases() -> Vec<String> {
    use kdp_proxy::Profile;
    (Profile::FIRST..=Profile::LAST).map(|minor| format!("1.{minor}")).collect()
}

/// The documents of a YAML text, as JSON texts.
#[pyfunction]
fn yaml_documents(py: Python<'_>, name: &str, text: &[u8]) -> PyResult<Vec<String>> {
    let documents = py.detach(|| kdp_kube::load::documents(kdp_kube::load::Source { name, bytes: text }));
    documents.map_err(|error| errors::raise(py, &error.into()))
}

/// Runs one case: JSON in, JSON out.
#[pyfunction]
fn conformance(py: Python<'_>, kind: &str, text: &str) -> PyResult<String> {
    let case =
        serde_json::from_str(text).map_err(|e| errors::usage(py, &format!("the case is no JSON: {e}")))?;
    let result = py.detach(|| kdp_cluster::conformance::run(kind, &case));
    result.map(|value| value.to_string()).map_err(|e| errors::raise(py, &e))
}

/// What of a text of rules is not modelled, or wrong.
#[pyfunction]
fn rules_support(py: Python<'_>, kind: &str, text: &str, name: &str) -> PyResult<String> {
    use kdp_netfilter::text::{Finding, Kind, support};
    let kind = match kind {
        "auto" => Kind::guess(text),
        word => {
            Kind::of(word).ok_or_else(|| errors::usage(py, &format!("kind {word:?} of rules is unknown")))?
        }
    };
    let findings = py.detach(|| support(kind, text, name));
    let told = |Finding { line, text, error }: Finding| serde_json::json!({"line": line, "text": text, "code": error.code(), "message": error.to_string()});
    let findings: Vec<serde_json::Value> = findings.into_iter().map(told).collect();
    Ok(serde_json::json!({"kind": kind.as_str(), "findings": findings}).to_string())
}
