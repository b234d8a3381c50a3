//! A box alone, from and to JSON: what packet cases and tools are made of.

use kdp_host::Host;
use kdp_netfilter::Table;
use kdp_netfilter::conntrack::tool::Command;
use kdp_netfilter::conntrack::{Connection, Direction, EntryView, ProtoState, Settings};
use kdp_netfilter::vm::{Count, Effects};
use kdp_packet::{Family, Proto, Tuple};
use kdp_sim::{Chance, Time};
use serde_json::{Value, json};

use crate::Error;

/// A box from a topology: `devs` (name to addresses), `routes`, `default`, `sysctl`, `lo_addrs`.
pub fn host(topology: &str, seed: u64) -> Result<Host, Error> {
    let given: Value = serde_json::from_str(topology).map_err(|e| wrong(e.to_string()))?;
    let mut host = Host::new("host", Settings::default(), Chance::new(seed));
    host.effects = Effects::new().counting();
    for (name, addrs) in given["devs"].as_object().into_iter().flatten() {
        host.add_device(name, &texts(addrs))?;
    }
    host.add_loopback_addrs(&texts(&given["lo_addrs"]))?;
    for route in given["routes"].as_array().into_iter().flatten() {
        let (Some(to), Some(device)) = (route[0].as_str(), route[1].as_str()) else {
            return Err(wrong(format!("route {route} is not [CIDR, DEVICE]")));
        };
        host.add_route(to, device, None)?;
    }
    if let Some(device) = given["default"].as_str() {
        host.add_route("default", device, None)?;
    }
    for (name, value) in given["sysctl"].as_object().into_iter().flatten() {
        set_sysctl(&mut host, name, value)?;
    }
    Ok(host)
}

/// Sets a sysctl: one of connection tracking's, or one of the box. The value is a number, or a text that is one.
pub fn set_sysctl(host: &mut Host, name: &str, value: &Value) -> Result<(), Error> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let number = number.and_then(|number| u32::try_from(number).ok());
    let number = number.ok_or_else(|| wrong(format!("sysctl {name}: {value} is not a number")))?;
    let bare = name.rsplit(['.', '/']).next().unwrap_or(name);
    if host.conntrack.settings_mut().set(bare, number) {
        return Ok(());
    }
    Ok(host.set_sysctl(name, number)?)
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn wrong(why: String) -> Error {
    Error::Host(kdp_host::Error::Topology { why })
}

/// A box's connections as JSON, in the order in which they came into the table.
pub fn entries(host: &mut Host, now: Time) -> Value {
    Value::Array(host.conntrack.entries(now).iter().map(entry).collect())
}

fn entry(view: &EntryView) -> Value {
    let connection = view.connection();
    let mut value = json!({
        "proto": connection.proto().to_string(),
        "orig": tuple(connection.tuple(Direction::Original)),
        "reply": tuple(connection.tuple(Direction::Reply)),
        "flags": connection.status().names().collect::<Vec<_>>(),
        "timeout": view.remaining().as_secs(),
        "mark": connection.mark(),
        "zone": connection.zone().original,
        "state": view.state_name(),
    });
    if let ProtoState::Tcp(flow) = connection.proto_state() {
        value["tcp"] = json!({"state": flow.state.name()});
    }
    for (name, direction) in [("acct_orig", Direction::Original), ("acct_reply", Direction::Reply)] {
        value[name] = counter(connection, direction);
    }
    value
}

fn counter(connection: &Connection, direction: Direction) -> Value {
    let counter = connection.counter(direction);
    json!({"packets": counter.packets, "bytes": counter.bytes})
}

fn tuple(tuple: &Tuple) -> Value {
    let mut value = json!({
        "src": tuple.src.to_string(), "dst": tuple.dst.to_string(), "proto": tuple.proto.0,
    });
    if tuple.proto.is_icmp() {
        let [kind, code] = tuple.dport.to_be_bytes();
        value["id"] = tuple.sport.into();
        value["type"] = kind.into();
        value["code"] = code.into();
    } else if tuple.proto.has_ports() || tuple.proto == Proto::GRE {
        value["sport"] = tuple.sport.into();
        value["dport"] = tuple.dport.into();
    }
    value
}

/// Runs a command of the conntrack tool: `{"rc", "count", "text"}`.
pub fn conntrack_tool(host: &mut Host, arguments: &[String], now: Time) -> Result<Value, Error> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let command = Command::parse(&words)?;
    let mut draw = Chance::new(0).packet(0, now);
    let ran = host.conntrack.run(&command, now, &mut draw);
    Ok(json!({"rc": ran.status, "count": ran.count, "text": ran.text}))
}

/// What the conntrack table has counted, as `conntrack -S` names it.
pub fn stats(host: &Host) -> Value {
    let stats = host.conntrack.stats();
    json!({
        "invalid": stats.invalid, "insert_failed": stats.insert_failed, "drop": stats.drop,
        "early_drop": stats.early_drop, "clash_resolve": stats.clash_resolve,
    })
}

/// The addresses of a `recent` list with their stamps in nanoseconds, oldest first; null if no rule names the list.
pub fn recent(host: &Host, family: Family, list: &str) -> Value {
    let Some(slot) = host.ruleset(family).recent_list(&list.into()) else { return Value::Null };
    let entries = host.effects.recent.entries(slot);
    let shown = entries.iter().map(|(addr, stamps)| {
        let stamps: Vec<u64> = stamps.iter().map(|stamp| stamp.as_nanos()).collect();
        json!({"addr": addr.to_string(), "stamps": stamps})
    });
    Value::Array(shown.collect())
}

/// The counters of a table: `{chain: {"policy": [packets, bytes] or null, "rules": [[packets, bytes], …]}}`.
pub fn counters(host: &Host, family: Family, table: &str) -> Result<Value, Error> {
    let known = Table::ALL.into_iter().find(|known| known.as_str() == table);
    let table = known.ok_or_else(|| wrong(format!("table {table:?} is not one of iptables")))?;
    let ruleset = host.ruleset(family);
    let pair = |count: Count| json!([count.packets, count.bytes]);
    let mut shown = json!({});
    for id in ruleset.chains(table) {
        let chain = ruleset.chain(id);
        let rules: Vec<Value> =
            chain.rules().iter().map(|rule| pair(host.effects.rule_count(rule.slot()))).collect();
        let policy = chain.hook().map(|hook| pair(host.effects.policy_count(table, hook)));
        shown[chain.name().as_str()] = json!({"policy": policy, "rules": rules});
    }
    Ok(shown)
}
