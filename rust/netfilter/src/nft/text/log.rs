//! `log`.

use std::fmt::Write;

use super::cursor::Cursor;
use crate::Error;
use crate::nft::Statement;

/// Source: nftables 1.0.6, src/statement.c, `log_level`.
const LEVELS: [&str; 9] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"];
const FLAGS: [&str; 5] = ["tcp", "ip", "skuid", "ether", "all"];

/// `log [prefix TEXT] [level WORD] [group N] [snaplen N] [queue-threshold N] [flags …]`, kept in the order in which nft
/// lists them. Source: nftables 1.0.6, src/statement.c, `log_stmt_print`.
pub(super) fn log(cursor: &mut Cursor<'_>) -> Result<Statement, Error> {
    cursor.need("log")?;
    let (mut prefix, mut level, mut flags) = (String::new(), String::new(), String::new());
    let mut numbers = [("group", None), ("snaplen", None), ("queue-threshold", None)];
    while let Some(word) = cursor.peek() {
        if cursor.take("prefix") {
            prefix = format!(" prefix \"{}\"", cursor.text("a prefix")?);
        } else if cursor.take("level") {
            let word = cursor.text("a level")?;
            if !LEVELS.contains(&word) {
                return cursor.wrong(format!("level {word:?} is not one of {}", LEVELS.join(", ")));
            }
            level = if word == "warn" { String::new() } else { format!(" level {word}") };
        } else if cursor.take("flags") {
            flags += &self::flags(cursor)?;
        } else if let Some((_, number)) = numbers.iter_mut().find(|(name, _)| *name == word) {
            cursor.take(word);
            *number = Some(cursor.small(word)?);
        } else {
            break;
        }
    }
    let mut options = prefix;
    for (name, number) in numbers {
        if let Some(number) = number {
            let _ = write!(options, " {name} {number}");
        }
    }
    Ok(Statement::Log((options + &level + &flags).into()))
}

/// `all`, `skuid`, `ip options`, `tcp sequence,options`.
fn flags(cursor: &mut Cursor<'_>) -> Result<String, Error> {
    let word = cursor.text("a flag")?;
    if !FLAGS.contains(&word) {
        return cursor.wrong(format!("flag {word:?} is not one of {}", FLAGS.join(", ")));
    }
    let mut text = format!(" flags {word}");
    if matches!(word, "tcp" | "ip") {
        let _ = write!(text, " {}", cursor.text("a flag")?);
        while cursor.sign(",") {
            let _ = write!(text, ",{}", cursor.text("a flag")?);
        }
    }
    Ok(text)
}
