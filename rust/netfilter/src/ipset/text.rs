//! What `ipset restore` reads and `ipset -sorted save` prints.

use std::fmt::Write;
use std::sync::Arc;

use kdp_packet::{Cidr, Family, Proto, parse_ip_lenient};
use kdp_sim::Time;

use super::Sets;
use super::element::{Key, Part, echo};
use super::kind::{Dim, Kind};
use super::set::{Element, Set};
use crate::text::{protocol_number, words};
use crate::vm::Count;
use crate::{Error, Place};

/// Source: ip_set.h: `IPSET_MAXNAMELEN` and `IPSET_MAX_COMMENT_SIZE`, with the closing zero; `IPSET_MAX_TIMEOUT`.
const NAME_MAX: usize = 31;
const COMMENT_MAX: usize = 255;
const TIMEOUT_MAX: u32 = (u32::MAX >> 1) / 1000;

/// What is wrong with a line, before the line is known.
enum Fault {
    Syntax(String),
    NotModelled(String),
    Unknown(String),
    Refused(String),
}

impl Fault {
    fn at(self, place: Place) -> Error {
        match self {
            Fault::Syntax(problem) => Error::Syntax { place, problem },
            Fault::NotModelled(name) => Error::OptionNotModelled { place, name, owner: "ipset".to_string() },
            Fault::Unknown(set) => {
                Error::AtLine { place, error: Box::new(Error::UnknownSet { by: "ipset".to_string(), set }) }
            }
            Fault::Refused(why) => Error::AtLine { place, error: Box::new(Error::SetRefused { why }) },
        }
    }
}

fn syntax<T>(problem: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Syntax(problem.into()))
}

/// Does what the lines say, up to the first error.
pub(super) fn run(sets: &mut Sets, text: &str, source: &str, now: Time) -> Result<(), Error> {
    for (number, line) in text.lines().enumerate() {
        let place = || Place { source: source.to_string(), line: number + 1 };
        step(sets, line, now).map_err(|fault| fault.at(place()))?;
    }
    Ok(())
}

/// What is wrong with each line of `text`.
pub(crate) fn survey(text: &str, source: &str) -> Vec<Error> {
    let mut sets = Sets::default();
    let place = |line| Place { source: source.to_string(), line };
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(n, line)| step(&mut sets, line, Time::ZERO).err().map(|fault| fault.at(place(n + 1))))
        .collect()
}

fn step(sets: &mut Sets, line: &str, now: Time) -> Result<(), Fault> {
    let Some(words) = words(line) else { return syntax("a quote is not closed") };
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let exist = words.iter().position(|word| ["-exist", "-!"].contains(word));
    exist.map(|place| words.remove(place));
    match words.as_slice() {
        [] | ["COMMIT"] => Ok(()),
        [comment, ..] if comment.starts_with('#') => Ok(()),
        ["create" | "-N", name, kind, options @ ..] => create(sets, name, kind, options, exist.is_some()),
        ["add" | "-A", name, element, options @ ..] => {
            add(sets, name, element, options, exist.is_some(), now)
        }
        ["del" | "-D", name, element] => delete(sets, name, element, exist.is_some()),
        ["flush" | "-F", name] => {
            set_mut(sets, name)?.clear();
            Ok(())
        }
        ["create" | "-N" | "add" | "-A" | "del" | "-D", ..] => {
            syntax("the line ends before its set and type or element")
        }
        [command, ..] => Err(Fault::NotModelled((*command).to_string())),
    }
}

fn set_mut<'a>(sets: &'a mut Sets, name: &str) -> Result<&'a mut Set, Fault> {
    sets.0.get_mut(name).map(Arc::make_mut).ok_or_else(|| Fault::Unknown(name.to_string()))
}

fn create(sets: &mut Sets, name: &str, kind: &str, options: &[&str], exist: bool) -> Result<(), Fault> {
    if name.is_empty() || name.len() > NAME_MAX {
        return syntax(format!("a set's name has 1 to {NAME_MAX} bytes, not {}", name.len()));
    }
    let set = options_of(kind, options)?;
    if sets.contains(name) {
        return if exist { Ok(()) } else { Err(Fault::Refused(format!("set {name} is there already"))) };
    }
    sets.0.insert(name.into(), Arc::new(set));
    Ok(())
}

