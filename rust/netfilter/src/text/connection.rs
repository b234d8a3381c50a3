//! `-m conntrack`, `-m connmark` and `CONNMARK`: the connection of a packet in rules.

use std::fmt::Write;

use kdp_packet::{Cidr, Proto};

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing, once, set};
use super::print::{print_marked, print_states};
use super::values::{marked, need_number, network, ports, protocol};
use crate::conntrack::{Direction, Status};
use crate::{ConnMark, ConntrackTest, CtState, CtStates, Match, PortRange, Target, Test};

const ADDRS: [&str; 4] = ["--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst"];
const PORTS: [&str; 4] = ["--ctorigsrcport", "--ctorigdstport", "--ctreplsrcport", "--ctrepldstport"];
const STATUS: [(Status, &str); 5] = [
    (Status::EXPECTED, "EXPECTED"),
    (Status::SEEN_REPLY, "SEEN_REPLY"),
    (Status::ASSURED, "ASSURED"),
    (Status::CONFIRMED, "CONFIRMED"),
    (Status(0), "NONE"),
];
const DIRECTIONS: [(Direction, &str); 2] = [(Direction::Original, "ORIGINAL"), (Direction::Reply, "REPLY")];

/// `-m conntrack`.
#[derive(Default)]
pub(super) struct Conntrack(ConntrackTest);

impl Module for Conntrack {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let (name, invert) = (option.name, option.invert);
        if let Some(place) = ADDRS.iter().position(|known| *known == name) {
            let value: Cidr = network(name, arguments.value(name)?, arguments.family)?;
            return once(&mut self.0.addrs[place], option, Test { invert, value });
        }
        if let Some(place) = PORTS.iter().position(|known| *known == name) {
            let value: PortRange = ports(name, arguments.value(name)?, ':')?;
            return once(&mut self.0.ports[place], option, Test { invert, value });
        }
        match name {
            "--ctstate" => {
                let states = set(name, arguments.value(name)?, &CtState::ALL)?;
                let value = states.into_iter().fold(CtStates::default(), CtStates::with);
                once(&mut self.0.states, option, Test { invert, value })
            }
            "--ctproto" => {
                let value = need_protocol(arguments.value(name)?)?;
                once(&mut self.0.proto, option, Test { invert, value })
            }
            _ => self.take_more(option, arguments),
        }
    }

    /// Only states is a match of its own, the one that most rules have.
    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let test = self.0;
        let states = test.states;
        if test == ConntrackTest::default() {
            return Err(missing("conntrack", "an option"));
        }
        match states {
            Some(states) if test == (ConntrackTest { states: Some(states), ..ConntrackTest::default() }) => {
                Ok(Match::CtState(states))
            }
            _ => Ok(Match::Conntrack(Box::new(test))),
        }
    }
}

impl Conntrack {
    fn take_more(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let (name, invert) = (option.name, option.invert);
        match name {
            "--ctstatus" => {
                let bits = set(name, arguments.value(name)?, &STATUS)?;
                let value = Status(bits.iter().fold(0, |all, status| all | status.0));
                once(&mut self.0.status, option, Test { invert, value })
            }
            "--ctexpire" => {
                let value = seconds(name, arguments.value(name)?)?;
                once(&mut self.0.expire, option, Test { invert, value })
            }
            "--ctdir" => {
                let [direction] = set(name, arguments.value(name)?, &DIRECTIONS)?[..] else {
                    return Err(Problem::syntax("--ctdir: one direction, ORIGINAL or REPLY"));
                };
                option.plain()?;
                once(&mut self.0.direction, option, direction)
            }
            _ => Ok(false),
        }
    }
}

fn need_protocol(text: &str) -> Result<Proto, Problem> {
    protocol(text)?.ok_or_else(|| Problem::syntax("--ctproto: every connection has some protocol"))
}

fn seconds(option: &str, text: &str) -> Result<(u32, u32), Problem> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let first = if first.is_empty() { 0 } else { need_number(option, first)? };
    let last = if last.is_empty() { u32::MAX } else { need_number(option, last)? };
    if first > last {
        return Err(Problem::syntax(format!("{option}: {text}: the first number is above the last")));
    }
    Ok((first, last))
}

/// The tests with `dashes` before each name. Source: iptables 1.8.9, `conntrack_dump` in extensions/libxt_conntrack.c.
pub(super) fn put_conntrack(out: &mut String, dashes: &str, test: &ConntrackTest) {
    let mut put = |invert: bool, name: &str, value: String| {
        let _ = write!(out, "{} {dashes}{name} {value}", if invert { " !" } else { "" });
    };
    if let Some(states) = test.states {
        put(states.invert, "ctstate", print_states(states.value));
    }
    if let Some(proto) = test.proto {
        put(proto.invert, "ctproto", proto.value.0.to_string());
    }
    for (name, test) in ADDRS.iter().zip(test.addrs) {
        if let Some(test) = test {
            put(test.invert, &name[2..], print_network(test.value));
        }
    }
    for (name, test) in PORTS.iter().zip(test.ports) {
        if let Some(test) = test {
            put(test.invert, &name[2..], super::nat_range::print_ports(test.value, ':'));
        }
    }
    if let Some(status) = test.status {
        put(status.invert, "ctstatus", print_status(status.value));
    }
    if let Some(Test { invert, value: (first, last) }) = test.expire {
        put(invert, "ctexpire", if first == last { first.to_string() } else { format!("{first}:{last}") });
    }
    if let Some(direction) = test.direction {
        put(false, "ctdir", DIRECTIONS[direction.index()].1.to_string());
    }
}

