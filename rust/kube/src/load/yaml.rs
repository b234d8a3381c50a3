//! YAML, turned into JSON text as kubectl turns it.
//!
//! Events go straight into JSON: no tree is built. Anchored nodes are kept as JSON text, aliases copy it within a
//! budget, merge keys add the fields that a mapping does not have.

use std::rc::Rc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use hashbrown::{HashMap, HashSet};
use serde_json::{Map, Value};

use super::MAX_DEPTH;
use super::item::{Items, Origin};
use super::scalar::{Scalar, resolve, write_float, write_text};
use crate::error::{Error, Place};
use crate::object::Object;

/// What aliases may add: this many bytes, and as many again as the source has.
const ALIAS_BUDGET: usize = 16 << 20;

/// Reads every object of a YAML text.
pub(super) fn read(name: &str, text: &str, objects: &mut Vec<Object>) -> Result<(), Error> {
    let mut writer = Writer::new(name, text);
    let (mut document, mut empty) = (0, 0);
    for event in parser(text) {
        let (event, span) = event.map_err(|error| syntax(name, &error))?;
        if writer.open.is_empty() {
            refuse_at_once(&event, &place(name, span.start))?;
        }
        if matches!(event, Event::DocumentEnd) {
            empty += usize::from(writer.out == "null");
            if empty > MAX_EMPTY {
                let found = format!("more than {MAX_EMPTY} empty documents");
                return Err(Error::NotAnObject { place: place(name, span.start), found });
            }
            Items::new(name, Origin::Yaml { text, document }, objects).read(&writer.out)?;
            writer.reset();
            document += 1;
        } else {
            writer.event(event, span.start)?;
        }
    }
    Ok(())
}

/// Every document of a YAML text as JSON text, whatever it is; empty ones are `null`.
///
/// `letters_are_text`: whether a bare `y` or `n` is a text. Source: PyYAML's and ruamel.yaml's resolvers leave these two
/// letters of YAML 1.1's Booleans out, kubectl's does not.
pub(super) fn documents(name: &str, text: &str, letters_are_text: bool) -> Result<Vec<String>, Error> {
    let mut writer = Writer { letters_are_text, ..Writer::new(name, text) };
    let mut documents = Vec::new();
    for event in parser(text) {
        let (event, span) = event.map_err(|error| syntax(name, &error))?;
        if matches!(event, Event::DocumentEnd) {
            documents.push(std::mem::take(&mut writer.out));
            writer.reset();
        } else {
            writer.event(event, span.start)?;
        }
    }
    Ok(documents)
}

/// Empty documents that are passed over before a text counts as garbage.
const MAX_EMPTY: usize = 100_000;

/// A document that begins as no mapping is no object: there is no need to read on.
fn refuse_at_once(event: &Event<'_>, place: &Place) -> Result<(), Error> {
    let found = match event {
        Event::SequenceStart(..) => "a sequence".to_owned(),
        Event::Scalar(text, style, ..) if *style != ScalarStyle::Plain || resolve(text) != Scalar::Null => {
            format!("the scalar {}", text.chars().take(40).collect::<String>())
        }
        _ => return Ok(()),
    };
    Err(Error::NotAnObject { place: place.clone(), found })
}

pub(super) fn parser(text: &str) -> impl Iterator<Item = granit_parser::ParseResult<'_>> {
    let options = granit_parser::options! { emit_comments: false };
    Parser::new_from_str_with_options(text, options)
}

fn syntax(name: &str, error: &ScanError) -> Error {
    Error::YamlSyntax { place: place(name, *error.marker()), reason: error.info() }
}

/// A place as the parser has it: lines from 1, columns from 0.
pub(super) fn place(name: &str, marker: Marker) -> Place {
    Place { source: name.to_owned(), line: marker.line(), column: marker.col() + 1 }
}

struct Writer<'a> {
    name: &'a str,
    out: String,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<str>, foldhash::fast::FixedState>,
    budget: usize,
    allowed: usize,
    /// Whether a bare `y` or `n` is a text, and not a Boolean.
    letters_are_text: bool,
}

/// A collection that is being written.
struct Open {
    start: usize,
    anchor: usize,
    /// `None` for a sequence.
    mapping: Option<Mapping>,
    count: usize,
}

#[derive(Default)]
struct Mapping {
    keys: HashSet<Box<str>, foldhash::fast::FixedState>,
    /// Whether a key was written and its value comes next.
    value_next: bool,
    /// Where the value of a merge key begins, while it is being written.
    merge_start: Option<usize>,
    merges: Vec<String>,
}