/// An empty set of a type, with the options behind it.
fn options_of(kind: &str, options: &[&str]) -> Result<Set, Fault> {
    let mut words = options.iter().copied();
    let hash = Kind::HASHES.iter().find(|(name, _)| *name == kind);
    let kind = match (hash, kind) {
        (Some((name, dims)), _) => Kind::Hash { name, dims },
        (_, "list:set") => Kind::List,
        (_, "bitmap:ip" | "bitmap:port") => {
            let Some("range") = words.next() else { return syntax(format!("{kind} needs its range first")) };
            range(kind, words.next().unwrap_or(""))?
        }
        _ => return Err(Fault::NotModelled(kind.to_string())),
    };
    let mut set = Set::new(kind);
    while let Some(option) = words.next() {
        match option {
            "counters" => set.counters = true,
            "comment" => set.comment = true,
            _ => take(&mut set, option, words.next())?,
        }
    }
    Ok(set)
}

/// An option of a set that has a value.
fn take(set: &mut Set, option: &str, value: Option<&str>) -> Result<(), Fault> {
    let is_hash = matches!(set.kind, Kind::Hash { .. });
    let Some(text) = value else { return Err(Fault::NotModelled(option.to_string())) };
    match option {
        "family" if is_hash => {
            set.family = match text {
                "inet" => Family::V4,
                "inet6" => Family::V6,
                _ => return syntax(format!("family: {text:?} is not inet or inet6")),
            }
        }
        "hashsize" if is_hash => {
            set.hashsize = number(option, text, 1 << 31)?.next_power_of_two().max(64);
        }
        "maxelem" if is_hash => set.elements_max = number(option, text, u32::MAX)?,
        "size" if set.kind.is_list() => set.elements_max = number(option, text, 65_536)?.max(4),
        "timeout" => set.timeout = Some(number(option, text, TIMEOUT_MAX)?),
        "bucketsize" if is_hash => set.bucketsize = number(option, text, 14)?,
        "initval" if is_hash => set.initval = Some(text.into()),
        "netmask" if matches!(set.kind.name(), "hash:ip" | "bitmap:ip") => {
            let len = number(option, text, set.family.bits().into())?;
            set.netmask = u8::try_from(len).ok().filter(|len| *len > 0 && *len < set.family.bits());
        }
        _ => return Err(Fault::NotModelled(option.to_string())),
    }
    Ok(())
}

fn number(option: &str, text: &str, most: u32) -> Result<u32, Fault> {
    let value = text.parse::<u32>().ok().filter(|value| *value <= most);
    value.ok_or_else(|| Fault::Syntax(format!("{option}: {text:?} is not a number from 0 to {most}")))
}

/// The range of a bitmap, as `ipset save` prints it. A range holds 65,536 elements at most.
fn range(kind: &str, text: &str) -> Result<Kind, Fault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let found = if kind == "bitmap:port" {
        let ports = first.parse().ok().zip(last.parse().ok());
        ports.filter(|(first, last)| first <= last).map(|(first, last)| Kind::BitmapPort(first, last))
    } else {
        let addr = |text| parse_ip_lenient(text).filter(std::net::IpAddr::is_ipv4).map(Cidr::host);
        let ends = addr(first).zip(addr(last)).filter(|(first, last)| first <= last);
        ends.map(|(first, last)| Kind::BitmapIp(first, last))
    };
    found.ok_or_else(|| Fault::Syntax(format!("range: {text:?} is not FIRST-LAST of {kind}")))
}

fn add(
    sets: &mut Sets,
    name: &str,
    text: &str,
    options: &[&str],
    exist: bool,
    now: Time,
) -> Result<(), Fault> {
    let key = key(sets, name, text)?;
    let set = set_mut(sets, name)?;
    let mut element = element(set, options, now)?;
    element.number = set.next;
    set.next += 1;
    if set.elements.get(&key).is_some_and(|old| old.lives(now)) && !exist {
        return Err(Fault::Refused(format!("set {name}: element {text} is there already")));
    }
    let live = set.elements.values().filter(|element| element.lives(now));
    let limited = !matches!(set.kind, Kind::BitmapIp(..) | Kind::BitmapPort(..));
    if limited && set.elements.len() >= set.elements_max as usize && !set.elements.contains_key(&key) {
        let (found, most) = (live.count(), set.elements_max);
        if found >= most as usize {
            return Err(Fault::Refused(format!(
                "set {name} is full: it has {found} elements, and {most} are allowed"
            )));
        }
    }
    set.insert(key, element);
    Ok(())
}

