//! The tool's command line.

use std::net::IpAddr;

use kdp_packet::{Cidr, Family, Proto, Tuple};

use super::super::connection::Status;
use super::super::filter::{Filter, NatTo};
use super::super::listing::Format;
use super::{ByHand, Command};
use crate::{Error, NatRange, Place};

impl Command {
    /// Reads a command line, without the tool's name: `["-D", "-p", "udp", "--orig-dst", "10.96.0.10"]`.
    ///
    /// What the tool has and kdp has not is an error that names it.
    /// Source: conntrack-tools, conntrack(8).
    pub fn parse(arguments: &[&str]) -> Result<Command, Error> {
        let mut words = Words { rest: arguments };
        let mut wanted = Wanted::default();
        while let Some(word) = words.next() {
            option(&mut wanted, word, &mut words)?;
        }
        wanted.command()
    }
}

struct Words<'a> {
    rest: &'a [&'a str],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The next word if it is no option: the value of one that may go without.
    fn optional(&mut self) -> Option<&'a str> {
        let word = self.rest.first().filter(|word| !word.starts_with('-'))?;
        self.rest = &self.rest[1..];
        Some(word)
    }
}

/// What the options so far ask for.
#[derive(Default)]
struct Wanted {
    verb: Option<Verb>,
    filter: Filter,
    format: Format,
    timeout: Option<u32>,
    mark: Option<(u32, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Delete,
    Flush,
    Count,
    Update,
    Insert,
}

fn option<'a>(wanted: &mut Wanted, word: &'a str, words: &mut Words<'a>) -> Result<(), Error> {
    let (name, inline) = match word.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name, Some(value)),
        _ => (word, None),
    };
    if let Some(verb) = verb(name) {
        wanted.verb = Some(verb);
        // The table may be named behind the verb; expectations are not modelled.
        return match words.optional() {
            None | Some("conntrack") => Ok(()),
            Some(table) => Err(not_modelled(table)),
        };
    }
    let filter = &mut wanted.filter;
    if matches!(name, "-n" | "--src-nat" | "-g" | "--dst-nat") {
        let to = inline.or_else(|| words.optional()).map_or(Ok(NatTo::ANY), |value| nat_to(name, value))?;
        let source = matches!(name, "-n" | "--src-nat");
        *(if source { &mut filter.src_nat } else { &mut filter.dst_nat }) = Some(to);
        return Ok(());
    }
    let value = inline.or_else(|| words.next()).ok_or_else(|| wrong(name, "a value is missing"))?;
    match name {
        "-p" | "--proto" => filter.proto = Some(read(name, Proto::parse(value))?),
        "-f" | "--family" => filter.family = Some(family(value)?),
        "-s" | "--src" | "--orig-src" => filter.orig_src = Some(read(name, Cidr::parse(value))?),
        "-d" | "--dst" | "--orig-dst" => filter.orig_dst = Some(read(name, Cidr::parse(value))?),
        "-r" | "--reply-src" => filter.reply_src = Some(read(name, Cidr::parse(value))?),
        "-q" | "--reply-dst" => filter.reply_dst = Some(read(name, Cidr::parse(value))?),
        "--sport" | "--orig-port-src" => filter.orig_sport = Some(number(name, value)?),
        "--dport" | "--orig-port-dst" => filter.orig_dport = Some(number(name, value)?),
        "--reply-port-src" => filter.reply_sport = Some(number(name, value)?),
        "--reply-port-dst" => filter.reply_dport = Some(number(name, value)?),
        "-w" | "--zone" => filter.zone = Some(number(name, value)?),
        "--state" => filter.state = Some(value.to_owned()),
        "-u" | "--status" => filter.status = status(name, value)?,
        "-m" | "--mark" => wanted.mark = Some(mark(name, value)?),
        "-t" | "--timeout" => wanted.timeout = Some(number(name, value)?),
        "-o" | "--output" => output(&mut wanted.format, value)?,
        _ => return Err(not_modelled(name)),
    }
    Ok(())
}

impl Wanted {
    fn command(self) -> Result<Command, Error> {
        let verb = self.verb.ok_or_else(|| wrong("conntrack", "a command is missing, such as -L or -D"))?;
        let found = Filter { mark: self.mark, ..self.filter.clone() };
        Ok(match verb {
            Verb::List => Command::List { filter: found, format: self.format },
            Verb::Delete => Command::Delete(found),
            Verb::Flush => Command::Flush,
            Verb::Count => Command::Count,
            // `-m` of an update is what is written.
            Verb::Update => Command::Update {
                timeout: self.timeout,
                mark: self.mark.map(|(value, _)| value),
                filter: self.filter,
            },
            Verb::Insert => Command::Insert(Box::new(self.by_hand()?)),
        })
    }

