//! `-m connbytes`.

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing, once};
use crate::conntrack::Direction;
use crate::{ConnBytes, ConnMeasure, Match};

/// Words of `--connbytes-mode`.
const MEASURES: [(ConnMeasure, &str); 3] =
    [(ConnMeasure::Packets, "packets"), (ConnMeasure::Bytes, "bytes"), (ConnMeasure::Average, "avgpkt")];
/// Words of `--connbytes-dir`.
const DIRECTIONS: [(Option<Direction>, &str); 3] =
    [(Some(Direction::Original), "original"), (Some(Direction::Reply), "reply"), (None, "both")];

/// `-m connbytes`.
#[derive(Default)]
pub(super) struct ConnBytesTest {
    range: Option<(bool, u64, u64)>,
    measure: Option<ConnMeasure>,
    /// A place in [`DIRECTIONS`].
    direction: Option<usize>,
}

fn named<T: Copy>(option: &str, text: &str, words: &[(T, &str)]) -> Result<T, Problem> {
    let found = words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
    found.ok_or_else(|| {
        let allowed: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
        Problem::syntax(format!("{option}: {text:?} is not one of {}", allowed.join(", ")))
    })
}

impl Module for ConnBytesTest {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        match option.name {
            "--connbytes" => {
                let (invert, text) = (option.invert, arguments.value(option.name)?);
                let (first, last) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
                let number = |text: &str| text.parse::<u64>().ok();
                let last = last.filter(|last| !last.is_empty()).map_or(Some(u64::MAX), number);
                match (number(first), last) {
                    (Some(first), Some(last)) if first <= last => {
                        once(&mut self.range, option, (invert, first, last))
                    }
                    _ => Err(Problem::syntax(format!("--connbytes: {text:?} is not FROM[:TO]"))),
                }
            }
            "--connbytes-mode" => {
                let measure = named(option.name, arguments.value(option.name)?, &MEASURES)?;
                once(&mut self.measure, option, measure)
            }
            "--connbytes-dir" => {
                let direction = named(option.name, arguments.value(option.name)?, &DIRECTIONS)?;
                let place = DIRECTIONS.iter().position(|(each, _)| *each == direction);
                once(&mut self.direction, option, place.expect("it was just found there"))
            }
            _ => Ok(false),
        }
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let need = |option| move || missing("connbytes", option);
        let (invert, first, last) = self.range.ok_or_else(need("--connbytes"))?;
        let measure = self.measure.ok_or_else(need("--connbytes-mode"))?;
        let (direction, _) = DIRECTIONS[self.direction.ok_or_else(need("--connbytes-dir"))?];
        Ok(Match::ConnBytes(ConnBytes { invert, first, last, measure, direction }))
    }
}

/// The match as iptables-save prints it. Source: iptables 1.8.9, `connbytes_save` in extensions/libxt_connbytes.c.
pub(super) fn print_connbytes(test: &ConnBytes) -> String {
    let not = if test.invert { " !" } else { "" };
    let (measure, direction) = words(test);
    format!(
        " -m connbytes{not} --connbytes {} --connbytes-mode {measure} --connbytes-dir {direction}",
        range(test)
    )
}

/// The match as `iptables -L` lists it.
pub(super) fn list_connbytes(test: &ConnBytes) -> String {
    let not = if test.invert { "! " } else { "" };
    let (measure, direction) = words(test);
    format!(" {not}connbytes {} connbytes mode {measure} connbytes direction {direction}", range(test))
}

fn range(test: &ConnBytes) -> String {
    if test.last == u64::MAX { test.first.to_string() } else { format!("{}:{}", test.first, test.last) }
}

fn words(test: &ConnBytes) -> (&'static str, &'static str) {
    let measure = MEASURES.iter().find(|(measure, _)| *measure == test.measure);
    let direction = DIRECTIONS.iter().find(|(direction, _)| *direction == test.direction);
    (measure.expect("every measure has a word").1, direction.expect("every direction has a word").1)
}
