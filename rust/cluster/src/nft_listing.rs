//! What nftables' sets and counters of a box hold, as JSON in the form of `nft -j`.

use std::net::{Ipv4Addr, Ipv6Addr};

use kdp_host::Host;
use kdp_netfilter::nft::{ObjectKind, Span, Spans, Table, TableFamily, Type};
use kdp_packet::Proto;
use kdp_sim::Time;
use serde_json::{Map, Value, json};

use crate::Error;

/// The table that `family` (`ip`, `ip6`, `inet`) and `name` name.
pub fn table(family: &str, name: &str) -> Result<Table, Error> {
    let families = [TableFamily::Ip, TableFamily::Ip6, TableFamily::Inet];
    let family = families.into_iter().find(|each| each.as_str() == family);
    family.map(|family| Table::new(family, name)).ok_or_else(|| {
        let why = format!("family {family:?} is not ip, ip6 or inet");
        Error::Host(kdp_host::Error::Topology { why })
    })
}

/// Named counters and quotas of a table: name to `{packets, bytes}` or `{quota, consumed}`. `null` if there is no such table.
///
/// Source: net/netfilter/nft_quota.c, v6.12, `nft_quota_do_dump`: consumed is never more than the quota.
pub fn counters(host: &Host, table: &Table) -> Value {
    let Some(objects) = host.nft().objects(table, host.nft_state()) else { return Value::Null };
    let mut shown = Map::new();
    for (object, count) in objects {
        let value = match object.kind {
            ObjectKind::Counter => json!({"packets": count.packets, "bytes": count.bytes}),
            ObjectKind::Quota(quota) => {
                json!({"quota": quota.bytes, "consumed": count.bytes.min(quota.bytes)})
            }
            ObjectKind::Limit(_) | ObjectKind::CtTimeout(_) => continue,
        };
        shown.insert(object.name.to_string(), value);
    }
    Value::Object(shown)
}

/// The keys of a set or map that are alive. `null` if there is no such set.
pub fn elements(host: &Host, table: &Table, set: &str, now: Time) -> Value {
    let (Some((types, _)), Some(members)) =
        (host.nft().shape(table, set), host.nft().members(table, set, host.nft_state(), now))
    else {
        return Value::Null;
    };
    members.iter().map(|key| key_json(&types, key)).collect()
}

fn key_json(types: &[Type], key: &Spans) -> Value {
    let parts: Vec<Value> = types.iter().zip(key).map(|(kind, span)| span_json(*kind, *span)).collect();
    match <[Value; 1]>::try_from(parts) {
        Ok([one]) => one,
        Err(parts) => json!({"concat": parts}),
    }
}

fn span_json(kind: Type, span: Span) -> Value {
    let differing = span.first ^ span.last;
    let host_bits = 128 - differing.leading_zeros();
    let hosts = 1u128.checked_shl(host_bits).map_or(u128::MAX, |above| above - 1);
    let bits = match kind {
        Type::Ipv4Addr => 32,
        Type::Ipv6Addr => 128,
        _ => 0,
    };
    if span.is_one() {
        value_json(kind, span.first)
    } else if bits > 0 && differing == hosts && span.first & hosts == 0 {
        json!({"prefix": {"addr": value_json(kind, span.first), "len": bits - host_bits}})
    } else {
        json!({"range": [value_json(kind, span.first), value_json(kind, span.last)]})
    }
}

fn value_json(kind: Type, value: u128) -> Value {
    let low = u32::try_from(value).unwrap_or(u32::MAX);
    match kind {
        Type::Ipv4Addr => Ipv4Addr::from(low).to_string().into(),
        Type::Ipv6Addr => Ipv6Addr::from(value).to_string().into(),
        Type::InetProto => match u8::try_from(value).ok().and_then(|number| Proto(number).name()) {
            Some(name) => name.into(),
            None => low.into(),
        },
        Type::IfName => {
            let bytes = value.to_be_bytes().into_iter().take_while(|byte| *byte != 0);
            bytes.map(char::from).collect::<String>().into()
        }
        _ => low.into(),
    }
}
