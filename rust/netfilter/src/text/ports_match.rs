//! `-m tcp`, `-m udp`, `-m sctp`.

use kdp_packet::{Proto, flags};

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, port_test};
use super::values::number;
use crate::{Match, PortRange, TcpFlagTest, Test};

/// The ports of a protocol, and TCP's flags.
pub(super) struct Ports {
    proto: Proto,
    sport: Option<Test<PortRange>>,
    dport: Option<Test<PortRange>>,
    flags: Option<Test<TcpFlagTest>>,
    option: Option<Test<u8>>,
    /// Options that were there.
    seen: Vec<&'static str>,
}

/// The flags in the order in which iptables-save prints them.
/// Source: iptables 1.8.9, `tcp_flag_names` in extensions/libxt_tcp.c.
pub(super) const FLAGS: [(u8, &str); 6] = [
    (flags::FIN, "FIN"),
    (flags::SYN, "SYN"),
    (flags::RST, "RST"),
    (flags::PSH, "PSH"),
    (flags::ACK, "ACK"),
    (flags::URG, "URG"),
];

const ALL_FLAGS: u8 = 0x3f;

impl Ports {
    pub(super) fn of(proto: Proto) -> Ports {
        Ports { proto, sport: None, dport: None, flags: None, option: None, seen: Vec::new() }
    }

    fn see(&mut self, option: &'static str) -> Result<(), Problem> {
        if self.seen.contains(&option) {
            return Err(Problem::syntax(format!("{option} may be given once")));
        }
        self.seen.push(option);
        Ok(())
    }
}

impl Module for Ports {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        match option.name {
            "--sport" | "--source-port" => {
                self.see("--sport")?;
                self.sport = port_test(option, arguments.value(option.name)?)?;
            }
            "--dport" | "--destination-port" => {
                self.see("--dport")?;
                self.dport = port_test(option, arguments.value(option.name)?)?;
            }
            "--syn" if self.proto == Proto::TCP => {
                self.see("--tcp-flags")?;
                let mask = flags::FIN | flags::SYN | flags::RST | flags::ACK;
                let value = TcpFlagTest { mask, set: flags::SYN };
                self.flags = Some(Test { invert: option.invert, value });
            }
            "--tcp-flags" if self.proto == Proto::TCP => {
                self.see("--tcp-flags")?;
                let mask = flag_set(arguments.value(option.name)?)?;
                let value = TcpFlagTest { mask, set: flag_set(arguments.value(option.name)?)? };
                self.flags = Some(Test { invert: option.invert, value });
            }
            "--tcp-option" if self.proto == Proto::TCP => {
                self.see("--tcp-option")?;
                let value = option_kind(arguments.value(option.name)?)?;
                self.option = Some(Test { invert: option.invert, value });
            }
            "--chunk-types" if self.proto == Proto::SCTP => {
                return Err(Problem::option(option.name, "match \"sctp\""));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let Ports { proto, sport, dport, flags, option, .. } = *self;
        Ok(Match::Ports { proto, sport, dport, flags, option })
    }

    fn needs(&self) -> Option<Proto> {
        Some(self.proto)
    }
}

/// Source: iptables 1.8.9, `parse_tcp_option` in extensions/libxt_tcp.c: the end of the list cannot be asked for.
fn option_kind(text: &str) -> Result<u8, Problem> {
    let kind = number(text).and_then(|kind| u8::try_from(kind).ok()).filter(|kind| *kind > 0);
    kind.ok_or_else(|| Problem::syntax(format!("--tcp-option: {text:?} is not between 1 and 255")))
}

fn flag_set(text: &str) -> Result<u8, Problem> {
    let flag = |word: &str| match word.to_ascii_uppercase().as_str() {
        "ALL" => Ok(ALL_FLAGS),
        "NONE" => Ok(0),
        upper => {
            let known = FLAGS.iter().find(|(_, name)| *name == upper).map(|(flag, _)| *flag);
            known.ok_or_else(|| Problem::syntax(format!("--tcp-flags: {word:?} is not a flag")))
        }
    };
    text.split(',').try_fold(0, |set, word| Ok(set | flag(word)?))
}
