//! Targets that change a header field, tell of a packet, or hand it on: `TOS`, `DSCP`, `TTL`, `HL`, `TCPMSS`, `NETMAP`,
//! `LOG`, `NFLOG`, `CHECKSUM`, `TRACE`, `NFQUEUE`, and `CT` with a zone.

use kdp_packet::{Cidr, Family, Proto};

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::header::{below, byte, masked};
use super::values::{need_number, network, number};
use super::words::quote;
use crate::{HeaderEdit, Log, PrefixTranslation, Target, ZoneSide};

/// A target by its name, and the option that it cannot be without.
pub(super) fn of(name: &str, family: Family) -> Option<(Target, Option<&'static str>)> {
    let edit = |edit| Target::Edit(edit);
    let log = |nflog| Log { nflog, prefix: "".into(), level: DEFAULT_LEVEL, flags: 0, group: 0 };
    Some(match name {
        "CONNMARK" => (super::connection::CONNMARK, Some("--set-xmark, --save-mark or --restore-mark")),
        "TOS" => (edit(HeaderEdit::Tos { value: 0, mask: 0 }), Some("--set-tos")),
        "DSCP" => (edit(HeaderEdit::Dscp(0)), Some("--set-dscp")),
        "TTL" if family == Family::V4 => {
            (edit(HeaderEdit::TtlSet(0)), Some("--ttl-set, --ttl-inc or --ttl-dec"))
        }
        "HL" if family == Family::V6 => (edit(HeaderEdit::TtlSet(0)), Some("--hl-set, --hl-inc or --hl-dec")),
        "TCPMSS" => (edit(HeaderEdit::TcpMss(None)), Some("--set-mss or --clamp-mss-to-pmtu")),
        "NETMAP" => (Target::Netmap(Cidr::all(family)), Some("--to")),
        "DNPT" | "SNPT" if family == Family::V6 => {
            let any = Cidr::all(family);
            let prefix = PrefixTranslation { destination: name == "DNPT", from: any, to: any };
            (Target::Prefix(prefix), Some("--src-pfx and --dst-pfx"))
        }
        "LOG" => (Target::Log(log(false)), None),
        "NFLOG" => (Target::Log(log(true)), None),
        "CHECKSUM" => (Target::Checksum, Some("--checksum-fill")),
        "TRACE" => (Target::Trace, None),
        "NFQUEUE" => (Target::Queue { number: 0, bypass: false }, None),
        _ => return None,
    })
}

