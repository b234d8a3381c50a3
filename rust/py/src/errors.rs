//! The one place where the core's errors become Python's: by code, through `kdp.errors`.

use pyo3::prelude::*;

/// Every error code that the core can raise, sorted.
#[pyfunction]
pub(crate) fn error_codes() -> Vec<&'static str> {
    let all = [
        kdp_kube::CODES,
        kdp_kube::labels::CODES,
        kdp_packet::capture::CODES,
        kdp_netfilter::CODES,
        kdp_host::CODES,
        kdp_proxy::CODES,
        kdp_cluster::CODES,
        COLUMN_CODES,
    ];
    let mut codes: Vec<&str> = all.into_iter().flatten().copied().collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Codes of errors that are made here: a column that does not have the form that the stub states.
const COLUMN_CODES: &[&str] = &["flows-dtype", "flows-shape", "argument-invalid"];

/// The Python exception for an error of the core.
pub(crate) fn raise(py: Python<'_>, error: &kdp_cluster::Error) -> PyErr {
    by_code(py, error.code(), &error.to_string())
}

/// An argument that is not what it should be.
pub(crate) fn usage(py: Python<'_>, message: &str) -> PyErr {
    by_code(py, "argument-invalid", message)
}

/// The exception for a code.
pub(crate) fn by_code(py: Python<'_>, code: &str, message: &str) -> PyErr {
    let made = py.import("kdp.errors").and_then(|module| module.call_method1("from_code", (code, message)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}
