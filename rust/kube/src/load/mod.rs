//! From bytes to objects: YAML or JSON, many documents, lists, all or nothing.
//!
//! Both languages lead to one typed reading, from JSON text: YAML is first turned into JSON as kubectl does it.

mod item;
mod json;
mod locate;
mod scalar;
mod strict;
#[cfg(test)]
mod tests;
mod text;
mod yaml;

use std::collections::BTreeMap;

use crate::error::Error;
use crate::note::Note;
use crate::object::{Kind, Object};

/// The deepest nesting that is read. Source: a limit of kdp's own; real objects stay below 40.
pub const MAX_DEPTH: usize = 100;

/// One input: a file's name and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name that messages use: a path, or `-`.
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The objects in the order of the input, lists taken apart.
    pub objects: Vec<Object>,
    /// What is worth saying.
    pub notes: Vec<Note>,
}

/// Reads every object of every source, or none: the first error ends it.
///
/// Nothing is defaulted or validated here beyond the types of fields; see [`crate::defaults`] and [`crate::validate`].
pub fn load(sources: &[Source<'_>]) -> Result<Loaded, Error> {
    let mut objects = Vec::new();
    for source in sources {
        load_one(*source, &mut objects)?;
    }
    let notes = unmodelled_kinds(&objects);
    Ok(Loaded { objects, notes })
}

/// The documents of a YAML text (or JSON, which is YAML) as JSON texts, read as kubectl reads manifests but for a bare `y`
/// or `n`, which is a text here. They need not be objects of Kubernetes.
pub fn documents(source: Source<'_>) -> Result<Vec<String>, Error> {
    yaml::documents(source.name, text::check(source)?, true)
}

/// One document of YAML or JSON as a value that need not be an object.
pub(crate) fn value(source: Source<'_>) -> Result<serde_json::Value, Error> {
    let documents = documents(source)?;
    let first = documents.first().map_or("null", String::as_str);
    Ok(serde_json::from_str(first).expect("what was made of YAML is JSON"))
}

/// The first key that is twice in one mapping of a JSON text.
pub(crate) fn duplicate_key(text: &str) -> Option<String> {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return None;
    }
    match strict::compact(text) {
        Err(strict::Fault::DuplicateKey(key, _)) => Some(key),
        _ => None,
    }
}

fn load_one(source: Source<'_>, objects: &mut Vec<Object>) -> Result<(), Error> {
    let text = text::check(source)?;
    // A flow mapping of YAML starts like JSON. Source: kubectl's YAMLOrJSONDecoder looks at the first character too.
    if text.trim_start().starts_with('{') && (text.len() > SMALL || json::is_well_formed(text)) {
        return json::read(source.name, text, objects);
    }
    let before = objects.len();
    yaml::read(source.name, text, objects).or_else(|error| {
        objects.truncate(before);
        if text.trim_start().starts_with('{') { json::read(source.name, text, objects) } else { Err(error) }
    })
}

/// Above this many bytes, what starts like JSON is taken to be JSON.
const SMALL: usize = 1 << 20;

fn unmodelled_kinds(objects: &[Object]) -> Vec<Note> {
    let mut kinds: BTreeMap<(String, String), usize> = BTreeMap::new();
    for object in objects {
        if let Kind::Other(other) = &object.kind {
            *kinds.entry((other.kind.clone(), other.api_version.clone())).or_default() += 1;
        }
    }
    let note = |((kind, api_version), objects)| Note::UnmodelledKind { api_version, kind, objects };
    kinds.into_iter().map(note).collect()
}
