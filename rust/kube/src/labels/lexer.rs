//! Tokens of a label selector.
//!
//! Source: apimachinery `labels` (2026-07): longest match of `, ( ) = == != ! > <`; every other run of characters
//! up to white space or one of these is a word.

/// What a token is. `in` and `notin` are words: only the parser knows where they are operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Comma,
    Open,
    Close,
    Equals,
    DoubleEquals,
    NotEquals,
    Not,
    Greater,
    Less,
    Word,
    End,
}

/// A token, its text, and the byte where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) at: usize,
}

impl Token<'_> {
    /// The token as an error message names it.
    pub(crate) fn describe(&self) -> String {
        if self.kind == Kind::End { "the end".to_owned() } else { format!("{:?}", self.text) }
    }
}

/// A reader of tokens that sees one ahead.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    next: Token<'a>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, next: scan(text, 0) }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The next token, left where it is.
    pub(crate) fn peek(&self) -> Token<'a> {
        self.next
    }

    /// The next token, taken. The end can be taken again and again.
    pub(crate) fn take(&mut self) -> Token<'a> {
        let token = self.next;
        self.next = scan(self.text, token.at + token.text.len());
        token
    }
}

fn scan(text: &str, from: usize) -> Token<'_> {
    let rest = text[from..].trim_start_matches(is_space);
    let at = text.len() - rest.len();
    let (kind, len) = match rest.as_bytes() {
        [] => (Kind::End, 0),
        [b',', ..] => (Kind::Comma, 1),
        [b'(', ..] => (Kind::Open, 1),
        [b')', ..] => (Kind::Close, 1),
        [b'=', b'=', ..] => (Kind::DoubleEquals, 2),
        [b'=', ..] => (Kind::Equals, 1),
        [b'!', b'=', ..] => (Kind::NotEquals, 2),
        [b'!', ..] => (Kind::Not, 1),
        [b'>', ..] => (Kind::Greater, 1),
        [b'<', ..] => (Kind::Less, 1),
        _ => (Kind::Word, rest.find(|c| is_space(c) || "=!(),><".contains(c)).unwrap_or(rest.len())),
    };
    Token { kind, text: &rest[..len], at }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