impl<'a> Writer<'a> {
    fn new(name: &'a str, text: &str) -> Self {
        let allowed = ALIAS_BUDGET + text.len();
        Writer {
            name,
            out: String::new(),
            open: Vec::new(),
            anchors: HashMap::default(),
            budget: allowed,
            allowed,
            letters_are_text: false,
        }
    }

    /// Makes ready for the next document: anchors do not live longer than theirs.
    fn reset(&mut self) {
        self.out.clear();
        self.anchors.clear();
    }

    fn event(&mut self, event: Event<'_>, at: Marker) -> Result<(), Error> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::Alias(id) => self.alias(id, at),
            Event::SequenceStart(_, anchor, _) => self.enter(None, anchor, at),
            Event::MappingStart(_, anchor, _) => self.enter(Some(Mapping::default()), anchor, at),
            Event::SequenceEnd | Event::MappingEnd => self.leave(at),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Marker,
    ) -> Result<(), Error> {
        let plain = style == ScalarStyle::Plain;
        let tagged = tag.and_then(Tag::core_suffix);
        let scalar = match tagged {
            Some("str" | "binary" | "timestamp") => Scalar::Text,
            Some("bool" | "int" | "float" | "null") => resolve(text),
            _ if plain && self.letters_are_text && matches!(text, "y" | "Y" | "n" | "N") => Scalar::Text,
            _ if plain => resolve(text),
            _ => Scalar::Text,
        };
        if self.key_next() {
            if plain && text == "<<" && tagged.is_none() {
                self.begin_merge();
                return Ok(());
            }
            let key = key_text(text, &scalar).ok_or_else(|| self.error(at, "a null is no key"))?;
            if anchor != 0 {
                let mut quoted = String::new();
                write_text(&mut quoted, &key);
                self.remember(anchor, &quoted, at)?;
            }
            return self.key(&key, at);
        }
        self.before_value();
        let start = self.out.len();
        self.write_scalar(text, &scalar, at)?;
        if anchor != 0 {
            let json = self.out[start..].to_owned();
            self.remember(anchor, &json, at)?;
        }
        self.after_value(at)
    }

    fn write_scalar(&mut self, text: &str, scalar: &Scalar, at: Marker) -> Result<(), Error> {
        match scalar {
            Scalar::Null => self.out.push_str("null"),
            Scalar::Bool(true) => self.out.push_str("true"),
            Scalar::Bool(false) => self.out.push_str("false"),
            Scalar::Int(number) => self.out.push_str(&number.to_string()),
            Scalar::Float(number) => write_float(&mut self.out, *number),
            Scalar::Text => write_text(&mut self.out, text),
            Scalar::NoJson => return Err(self.error(at, &format!("{text} has no form in JSON"))),
        }
        Ok(())
    }

    fn key_next(&self) -> bool {
        self.open.last().and_then(|open| open.mapping.as_ref()).is_some_and(|mapping| !mapping.value_next)
    }

    fn key(&mut self, key: &str, at: Marker) -> Result<(), Error> {
        let place = place(self.name, at);
        let open = self.open.last_mut().expect("a key is in a mapping");
        let mapping = open.mapping.as_mut().expect("a key is in a mapping");
        if !mapping.keys.insert(key.into()) {
            return Err(Error::DuplicateKey { place, key: key.to_owned() });
        }
        mapping.value_next = true;
        if open.count > 0 {
            self.out.push(',');
        }
        open.count += 1;
        write_text(&mut self.out, key);
        self.out.push(':');
        Ok(())
    }

    fn begin_merge(&mut self) {
        let start = self.out.len();
        let open = self.open.last_mut().expect("a key is in a mapping");
        let mapping = open.mapping.as_mut().expect("a key is in a mapping");
        mapping.value_next = true;
        mapping.merge_start = Some(start);
    }

    /// The comma between the items of a sequence.
    fn before_value(&mut self) {
        if let Some(open) = self.open.last_mut()
            && open.mapping.is_none()
        {
            if open.count > 0 {
                self.out.push(',');
            }
            open.count += 1;
        }
    }

    fn after_value(&mut self, at: Marker) -> Result<(), Error> {
        let Some(mapping) = self.open.last_mut().and_then(|open| open.mapping.as_mut()) else {
            return Ok(());
        };
        mapping.value_next = false;
        if let Some(start) = mapping.merge_start.take() {
            let merged = self.out.split_off(start);
            if !merged.starts_with(['{', '[']) {
                return Err(self.error(at, "`<<` needs a mapping, or a list of mappings"));
            }
            let mapping = self.open.last_mut().and_then(|open| open.mapping.as_mut());
            mapping.expect("still the same mapping").merges.push(merged);
        }
        Ok(())
    }

