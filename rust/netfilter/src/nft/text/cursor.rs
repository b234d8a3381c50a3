//! A place in an nft script.

use super::lex::{Kind, Token};
use crate::nft::error::Error as NftError;
use crate::{Error, Place};

/// Tokens, and how far they were read.
pub(super) struct Cursor<'a> {
    tokens: &'a [Token],
    at: usize,
    source: &'a str,
    /// Errors of statements that were passed over; `None` where the first one ends the reading.
    passed_over: Option<Vec<Error>>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Token], source: &'a str) -> Cursor<'a> {
        Cursor { tokens, at: 0, source, passed_over: None }
    }

    /// The same, for a reading that goes on behind errors and collects them.
    pub(super) fn collecting(tokens: &'a [Token], source: &'a str) -> Cursor<'a> {
        Cursor { passed_over: Some(Vec::new()), ..Cursor::new(tokens, source) }
    }

    /// What was collected.
    pub(super) fn collected(self) -> Vec<Error> {
        self.passed_over.unwrap_or_default()
    }

    /// The place of the next token, for [`Cursor::pass_over`].
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// Behind an error in the statement that began at `mark`: goes on at its end if errors are collected.
    pub(super) fn pass_over(&mut self, mark: usize, error: Error) -> Result<(), Error> {
        let Some(collected) = &mut self.passed_over else { return Err(error) };
        // Behind the last token nothing is left to go on with.
        if mark >= self.tokens.len() {
            return Err(error);
        }
        collected.push(error);
        self.at = mark;
        let mut depth = 0usize;
        while let Some(kind) = self.kind() {
            match kind {
                Kind::End | Kind::Sign("}") if depth == 0 => break,
                Kind::Sign("{") => depth += 1,
                Kind::Sign("}") => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Where the next token stands.
    pub(super) fn place(&self) -> Place {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        Place { source: self.source.to_string(), line: token.map_or(1, |token| token.line) }
    }

    pub(super) fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, Error> {
        Err(Error::Syntax { place: self.place(), problem: problem.into() })
    }

    pub(super) fn not_modelled<T>(&self, name: impl Into<String>) -> Result<T, Error> {
        Err(NftError::NotModelled { place: self.place(), name: name.into() }.into())
    }

    pub(super) fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    fn kind(&self) -> Option<&'a Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    /// The next token, if it is a word.
    pub(super) fn peek(&self) -> Option<&'a str> {
        match self.kind() {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// The word behind the next token.
    pub(super) fn peek_second(&self) -> Option<&'a str> {
        match self.tokens.get(self.at + 1).map(|token| &token.kind) {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// A word, or a text in quotes.
    pub(super) fn text(&mut self, what: &str) -> Result<&'a str, Error> {
        match self.kind() {
            Some(Kind::Word(text) | Kind::Quoted(text)) => {
                self.at += 1;
                Ok(text)
            }
            _ => self.wrong(format!("{what} is missing{}", self.before())),
        }
    }

    /// What stands here, for messages.
    fn before(&self) -> String {
        match self.kind() {
            Some(Kind::Sign(sign)) => format!(" before {sign:?}"),
            _ => String::new(),
        }
    }

    /// Takes the word if it is the next token.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let is = self.peek() == Some(word);
        self.at += usize::from(is);
        is
    }

    /// Takes the sign if it is the next token.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let is = self.at_sign(sign);
        self.at += usize::from(is);
        is
    }

    pub(super) fn at_sign(&self, sign: &str) -> bool {
        matches!(self.kind(), Some(Kind::Sign(each)) if *each == sign)
    }

    pub(super) fn need(&mut self, word: &str) -> Result<(), Error> {
        if self.take(word) { Ok(()) } else { self.wrong(format!("{word:?} is missing")) }
    }

    pub(super) fn need_sign(&mut self, sign: &str) -> Result<(), Error> {
        if self.sign(sign) { Ok(()) } else { self.wrong(format!("{sign:?} is missing")) }
    }

    /// Whether a command or statement ends here.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.kind(), None | Some(Kind::End)) || self.at_sign("}")
    }

    /// Passes ends of lines.
    pub(super) fn skip_ends(&mut self) {
        while matches!(self.kind(), Some(Kind::End)) {
            self.at += 1;
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        if self.at_end() {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| self.before(), |word| format!(": {word:?}"));
        self.wrong(format!("the command should end here{found}"))
    }

    /// A number, decimal or hexadecimal.
    pub(super) fn number(&mut self, what: &str) -> Result<u64, Error> {
        let text = self.text(what)?;
        number(text).map_or_else(|| self.wrong(format!("{what} {text:?} is not a number")), Ok)
    }

    pub(super) fn small(&mut self, what: &str) -> Result<u32, Error> {
        let number = self.number(what)?;
        u32::try_from(number).or_else(|_| self.wrong(format!("{what} {number} is above {}", u32::MAX)))
    }
}

/// A number, decimal or hexadecimal.
pub(super) fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
