//! Field selectors, as `kubectl --field-selector` sends them.
//!
//! Source: apimachinery `fields` (2026-07). Only `=`, `==` and `!=`; empty terms are skipped, nothing is trimmed, and a
//! missing field reads as the empty text.

use std::fmt;

use super::error::Error;
use super::selector::Labels;

/// One comparison of a field with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// Field path, as the resource publishes it: `status.phase`.
    pub field: String,
    /// Whether the value must differ.
    pub negated: bool,
    /// The value, unescaped.
    pub value: String,
}

/// Comparisons that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

impl FieldSelector {
    /// Parses a field selector. Field names are not checked here: each resource has its own.
    ///
    /// # Errors
    /// `field-selector-syntax`.
    pub fn parse(text: &str) -> Result<FieldSelector, Error> {
        let mut parts = split(text);
        parts.sort_unstable();
        let terms = parts.into_iter().filter(|part| !part.is_empty());
        let terms = terms.map(|part| {
            term(part).map_err(|reason| Error::Field { text: text.to_owned(), term: part.to_owned(), reason })
        });
        let mut terms: Vec<FieldTerm> = terms.collect::<Result<_, _>>()?;
        // A term without field and value says nothing, not even negated.
        terms.retain(|term| !(term.field.is_empty() && term.value.is_empty()));
        Ok(FieldSelector { terms })
    }

    /// Whether an object with these published fields is meant.
    pub fn matches<L: Labels + ?Sized>(&self, fields: &L) -> bool {
        let holds = |t: &FieldTerm| (fields.label(&t.field).unwrap_or("") == t.value) != t.negated;
        self.terms.iter().all(holds)
    }

    /// The comparisons, in the order of their texts.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let sign = if term.negated { "!=" } else { "=" };
            write!(f, "{comma}{}{sign}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

/// Cuts at commas that no backslash precedes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The first operator from the left divides field and value.
fn term(part: &str) -> Result<FieldTerm, &'static str> {
    let operators = ["!=", "==", "="];
    let found = part.char_indices().find_map(|(i, _)| {
        let operator = operators.iter().find(|op| part[i..].starts_with(**op))?;
        Some((i, *operator))
    });
    let (at, operator) = found.ok_or("one of =, ==, != is needed")?;
    let value = unescape(&part[at + operator.len()..])?;
    Ok(FieldTerm { field: part[..at].to_owned(), negated: operator == "!=", value })
}

fn unescape(value: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                _ => return Err("a backslash may precede only '\\', ',' or '='"),
            },
            '=' | ',' => return Err("'=' and ',' in a value need a backslash"),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn escape(value: &str) -> String {
    value.chars().fold(String::with_capacity(value.len()), |mut out, c| {
        if matches!(c, '\\' | ',' | '=') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
