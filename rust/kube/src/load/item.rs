//! One JSON value: a list that is taken apart, or an object that is read.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::without_place;
use super::locate::{self, Step};
use super::strict::{Fault, compact};
use super::{MAX_DEPTH, text};
use crate::error::{Error, Place};
use crate::object::{Kind, KindName, Object};

/// What a JSON value came from, to say where something is.
pub(super) enum Origin<'a> {
    /// A slice of this JSON text.
    Json { text: &'a str },
    /// Made from that document (counted from 0) of this YAML text.
    Yaml { text: &'a str, document: usize },
}

/// Where objects go, and what is known on the way to each.
pub(super) struct Items<'a, 'o> {
    source: &'a str,
    origin: Origin<'a>,
    objects: &'o mut Vec<Object>,
    /// The way from the document's root to the value at hand.
    steps: Vec<Step>,
}

/// The first look at a value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
}

/// `apiVersion` and `kind` of an object; items of a typed list may leave them out.
#[derive(Clone)]
struct Named {
    api_version: String,
    kind: String,
}

impl<'a, 'o> Items<'a, 'o> {
    pub(super) fn new(source: &'a str, origin: Origin<'a>, objects: &'o mut Vec<Object>) -> Self {
        Items { source, origin, objects, steps: Vec::new() }
    }

    /// Reads a document. A document that is `null` is none.
    pub(super) fn read(&mut self, value: &str) -> Result<(), Error> {
        if value == "null" { Ok(()) } else { self.read_value(value, None) }
    }

    fn read_value(&mut self, value: &str, inherited: Option<&Named>) -> Result<(), Error> {
        if self.steps.len() > MAX_DEPTH {
            return Err(Error::NestingTooDeep { place: self.place(value, 0, &[]), allowed: MAX_DEPTH });
        }
        if !value.starts_with('{') {
            return self.no_object(value, found(value));
        }
        let head: Head = match serde_json::from_str(value) {
            Ok(head) => head,
            Err(error) => return self.no_object(value, without_place(&error.to_string())),
        };
        let Some(named) = name(&head, inherited) else {
            return self.no_object(value, "it has no apiVersion and kind".to_owned());
        };
        match head.items {
            Some(items) if named.kind.ends_with("List") => self.read_list(items.get(), &named),
            None if named.kind == "List" => Ok(()),
            _ => self.read_object(value, &named),
        }
    }

    fn no_object(&self, value: &str, found: String) -> Result<(), Error> {
        Err(Error::NotAnObject { place: self.place(value, 0, &[]), found })
    }

    fn read_list(&mut self, items: &str, list: &Named) -> Result<(), Error> {
        let parsed: Vec<&RawValue> = match serde_json::from_str(items) {
            Ok(parsed) => parsed,
            Err(_) if items == "null" => Vec::new(),
            Err(_) => return self.no_object(items, format!(".items is {}", found(items))),
        };
        let inherited = (list.kind != "List").then(|| Named {
            api_version: list.api_version.clone(),
            kind: list.kind.trim_end_matches("List").to_owned(),
        });
        self.steps.push(Step::Key("items".to_owned()));
        for (index, item) in parsed.iter().enumerate() {
            self.steps.push(Step::Index(index));
            self.read_value(item.get(), inherited.as_ref())?;
            self.steps.pop();
        }
        self.steps.pop();
        Ok(())
    }

    fn read_object(&mut self, value: &str, named: &Named) -> Result<(), Error> {
        let original = compact(value).map_err(|fault| self.fault(value, fault))?;
        let name = KindName::of(&named.api_version, &named.kind);
        let mut reader = serde_json::Deserializer::from_str(&original);
        match Kind::read(&name, &named.api_version, &mut reader) {
            Ok(kind) => self.objects.push(Object::read(kind, original.into())),
            Err(_) => return Err(self.wrong_type(value, &name, named)),
        }
        Ok(())
    }

