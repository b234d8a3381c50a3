//! What `iptables -L CHAIN -n` lists.

use std::fmt::Write;

use kdp_packet::{Cidr, Family};

use super::nat_range::{print_ports, print_range};
use super::print::{
    print_marked, print_policy, print_port_list, print_reject, print_states, print_types, side_name, side_of,
};
use super::words::quote;
use super::{connbytes, connection, edits, full_mask, header, limit, set};
use crate::vm::CERTAIN;
use crate::{
    AddrTypes, Chain, IcmpType, Match, NatRange, PortRange, Recent, RecentOp, Rule, Ruleset, Statistic,
    Target, Test,
};

/// The chain as `iptables -t TABLE -L CHAIN -n` lists it: a line for the chain, the columns' titles, a line for each rule.
///
/// Source: iptables 1.8.9 with its options `-n`: protocols are numbers, devices are not shown.
pub fn list_chain(ruleset: &Ruleset, chain: &Chain) -> String {
    let mut out = match chain.policy() {
        Some(policy) => format!("Chain {} (policy {})\n", chain.name(), print_policy(policy)),
        None => format!("Chain {} ({} references)\n", chain.name(), chain.references()),
    };
    out.push_str("target     prot opt source               destination         \n");
    for installed in chain.rules() {
        put_rule(&mut out, ruleset.family(), installed.rule());
    }
    out
}

fn put_rule(out: &mut String, family: Family, rule: &Rule) {
    let proto =
        rule.matches.iter().find_map(|test| if let Match::Proto(test) = test { Some(*test) } else { None });
    let src =
        rule.matches.iter().find_map(|test| if let Match::Src(test) = test { Some(*test) } else { None });
    let dst =
        rule.matches.iter().find_map(|test| if let Match::Dst(test) = test { Some(*test) } else { None });
    let sign = |invert: Option<bool>| if invert == Some(true) { '!' } else { ' ' };
    let (src_sign, dst_sign) = (sign(src.map(|test| test.invert)), sign(dst.map(|test| test.invert)));
    let _ = write!(
        out,
        "{:<9} {}{:<4} -- {src_sign}{:<19} {dst_sign}{:<19} ",
        target_name(family, &rule.target),
        sign(proto.map(|test| test.invert)),
        proto.map_or(0, |test| test.value.0),
        network(family, src),
        network(family, dst),
    );
    if matches!(rule.target, Target::Goto(_)) {
        out.push_str("[goto] ");
    }
    for test in &rule.matches {
        put_match(out, family, test);
    }
    put_target(out, family, &rule.target);
    out.push('\n');
}

fn network(family: Family, test: Option<Test<Cidr>>) -> String {
    let cidr = test.map_or(Cidr::all(family), |test| test.value);
    if cidr.is_host() { cidr.addr().to_string() } else { cidr.to_string() }
}

fn target_name(family: Family, target: &Target) -> &str {
    match target {
        Target::Continue => "",
        Target::Accept => "ACCEPT",
        Target::Drop => "DROP",
        Target::Return => "RETURN",
        Target::Jump(name) | Target::Goto(name) => name.as_str(),
        Target::Reject(_) => "REJECT",
        Target::Mark { .. } => "MARK",
        Target::Dnat(_) => "DNAT",
        Target::Snat(_) => "SNAT",
        Target::Masquerade(_) => "MASQUERADE",
        Target::Redirect(_) => "REDIRECT",
        Target::Netmap(_) => "NETMAP",
        Target::Prefix(prefix) => prefix.target_name(),
        Target::ConnMark(_) => "CONNMARK",
        Target::Edit(edit) => edit.target_name(family),
        Target::Log(log) => {
            if log.nflog {
                "NFLOG"
            } else {
                "LOG"
            }
        }
        Target::Checksum => "CHECKSUM",
        Target::Trace => "TRACE",
        Target::Queue { .. } => "NFQUEUE",
        Target::Notrack | Target::CtNotrack | Target::CtZone { .. } => "CT",
    }
}