/// Takes an option of one of the targets here.
pub(super) fn take(
    target: &mut Target,
    option: &Opt<'_>,
    arguments: &mut Arguments<'_>,
) -> Result<bool, Problem> {
    let name = option.name;
    match target {
        Target::ConnMark(mark) => return super::connection::take_connmark(mark, name, arguments),
        Target::Edit(edit) => match take_edit(*edit, name, arguments)? {
            Some(new) => *edit = new,
            None => return Ok(false),
        },
        Target::Netmap(to) if name == "--to" => {
            *to = network(name, arguments.value(name)?, arguments.family)?;
        }
        Target::Prefix(prefix) if name == "--src-pfx" => prefix.from = self::prefix(name, arguments)?,
        Target::Prefix(prefix) if name == "--dst-pfx" => prefix.to = self::prefix(name, arguments)?,
        Target::Log(log) => return take_log(log, name, arguments),
        Target::Checksum if name == "--checksum-fill" => {}
        Target::Queue { number: queue, .. } if name == "--queue-num" => {
            let text = arguments.value(name)?;
            let value = number(text).and_then(|value| u16::try_from(value).ok());
            *queue = value.ok_or_else(|| Problem::syntax(format!("{name}: {text:?} is not below 65536")))?;
        }
        Target::Queue { bypass, .. } if name == "--queue-bypass" => *bypass = true,
        Target::Queue { .. } if matches!(name, "--queue-balance" | "--queue-cpu-fanout") => {
            return Err(Problem::option(name, "target \"NFQUEUE\""));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A prefix of 64 bits at most, without host bits. Source: net/ipv6/netfilter/ip6t_NPT.c `ip6t_npt_checkentry`, v6.12.
fn prefix(option: &str, arguments: &mut Arguments<'_>) -> Result<Cidr, Problem> {
    let text = arguments.value(option)?;
    let prefix = network(option, text, Family::V6)?;
    let bare = text.split_once('/').map_or(text, |(addr, _)| addr);
    if prefix.prefix_len() > PrefixTranslation::LENGTH_MAX || bare.parse() != Ok(prefix.addr()) {
        return Err(Problem::syntax(format!(
            "{option}: {text}: a prefix has 64 bits at most, and no host bits"
        )));
    }
    Ok(prefix)
}

/// Source: iptables 1.8.9, extensions/libxt_TOS.c, libxt_DSCP.c, libipt_TTL.c, libip6t_HL.c, libxt_TCPMSS.c.
fn take_edit(
    edit: HeaderEdit,
    option: &str,
    arguments: &mut Arguments<'_>,
) -> Result<Option<HeaderEdit>, Problem> {
    let hop = if arguments.family == Family::V4 { "--ttl-" } else { "--hl-" };
    let mut text = || arguments.value(option);
    Ok(Some(match (edit, option) {
        (HeaderEdit::Tos { .. }, "--set-tos") => {
            let (value, mask) = masked(option, text()?)?;
            HeaderEdit::Tos { value, mask }
        }
        (HeaderEdit::Tos { .. }, "--and-tos") => HeaderEdit::Tos { value: 0, mask: !byte(option, text()?)? },
        (HeaderEdit::Tos { .. }, "--or-tos") => {
            let bits = byte(option, text()?)?;
            HeaderEdit::Tos { value: bits, mask: bits }
        }
        (HeaderEdit::Tos { .. }, "--xor-tos") => HeaderEdit::Tos { value: byte(option, text()?)?, mask: 0 },
        (HeaderEdit::Dscp(_), "--set-dscp") => HeaderEdit::Dscp(below(option, text()?, 64)?),
        (HeaderEdit::Dscp(_), "--set-dscp-class") => return Err(Problem::option(option, "target \"DSCP\"")),
        (HeaderEdit::TcpMss(_), "--set-mss") => {
            let mss = need_number(option, text()?)?;
            let mss =
                u16::try_from(mss).map_err(|_| Problem::syntax(format!("{option}: {mss} is above 65535")))?;
            HeaderEdit::TcpMss(Some(mss))
        }
        (HeaderEdit::TcpMss(_), "--clamp-mss-to-pmtu") => HeaderEdit::TcpMss(None),
        (HeaderEdit::TtlSet(_) | HeaderEdit::TtlInc(_) | HeaderEdit::TtlDec(_), _) => {
            match option.strip_prefix(hop) {
                Some("set") => HeaderEdit::TtlSet(byte(option, text()?)?),
                Some("inc") => HeaderEdit::TtlInc(byte(option, text()?)?),
                Some("dec") => HeaderEdit::TtlDec(byte(option, text()?)?),
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    }))
}

const DEFAULT_LEVEL: u8 = 4;
/// Source: iptables 1.8.9, libxtables: syslog's priorities.
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
/// Flags of `LOG`, by bit. Source: include/uapi/linux/netfilter/nf_log.h.
const FLAGS: [&str; 6] = ["tcp-sequence", "tcp-options", "ip-options", "uid", "", "macdecode"];

fn take_log(log: &mut Log, option: &str, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
    let Some(name) = option.strip_prefix(if log.nflog { "--nflog-" } else { "--log-" }) else {
        return Ok(false);
    };
    if !log.nflog
        && let Some(bit) = FLAGS.iter().position(|flag| *flag == name)
    {
        log.flags |= 1 << bit;
        return Ok(true);
    }
    match name {
        "prefix" => {
            let text = arguments.value(option)?;
            let most = if log.nflog { 63 } else { 29 };
            if text.len() > most {
                return Err(Problem::syntax(format!(
                    "{option}: {} bytes; at most {most} are allowed",
                    text.len()
                )));
            }
            log.prefix = arguments.interner.text(text);
        }
        "level" if !log.nflog => {
            let text = arguments.value(option)?;
            let named =
                LEVELS.iter().position(|level| *level == text).and_then(|level| u8::try_from(level).ok());
            log.level = named.map_or_else(|| below(option, text, 8), Ok)?;
        }
        "group" if log.nflog => {
            let group = need_number(option, arguments.value(option)?)?;
            log.group = u16::try_from(group)
                .map_err(|_| Problem::syntax(format!("{option}: {group} is above 65535")))?;
        }
        _ => {
            return Err(Problem::option(
                option,
                if log.nflog { "target \"NFLOG\"" } else { "target \"LOG\"" },
            ));
        }
    }
    Ok(true)
}

/// `CT --zone`, `--zone-orig`, `--zone-reply`.
pub(super) fn zone(option: &str, arguments: &mut Arguments<'_>) -> Result<Target, Problem> {
    let side = match option {
        "--zone-orig" => ZoneSide::Original,
        "--zone-reply" => ZoneSide::Reply,
        _ => ZoneSide::Both,
    };
    let text = arguments.value(option)?;
    if text == "mark" {
        return Err(Problem::option(&format!("{option} mark"), "target \"CT\""));
    }
    let zone = number(text).and_then(|zone| u16::try_from(zone).ok());
    let zone =
        zone.ok_or_else(|| Problem::syntax(format!("{option}: {text:?} is not a zone below 65536")))?;
    Ok(Target::CtZone { zone, side })
}

/// Refuses what the kernel does. Source: net/netfilter/xt_TCPMSS.c `tcpmss_tg4_check`, v6.12.
pub(super) fn check(target: &Target, proto: Option<Proto>) -> Result<(), Problem> {
    match target {
        Target::Edit(HeaderEdit::TcpMss(_)) if proto != Some(Proto::TCP) => {
            Err(Problem::syntax("target TCPMSS needs -p tcp --tcp-flags SYN,RST SYN"))
        }
        _ => Ok(()),
    }
}

/// The target as iptables-save prints it.
pub(super) fn print_edit(family: Family, edit: HeaderEdit) -> String {
    let (target, hop) = if family == Family::V4 { ("TTL", "ttl") } else { ("HL", "hl") };
    match edit {
        HeaderEdit::Tos { value, mask } => format!(" -j TOS --set-tos 0x{value:02x}/0x{mask:02x}"),
        HeaderEdit::Dscp(value) => format!(" -j DSCP --set-dscp 0x{value:02x}"),
        HeaderEdit::TtlSet(value) => format!(" -j {target} --{hop}-set {value}"),
        HeaderEdit::TtlInc(value) => format!(" -j {target} --{hop}-inc {value}"),
        HeaderEdit::TtlDec(value) => format!(" -j {target} --{hop}-dec {value}"),
        HeaderEdit::TcpMss(Some(mss)) => format!(" -j TCPMSS --set-mss {mss}"),
        HeaderEdit::TcpMss(None) => " -j TCPMSS --clamp-mss-to-pmtu".to_string(),
    }
}

/// The change as `iptables -L` lists it.
pub(super) fn list_edit(family: Family, edit: HeaderEdit) -> String {
    let hop = if family == Family::V4 { "TTL" } else { "HL" };
    match edit {
        HeaderEdit::Tos { value: 0, mask } => format!(" TOS and 0x{:02x}", !mask),
        HeaderEdit::Tos { value, mask } if value == mask => format!(" TOS or 0x{value:02x}"),
        HeaderEdit::Tos { value, mask: 0 } => format!(" TOS xor 0x{value:02x}"),
        HeaderEdit::Tos { value, mask } => format!(" TOS set 0x{value:02x}/0x{mask:02x}"),
        HeaderEdit::Dscp(value) => format!(" DSCP set 0x{value:02x}"),
        HeaderEdit::TtlSet(value) => format!(" {hop} set to {value}"),
        HeaderEdit::TtlInc(value) => format!(" {hop} increment by {value}"),
        HeaderEdit::TtlDec(value) => format!(" {hop} decrement by {value}"),
        HeaderEdit::TcpMss(Some(mss)) => format!(" TCPMSS set {mss}"),
        HeaderEdit::TcpMss(None) => " TCPMSS clamp to PMTU".to_string(),
    }
}

/// `LOG` or `NFLOG` as iptables-save prints it.
pub(super) fn print_log(log: &Log) -> String {
    let prefix = |option: &str| {
        if log.prefix.is_empty() { String::new() } else { format!(" {option} {}", quote(&log.prefix)) }
    };
    if log.nflog {
        let group = if log.group == 0 { String::new() } else { format!(" --nflog-group {}", log.group) };
        return format!(" -j NFLOG{}{group}", prefix("--nflog-prefix"));
    }
    let level =
        if log.level == DEFAULT_LEVEL { String::new() } else { format!(" --log-level {}", log.level) };
    let flags = FLAGS.iter().enumerate().filter(|(bit, _)| log.flags >> bit & 1 == 1);
    let flags = flags.fold(String::new(), |out, (_, flag)| out + " --log-" + flag);
    format!(" -j LOG{}{level}{flags}", prefix("--log-prefix"))
}

/// `LOG` or `NFLOG` as `iptables -L` lists it.
pub(super) fn list_log(log: &Log) -> String {
    if log.nflog {
        let prefix = if log.prefix.is_empty() {
            String::new()
        } else {
            format!(" nflog-prefix {}", quote(&log.prefix))
        };
        return if log.group == 0 { prefix } else { format!("{prefix} nflog-group {}", log.group) };
    }
    let prefix = if log.prefix.is_empty() { String::new() } else { format!(" prefix \"{}\"", log.prefix) };
    format!(" LOG flags {} level {}{prefix}", log.flags, log.level)
}

/// The option of a zone.
pub(super) fn zone_option(side: ZoneSide) -> &'static str {
    match side {
        ZoneSide::Both => "zone",
        ZoneSide::Original => "zone-orig",
        ZoneSide::Reply => "zone-reply",
    }
}