    /// Reads the object again, slowly, to say which field is wrong.
    fn wrong_type(&self, value: &str, name: &KindName, named: &Named) -> Error {
        let mut reader = serde_json::Deserializer::from_str(value);
        let tracked = track(name, &named.api_version, &mut reader);
        let Err(error) = tracked else { unreachable!("what failed once fails again") };
        let steps = locate::steps(error.path());
        let whole: Value = serde_json::from_str(value).unwrap_or_default();
        let (object, field) = (describe(&whole, named), locate::display(&steps));
        if let Some(found) = port_number(&whole, &steps) {
            return Error::PortOutOfRange { object, field, found };
        }
        let inner = error.inner();
        let offset = text::offset_at(value, inner.line(), inner.column());
        Error::FieldWrongType {
            place: self.place(value, offset, &steps),
            object,
            field,
            reason: plainly(&without_place(&inner.to_string())),
        }
    }

    fn fault(&self, value: &str, fault: Fault) -> Error {
        match fault {
            Fault::DuplicateKey(key, at) => Error::DuplicateKey { place: self.place(value, at, &[]), key },
            Fault::TooDeep(at) => {
                Error::NestingTooDeep { place: self.place(value, at, &[]), allowed: MAX_DEPTH }
            }
            Fault::BadToken(token, at) => {
                let place = self.place(value, at, &[]);
                Error::JsonSyntax { place, reason: format!("{token} is out of range or no text") }
            }
        }
    }

    /// Where the value is: by its offset in JSON, by the way to it in YAML.
    fn place(&self, value: &str, offset: usize, further: &[Step]) -> Place {
        match &self.origin {
            Origin::Json { text } => text::place(self.source, text, text::offset_of(text, value) + offset),
            Origin::Yaml { text, document } => {
                let steps: Vec<Step> = self.steps.iter().chain(further).cloned().collect();
                locate::in_yaml(self.source, text, *document, &steps)
            }
        }
    }
}

fn name(head: &Head<'_>, inherited: Option<&Named>) -> Option<Named> {
    let api_version = head.api_version.as_ref().or(inherited.map(|named| &named.api_version))?;
    let kind = head.kind.as_ref().or(inherited.map(|named| &named.kind))?;
    let named = Named { api_version: api_version.clone(), kind: kind.clone() };
    (!named.kind.is_empty() && !named.api_version.is_empty()).then_some(named)
}

type Tracked = Result<Kind, serde_path_to_error::Error<serde_json::Error>>;

fn track<'de, R: serde_json::de::Read<'de>>(
    name: &KindName,
    api_version: &str,
    reader: &mut serde_json::Deserializer<R>,
) -> Tracked {
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(reader, &mut track);
    Kind::read(name, api_version, tracked)
        .map_err(|error| serde_path_to_error::Error::new(track.path(), error))
}

/// Kind, namespace and name as far as they can be read.
fn describe(object: &Value, named: &Named) -> String {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    let slash = if text("namespace").is_empty() { "" } else { "/" };
    format!("{} {}{slash}{}", named.kind, text("namespace"), text("name"))
}

/// The number at the way's end, if that is a port.
fn port_number(object: &Value, steps: &[Step]) -> Option<i64> {
    let Some(Step::Key(last)) = steps.last() else { return None };
    let is_port = matches!(
        last.as_str(),
        "port" | "nodePort" | "containerPort" | "hostPort" | "healthCheckNodePort" | "targetPort"
    );
    let value = steps.iter().try_fold(object, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })?;
    value.as_i64().filter(|_| is_port)
}

/// What stands there, in a word or two.
fn found(value: &str) -> String {
    match value.as_bytes().first() {
        Some(b'[') => "a sequence".to_owned(),
        Some(b'{') => "a mapping".to_owned(),
        _ => {
            let short: String = value.chars().take(40).collect();
            format!("the scalar {short}")
        }
    }
}

/// Rust's names of types in the API's words.
fn plainly(reason: &str) -> String {
    let words = [
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected i32", "expected a whole number"),
        ("expected i64", "expected a whole number"),
        ("expected u64", "expected a whole number, not negative"),
        ("expected a sequence", "expected a list"),
        ("expected struct ", "expected a mapping, "),
    ];
    words.iter().fold(reason.to_owned(), |text, (rust, plain)| text.replace(rust, plain))
}