fn print_network(cidr: Cidr) -> String {
    if cidr.is_host() { cidr.addr().to_string() } else { cidr.to_string() }
}

fn print_status(status: Status) -> String {
    if status.0 == 0 {
        return "NONE".to_string();
    }
    let names = STATUS.iter().filter(|(bit, _)| status.has(*bit)).map(|(_, name)| *name);
    names.collect::<Vec<_>>().join(",")
}

/// `-m connmark`.
#[derive(Default)]
pub(super) struct ConnMarkTest(Option<Test<(u32, u32)>>);

impl Module for ConnMarkTest {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != "--mark" {
            return Ok(false);
        }
        let value = marked(option.name, arguments.value(option.name)?)?;
        once(&mut self.0, option, Test { invert: option.invert, value })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::ConnMark).ok_or_else(|| missing("connmark", "--mark"))
    }
}

/// Takes an option of `CONNMARK`. Source: iptables 1.8.9, extensions/libxt_CONNMARK.c.
pub(super) fn take_connmark(
    target: &mut ConnMark,
    option: &str,
    arguments: &mut Arguments<'_>,
) -> Result<bool, Problem> {
    const ALL: u32 = u32::MAX;
    match option {
        "--save-mark" => *target = ConnMark::Save { nfmask: ALL, ctmask: ALL },
        "--restore-mark" => *target = ConnMark::Restore { nfmask: ALL, ctmask: ALL },
        "--left-shift-mark" | "--right-shift-mark" => {
            return Err(Problem::option(option, "target \"CONNMARK\""));
        }
        "--nfmask" | "--ctmask" | "--mask" => {
            let (ConnMark::Save { nfmask, ctmask } | ConnMark::Restore { nfmask, ctmask }) = target else {
                return Err(Problem::syntax(format!(
                    "{option} needs --save-mark or --restore-mark before it"
                )));
            };
            let mask = need_number(option, arguments.value(option)?)?;
            *nfmask = if option == "--ctmask" { *nfmask } else { mask };
            *ctmask = if option == "--nfmask" { *ctmask } else { mask };
        }
        _ => match super::targets::mark(option, arguments)? {
            Some((value, mask)) => *target = ConnMark::Set { value, mask },
            None => return Ok(false),
        },
    }
    Ok(true)
}

/// `CONNMARK` as iptables-save prints it.
pub(super) fn print_connmark(mark: ConnMark) -> String {
    match mark {
        ConnMark::Set { value, mask } => format!(" -j CONNMARK --set-xmark {value:#x}/{mask:#x}"),
        ConnMark::Save { nfmask, ctmask } => {
            format!(" -j CONNMARK --save-mark --nfmask {nfmask:#x} --ctmask {ctmask:#x}")
        }
        ConnMark::Restore { nfmask, ctmask } => {
            format!(" -j CONNMARK --restore-mark --nfmask {nfmask:#x} --ctmask {ctmask:#x}")
        }
    }
}

/// `CONNMARK` as `iptables -L` lists it.
pub(super) fn list_connmark(mark: ConnMark) -> String {
    const ALL: u32 = u32::MAX;
    match mark {
        ConnMark::Set { value: 0, mask } => format!(" CONNMARK and {:#x}", !mask),
        ConnMark::Set { value, mask } if value == mask => format!(" CONNMARK or {value:#x}"),
        ConnMark::Set { value, mask: 0 } => format!(" CONNMARK xor {value:#x}"),
        ConnMark::Set { value, mask: ALL } => format!(" CONNMARK set {value:#x}"),
        ConnMark::Set { value, mask } => format!(" CONNMARK xset {value:#x}/{mask:#x}"),
        ConnMark::Save { nfmask: ALL, ctmask: ALL } => " CONNMARK save".to_string(),
        ConnMark::Save { nfmask, ctmask } if nfmask == ctmask => format!(" CONNMARK save mask {nfmask:#x}"),
        ConnMark::Save { nfmask, ctmask } => format!(" CONNMARK save nfmask {nfmask:#x} ctmask ~{ctmask:#x}"),
        ConnMark::Restore { nfmask: ALL, ctmask: ALL } => " CONNMARK restore".to_string(),
        ConnMark::Restore { nfmask, ctmask } if nfmask == ctmask => {
            format!(" CONNMARK restore mask {ctmask:#x}")
        }
        ConnMark::Restore { nfmask, ctmask } => {
            format!(" CONNMARK restore ctmask {ctmask:#x} nfmask ~{nfmask:#x}")
        }
    }
}

/// `-m connmark` as iptables-save prints it.
pub(super) fn print_connmark_test(test: Test<(u32, u32)>) -> String {
    format!(" -m connmark{} --mark {}", if test.invert { " !" } else { "" }, print_marked(test.value))
}

/// The target before its options.
pub(super) const CONNMARK: Target = Target::ConnMark(ConnMark::Set { value: 0, mask: 0 });
