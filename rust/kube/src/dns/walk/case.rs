//! Runs one row of a resolver's walk, JSON in and JSON out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::net::Special;
use super::{Call, CallFamily, Libc, Network, ResolvConfFile, call};
use crate::dns::server::{CaseError, Upstream};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    libc: Libc,
    resolv_conf: ResolvConfFile,
    #[serde(default)]
    hosts: Vec<String>,
    call: RowCall,
    server: RowServer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowCall {
    name: String,
    family: CallFamily,
    #[serde(default)]
    flags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowServer {
    records: Value,
    #[serde(default)]
    special: BTreeMap<String, Special>,
}

/// Gives the steps and the result of a row, in the form of its `expect`.
pub fn run_resolver(row: &Value) -> Result<Value, CaseError> {
    let row: Row = serde_json::from_value(row.clone()).map_err(|e| CaseError::new("row", e))?;
    let records = Upstream::read(&row.server.records)?;
    let mut network = Network::new(records, row.server.special);
    let flag = |name: &str| row.call.flags.iter().any(|it| it == name);
    let unknown = |it: &&String| !matches!(it.as_str(), "canonname" | "addrconfig" | "v4mapped");
    if let Some(flag) = row.call.flags.iter().find(unknown) {
        return Err(CaseError::new("call.flags", format!("{flag} is not modelled")));
    }
    let asked = Call {
        name: row.call.name,
        family: row.call.family,
        canonical: flag("canonname"),
        addrconfig: flag("addrconfig"),
        v4mapped: flag("v4mapped"),
    };
    let result = match call(row.libc, &row.resolv_conf, &row.hosts, &asked, &mut network) {
        Err(error) => json!({"error": error.name(), "addresses": []}),
        Ok(found) => {
            let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
            let mut result = json!({"error": null, "addresses": addresses});
            if asked.canonical {
                result["canonical"] = json!(found.canonical);
            }
            result
        }
    };
    Ok(json!({"steps": network.into_steps(), "result": result}))
}
