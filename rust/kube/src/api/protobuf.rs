//! Protobuf bodies: kubectl's typed commands send them since 1.32, and take JSON for an answer.
//!
//! Source: apimachinery `pkg/runtime/serializer/protobuf`: four bytes, then a `runtime.Unknown` that holds the object. The
//! messages are a table of field numbers, names and types.

use std::sync::OnceLock;

use hashbrown::HashMap;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::endpoints::Timestamp;

const MAGIC: &[u8] = b"k8s\0";
const TABLE: &str = include_str!("protobuf_fields.txt");

/// Nesting beyond this is refused. Source: protobuf's own limit.
const DEEPEST: usize = 100;

type Messages = HashMap<&'static str, Vec<Field>, foldhash::fast::FixedState>;

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    number: u64,
    /// `~` for a message whose fields stand in its parent's JSON.
    name: &'static str,
    /// Whether a zero value is a value.
    keeps_zero: bool,
    kind: &'static str,
}

fn messages() -> &'static Messages {
    static MESSAGES: OnceLock<Messages> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")))
            .map(read_line)
            .collect()
    })
}

fn read_line((name, fields): (&'static str, &'static str)) -> (&'static str, Vec<Field>) {
    let field = |text: &'static str| {
        let mut parts = text.split(' ');
        let mut next = || parts.next().expect("the table has three words a field");
        let (number, name, kind) = (next(), next(), next());
        let keeps_zero = name.ends_with(['*', '!']);
        let name = name.trim_end_matches(['*', '!']);
        Field { number: number.parse().expect("the table has numbers"), name, keeps_zero, kind }
    };
    (name, fields.split(", ").filter(|text| !text.is_empty()).map(field).collect())
}

