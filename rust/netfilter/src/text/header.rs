//! `-m tos`, `-m dscp`, `-m ttl`, `-m hl`, `-m tcpmss`, `-m iprange`: tests of one header field.

use std::net::IpAddr;

use kdp_packet::{Family, Proto};

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing, once};
use super::nat_range::print_ports;
use super::values::{address, number, ports};
use crate::{HeaderTest, Match, PortRange, Test, TtlTest};

/// `-m tos`, `-m dscp`, `-m ttl`, `-m hl`, `-m tcpmss`: one option each.
pub(super) struct Field {
    module: &'static str,
    option: &'static str,
    test: Option<HeaderTest>,
}

impl Field {
    pub(super) fn of(module: &'static str, option: &'static str) -> Field {
        Field { module, option, test: None }
    }
}

impl Module for Field {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if !option.name.starts_with(self.option) {
            return Ok(false);
        }
        let (name, invert) = (option.name, option.invert);
        let mut text = || arguments.value(name);
        let test = match (self.module, name) {
            ("tos", "--tos") => HeaderTest::Tos(Test { invert, value: masked(name, text()?)? }),
            ("dscp", "--dscp") => HeaderTest::Dscp(Test { invert, value: below(name, text()?, 64)? }),
            ("tcpmss", "--mss") => HeaderTest::TcpMss(Test { invert, value: ports(name, text()?, ':')? }),
            ("ttl", "--ttl-eq" | "--ttl") | ("hl", "--hl-eq" | "--hl") => {
                let value = byte(name, text()?)?;
                HeaderTest::Ttl(if invert { TtlTest::Ne(value) } else { TtlTest::Eq(value) })
            }
            ("ttl", "--ttl-lt") | ("hl", "--hl-lt") => {
                option.plain()?;
                HeaderTest::Ttl(TtlTest::Lt(byte(name, text()?)?))
            }
            ("ttl", "--ttl-gt") | ("hl", "--hl-gt") => {
                option.plain()?;
                HeaderTest::Ttl(TtlTest::Gt(byte(name, text()?)?))
            }
            _ => return Err(Problem::option(name, &format!("match {:?}", self.module))),
        };
        once(&mut self.test, option, test)
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.test.map(Match::Header).ok_or_else(|| missing(self.module, self.option))
    }

    fn needs(&self) -> Option<Proto> {
        (self.module == "tcpmss").then_some(Proto::TCP)
    }
}

pub(super) fn byte(option: &str, text: &str) -> Result<u8, Problem> {
    below(option, text, 256)
}

/// A number below `end`, which is 256 at most.
pub(super) fn below(option: &str, text: &str, end: u32) -> Result<u8, Problem> {
    let value = number(text).filter(|value| *value < end).and_then(|value| u8::try_from(value).ok());
    value.ok_or_else(|| Problem::syntax(format!("{option}: {text:?} is not a number below {end}")))
}

/// `VALUE[/MASK]`, or one of the names that RFC 1349 has. Source: iptables 1.8.9, extensions/tos_values.c.
pub(super) fn masked(option: &str, text: &str) -> Result<(u8, u8), Problem> {
    const NAMES: [(&str, u8); 5] = [
        ("Minimize-Delay", 0x10),
        ("Maximize-Throughput", 0x08),
        ("Maximize-Reliability", 0x04),
        ("Minimize-Cost", 0x02),
        ("Normal-Service", 0x00),
    ];
    if let Some((_, value)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Ok((*value, 0x3f));
    }
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xff"));
    Ok((byte(option, value)?, byte(option, mask)?))
}

/// `-m iprange`.
#[derive(Default)]
pub(super) struct Ranges {
    src: Option<Test<(IpAddr, IpAddr)>>,
    dst: Option<Test<(IpAddr, IpAddr)>>,
}

