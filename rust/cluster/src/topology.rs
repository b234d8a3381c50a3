//! A box alone, from and to JSON: what packet cases and tools are made of.

use kdp_host::Host;
use kdp_netfilter::conntrack::{Connection, Direction, EntryView, ProtoState, Settings};
use kdp_packet::Tuple;
use kdp_sim::{Chance, Time};
use serde_json::{Value, json};

use crate::Error;

/// A box from a topology: `devs` (name to addresses), `routes`, `default`, `sysctl`, `lo_addrs`.
pub fn host(topology: &str, seed: u64) -> Result<Host, Error> {
    let given: Value = serde_json::from_str(topology).map_err(|e| wrong(e.to_string()))?;
    let mut host = Host::new("host", Settings::default(), Chance::new(seed));
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

fn set_sysctl(host: &mut Host, name: &str, value: &Value) -> Result<(), Error> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let number = number.and_then(|number| u32::try_from(number).ok());
    let number = number.ok_or_else(|| wrong(format!("sysctl {name}: {value} is not a number")))?;
    if host.conntrack.settings_mut().set(name, number) {
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
pub fn entries(host: &Host, now: Time) -> Value {
    Value::Array(host.conntrack.entries(now).iter().map(entry).collect())
}

fn entry(view: &EntryView<'_>) -> Value {
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
    } else if tuple.proto.has_ports() {
        value["sport"] = tuple.sport.into();
        value["dport"] = tuple.dport.into();
    }
    value
}
