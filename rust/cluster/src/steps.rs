//! A walk's steps as JSON: the events of a trace.

use kdp_host::{AnswerReason, Fate, Note, Step};
use kdp_netfilter::vm::{Event, Outcome, Verdict, What};
use kdp_netfilter::{CtState, NatRange, Policy, RejectWith, nft, text};
use kdp_packet::{Family, Headers, Proto, Tuple};
use serde_json::{Value, json};

/// A step as an event. `None` for one that says nothing to a reader: entering and leaving chains.
pub(crate) fn event(node: &str, family: Family, step: &Step) -> Option<Value> {
    let mut value = match step {
        Step::Rules(event) => rule_event(family, event)?,
        Step::Nft(event) => nft_event(event)?,
        Step::Note(note) => note_event(note)?,
    };
    value["node"] = node.into();
    Some(value)
}

fn rule_event(family: Family, event: &Event) -> Option<Value> {
    let (table, chain) = (event.table.as_str(), event.chain.as_str());
    match event.what {
        What::Enter | What::End => None,
        What::Policy(policy) => {
            let policy = if policy == Policy::Accept { "accept" } else { "drop" };
            Some(json!({"kind": "policy", "table": table, "chain": chain, "policy": policy}))
        }
        What::Rule { number, outcome } => {
            let rule = event.rule.as_ref().expect("a rule event has its rule");
            Some(json!({
                "kind": "rule", "table": table, "chain": chain, "number": number,
                "rule": text::print_rule(family, chain, rule),
                "outcome": outcome_text(outcome, &rule.target),
            }))
        }
    }
}

fn nft_event(event: &nft::Event) -> Option<Value> {
    let (table, chain) = (event.table.to_string(), event.chain.as_str());
    match &event.what {
        nft::What::Enter | nft::What::End => None,
        nft::What::Policy(policy) => {
            let policy = if *policy == Policy::Accept { "accept" } else { "drop" };
            Some(json!({"kind": "policy", "table": table, "chain": chain, "policy": policy}))
        }
        nft::What::Rule { number, text, outcome } => Some(json!({
            "kind": "rule", "table": table, "chain": chain, "number": number,
            "rule": text, "outcome": nft_outcome_text(outcome),
        })),
    }
}

fn nft_outcome_text(outcome: &nft::Outcome) -> String {
    match outcome {
        nft::Outcome::Continue => "continue".to_owned(),
        nft::Outcome::Mark(to) => format!("mark {to:#x}"),
        nft::Outcome::Lead(verdict) => verdict.to_string(),
        nft::Outcome::Verdict(verdict) => verdict_text(*verdict),
    }
}

fn outcome_text(outcome: Outcome, target: &kdp_netfilter::Target) -> String {
    use kdp_netfilter::Target;
    match (outcome, target) {
        (Outcome::Continue, _) => "continue".to_owned(),
        (Outcome::Mark { to, .. }, _) => format!("mark {to:#x}"),
        (Outcome::Notrack, _) => "notrack".to_owned(),
        (Outcome::Jump, Target::Jump(chain)) => format!("jump {chain}"),
        (Outcome::Goto, Target::Goto(chain)) => format!("goto {chain}"),
        (Outcome::Jump | Outcome::Goto, _) => unreachable!("only a jump jumps"),
        (Outcome::Return, _) => "return".to_owned(),
        (Outcome::Verdict(verdict), _) => verdict_text(verdict),
    }
}

fn verdict_text(verdict: Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Queue { .. } => "queue".to_owned(),
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::Reject(with) => format!("reject with {}", reject_text(with)),
        Verdict::Dnat(range) => format!("dnat to {}", range_text(&range)),
        Verdict::Snat(range) => format!("snat to {}", range_text(&range)),
        Verdict::Masquerade(_) => "masquerade".to_owned(),
        Verdict::Redirect(_) => "redirect".to_owned(),
    }
}

fn reject_text(with: RejectWith) -> String {
    match with {
        RejectWith::TcpReset => "tcp-reset".to_owned(),
        RejectWith::Unreachable(code) => format!("icmp unreachable, code {code}"),
    }
}

fn range_text(range: &NatRange) -> String {
    let addr = range.addrs.map(
        |(first, last)| {
            if first == last { bracketed(first) } else { format!("{first}-{last}") }
        },
    );
    let port = range.ports.map(|ports| {
        if ports.first == ports.last {
            ports.first.to_string()
        } else {
            format!("{}-{}", ports.first, ports.last)
        }
    });
    match (addr, port) {
        (Some(addr), Some(port)) => format!("{addr}:{port}"),
        (Some(addr), None) => addr,
        (None, Some(port)) => format!(":{port}"),
        (None, None) => String::new(),
    }
}

fn bracketed(addr: std::net::IpAddr) -> String {
    if addr.is_ipv6() { format!("[{addr}]") } else { addr.to_string() }
}

