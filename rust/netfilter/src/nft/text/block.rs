//! Declarations in braces: tables, chains, sets, maps and named objects.

use kdp_packet::{Family, Proto};

use super::cursor::Cursor;
use super::script::Script;
use super::statement::{counts, limit, quota, rule};
use super::symbols::TYPES;
use super::{expression, values};
use crate::conntrack::TimeoutPolicy;
use crate::nft::{
    Base, Chain, ChainType, Element, MapsTo, Object, ObjectKind, Op, Rule, Set, Table, TableFamily, Type,
};
use crate::{Error, Hook, Name, Policy};

/// `table … { … }`. Chains, objects and sets are made before elements and rules, so that those may lead to what stands below.
/// Source: nftables 1.0.6, src/rule.c, `nft_cmd_expand`.
pub(super) fn table(script: &mut Script<'_>, table: &Table) -> Result<(), Error> {
    let (mut first, mut later, mut rules, mut comment) = (Vec::new(), Vec::new(), Vec::new(), None);
    let line = script.cursor.place().line;
    if script.cursor.sign("{") {
        script.cursor.skip_ends();
        while !script.cursor.sign("}") {
            if script.cursor.take("comment") {
                comment = Some(script.cursor.text("a comment")?.into());
            } else {
                let mark = script.cursor.mark();
                let read = content(script, table, (&mut first, &mut later, &mut rules));
                read.or_else(|error| script.cursor.pass_over(mark, error))?;
            }
            script.cursor.end()?;
            script.cursor.skip_ends();
        }
    }
    script.push_at(line, table, Op::AddTable(comment));
    first.extend(later);
    first.extend(rules);
    for (line, op) in first {
        script.push_at(line, table, op);
    }
    Ok(())
}

/// Steps, and their lines.
type Ops<'a> = &'a mut Vec<(usize, Op)>;

