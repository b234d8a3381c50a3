//! DNS cases: a server's messages, and the questions of a C library's resolver.

use kdp_kube::dns::{server, walk};
use serde_json::Value;

use crate::Error;

/// Gives a server's answer to each question of a case.
pub fn run_dns(case: &Value) -> Result<Value, Error> {
    server::run_dns(case).map_err(|e| Error::Case { kind: "run_dns".to_owned(), why: e.to_string() })
}

/// Gives what a resolver asks for a name, and what it finds.
pub fn run_resolver(row: &Value) -> Result<Value, Error> {
    walk::run_resolver(row).map_err(|e| Error::Case { kind: "run_resolver".to_owned(), why: e.to_string() })
}
