//! Text forms of rules: what iptables-save prints and iptables-restore reads, and what `iptables -L` lists.
//!
//! Source: iptables v1.8.9 (nf_tables). What it accepts and this crate does not model is refused with file and line.

mod arguments;
mod command;
mod connbytes;
mod connection;
mod edits;
mod effects;
mod header;
mod limit;
mod list;
mod matches;
mod nat_range;
mod packet_matches;
mod ports_match;
mod print;
mod restore;
mod rule_line;
mod set;
mod support;
mod targets;
#[cfg(test)]
mod tests;
mod unknown;
mod values;
mod words;

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_packet::{Family, Proto};

pub use self::list::list_chain;
pub use self::print::{print, print_counted, print_rule, print_transaction};
pub use self::restore::{load, parse};
pub use self::support::{Finding, Kind, support};
use crate::{Error, Name, Place};

/// What is wrong with a line, before the line is known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    Syntax(String),
    Table(String),
    Match(String),
    Target(String),
    Option { name: String, owner: String },
}

impl Problem {
    fn syntax(problem: impl Into<String>) -> Problem {
        Problem::Syntax(problem.into())
    }

    fn option(name: &str, owner: &str) -> Problem {
        Problem::Option { name: name.to_string(), owner: owner.to_string() }
    }

    fn at(self, place: Place) -> Error {
        match self {
            Problem::Syntax(problem) => Error::Syntax { place, problem },
            Problem::Table(table) => Error::TableNotModelled { place, table },
            Problem::Match(name) => Error::MatchNotModelled { place, name },
            Problem::Target(name) => Error::TargetNotModelled { place, name },
            Problem::Option { name, owner } => Error::OptionNotModelled { place, name, owner },
        }
    }
}

impl Problem {
    /// The line without what is not modelled; `None` where the line cannot be read without it.
    fn cut_out_of(&self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let at = |option: &[&str], name: &str| {
            words.windows(2).position(|pair| option.contains(&pair[0]) && pair[1] == name)
        };
        let (from, ends): (usize, fn(&str) -> bool) = match self {
            Problem::Match(name) => (at(&["-m", "--match"], name)?, begins_part),
            Problem::Target(name) => (at(&["-j", "--jump"], name)?, begins_part),
            Problem::Option { name, .. } => (words.iter().position(|word| word == name)?, begins_option),
            Problem::Syntax(_) | Problem::Table(_) => return None,
        };
        let inverted = usize::from(from > 0 && words[from - 1] == "!");
        let end =
            words[from + 1..].iter().position(|word| ends(word)).map_or(words.len(), |skip| from + 1 + skip);
        Some([&words[..from - inverted], &words[end..]].concat().join(" "))
    }
}

/// Whether a match or target begins with the word.
fn begins_part(word: &str) -> bool {
    matches!(word, "-m" | "--match" | "-j" | "--jump" | "-g" | "--goto")
}

fn begins_option(word: &str) -> bool {
    word.starts_with('-') || word == "!"
}

/// The words of a line, without quotes; `None` if a quote is not closed.
pub(crate) fn words(line: &str) -> Option<Vec<String>> {
    Some(words::split(line)?.into_iter().map(|word| word.text).collect())
}

/// A protocol's name, or its number where it has none.
pub(crate) fn protocol_name(proto: Proto) -> String {
    values::protocol_name(proto)
}

/// A protocol by its name or number.
pub(crate) fn protocol_number(text: &str) -> Option<Proto> {
    values::protocol(text).ok().flatten()
}

/// Keeps each text once: chain names and comments come again and again.
#[derive(Default)]
struct Interner(HashMap<Arc<str>, Name, FixedState>);

impl Interner {
    fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.0.get(text) {
            return name.clone();
        }
        let text: Arc<str> = text.into();
        let name = Name::text(text.clone());
        self.0.insert(text, name.clone());
        name
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        self.name(text);
        self.0.get_key_value(text).expect("the text was just put in").0.clone()
    }
}

/// The mask of `-m recent` that means the whole address.
fn full_mask(family: Family) -> &'static str {
    match family {
        Family::V4 => "255.255.255.255",
        Family::V6 => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    }
}
