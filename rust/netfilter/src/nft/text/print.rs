//! What `nft list ruleset` prints.

use kdp_packet::Family;
use kdp_sim::Time;
use std::fmt::Write;

use super::block::PRIORITIES;
use super::print_rule::{element, limit, print_rule, quota};
use super::symbols::{TYPES, of_type, word_of};
use crate::Policy;
use crate::conntrack::TimeoutPolicy;
use crate::nft::ruleset::{ChainContent, Content, SetContent};
use crate::nft::{Base, MapsTo, Object, ObjectKind, Ruleset, SetFlags, Type};

/// The rule set as `nft list ruleset` prints it, in the order in which things were made, counters at zero.
pub fn print(ruleset: &Ruleset) -> String {
    let mut out = String::new();
    ruleset.tables().for_each(|content| table(&mut out, content));
    out
}

fn table(out: &mut String, content: &Content) {
    let _ = writeln!(out, "table {} {{", content.table);
    comment(out, 1, content.comment.as_deref());
    let mut objects: Vec<_> = content.objects.values().collect();
    objects.sort_by_key(|(id, _)| *id);
    let objects = objects.into_iter().map(|(_, each)| object(each));
    let sets = content.sets.values().map(set);
    let chains = content.chains.values().map(|each| chain(content, each));
    let blocks: Vec<String> = objects.chain(sets).chain(chains).collect();
    out.push_str(&blocks.join("\n"));
    out.push_str("}\n");
}

fn comment(out: &mut String, depth: usize, comment: Option<&str>) {
    if let Some(comment) = comment {
        let _ = writeln!(out, "{}comment \"{comment}\"", "\t".repeat(depth));
    }
}

fn object(object: &Object) -> String {
    let (noun, line) = match &object.kind {
        ObjectKind::Counter => ("counter", "packets 0 bytes 0".to_string()),
        ObjectKind::Quota(each) => ("quota", quota(*each)),
        ObjectKind::Limit(each) => ("limit", limit(*each)),
        ObjectKind::CtTimeout(policy) => ("ct timeout", ct_timeout(policy)),
    };
    format!("\t{noun} {} {{\n\t\t{line}\n\t}}\n", object.name)
}

fn ct_timeout(policy: &TimeoutPolicy) -> String {
    let proto = word_of(of_type(Type::InetProto), policy.proto.0.into()).unwrap_or_default();
    let family = match policy.family {
        Some(Family::V4) => "ip",
        Some(Family::V6) => "ip6",
        None => "inet",
    };
    let values: Vec<String> = policy.values().map(|(word, seconds)| format!("{word} : {seconds}")).collect();
    format!("protocol {proto}\n\t\tl3proto {family}\n\t\tpolicy = {{ {} }}", values.join(", "))
}

fn set(content: &SetContent) -> String {
    let set = &content.set;
    let noun = if set.data.is_some() { "map" } else { "set" };
    let mut out = format!("\t{noun} {} {{\n\t\ttype {}", set.name, types(&set.key));
    match &set.data {
        None => {}
        Some(MapsTo::Verdict) => out.push_str(" : verdict"),
        Some(MapsTo::Values(values)) => {
            let _ = write!(out, " : {}", types(values));
        }
    }
    out.push('\n');
    if let Some(size) = set.size {
        let _ = writeln!(out, "\t\tsize {size}");
    }
    flags(&mut out, set.flags);
    if let Some(timeout) = set.timeout {
        let _ = writeln!(out, "\t\ttimeout {}", duration(timeout));
    }
    if let Some(interval) = set.gc_interval {
        let _ = writeln!(out, "\t\tgc-interval {}", duration(interval));
    }
    if set.auto_merge {
        out.push_str("\t\tauto-merge\n");
    }
    comment(&mut out, 2, set.comment.as_deref());
    elements(&mut out, content);
    out.push_str("\t}\n");
    out
}

fn types(types: &[Type]) -> String {
    let name = |kind: &Type| TYPES.iter().find(|(_, each)| each == kind).map_or("integer", |(name, _)| name);
    types.iter().map(name).collect::<Vec<_>>().join(" . ")
}

fn flags(out: &mut String, flags: SetFlags) {
    let named = [
        (flags.constant, "constant"),
        (flags.interval, "interval"),
        (flags.dynamic, "dynamic"),
        (flags.timeout, "timeout"),
    ];
    let names: Vec<&str> = named.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
    if !names.is_empty() {
        let _ = writeln!(out, "\t\tflags {}", names.join(","));
    }
}

/// Source: nftables 1.0.6, src/expression.c, `calculate_delim`: how many elements stand in a line.
fn elements(out: &mut String, content: &SetContent) {
    let set = &content.set;
    let per_line = match set.key.as_slice() {
        [Type::Ipv4Addr] => 2,
        [Type::Ipv6Addr | Type::IfName | Type::Mark | Type::Integer | Type::Time] => 1,
        [_] => 5,
        _ => 1,
    };
    let listed = content.elements.listed();
    for (place, stored) in listed.iter().enumerate() {
        out.push_str(match place {
            0 => "\t\telements = { ",
            _ if place % per_line == 0 => ",\n\t\t\t     ",
            _ => ", ",
        });
        out.push_str(&element(&stored.element, &set.key, set.data.as_ref()));
    }
    if !listed.is_empty() {
        out.push_str(" }\n");
    }
}

fn chain(home: &Content, content: &ChainContent) -> String {
    let mut out = format!("\tchain {} {{\n", content.chain.name);
    comment(&mut out, 2, content.chain.comment.as_deref());
    if let Some(base) = content.chain.base {
        out.push_str(&base_line(base));
    }
    for installed in &content.rules {
        let _ = writeln!(out, "\t\t{}", print_rule(home.table.family, &installed.rule));
    }
    out.push_str("\t}\n");
    out
}

fn base_line(base: Base) -> String {
    let policy = if base.policy == Policy::Accept { "accept" } else { "drop" };
    let (kind, hook) = (base.kind.as_str(), base.hook.as_str().to_ascii_lowercase());
    format!("\t\ttype {kind} hook {hook} priority {}; policy {policy};\n", priority(base))
}

/// Source: nftables 1.0.6, src/rule.c, `prio2str`: a name for what is at most ten away from one.
fn priority(base: Base) -> String {
    let near = PRIORITIES.into_iter().find(|(_, priority, at)| {
        at.is_none_or(|at| at == base.hook) && base.priority.abs_diff(*priority) <= 10
    });
    match near {
        None => base.priority.to_string(),
        Some((name, priority, _)) => match base.priority - priority {
            0 => name.to_string(),
            above if above > 0 => format!("{name} + {above}"),
            below => format!("{name} - {}", -below),
        },
    }
}

/// A time as nft writes it: `3h5m`.
pub(super) fn duration(time: Time) -> String {
    let mut millis = time.0 / 1_000_000;
    let mut text = String::new();
    for (unit, each) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        let count = millis / each;
        millis %= each;
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.is_empty() { "0s".to_string() } else { text }
}