fn note_event(note: &Note) -> Option<Value> {
    Some(match note {
        Note::Hook(hook) => json!({"kind": "hook", "hook": hook.as_str()}),
        Note::Tracked { state, original, .. } => {
            let original = original.as_ref().map(tuple);
            json!({"kind": "conntrack", "state": state_text(*state), "original": original})
        }
        Note::Translated { from, to } => json!({"kind": "nat", "text": translation_text(from, to)}),
        Note::Routed { device, via } => {
            let via = via.map_or(String::new(), |via| format!(" via {via}"));
            json!({"kind": "route", "text": format!("leaves by {device}{via}")})
        }
        Note::Passed { .. } => return None,
        Note::Local => json!({"kind": "deliver", "text": "is for this node itself"}),
        Note::Confirmed => json!({"kind": "conntrack", "state": "CONFIRMED", "original": null}),
    })
}

fn state_text(state: CtState) -> &'static str {
    CtState::ALL.iter().find(|(each, _)| *each == state).map_or("?", |(_, name)| name)
}

fn translation_text(from: &Tuple, to: &Tuple) -> String {
    let end = |addr: std::net::IpAddr, port: u16| format!("{}:{port}", bracketed(addr));
    let mut parts = Vec::new();
    if (from.src, from.sport) != (to.src, to.sport) {
        parts.push(format!("source {} -> {}", end(from.src, from.sport), end(to.src, to.sport)));
    }
    if (from.dst, from.dport) != (to.dst, to.dport) {
        parts.push(format!("destination {} -> {}", end(from.dst, from.dport), end(to.dst, to.dport)));
    }
    parts.join(", ")
}

/// Both ends of a packet.
pub(crate) fn tuple(tuple: &Tuple) -> Value {
    json!({
        "src": tuple.src.to_string(), "sport": tuple.sport,
        "dst": tuple.dst.to_string(), "dport": tuple.dport,
    })
}

/// Both ends of a packet on its way.
pub(crate) fn ends(headers: &Headers) -> Value {
    tuple(&headers.tuple(0))
}

/// How a node ended a packet: verdict, reason, and the event that says so.
pub(crate) fn stopped(node: &str, fate: &Fate) -> (&'static str, String, Value) {
    match fate {
        Fate::Sent { .. } | Fate::Delivered(_) => unreachable!("a packet that goes on was not stopped"),
        Fate::Dropped(reason) => {
            let text = reason.as_str().to_owned();
            ("dropped", text.clone(), json!({"kind": "drop", "text": text, "node": node}))
        }
        Fate::Queued(_) => {
            let text = "a rule hands it to a process, which has not decided".to_owned();
            ("dropped", text.clone(), json!({"kind": "drop", "text": text, "node": node}))
        }
        Fate::Unknown { because } => {
            let text = format!("unknown, because `{because}` asks for what is not known here");
            ("unknown", text.clone(), json!({"kind": "unknown", "text": text, "node": node}))
        }
        Fate::SendError(error) => {
            let text = format!("the sender gets: {error}");
            ("dropped", text.clone(), json!({"kind": "drop", "text": text, "node": node}))
        }
        Fate::Answered { why, answer } => {
            let (verdict, text) = answered(*why, answer.as_deref());
            (verdict, text.clone(), json!({"kind": "reject", "text": text, "node": node}))
        }
    }
}

fn answered(why: AnswerReason, answer: Option<&Fate>) -> (&'static str, String) {
    let told = match answer.and_then(Fate::headers) {
        None => "its sender is told nothing".to_owned(),
        Some(headers) if headers.proto == Proto::TCP => format!("{} gets a TCP reset", headers.dst),
        Some(headers) => {
            let (kind, code) = headers.icmp().unwrap_or_default();
            format!(
                "{} gets ICMP type {kind} code {code} ({})",
                headers.dst,
                icmp_text(headers.proto, kind, code)
            )
        }
    };
    match why {
        AnswerReason::Reject(_) => ("rejected", format!("a rule rejects it: {told}")),
        AnswerReason::NoRoute(..) => ("no-route", format!("there is no route: {told}")),
        AnswerReason::BadHeader(at) => ("dropped", format!("its IP header is wrong at byte {at}: {told}")),
        AnswerReason::TooBig(mtu) => {
            ("dropped", format!("it is longer than the next device carries ({mtu} bytes): {told}"))
        }
        AnswerReason::TimeExceeded => ("dropped", format!("its time to live ran out: {told}")),
    }
}

/// What a client's connect reports. Source: errno of ICMP codes, net/ipv4/icmp.c `icmp_err_convert`.
fn icmp_text(proto: Proto, kind: u8, code: u8) -> &'static str {
    match (proto, kind, code) {
        (Proto::ICMP, 3, 3) | (Proto::ICMPV6, 1, 4) => "connection refused",
        (Proto::ICMP, 3, 0) | (Proto::ICMPV6, 1, 0) => "network unreachable",
        (Proto::ICMP, 3, 13) | (Proto::ICMPV6, 1, 1) => "administratively prohibited",
        (Proto::ICMP, 11, _) | (Proto::ICMPV6, 3, _) => "time exceeded",
        _ => "destination unreachable",
    }
}