fn content(
    script: &mut Script<'_>,
    table: &Table,
    (first, later, last): (Ops<'_>, Ops<'_>, Ops<'_>),
) -> Result<(), Error> {
    let cursor = &mut script.cursor;
    let line = cursor.place().line;
    let noun = cursor.text("chain, set, map or object")?;
    match noun {
        "chain" => {
            let name = Name::text(cursor.text("a chain")?);
            let (chain, rules) = chain(cursor, table.family, name)?;
            last.extend(rules.into_iter().map(|(line, rule)| (line, Op::AddRule(chain.name.clone(), rule))));
            first.push((line, Op::AddChain(chain)));
        }
        "set" | "map" => {
            let name = cursor.text("a set")?;
            let (set, elements) = set(cursor, name)?;
            script.remember(table, &set);
            if !elements.is_empty() {
                later.push((line, Op::AddElements(set.name.clone(), elements)));
            }
            first.push((line, Op::AddSet(set)));
        }
        "counter" | "quota" | "limit" => {
            let name = cursor.text("a name")?;
            first.push((line, Op::AddObject(object(cursor, noun, name)?)));
        }
        "ct" if cursor.take("timeout") => {
            let name = cursor.text("a name")?;
            first.push((line, Op::AddObject(ct_timeout(cursor, table.family, name)?)));
        }
        "ct" => return cursor.not_modelled(format!("ct {}", cursor.peek().unwrap_or_default())),
        other => return cursor.not_modelled(other),
    }
    Ok(())
}

/// `{ protocol udp; l3proto ip; policy = { unreplied : 33, replied : 44 } }`. A policy has the family of its table unless it
/// says otherwise.
pub(super) fn ct_timeout(cursor: &mut Cursor<'_>, table: TableFamily, name: &str) -> Result<Object, Error> {
    let (mut proto, mut values) = (None, Vec::new());
    let mut family = match table {
        TableFamily::Ip => Some(Family::V4),
        TableFamily::Ip6 => Some(Family::V6),
        TableFamily::Inet => None,
    };
    cursor.need_sign("{")?;
    cursor.skip_ends();
    while !cursor.sign("}") {
        match cursor.text("protocol, l3proto or policy")? {
            "protocol" => proto = Some(cursor.text("a protocol")?),
            "l3proto" => {
                family = match cursor.text("a family")? {
                    "ip" => Some(Family::V4),
                    "ip6" => Some(Family::V6),
                    "inet" => None,
                    other => return cursor.wrong(format!("{other:?} is not ip, ip6 or inet")),
                };
            }
            "policy" => values = timeouts(cursor)?,
            other => return cursor.not_modelled(format!("{other} of ct timeout")),
        }
        cursor.end()?;
        cursor.skip_ends();
    }
    let proto = match proto {
        Some("tcp") => Proto::TCP,
        Some("udp") => Proto::UDP,
        Some(other) => return cursor.wrong(format!("protocol {other:?} is neither tcp nor udp")),
        None => return cursor.wrong(format!("ct timeout {name} has no protocol")),
    };
    let mut policy = TimeoutPolicy::new(proto, family).expect("TCP and UDP have words for their timeouts");
    for (word, seconds) in values {
        if !policy.set(word, seconds) {
            let words: Vec<&str> = TimeoutPolicy::words(proto).collect();
            return cursor.wrong(format!("{word:?} is not one of {}", words.join(", ")));
        }
    }
    Ok(Object { name: name.into(), kind: ObjectKind::CtTimeout(policy.into()) })
}

/// `= { WORD : SECONDS, … }`.
fn timeouts<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<(&'a str, u32)>, Error> {
    let mut values = Vec::new();
    cursor.need_sign("=")?;
    cursor.need_sign("{")?;
    cursor.skip_ends();
    while !cursor.sign("}") {
        let word = cursor.text("a state")?;
        cursor.need(":")?;
        let seconds = values::duration(cursor)?.0 / 1_000_000_000;
        values.push((word, u32::try_from(seconds).unwrap_or(u32::MAX)));
        cursor.sign(",");
        cursor.skip_ends();
    }
    Ok(values)
}

/// `{ type … hook … priority …; policy …; RULES }`, or nothing. Rules have their lines.
pub(super) fn chain(
    cursor: &mut Cursor<'_>,
    family: TableFamily,
    name: Name,
) -> Result<(Chain, Vec<(usize, Rule)>), Error> {
    let (mut chain, mut rules) = (Chain::regular(name), Vec::new());
    if !cursor.sign("{") {
        return Ok((chain, rules));
    }
    cursor.skip_ends();
    while !cursor.sign("}") {
        match cursor.peek() {
            Some("type") => chain.base = Some(base(cursor)?),
            Some("policy") => {
                let policy = policy(cursor)?;
                match &mut chain.base {
                    Some(base) => base.policy = policy,
                    None => return cursor.wrong("a chain without type and hook has no policy"),
                }
            }
            Some("comment") => {
                cursor.take("comment");
                chain.comment = Some(cursor.text("a comment")?.into());
            }
            // An empty rule would be read there again and again.
            None if cursor.is_done() => return cursor.wrong("\"}\" is missing"),
            _ => {
                let (line, mark) = (cursor.place().line, cursor.mark());
                match rule(cursor, family).and_then(|rule| cursor.end().map(|()| rule)) {
                    Ok(rule) => rules.push((line, rule)),
                    Err(error) => cursor.pass_over(mark, error)?,
                }
            }
        }
        cursor.end()?;
        cursor.skip_ends();
    }
    Ok((chain, rules))
}

fn policy(cursor: &mut Cursor<'_>) -> Result<Policy, Error> {
    cursor.need("policy")?;
    match cursor.text("accept or drop")? {
        "accept" => Ok(Policy::Accept),
        "drop" => Ok(Policy::Drop),
        other => cursor.wrong(format!("policy {other:?} is neither accept nor drop")),
    }
}

fn base(cursor: &mut Cursor<'_>) -> Result<Base, Error> {
    cursor.need("type")?;
    let kind = match cursor.text("filter, nat or route")? {
        "filter" => ChainType::Filter,
        "nat" => ChainType::Nat,
        "route" => ChainType::Route,
        other => return cursor.wrong(format!("{other:?} is not filter, nat or route")),
    };
    cursor.need("hook")?;
    let word = cursor.text("a hook")?;
    let Some(hook) = Hook::of(&word.to_ascii_uppercase()) else {
        return cursor.not_modelled(format!("hook {word}"));
    };
    let fits = match kind {
        ChainType::Filter => true,
        ChainType::Nat => hook != Hook::Forward,
        ChainType::Route => hook == Hook::Output,
    };
    if !fits {
        return cursor.wrong(format!("hook {word} has no chains of type {}", kind.as_str()));
    }
    if cursor.take("device") || cursor.take("devices") {
        return cursor.not_modelled("device of a chain");
    }
    cursor.need("priority")?;
    Ok(Base::new(kind, hook, priority(cursor, hook)?))
}

/// Names of priorities; the last two belong to one hook.
/// Source: nftables 1.0.6, src/rule.c, `std_prios`.
pub(super) const PRIORITIES: [(&str, i32, Option<Hook>); 6] = [
    ("raw", -300, None),
    ("mangle", -150, None),
    ("filter", 0, None),
    ("security", 50, None),
    ("dstnat", -100, Some(Hook::Prerouting)),
    ("srcnat", 100, Some(Hook::Postrouting)),
];

/// `-100`, `dstnat`, `dstnat - 10`.
fn priority(cursor: &mut Cursor<'_>, hook: Hook) -> Result<i32, Error> {
    let text = cursor.text("a priority")?;
    let named = PRIORITIES.into_iter().find(|(name, _, at)| *name == text && at.is_none_or(|at| at == hook));
    let Some((_, base, _)) = named else {
        return text.parse().or_else(|_| cursor.wrong(format!("{text:?} is not a priority of this hook")));
    };
    let sign = if cursor.take("-") {
        -1
    } else if cursor.take("+") {
        1
    } else {
        return Ok(base);
    };
    let offset = cursor.text("a number")?;
    offset
        .parse::<i32>()
        .map(|offset| base + sign * offset)
        .or_else(|_| cursor.wrong(format!("{offset:?} is not a number")))
}

/// `{ type …; flags …; elements = { … } }`.
pub(super) fn set(cursor: &mut Cursor<'_>, name: &str) -> Result<(Set, Vec<Element>), Error> {
    let (mut set, mut elements) = (Set::new(name, &[]), Vec::new());
    cursor.need_sign("{")?;
    cursor.skip_ends();
    while !cursor.sign("}") {
        let word = cursor.text("a property of the set")?;
        match word {
            "type" => (set.key, set.data) = types(cursor, type_named)?,
            // DEVIATION(nft-listing): what is kept, and listed, is the type.
            "typeof" => (set.key, set.data) = types(cursor, type_of)?,
            "flags" => flags(cursor, &mut set)?,
            "timeout" => set.timeout = Some(values::duration(cursor)?),
            "gc-interval" => set.gc_interval = Some(values::duration(cursor)?),
            "size" => set.size = Some(cursor.small("a size")?),
            "comment" => set.comment = Some(cursor.text("a comment")?.into()),
            "auto-merge" => set.auto_merge = true,
            "elements" => {
                cursor.need_sign("=")?;
                elements = values::elements(cursor, &set.key, set.data.as_ref())?;
            }
            other => return cursor.not_modelled(format!("{other} of a set")),
        }
        cursor.end()?;
        cursor.skip_ends();
    }
    if set.key.is_empty() {
        return cursor.wrong(format!("set {name} has no type"));
    }
    Ok((set, elements))
}

/// Key types, and what a map gives.
fn types(
    cursor: &mut Cursor<'_>,
    each: fn(&mut Cursor<'_>) -> Result<Type, Error>,
) -> Result<(Vec<Type>, Option<MapsTo>), Error> {
    let key = concatenated(cursor, each)?;
    if !cursor.take(":") {
        return Ok((key, None));
    }
    if cursor.take("verdict") {
        return Ok((key, Some(MapsTo::Verdict)));
    }
    Ok((key, Some(MapsTo::Values(concatenated(cursor, each)?))))
}

fn concatenated(
    cursor: &mut Cursor<'_>,
    each: fn(&mut Cursor<'_>) -> Result<Type, Error>,
) -> Result<Vec<Type>, Error> {
    let mut types = vec![each(cursor)?];
    while cursor.take(".") {
        types.push(each(cursor)?);
    }
    Ok(types)
}

fn type_named(cursor: &mut Cursor<'_>) -> Result<Type, Error> {
    let word = cursor.text("a type")?;
    match TYPES.iter().find(|(name, _)| *name == word) {
        Some((_, kind)) => Ok(*kind),
        None => cursor.not_modelled(format!("type {word}")),
    }
}

fn type_of(cursor: &mut Cursor<'_>) -> Result<Type, Error> {
    Ok(expression::load(cursor)?.kind())
}

fn flags(cursor: &mut Cursor<'_>, set: &mut Set) -> Result<(), Error> {
    loop {
        match cursor.text("a flag")? {
            "constant" => set.flags.constant = true,
            "interval" => set.flags.interval = true,
            "dynamic" => set.flags.dynamic = true,
            "timeout" => set.flags.timeout = true,
            other => return cursor.not_modelled(format!("flag {other} of a set")),
        }
        if !cursor.sign(",") {
            return Ok(());
        }
    }
}

/// `{ packets 0 bytes 0 }`, `{ over 300 bytes }`, `{ rate 1/day burst 2 packets }`.
pub(super) fn object(cursor: &mut Cursor<'_>, noun: &str, name: &str) -> Result<Object, Error> {
    let braces = cursor.sign("{");
    if braces {
        cursor.skip_ends();
    }
    let kind = match noun {
        "counter" => {
            counts(cursor)?;
            ObjectKind::Counter
        }
        "quota" => ObjectKind::Quota(quota(cursor)?),
        _ => ObjectKind::Limit(limit(cursor)?),
    };
    if braces {
        cursor.skip_ends();
        cursor.need_sign("}")?;
    }
    Ok(Object { name: name.into(), kind })
}