/// A body as JSON.
pub(super) fn decode(body: &[u8]) -> Result<Value, Refusal> {
    let wrapped =
        body.strip_prefix(MAGIC).ok_or_else(|| wrong("it does not begin with k8s and a zero byte"))?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for item in Items(wrapped) {
        match item? {
            (1, Wire::Bytes(bytes)) => {
                for item in Items(bytes) {
                    match item? {
                        (1, Wire::Bytes(text)) => api_version = text_of(text)?,
                        (2, Wire::Bytes(text)) => kind = text_of(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let name = message_of(&api_version, &kind);
    let message = messages().get_key_value(name.as_str()).map(|(name, _)| *name);
    let message =
        message.ok_or_else(|| wrong(&format!("{api_version} {kind} has no message here: send JSON")))?;
    let mut value = read(message, raw, 0)?;
    let fields = value.as_object_mut().expect("a message is a mapping");
    fields.shift_insert(0, "apiVersion".to_owned(), api_version.into());
    fields.shift_insert(1, "kind".to_owned(), kind.into());
    Ok(value)
}

fn message_of(api_version: &str, kind: &str) -> String {
    let package = match api_version {
        _ if kind == "DeleteOptions" => "meta",
        "v1" => "core",
        "autoscaling/v2" => "autoscaling2",
        other => other.split(['.', '/']).next().unwrap_or_default(),
    };
    format!("{package}.{kind}")
}

fn wrong(why: &str) -> Refusal {
    Refusal::bad_request(format!("error decoding protobuf: {why}"))
}

/// A field's bytes as they stand.
enum Wire<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, in order.
struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    fn varint(&mut self) -> Result<u64, Refusal> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or_else(|| wrong("it ends within a number"))?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(wrong("a number is too long"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Refusal> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.0.len());
        let (taken, rest) = self.0.split_at(length.ok_or_else(|| wrong("it ends within a field"))?);
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Wire<'a>), Refusal> {
        let tag = self.varint()?;
        let fixed = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        let wire = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Fixed(fixed(self.take(8)?)),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed(fixed(self.take(4)?)),
            other => return Err(wrong(&format!("a field has wire type {other}"))),
        };
        Ok((tag >> 3, wire))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<(u64, Wire<'a>), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn text_of(bytes: &[u8]) -> Result<String, Refusal> {
    String::from_utf8(bytes.to_vec()).map_err(|_| wrong("a text is not UTF-8"))
}

fn read(message: &'static str, bytes: &[u8], depth: usize) -> Result<Value, Refusal> {
    if depth > DEEPEST {
        return Err(wrong("it is nested too deeply"));
    }
    let fields = messages().get(message).expect("the table names its own messages");
    let mut out = Map::new();
    for item in Items(bytes) {
        let (number, wire) = item?;
        if let Some(field) = fields.iter().find(|field| field.number == number) {
            put(&mut out, *field, &wire, depth)?;
        }
    }
    Ok(Value::Object(out))
}

/// Puts a field's value where JSON has it.
fn put(out: &mut Map<String, Value>, field: Field, wire: &Wire<'_>, depth: usize) -> Result<(), Refusal> {
    if let Some(kind) = field.kind.strip_prefix("[]") {
        let item = value(kind, wire, depth)?;
        let list = out.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().expect("a repeated field is a list").push(item);
        return Ok(());
    }
    if let Some(kind) = field.kind.strip_prefix("map:") {
        let (key, item) = entry(kind, wire, depth)?;
        let map = out.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
        map.as_object_mut().expect("a map is a mapping").insert(key, item);
        return Ok(());
    }
    let value = value(field.kind, wire, depth)?;
    if field.name == "~" {
        if let Value::Object(inner) = value {
            out.extend(inner);
        }
    } else if field.keeps_zero || !is_zero(&value) {
        out.insert(field.name.to_owned(), value);
    }
    Ok(())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn entry(kind: &'static str, wire: &Wire<'_>, depth: usize) -> Result<(String, Value), Refusal> {
    let Wire::Bytes(bytes) = wire else { return Err(wrong("an entry of a map is no message")) };
    let (mut key, mut item) = (String::new(), None);
    for part in Items(bytes) {
        match part? {
            (1, Wire::Bytes(text)) => key = text_of(text)?,
            (2, wire) => item = Some(value(kind, &wire, depth)?),
            _ => {}
        }
    }
    let empty = || if matches!(kind, "string" | "bytes") { "".into() } else { Value::Null };
    Ok((key, item.unwrap_or_else(empty)))
}

fn value(kind: &'static str, wire: &Wire<'_>, depth: usize) -> Result<Value, Refusal> {
    match (kind, wire) {
        ("string", Wire::Bytes(bytes)) => text_of(bytes).map(Value::from),
        ("bytes", Wire::Bytes(bytes)) => Ok(base64(bytes).into()),
        ("int", Wire::Number(number)) => Ok(number.cast_signed().into()),
        ("bool", Wire::Number(number)) => Ok((*number != 0).into()),
        ("double", Wire::Fixed(bits)) => Ok(json!(f64::from_bits(*bits))),
        (kind, Wire::Bytes(bytes)) if kind.contains('.') => read(kind, bytes, depth + 1),
        (kind, Wire::Bytes(bytes)) => special(kind, bytes),
        _ => Err(wrong(&format!("a field of type {kind} has another wire type"))),
    }
}

/// Messages whose JSON is not a mapping.
fn special(kind: &str, bytes: &[u8]) -> Result<Value, Refusal> {
    let (mut number_1, mut number_2, mut text) = (0i64, 0i64, None);
    let mut texts = Vec::new();
    for item in Items(bytes) {
        match item? {
            (1, Wire::Number(number)) => number_1 = number.cast_signed(),
            (2, Wire::Number(number)) => number_2 = number.cast_signed(),
            (1 | 3, Wire::Bytes(bytes)) if kind == "raw" || kind == "fieldsv1" => {
                return serde_json::from_slice(bytes).map_err(|_| wrong("a raw part is no JSON"));
            }
            (1 | 3, Wire::Bytes(bytes)) => {
                texts.push(Value::from(text_of(bytes)?));
                text = texts.last().cloned();
            }
            _ => {}
        }
    }
    Ok(match kind {
        "quantity" => text.unwrap_or_else(|| "0".into()),
        // Source: `intstr.IntOrString`: type 0 is a number, 1 a text.
        "intstr" if number_1 == 1 => text.unwrap_or_else(|| "".into()),
        "intstr" => number_2.into(),
        // A time of nothing is `null`. Source: `metav1.Time`, ProtoTime: the zero time is written as nothing.
        "time" | "microtime" if (number_1, number_2) == (0, 0) => Value::Null,
        "time" => Timestamp(i128::from(number_1) * 1_000_000_000).to_string().into(),
        "microtime" => micro_time(number_1, number_2).into(),
        "duration" => format!("{number_1}ns").into(),
        "items:string" => texts.into(),
        "raw" | "fieldsv1" => Value::Null,
        other => return Err(wrong(&format!("type {other} is not known"))),
    })
}

/// Source: `metav1.MicroTime`: six digits behind the second, always.
fn micro_time(seconds: i64, nanos: i64) -> String {
    let whole = Timestamp(i128::from(seconds) * 1_000_000_000).to_string();
    format!("{}.{:06}Z", whole.trim_end_matches('Z'), nanos / 1_000)
}

/// Source: RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend(bytes);
        out
    }

    fn wrapped(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let names = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &names), field(2, raw)].concat()
    }

    #[test]
    fn a_service_as_kubectl_sends_it() {
        let port = [
            field(1, b"http"),
            vec![3 << 3, 80],
            field(4, &[8, 1, 26, 3, b'w', b'e', b'b']),
            vec![5 << 3, 0],
        ]
        .concat();
        let label = [field(1, b"app"), field(2, b"x")].concat();
        let spec = [field(1, &port), field(2, &label), field(4, b"ClusterIP"), field(10, b"")].concat();
        let raw = [field(1, &field(1, b"web")), field(2, &spec)].concat();
        assert_eq!(
            decode(&wrapped("v1", "Service", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}], "selector": {"app": "x"}, "type": "ClusterIP"}})
        );
    }

    #[test]
    fn a_pointer_to_zero_is_a_value() {
        let options = decode(&wrapped("v1", "DeleteOptions", &[8, 0])).unwrap();
        assert_eq!(options["gracePeriodSeconds"], 0);
    }

    #[test]
    fn base64_is_the_usual_one() {
        // Source: RFC 4648, section 10.
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn every_message_that_is_named_is_there() {
        for fields in messages().values() {
            for field in fields {
                let kind = field.kind.trim_start_matches("[]").trim_start_matches("map:");
                assert!(!kind.contains('.') || messages().contains_key(kind), "{kind}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&wrapped("v1", "Pod", &bytes[..bytes.len().min(100)]));
            let _ = decode(&bytes);
        }
    }
}