impl Module for Ranges {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let place = match option.name {
            "--src-range" => &mut self.src,
            "--dst-range" => &mut self.dst,
            _ => return Ok(false),
        };
        let text = arguments.value(option.name)?;
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let [first, last] = [first, last].map(|text| address(option.name, text, arguments.family));
        once(place, option, Test { invert: option.invert, value: (first?, last?) })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        if self.src.is_none() && self.dst.is_none() {
            return Err(missing("iprange", "--src-range or --dst-range"));
        }
        Ok(Match::Header(HeaderTest::Range { src: self.src, dst: self.dst }))
    }
}

fn not(invert: bool) -> &'static str {
    if invert { " !" } else { "" }
}

/// A header test as iptables-save prints it. Source: iptables 1.8.9, the `_save` functions of the extensions.
pub(super) fn print_header(family: Family, test: &HeaderTest) -> String {
    let hop = if family == Family::V4 { "ttl" } else { "hl" };
    match test {
        HeaderTest::Tos(Test { invert, value: (value, mask) }) => {
            format!(" -m tos{} --tos 0x{value:02x}/0x{mask:02x}", not(*invert))
        }
        HeaderTest::Dscp(test) => format!(" -m dscp{} --dscp 0x{:02x}", not(test.invert), test.value),
        HeaderTest::Ttl(TtlTest::Eq(value)) => format!(" -m {hop} --{hop}-eq {value}"),
        HeaderTest::Ttl(TtlTest::Ne(value)) => format!(" -m {hop} ! --{hop}-eq {value}"),
        HeaderTest::Ttl(TtlTest::Lt(value)) => format!(" -m {hop} --{hop}-lt {value}"),
        HeaderTest::Ttl(TtlTest::Gt(value)) => format!(" -m {hop} --{hop}-gt {value}"),
        HeaderTest::TcpMss(test) => {
            format!(" -m tcpmss{} --mss {}", not(test.invert), print_ports(test.value, ':'))
        }
        HeaderTest::Range { src, dst } => {
            let one = |name: &str, test: &Option<Test<(IpAddr, IpAddr)>>| {
                test.map(|Test { invert, value: (first, last) }| {
                    format!("{} --{name}-range {first}-{last}", not(invert))
                })
            };
            format!(
                " -m iprange{}{}",
                one("src", src).unwrap_or_default(),
                one("dst", dst).unwrap_or_default()
            )
        }
    }
}

/// A header test as `iptables -L` lists it.
pub(super) fn list_header(family: Family, test: &HeaderTest) -> String {
    let hop = if family == Family::V4 { "TTL" } else { "HL" };
    let mark = |invert: bool| if invert { "!" } else { "" };
    match test {
        HeaderTest::Tos(Test { invert, value: (value, mask) }) => {
            format!(" tos match{}0x{value:02x}/0x{mask:02x}", mark(*invert))
        }
        HeaderTest::Dscp(test) => format!(" DSCP match {}0x{:02x}", mark(test.invert), test.value),
        HeaderTest::Ttl(test) => {
            let (op, value) = match test {
                TtlTest::Eq(value) => ("==", value),
                TtlTest::Ne(value) => ("!=", value),
                TtlTest::Lt(value) => ("<", value),
                TtlTest::Gt(value) => (">", value),
            };
            format!(" {hop} match {hop} {op} {value}")
        }
        HeaderTest::TcpMss(Test { invert, value: PortRange { first, last } }) => {
            let last = if first == last { String::new() } else { format!(":{last}") };
            format!(" tcpmss match {}{first}{last}", mark(*invert))
        }
        HeaderTest::Range { src, dst } => {
            let one = |name: &str, test: &Option<Test<(IpAddr, IpAddr)>>| {
                test.map(|Test { invert, value: (first, last) }| {
                    format!(" {name} IP range{} {first}-{last}", not(invert))
                })
            };
            [one("source", src), one("destination", dst)].into_iter().flatten().collect()
        }
    }
}