fn delete(sets: &mut Sets, name: &str, text: &str, exist: bool) -> Result<(), Fault> {
    let key = key(sets, name, text)?;
    if set_mut(sets, name)?.remove(&key) || exist {
        return Ok(());
    }
    Err(Fault::Refused(format!("set {name}: element {text} is not there")))
}

/// What stands behind an element.
fn element(set: &Set, options: &[&str], now: Time) -> Result<Element, Fault> {
    let (mut element, mut timeout, mut count) = (Element::default(), set.timeout, Count::default());
    let mut words = options.iter().copied();
    while let Some(option) = words.next() {
        if option == "nomatch" && set.kind.dims().contains(&Dim::Net) {
            element.nomatch = true;
            continue;
        }
        let text = words.next().ok_or_else(|| Fault::NotModelled(option.to_string()))?;
        let wide = || text.parse().map_err(|_| Fault::Syntax(format!("{option}: {text:?} is not a number")));
        match option {
            "timeout" if set.timeout.is_some() => timeout = Some(number(option, text, TIMEOUT_MAX)?),
            "packets" if set.counters => count.packets = wide()?,
            "bytes" if set.counters => count.bytes = wide()?,
            "comment" if set.comment => element.comment = Some(comment(text)?),
            "timeout" | "packets" | "bytes" | "comment" => {
                return Err(Fault::Refused(format!("the set was made without what {option} needs")));
            }
            _ => return Err(Fault::NotModelled(option.to_string())),
        }
    }
    element.until =
        timeout.filter(|secs| *secs > 0).map(|secs| Time(now.as_nanos() + u64::from(secs) * 1_000_000_000));
    element.count = count;
    Ok(element)
}

fn comment(text: &str) -> Result<Arc<str>, Fault> {
    match text.len() {
        _ if text.contains('"') => syntax("comment: a quote is not allowed"),
        ..=COMMENT_MAX => Ok(text.into()),
        found => syntax(format!("comment: {found} bytes; at most {COMMENT_MAX} are allowed")),
    }
}

/// The element that `text` names.
fn key(sets: &Sets, name: &str, text: &str) -> Result<Key, Fault> {
    let set = sets.0.get(name).ok_or_else(|| Fault::Unknown(name.to_string()))?;
    let outside = || Err(Fault::Refused(format!("set {name}: element {text} lies outside of its range")));
    match set.kind {
        Kind::List => {
            let member = sets.0.get(text).ok_or_else(|| Fault::Unknown(text.to_string()))?;
            let part = Part::Set(text.into());
            if member.kind.is_list() {
                return Err(Fault::Refused(format!("set {name}: {text} is a list of sets itself")));
            }
            Ok(std::iter::once(part).collect())
        }
        Kind::BitmapPort(first, last) => {
            let port = text.strip_prefix("tcp:").unwrap_or(text).parse::<u16>();
            let port = port.map_err(|_| Fault::NotModelled(text.to_string()))?;
            if (first..=last).contains(&port) {
                Ok(std::iter::once(Part::Bare(port)).collect())
            } else {
                outside()
            }
        }
        Kind::BitmapIp(first, last) => {
            let key = parts(set, text)?;
            if (Part::Net(first)..=Part::Net(last)).contains(&key[0]) { Ok(key) } else { outside() }
        }
        Kind::Hash { .. } => parts(set, text),
    }
}

fn parts(set: &Set, text: &str) -> Result<Key, Fault> {
    let dims = set.kind.dims();
    let words: Vec<&str> = text.split(',').collect();
    if words.len() != dims.len() {
        return syntax(format!(
            "{text:?} has {} parts; elements of {} have {}",
            words.len(),
            set.kind.name(),
            dims.len()
        ));
    }
    dims.iter().zip(words).map(|(dim, word)| part(set, *dim, word)).collect()
}