    fn by_hand(self) -> Result<ByHand, Error> {
        let filter = &self.filter;
        let missing = |option: &'static str| wrong(option, "-I needs it");
        let original = Tuple {
            src: filter.orig_src.ok_or_else(|| missing("-s"))?.addr(),
            dst: filter.orig_dst.ok_or_else(|| missing("-d"))?.addr(),
            sport: filter.orig_sport.unwrap_or(0),
            dport: filter.orig_dport.unwrap_or(0),
            proto: filter.proto.ok_or_else(|| missing("-p"))?,
            zone: filter.zone.unwrap_or(0),
        };
        if original.proto.is_icmp() {
            return Err(not_modelled("-I -p icmp"));
        }
        let inverse = original.inverse().expect("what is not ICMP has an inverse");
        let reply = Tuple {
            src: filter.reply_src.map_or(inverse.src, Cidr::addr),
            dst: filter.reply_dst.map_or(inverse.dst, Cidr::addr),
            sport: filter.reply_sport.unwrap_or(inverse.sport),
            dport: filter.reply_dport.unwrap_or(inverse.dport),
            ..inverse
        };
        let range = |to: Option<NatTo>| to.and_then(|to| to.addr.map(|addr| NatRange::to(addr, to.port)));
        Ok(ByHand {
            original,
            reply,
            timeout: self.timeout.ok_or_else(|| missing("-t"))?,
            status: filter.status,
            mark: self.mark.map_or(0, |(value, _)| value),
            state: filter.state.clone(),
            src_nat: range(filter.src_nat),
            dst_nat: range(filter.dst_nat),
        })
    }
}

fn verb(name: &str) -> Option<Verb> {
    Some(match name {
        "-L" | "--dump" => Verb::List,
        "-D" | "--delete" => Verb::Delete,
        "-F" | "--flush" => Verb::Flush,
        "-C" | "--count" => Verb::Count,
        "-U" | "--update" => Verb::Update,
        "-I" | "--create" => Verb::Insert,
        _ => return None,
    })
}

fn family(value: &str) -> Result<Family, Error> {
    match value {
        "ipv4" => Ok(Family::V4),
        "ipv6" => Ok(Family::V6),
        _ => Err(wrong("-f", "ipv4 or ipv6")),
    }
}

/// `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`.
fn nat_to(name: &str, value: &str) -> Result<NatTo, Error> {
    if let Ok(addr) = value.parse::<IpAddr>() {
        return Ok(NatTo::addr(addr));
    }
    let (addr, port) = read(name, value.rsplit_once(':'))?;
    let addr = addr.trim_start_matches('[').trim_end_matches(']');
    Ok(NatTo { addr: Some(read(name, addr.parse().ok())?), port: Some(number(name, port)?) })
}

fn status(name: &str, value: &str) -> Result<Status, Error> {
    let mut status = Status::default();
    for word in value.split(',') {
        status.add(match word {
            "SEEN_REPLY" => Status::SEEN_REPLY,
            "ASSURED" => Status::ASSURED,
            "CONFIRMED" => Status::CONFIRMED,
            "FIXED_TIMEOUT" => Status::FIXED_TIMEOUT,
            "SRC_NAT" => Status::SRC_NAT,
            "DST_NAT" => Status::DST_NAT,
            _ => return Err(not_modelled(&format!("{name} {word}"))),
        });
    }
    Ok(status)
}

/// `VALUE` or `VALUE/MASK`, decimal or hexadecimal.
fn mark(name: &str, value: &str) -> Result<(u32, u32), Error> {
    let (value, mask) = value.split_once('/').map_or((value, None), |(value, mask)| (value, Some(mask)));
    Ok((number(name, value)?, mask.map_or(Ok(u32::MAX), |mask| number(name, mask))?))
}

fn output(format: &mut Format, value: &str) -> Result<(), Error> {
    for word in value.split(',') {
        match word {
            "extended" => format.extended = true,
            _ => return Err(not_modelled(&format!("-o {word}"))),
        }
    }
    Ok(())
}

fn number<N: TryFrom<u32>>(name: &str, value: &str) -> Result<N, Error> {
    let number = match value.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => value.parse(),
    };
    number
        .ok()
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| wrong(name, &format!("{value:?} is not a number that fits")))
}

fn read<T>(name: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| wrong(name, "the value is not of the form that conntrack(8) describes"))
}

fn place() -> Place {
    Place { source: "conntrack".to_owned(), line: 1 }
}

fn wrong(option: &str, problem: &str) -> Error {
    Error::Syntax { place: place(), problem: format!("{option}: {problem}") }
}

fn not_modelled(option: &str) -> Error {
    Error::OptionNotModelled { place: place(), name: option.to_owned(), owner: "conntrack".to_owned() }
}
