//! Words and signs of an nft script.

use crate::{Error, Place};

/// A word or sign, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and what addresses and names are made of.
    Word(String),
    /// A text in quotes, without them.
    Quoted(String),
    /// A sign that stands for itself.
    Sign(&'static str),
    /// The end of a line, or `;`.
    End,
}

const SIGNS: [&str; 16] =
    ["!=", "==", "<=", ">=", "{", "}", "(", ")", ",", "=", "<", ">", "&", "|", "^", "!"];

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-./:@*[]%\\+".contains(c)
}

/// Splits a script. Comments go; a backslash before a line's end joins lines.
pub(super) fn tokens(text: &str, source: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let place = || Place { source: source.to_string(), line: number };
        let joined = line.ends_with('\\');
        let mut rest = line.strip_suffix('\\').unwrap_or(line);
        while let Some((kind, behind)) =
            next(rest).map_err(|problem| Error::Syntax { place: place(), problem })?
        {
            tokens.push(Token { kind, line: number });
            rest = behind;
        }
        if !joined {
            tokens.push(Token { kind: Kind::End, line: number });
        }
    }
    Ok(tokens)
}

/// The first token, and what is behind it; `None` at the end of a line.
fn next(text: &str) -> Result<Option<(Kind, &str)>, String> {
    let text = text.trim_start();
    let Some(first) = text.chars().next().filter(|first| *first != '#') else { return Ok(None) };
    if let Some(behind) = text.strip_prefix(';') {
        return Ok(Some((Kind::End, behind)));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let (inside, behind) = quoted.split_once('"').ok_or("a quote is not closed")?;
        return Ok(Some((Kind::Quoted(inside.to_string()), behind)));
    }
    if let Some(sign) = SIGNS.into_iter().find(|sign| text.starts_with(sign)) {
        return Ok(Some((Kind::Sign(sign), &text[sign.len()..])));
    }
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    if end == 0 {
        return Err(format!("character {first:?} is not one of nft's"));
    }
    // `80: drop`: the colon belongs to the map, unless it ends an address (`fd00::`).
    let colon = end > 1 && text[..end].ends_with(':') && !text[..end].ends_with("::");
    let end = end - usize::from(colon);
    Ok(Some((Kind::Word(text[..end].to_string()), &text[end..])))
}