fn part(set: &Set, dim: Dim, text: &str) -> Result<Part, Fault> {
    match dim {
        Dim::Ip | Dim::Net => {
            if text.contains('-') {
                return Err(Fault::NotModelled(text.to_string()));
            }
            let net = Cidr::parse(text).filter(|net| net.family() == set.family);
            let Some(net) = net else {
                return syntax(format!("{text:?} is not an address of the set's family"));
            };
            // Source: ipset 7.17 and the kernel: /0 is an element with a device alone.
            if dim == Dim::Net && net.prefix_len() == 0 && !set.kind.dims().contains(&Dim::Device) {
                return syntax(format!("{text}: a prefix has at least one bit"));
            }
            if dim == Dim::Ip && !net.is_host() {
                return Err(Fault::NotModelled(text.to_string()));
            }
            Ok(set.masked(Part::Net(net)))
        }
        Dim::Port => port(text),
        Dim::Device if text.starts_with("physdev:") => Err(Fault::NotModelled("physdev".to_string())),
        Dim::Device if text.is_empty() || text.len() > 15 => {
            syntax(format!("{text:?} is not a device's name"))
        }
        Dim::Device => Ok(Part::Device(text.into())),
    }
}

/// `PROTOCOL:PORT`; a bare port is TCP's.
fn port(text: &str) -> Result<Part, Fault> {
    let (name, port) = text.split_once(':').unwrap_or(("tcp", text));
    let Some(proto) = protocol_number(name) else { return syntax(format!("{name:?} is not a protocol")) };
    let number = match proto {
        Proto::ICMP | Proto::ICMPV6 => echo(proto, port),
        _ => port.parse().ok(),
    };
    number.map(|number| Part::Port(proto.0, number)).ok_or_else(|| Fault::NotModelled(text.to_string()))
}

/// A set and its elements.
pub(super) fn put_set(out: &mut String, name: &str, set: &Set, now: Time) {
    let _ = write!(out, "create {name} {}", set.kind.name());
    let _ = match &set.kind {
        Kind::Hash { .. } => {
            let family = if set.family == Family::V4 { "inet" } else { "inet6" };
            write!(out, " family {family} hashsize {} maxelem {}", set.hashsize, set.elements_max)
        }
        Kind::BitmapIp(first, last) => write!(out, " range {}-{}", first.addr(), last.addr()),
        Kind::BitmapPort(first, last) => write!(out, " range {first}-{last}"),
        Kind::List => write!(out, " size {}", set.elements_max),
    };
    let _ = set.netmask.map_or(Ok(()), |len| write!(out, " netmask {len}"));
    let _ = set.timeout.map_or(Ok(()), |secs| write!(out, " timeout {secs}"));
    out.push_str(if set.counters { " counters" } else { "" });
    out.push_str(if set.comment { " comment" } else { "" });
    if let Kind::Hash { .. } = set.kind {
        let _ = write!(out, " bucketsize {}", set.bucketsize);
        let _ = set.initval.as_ref().map_or(Ok(()), |initval| write!(out, " initval {initval}"));
    }
    out.push('\n');
    let mut elements: Vec<(&Key, &Element)> = set.elements.iter().filter(|(_, e)| e.lives(now)).collect();
    if set.kind.is_list() {
        elements.sort_by_key(|(_, element)| element.number);
    }
    for element in elements {
        put_element(out, name, set, element, now);
    }
}

fn put_element(out: &mut String, name: &str, set: &Set, (key, element): (&Key, &Element), now: Time) {
    let parts: Vec<String> = key.iter().map(ToString::to_string).collect();
    let _ = write!(out, "add {name} {}", parts.join(","));
    if set.timeout.is_some() {
        // An element that ends within the second has one left. Source: ip_set_timeout.h `ip_set_timeout_get`, v6.12.
        let left =
            element.until.map_or(0, |until| ((until.as_nanos() - now.as_nanos()) / 1_000_000_000).max(1));
        let _ = write!(out, " timeout {left}");
    }
    out.push_str(if element.nomatch { " nomatch" } else { "" });
    if set.counters {
        let _ = write!(out, " packets {} bytes {}", element.count.packets, element.count.bytes);
    }
    if let Some(comment) = &element.comment {
        let _ = write!(out, " comment \"{comment}\"");
    }
    out.push('\n');
}
