//! Bytes through a box, as JSON.

use kdp_host::{DropReason, Exchange, Fate, Step};
use kdp_netfilter::vm::What;
use kdp_netfilter::{Policy, nft};
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
        Some(Fate::Dropped(DropReason::Rule)) if by_policy(&exchange.steps) => {
            Some(DropReason::Policy.as_str().to_owned())
        }
        Some(fate) => Some(steps::stopped(node, fate).1),
    }
}

/// Whether the last that happened in the rules was that the policy of a chain dropped the packet.
fn by_policy(steps: &[Step]) -> bool {
    let last = steps.iter().rev().find_map(|step| match step {
        Step::Rules(event) => Some(matches!(event.what, What::Policy(Policy::Drop))),
        Step::Nft(event) => Some(matches!(event.what, nft::What::Policy(Policy::Drop))),
        Step::Note(_) => None,
    });
    last.unwrap_or(false)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}
