//! Values and keys: from text to numbers.

use std::net::IpAddr;

use kdp_packet::Cidr;
use kdp_sim::Time;
use smallvec::SmallVec;

use super::cursor::{Cursor, number};
use super::symbols::{self, is_bitmask};
use crate::Error;
use crate::Name;
use crate::nft::{Data, Element, MapsTo, Span, Spans, Type, Verdict};

/// A value or range of a type.
pub(super) fn span(cursor: &mut Cursor<'_>, kind: Type) -> Result<Span, Error> {
    if is_bitmask(kind) {
        return Ok(Span::one(bits(cursor, kind)?.into()));
    }
    let text = cursor.text("a value")?;
    if kind == Type::Ipv4Addr || kind == Type::Ipv6Addr {
        return match address_span(text, kind) {
            Some(span) => Ok(span),
            None => cursor.wrong(format!("{text:?} is not an address of this family")),
        };
    }
    if kind == Type::IfName {
        return Ok(match text.strip_suffix('*') {
            Some(beginning) => Span::devices(beginning),
            None => Span::device(text),
        });
    }
    let value = |text: &str| {
        let symbol = symbols::number_of(symbols::of_type(kind), text).map(u64::from);
        if kind == Type::Time { millis(text) } else { symbol.or_else(|| number(text)) }
    };
    // A symbol may have a dash in it; a range has one between two values.
    if let Some(value) = value(text) {
        return Ok(Span::one(value.into()));
    }
    let ends = text.split_once('-').and_then(|(first, last)| Some((value(first)?, value(last)?)));
    match ends {
        Some((first, last)) if first <= last => Ok(Span { first: first.into(), last: last.into() }),
        _ => cursor.wrong(format!("{text:?} is not a value of this type")),
    }
}

/// A time as nft writes it, in milliseconds. A bare number is seconds.
fn millis(text: &str) -> Option<u64> {
    time(text).map(|time| time.0 / 1_000_000)
}

fn address_span(text: &str, kind: Type) -> Option<Span> {
    let fits = |addr: &IpAddr| addr.is_ipv4() == (kind == Type::Ipv4Addr);
    if let Some((first, last)) = text.split_once('-') {
        let (first, last) = (first.parse().ok().filter(fits)?, last.parse().ok().filter(fits)?);
        let span = Span { first: Span::addr(first).first, last: Span::addr(last).first };
        return (span.first <= span.last).then_some(span);
    }
    Cidr::parse(text).filter(|cidr| fits(&cidr.addr())).map(Span::cidr)
}

/// Bits of a type: `new,established`, `(syn|ack)`, `0x12`.
pub(super) fn bits(cursor: &mut Cursor<'_>, kind: Type) -> Result<u32, Error> {
    let grouped = cursor.sign("(");
    let mut bits = 0;
    loop {
        let word = cursor.text("a flag")?;
        let symbol = symbols::number_of(symbols::of_type(kind), word);
        let number = symbol.or_else(|| number(word).and_then(|number| number.try_into().ok()));
        let Some(number) = number else {
            return cursor.wrong(format!("{word:?} is not a flag of this type"));
        };
        bits |= number;
        if !cursor.sign("|") {
            break;
        }
    }
    if grouped {
        cursor.need_sign(")")?;
    }
    Ok(bits)
}

/// `A . B . C`.
pub(super) fn key(cursor: &mut Cursor<'_>, types: &[Type]) -> Result<Spans, Error> {
    let mut spans = SmallVec::new();
    for (place, kind) in types.iter().enumerate() {
        if place > 0 {
            cursor.need(".")?;
        }
        spans.push(span(cursor, *kind)?);
    }
    Ok(spans)
}

/// `{ ELEMENT, … }`.
pub(super) fn elements(
    cursor: &mut Cursor<'_>,
    key: &[Type],
    data: Option<&MapsTo>,
) -> Result<Vec<Element>, Error> {
    cursor.need_sign("{")?;
    let mut elements = Vec::new();
    cursor.skip_ends();
    while !cursor.sign("}") {
        elements.push(element(cursor, key, data)?);
        cursor.skip_ends();
        if !cursor.sign(",") && !cursor.at_sign("}") {
            return cursor.wrong("elements are separated by commas and end with \"}\"");
        }
        cursor.skip_ends();
    }
    Ok(elements)
}

fn element(cursor: &mut Cursor<'_>, types: &[Type], data: Option<&MapsTo>) -> Result<Element, Error> {
    let mut element = Element { key: key(cursor, types)?, timeout: None, comment: None, data: None };
    loop {
        match cursor.peek() {
            Some("timeout") => {
                cursor.take("timeout");
                element.timeout = Some(duration(cursor)?);
            }
            Some("expires") => {
                cursor.take("expires");
                element.timeout = Some(duration(cursor)?);
            }
            Some("comment") => {
                cursor.take("comment");
                element.comment = Some(cursor.text("a comment")?.into());
            }
            Some("counter") => return cursor.not_modelled("counter of an element"),
            _ => break,
        }
    }
    if let Some(data) = data.filter(|_| cursor.take(":")) {
        element.data = Some(match data {
            MapsTo::Verdict => Data::Verdict(verdict(cursor)?),
            MapsTo::Values(types) => Data::Values(self::key(cursor, types)?),
        });
    }
    Ok(element)
}

/// A verdict.
pub(super) fn verdict(cursor: &mut Cursor<'_>) -> Result<Verdict, Error> {
    let word = cursor.text("a verdict")?;
    let mut chain = || cursor.text("a chain").map(|name| Name::text(name.to_string()));
    Ok(match word {
        "accept" => Verdict::Accept,
        "drop" => Verdict::Drop,
        "continue" => Verdict::Continue,
        "return" => Verdict::Return,
        "jump" => Verdict::Jump(chain()?),
        "goto" => Verdict::Goto(chain()?),
        _ => return cursor.not_modelled(word),
    })
}

/// A time: `3h5m`, `90s`, `90`.
pub(super) fn duration(cursor: &mut Cursor<'_>) -> Result<Time, Error> {
    let text = cursor.text("a time")?;
    time(text).map_or_else(|| cursor.wrong(format!("{text:?} is not a time like 1d2h3m4s5ms")), Ok)
}

fn time(text: &str) -> Option<Time> {
    const UNITS: [(&str, u64); 5] = [
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Time::from_secs(seconds));
    }
    let (mut rest, mut nanos) = (text, 0u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        nanos = nanos.checked_add(count.checked_mul(factor)?)?;
        rest = &rest[digits + unit.len()..];
    }
    Some(Time(nanos))
}

/// Ranges of a rule's own set are sorted, and adjacent ones become one.
/// Source: nftables 1.0.6, src/intervals.c, `set_automerge`.
pub(super) fn merge(elements: &mut Vec<Element>) {
    let plain = |each: &Element| each.key.len() == 1 && each.data.is_none() && each.comment.is_none();
    if !elements.iter().all(plain) || elements.iter().all(|each| each.key[0].is_one()) {
        return;
    }
    elements.sort_by_key(|each| each.key[0]);
    elements.dedup_by(|later, earlier| {
        let (next, last) = (later.key[0], &mut earlier.key[0].last);
        let joins = last.checked_add(1).is_none_or(|behind| next.first <= behind);
        if joins {
            *last = next.last.max(*last);
        }
        joins
    });
}
