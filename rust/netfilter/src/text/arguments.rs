//! The arguments of one line, taken one after another.

use super::words::Word;
use super::{Interner, Problem};
use kdp_packet::Family;

/// What is left of a line.
pub(super) struct Arguments<'a> {
    words: &'a [Word],
    next: usize,
    pub(super) family: Family,
    pub(super) interner: &'a mut Interner,
}

/// An option, with what stood before it.
pub(super) struct Opt<'a> {
    /// With its dashes.
    pub(super) name: &'a str,
    /// Whether `!` stood before it.
    pub(super) invert: bool,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(words: &'a [Word], family: Family, interner: &'a mut Interner) -> Arguments<'a> {
        Arguments { words, next: 0, family, interner }
    }

    /// The next option.
    pub(super) fn option(&mut self) -> Result<Option<Opt<'a>>, Problem> {
        let Some(word) = self.words.get(self.next) else { return Ok(None) };
        let invert = word.text == "!" && !word.quoted;
        let Some(word) = self.words.get(self.next + usize::from(invert)) else {
            return Err(Problem::syntax("nothing stands behind the last \"!\""));
        };
        if word.quoted || !word.text.starts_with('-') {
            return Err(Problem::syntax(format!("{:?} is not an option", word.text)));
        }
        self.next += usize::from(invert) + 1;
        Ok(Some(Opt { name: &word.text, invert }))
    }

    /// The value of `option`.
    pub(super) fn value(&mut self, option: &str) -> Result<&'a str, Problem> {
        let word =
            self.words.get(self.next).ok_or_else(|| Problem::syntax(format!("{option} needs a value")))?;
        self.next += 1;
        Ok(&word.text)
    }

    /// The next word if it is a value and not an option.
    pub(super) fn optional(&mut self) -> Option<&'a str> {
        let word =
            self.words.get(self.next).filter(|word| word.quoted || !word.text.starts_with(['-', '!']))?;
        self.next += 1;
        Some(&word.text)
    }
}

impl Opt<'_> {
    /// Refuses `!` before an option that has no contrary.
    pub(super) fn plain(&self) -> Result<(), Problem> {
        if self.invert {
            return Err(Problem::syntax(format!("{}: no \"!\" may stand before it", self.name)));
        }
        Ok(())
    }
}
