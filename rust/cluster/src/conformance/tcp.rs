//! TCP sequences: the connection tracker alone, row by row.

use kdp_netfilter::conntrack::tcp::replay::{Outcome, Row, replay};
use kdp_netfilter::conntrack::{PacketState, Settings};
use kdp_packet::{Tcp, TcpOptions, flags};
use serde_json::{Value, json};

use crate::Error;

/// Runs the sequences of a case: the same rows, each with what the tracker makes of it.
pub fn run_tcp_sequences(case: &Value) -> Result<Value, Error> {
    let mut settings = Settings::default();
    for (name, value) in case["sysctl"].as_object().into_iter().flatten() {
        let value = value.as_u64().and_then(|value| u32::try_from(value).ok());
        let bare = name.rsplit('.').next().unwrap_or(name);
        let set = value.is_some_and(|value| settings.set(bare, value));
        if !set {
            return Err(wrong(format!("sysctl {name} is not modelled with that value")));
        }
    }
    let before = case["timeout_set_before_each_packet"].as_u64().and_then(|t| u32::try_from(t).ok());
    let sequences =
        case["sequences"].as_array().ok_or_else(|| wrong("sequences is not a list".to_owned()))?;
    sequences.iter().map(|sequence| run(sequence, &settings, before)).collect()
}

fn run(sequence: &Value, settings: &Settings, before: Option<u32>) -> Result<Value, Error> {
    let given = sequence.as_array().ok_or_else(|| wrong("a sequence is not a list".to_owned()))?;
    let rows = given.iter().map(read_row).collect::<Result<Vec<_>, _>>()?;
    let outcomes = replay(&rows, settings, before);
    let told = given.iter().zip(&outcomes).map(|(row, outcome)| with_outcome(row.clone(), outcome));
    Ok(Value::Array(told.collect()))
}

fn wrong(why: String) -> Error {
    Error::Case { kind: "run_tcp_sequences".to_owned(), why }
}

fn read_row(row: &Value) -> Result<Row, Error> {
    let number = |field: &str| {
        let value = row[field].as_u64().and_then(|number| u32::try_from(number).ok());
        value.ok_or_else(|| wrong(format!("{field} {} is not one", row[field])))
    };
    let letters = row["f"].as_str().ok_or_else(|| wrong("f is not a text".to_owned()))?;
    let segment = Tcp {
        flags: letters.chars().filter_map(flag).fold(0, |bits, bit| bits | bit),
        seq: number("seq")?,
        ack: number("ack")?,
        window: u16::try_from(number("win")?).map_err(|_| wrong("win is above 65535".to_owned()))?,
        data_len: number("len")?,
        options: read_options(&row["opts"]),
    };
    let sender = u8::from(number("d")? != 0);
    Ok(Row { sender, segment })
}

fn flag(letter: char) -> Option<u8> {
    let all = [
        ('F', flags::FIN),
        ('S', flags::SYN),
        ('R', flags::RST),
        ('P', flags::PSH),
        ('A', flags::ACK),
        ('U', flags::URG),
        ('E', flags::ECE),
        ('C', flags::CWR),
    ];
    all.into_iter().find(|(each, _)| *each == letter).map(|(_, bit)| bit)
}

fn read_options(opts: &Value) -> TcpOptions {
    let Some(given) = opts.as_object() else { return TcpOptions::default() };
    let small = |field: &str| given.get(field).and_then(Value::as_u64);
    let edges = given.get("sack").and_then(Value::as_array).into_iter().flatten();
    let edges = edges.filter_map(|block| u32::try_from(block[1].as_u64()?).ok());
    TcpOptions {
        present: !given.is_empty(),
        mss: small("mss").and_then(|mss| u16::try_from(mss).ok()),
        window_scale: small("wscale").and_then(|scale| u8::try_from(scale).ok()),
        sack_permitted: small("sackok").is_some_and(|on| on != 0),
        sack_right_edge: edges.reduce(|a, b| if b.wrapping_sub(a) < 1 << 31 { b } else { a }),
        ..TcpOptions::default()
    }
}

fn with_outcome(mut row: Value, outcome: &Outcome) -> Value {
    row["cts"] = match outcome.packet {
        None => "INVALID",
        Some(PacketState::New) => "NEW",
        Some(PacketState::Established) => "ESTABLISHED",
        Some(PacketState::Related) => "RELATED",
    }
    .into();
    let Some(entry) = &outcome.entry else {
        row["st"] = Value::Null;
        return row;
    };
    row["st"] = entry.state.name().into();
    row["new"] = u8::from(entry.replaced).into();
    row["orig"] = entry.original.into();
    let letters = [(entry.seen_reply, "R"), (entry.assured, "A")];
    row["fl"] = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect::<String>().into();
    row["to"] = entry.timeout.into();
    row["tf"] = json!(entry.flags);
    row["ws"] = json!(entry.scales);
    row
}
