//! Bytes that are to be a text, and places in it.

use super::Source;
use crate::error::{Error, Place};

/// The text of a source, without a byte-order mark.
///
/// Refuses what is no UTF-8 and what holds a NUL, before anything larger is built from it.
pub(super) fn check(source: Source<'_>) -> Result<&str, Error> {
    let at = |offset: usize, found: String| {
        let place = place_of_bytes(source.name, source.bytes, offset);
        Err(Error::NotText { place, found })
    };
    match std::str::from_utf8(source.bytes) {
        Err(error) => {
            let offset = error.valid_up_to();
            at(offset, format!("byte 0x{:02x}", source.bytes[offset]))
        }
        Ok(text) => match source.bytes.iter().position(|b| *b == 0) {
            Some(offset) => at(offset, "a NUL character".to_owned()),
            None => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        },
    }
}

fn place_of_bytes(name: &str, bytes: &[u8], offset: usize) -> Place {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    place_after(name, &before)
}

/// The place of a byte offset in a text.
pub(super) fn place(name: &str, text: &str, offset: usize) -> Place {
    let boundary = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    place_after(name, &text[..boundary.unwrap_or(0)])
}

fn place_after(name: &str, before: &str) -> Place {
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    Place { source: name.to_owned(), line, column: before[start..].chars().count() + 1 }
}

/// The offset at which `part` begins in `whole`, of which it is a slice.
pub(super) fn offset_of(whole: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    assert!(offset + part.len() <= whole.len(), "a part lies inside its whole");
    offset
}

/// The offset of a line and column (bytes, both from 1) in a text, as `serde_json` counts.
pub(super) fn offset_at(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}
