//! JSON: one document after another.

use serde_json::value::RawValue;

use super::item::{Items, Origin};
use super::text;
use crate::error::Error;
use crate::object::Object;

/// Reads every object of a JSON text. Nothing is copied but the objects themselves.
pub(super) fn read(name: &str, text: &str, objects: &mut Vec<Object>) -> Result<(), Error> {
    let mut items = Items::new(name, Origin::Json { text }, objects);
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        match document {
            Ok(document) => items.read(document.get())?,
            Err(error) => return Err(syntax(name, text, &error)),
        }
    }
    Ok(())
}

/// Whether the text is JSON documents throughout.
pub(super) fn is_well_formed(text: &str) -> bool {
    serde_json::Deserializer::from_str(text)
        .into_iter::<serde::de::IgnoredAny>()
        .all(|document| document.is_ok())
}

fn syntax(name: &str, text: &str, error: &serde_json::Error) -> Error {
    let offset = text::offset_at(text, error.line(), error.column());
    Error::JsonSyntax { place: text::place(name, text, offset), reason: without_place(&error.to_string()) }
}

/// The message without ` at line 1 column 2`, which is said elsewhere.
pub(super) fn without_place(message: &str) -> String {
    message.rfind(" at line ").map_or(message, |at| &message[..at]).to_owned()
}