fn put_match(out: &mut String, family: Family, test: &Match) {
    let not = |invert: bool| if invert { " !" } else { "" };
    let _ = match test {
        Match::Src(_) | Match::Dst(_) | Match::In(_) | Match::Out(_) | Match::Proto(_) => return,
        Match::Comment(text) => write!(out, " /* {text} */"),
        Match::Ports { proto, sport, dport, flags, option } => {
            let _ = write!(out, " {proto}");
            put_ports(out, "spt", *sport);
            put_ports(out, "dpt", *dport);
            if let Some(test) = option {
                let _ = write!(out, " option={}{}", if test.invert { "!" } else { "" }, test.value);
            }
            match flags {
                Some(test) => {
                    let not = if test.invert { "!" } else { "" };
                    write!(out, " flags:{not}0x{:02X}/0x{:02X}", test.value.mask, test.value.set)
                }
                None => return,
            }
        }
        Match::CtState(test) => write!(out, "{} ctstate {}", not(test.invert), print_states(test.value)),
        Match::State(test) => write!(out, "{} state {}", not(test.invert), print_states(test.value)),
        Match::Multiport { side, ports } => {
            let not = if ports.invert { " !" } else { "" };
            write!(out, " multiport {} {not}{}", side_name(*side), print_port_list(&ports.value))
        }
        Match::Icmp(test) => return put_icmp(out, family, *test),
        Match::Length(test) => {
            let not = if test.invert { "!" } else { "" };
            write!(out, " length {not}{}", print_ports(test.value, ':'))
        }
        Match::Mark(test) => write!(out, " mark match{} {}", not(test.invert), print_marked(test.value)),
        Match::AddrType { src, dst } => {
            out.push_str(" ADDRTYPE match");
            put_types(out, "src-type", *src);
            return put_types(out, "dst-type", *dst);
        }
        Match::AddrTypeOn { src, dst, side } => {
            out.push_str(" ADDRTYPE match");
            put_types(out, "src-type", *src);
            put_types(out, "dst-type", *dst);
            write!(out, " limit-{}", side_of(*side))
        }
        Match::Conntrack(test) => return connection::put_conntrack(out, "", test),
        Match::ConnMark(test) => {
            write!(out, " connmark match {} {}", if test.invert { "!" } else { "" }, print_marked(test.value))
        }
        Match::Header(test) => write!(out, "{}", header::list_header(family, test)),
        Match::ReversePath(test) => write!(out, " rpfilter{}", limit::print_reverse_path("", *test)),
        Match::Quota(test) => write!(out, " quota: {} bytes", test.value),
        Match::Limit(limit) => write!(out, "{}", limit::list_limit(*limit)),
        Match::Statistic(Statistic::Random(test)) => {
            let probability = f64::from(test.value) / f64::from(CERTAIN);
            write!(out, " statistic mode random{} probability {probability:.11}", not(test.invert))
        }
        Match::Statistic(Statistic::Nth { invert, every, packet }) => {
            let packet = if *packet > 0 { format!(" packet {packet}") } else { String::new() };
            write!(out, " statistic mode nth{} every {every}{packet}", not(*invert))
        }
        Match::Recent(recent) => return put_recent(out, family, recent),
        Match::ConnBytes(test) => write!(out, "{}", connbytes::list_connbytes(test)),
        Match::Set(test) => write!(out, "{}", set::print_set("", test)),
        Match::Unknown(unknown) => write!(out, " {}", unknown.text),
        Match::Nfacct(name) => write!(out, " nfacct-name  {}", quote(name)),
    };
}

fn put_icmp(out: &mut String, family: Family, test: Test<IcmpType>) {
    let protocol = if family == Family::V4 { "icmp" } else { "ipv6-icmp" };
    // Type 255 is what `any` is stored as.
    let kind = test.value.kind.unwrap_or(u8::MAX);
    let not = if test.invert { " !" } else { "" };
    let code = test.value.code.map(|code| format!(" code {code}")).unwrap_or_default();
    let _ = write!(out, " {protocol}{not}type {kind}{code}");
}

