//! Entries in the conntrack tool's own text.

use std::fmt::{self, Write};

use kdp_packet::{Proto, Tuple};

use super::connection::{Counter, Direction, Status};
use super::settings::Settings;
use super::table::EntryView;

/// What the tool is asked to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// `-o extended`: the network protocol in front.
    pub extended: bool,
}

/// Entries as `conntrack -L` prints them on standard output, one a line.
///
/// Source: `libnetfilter_conntrack`, `src/conntrack/snprintf_default.c`.
pub fn list(entries: &[EntryView], settings: &Settings, format: Format) -> String {
    let mut text = String::new();
    for entry in entries {
        line(&mut text, entry, settings.acct != 0, format).expect("writing to a string does not fail");
        text.push('\n');
    }
    text
}

fn line(out: &mut String, entry: &EntryView, acct: bool, format: Format) -> fmt::Result {
    let original = entry.tuple(Direction::Original);
    let status = entry.status();
    if format.extended {
        let (name, number) = if original.src.is_ipv4() { ("ipv4", 2) } else { ("ipv6", 10) };
        write!(out, "{name:<8} {number} ")?;
    }
    write!(out, "{:<8} {} {} ", name_of(original.proto), original.proto.0, entry.remaining().as_secs())?;
    if let Some(state) = entry.state_name() {
        write!(out, "{state} ")?;
    }
    let counter = |direction| acct.then(|| entry.counter(direction));
    half(out, original, counter(Direction::Original))?;
    let zone = entry.zone();
    if zone.original != zone.reply && zone.original != 0 {
        write!(out, "zone-orig={} ", zone.original)?;
    }
    if !status.has(Status::SEEN_REPLY) {
        out.push_str("[UNREPLIED] ");
    }
    half(out, entry.tuple(Direction::Reply), counter(Direction::Reply))?;
    if zone.original != zone.reply && zone.reply != 0 {
        write!(out, "zone-reply={} ", zone.reply)?;
    }
    if status.has(Status::ASSURED) {
        out.push_str("[ASSURED] ");
    }
    write!(out, "mark={} ", entry.mark())?;
    if zone.original == zone.reply && zone.original != 0 {
        write!(out, "zone={} ", zone.original)?;
    }
    out.push_str("use=1");
    Ok(())
}

fn half(out: &mut String, tuple: &Tuple, counter: Option<Counter>) -> fmt::Result {
    write!(out, "src={} dst={} ", tuple.src, tuple.dst)?;
    match tuple.proto {
        Proto::ICMP | Proto::ICMPV6 => {
            let [kind, code] = tuple.dport.to_be_bytes();
            write!(out, "type={kind} code={code} id={} ", tuple.sport)?;
        }
        Proto::GRE => write!(out, "srckey={:#x} dstkey={:#x} ", tuple.sport, tuple.dport)?,
        proto if proto.has_ports() => write!(out, "sport={} dport={} ", tuple.sport, tuple.dport)?,
        _ => {}
    }
    match counter {
        Some(Counter { packets, bytes }) => write!(out, "packets={packets} bytes={bytes} "),
        None => Ok(()),
    }
}

/// The tool's own names: it says `icmpv6` where iptables says `ipv6-icmp`.
fn name_of(proto: Proto) -> &'static str {
    match proto {
        Proto::ICMPV6 => "icmpv6",
        proto => proto.name().unwrap_or("unknown"),
    }
}
