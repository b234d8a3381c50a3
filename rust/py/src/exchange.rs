//! Bytes through a box, as JSON.

use kdp_host::Exchange;
use serde_json::{Value, json};

/// The form that a packet case has.
pub(crate) fn to_json(exchange: &Exchange) -> Value {
    let outs: Vec<Value> = exchange.outs.iter().map(|(device, bytes)| json!([device, hex(bytes)])).collect();
    let local: Vec<String> = exchange.local.iter().map(|bytes| hex(bytes)).collect();
    json!({
        "verdict": exchange.verdict, "outs": outs, "local": local, "ctstate": exchange.ct_states,
        "rules_walked": exchange.rules_walked,
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}