fn put_ports(out: &mut String, name: &str, test: Option<Test<PortRange>>) {
    if let Some(test) = test {
        let several = if test.value.first == test.value.last { "" } else { "s" };
        let not = if test.invert { "!" } else { "" };
        let _ = write!(out, " {name}{several}:{not}{}", print_ports(test.value, ':'));
    }
}

fn put_types(out: &mut String, name: &str, test: Option<Test<AddrTypes>>) {
    if let Some(test) = test {
        let _ = write!(out, " {name} {}{}", if test.invert { "!" } else { "" }, print_types(test.value));
    }
}

fn put_recent(out: &mut String, family: Family, recent: &Recent) {
    let op = match recent.op {
        RecentOp::Set => "SET",
        RecentOp::Rcheck => "CHECK",
        RecentOp::Update => "UPDATE",
        RecentOp::Remove => "REMOVE",
    };
    let _ = write!(out, "{} recent: {op}", if recent.invert { " !" } else { "" });
    if let Some(seconds) = recent.seconds {
        let _ = write!(out, " seconds: {seconds}");
    }
    out.push_str(if recent.reap { " reap" } else { "" });
    if let Some(hits) = recent.hitcount {
        let _ = write!(out, " hit_count: {hits}");
    }
    let _ = write!(out, " name: {} side: source mask: {}", recent.name, full_mask(family));
}

fn put_target(out: &mut String, family: Family, target: &Target) {
    let _ = match target {
        Target::Reject(with) => write!(out, " reject-with {}", print_reject(family, *with)),
        Target::Mark { value: 0, mask } => write!(out, " MARK and {:#x}", !mask),
        Target::Mark { value, mask } if value == mask => write!(out, " MARK or {value:#x}"),
        Target::Mark { value, mask: 0 } => write!(out, " MARK xor {value:#x}"),
        Target::Mark { value, mask: u32::MAX } => write!(out, " MARK set {value:#x}"),
        Target::Mark { value, mask } => write!(out, " MARK xset {value:#x}/{mask:#x}"),
        Target::Dnat(range) | Target::Snat(range) => {
            let _ = write!(out, " to:{}", print_range(range));
            return put_flags(out, range);
        }
        Target::Masquerade(range) => return put_own(out, " masq ports: ", range),
        Target::Redirect(range) => return put_own(out, " redir ports ", range),
        Target::Netmap(to) => write!(out, " to:{to}"),
        Target::Prefix(prefix) => {
            let (name, from, to) = (prefix.target_name(), prefix.from, prefix.to);
            write!(out, " {name} src-pfx {from} dst-pfx {to}")
        }
        Target::ConnMark(mark) => write!(out, "{}", connection::list_connmark(*mark)),
        Target::Edit(edit) => write!(out, "{}", edits::list_edit(family, *edit)),
        Target::Log(log) => write!(out, "{}", edits::list_log(log)),
        Target::Checksum => write!(out, " CHECKSUM fill"),
        Target::Queue { number, bypass } => {
            write!(out, " NFQUEUE num {number}{}", if *bypass { " bypass" } else { "" })
        }
        Target::CtZone { zone, side } => write!(out, " CT {} {zone}", edits::zone_option(*side)),
        Target::Notrack => write!(out, " NOTRACK"),
        Target::CtNotrack => write!(out, " CT notrack"),
        Target::Continue
        | Target::Trace
        | Target::Accept
        | Target::Drop
        | Target::Return
        | Target::Jump(_)
        | Target::Goto(_) => return,
    };
}

fn put_own(out: &mut String, title: &str, range: &NatRange) {
    if let Some(ports) = range.ports {
        let _ = write!(out, "{title}{}", print_ports(ports, '-'));
    }
    put_flags(out, range);
}

fn put_flags(out: &mut String, range: &NatRange) {
    out.push_str(if range.random { " random" } else { "" });
    out.push_str(if range.random_fully { " random-fully" } else { "" });
    out.push_str(if range.persistent { " persistent" } else { "" });
}