    fn enter(&mut self, mapping: Option<Mapping>, anchor: usize, at: Marker) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::NestingTooDeep { place: place(self.name, at), allowed: MAX_DEPTH });
        }
        if self.key_next() {
            return Err(self.error(at, "a mapping or list is no key"));
        }
        self.before_value();
        let start = self.out.len();
        self.out.push(if mapping.is_some() { '{' } else { '[' });
        self.open.push(Open { start, anchor, mapping, count: 0 });
        Ok(())
    }

    fn leave(&mut self, at: Marker) -> Result<(), Error> {
        let open = self.open.pop().expect("an end has a start");
        match open.mapping {
            None => self.out.push(']'),
            Some(mapping) => {
                if !mapping.merges.is_empty() {
                    self.merge(mapping, open.count, at)?;
                }
                self.out.push('}');
            }
        }
        if open.anchor != 0 {
            let json = self.out[open.start..].to_owned();
            self.remember(open.anchor, &json, at)?;
        }
        self.after_value(at)
    }

    /// Adds what merge keys bring: a field that is there already stays, an earlier merge wins over a later one.
    /// Source: YAML 1.1 type `merge`.
    fn merge(&mut self, mut mapping: Mapping, mut count: usize, at: Marker) -> Result<(), Error> {
        for merged in std::mem::take(&mut mapping.merges) {
            for fields in mappings(&merged).ok_or_else(|| self.error(at, "`<<` needs mappings"))? {
                for (key, value) in fields {
                    if !mapping.keys.insert(key.as_str().into()) {
                        continue;
                    }
                    if count > 0 {
                        self.out.push(',');
                    }
                    count += 1;
                    write_text(&mut self.out, &key);
                    self.out.push(':');
                    self.out.push_str(&value.to_string());
                }
            }
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, at: Marker) -> Result<(), Error> {
        let Some(json) = self.anchors.get(&id).cloned() else {
            return Err(self.error(at, "an alias inside its own anchor"));
        };
        self.spend(json.len(), at)?;
        if self.key_next() {
            return match serde_json::from_str::<Value>(&json) {
                Ok(Value::String(key)) => self.key(&key, at),
                Ok(Value::Number(_) | Value::Bool(_)) => self.key(&json, at),
                _ => Err(self.error(at, "a mapping, list or null is no key")),
            };
        }
        self.before_value();
        self.out.push_str(&json);
        self.after_value(at)
    }

    fn remember(&mut self, anchor: usize, json: &str, at: Marker) -> Result<(), Error> {
        self.spend(json.len(), at)?;
        self.anchors.insert(anchor, json.into());
        Ok(())
    }

    fn spend(&mut self, bytes: usize, at: Marker) -> Result<(), Error> {
        let bomb = Error::AliasBomb { place: place(self.name, at), allowed: self.allowed };
        // One byte on top, so that aliases of nothing cost something too.
        self.budget = self.budget.checked_sub(bytes + 1).ok_or(bomb)?;
        Ok(())
    }

    fn error(&self, at: Marker, reason: &str) -> Error {
        Error::YamlSyntax { place: place(self.name, at), reason: reason.to_owned() }
    }
}

/// A key as text. Source: sigs.k8s.io/yaml turns numbers and booleans into their texts.
fn key_text<'t>(text: &'t str, scalar: &Scalar) -> Option<std::borrow::Cow<'t, str>> {
    match scalar {
        Scalar::Null => None,
        Scalar::Bool(value) => Some(value.to_string().into()),
        Scalar::Int(number) => Some(number.to_string().into()),
        Scalar::Float(number) => {
            let mut out = String::new();
            write_float(&mut out, *number);
            Some(out.into())
        }
        Scalar::Text | Scalar::NoJson => Some(text.into()),
    }
}

/// The mappings that a merge key brings, the strongest first.
fn mappings(json: &str) -> Option<Vec<Map<String, Value>>> {
    match serde_json::from_str(json).ok()? {
        Value::Object(fields) => Some(vec![fields]),
        Value::Array(items) => items
            .into_iter()
            .map(|item| if let Value::Object(fields) = item { Some(fields) } else { None })
            .collect(),
        _ => None,
    }
}
