//! Bytes through a box, as JSON.

use kdp_host::{Exchange, Fate};
use kdp_packet::Family;
use serde_json::{Value, json};

use crate::steps;

/// The form that a packet case has, and every step. `node`: the box's name in events.
pub fn exchange_json(exchange: &Exchange, node: &str) -> Value {
    let outs: Vec<Value> = exchange.outs.iter().map(|(device, bytes)| json!([device, hex(bytes)])).collect();
    let local: Vec<String> = exchange.local.iter().map(|bytes| hex(bytes)).collect();
    let family = if exchange.is_v6 { Family::V6 } else { Family::V4 };
    let told: Vec<Value> =
        exchange.steps.iter().filter_map(|step| steps::event(node, family, step)).collect();
    json!({
        "reason": reason(exchange, node),
        "verdict": exchange.verdict, "outs": outs, "local": local, "ctstate": exchange.ct_states,
        "rules_walked": exchange.rules_walked, "steps": told,
    })
}

/// Why the packet went no further; null where it did.
fn reason(exchange: &Exchange, node: &str) -> Option<String> {
    match &exchange.fate {
        None => Some("no host takes these bytes for a packet".to_owned()),
        Some(Fate::Sent { .. } | Fate::Delivered(_)) => None,
        Some(fate) => Some(steps::stopped(node, fate).1),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}
