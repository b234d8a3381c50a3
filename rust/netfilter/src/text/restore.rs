//! What iptables-restore reads.

use kdp_packet::Family;

use super::command::{ops, policy as policy_of};
use super::words::split;
use super::{Interner, Problem};
use crate::{Applied, Error, Hook, Op, Place, Ruleset, Table, Transaction};

/// Reads the text `text`, which is called `source` in errors, for iptables or ip6tables.
///
/// With `noflush` tables keep what is not named, as with `--noflush`; without it each table is emptied first.
/// Counters are read and not kept, as without `--counters`. Errors: codes `rule-…` and `ruleset-table-not-modelled`.
pub fn parse(text: &str, source: &str, family: Family, noflush: bool) -> Result<Transaction, Error> {
    Ok(read(text, source, family, noflush)?.transaction)
}

/// Reads `text` as [`parse`] does and applies it; errors of the rule set name the line too.
// DEVIATION(restore-all-tables): iptables-restore commits table by table; here all tables of a text are one transaction.
pub fn load(ruleset: &mut Ruleset, text: &str, source: &str, noflush: bool) -> Result<Applied, Error> {
    let read = read(text, source, ruleset.family(), noflush)?;
    ruleset.apply_steps(&read.transaction).map_err(|(step, error)| {
        let line = step.and_then(|step| read.lines.get(step)).copied();
        let at = |line| Error::AtLine {
            place: Place { source: source.to_string(), line },
            error: Box::new(error.clone()),
        };
        line.map_or_else(|| error.clone(), at)
    })
}

/// A transaction, with the line of each step.
struct Read {
    transaction: Transaction,
    lines: Vec<usize>,
}

fn read(text: &str, source: &str, family: Family, noflush: bool) -> Result<Read, Error> {
    let mut reader = Reader {
        read: Read { transaction: Transaction::new(family), lines: Vec::new() },
        table: None,
        line: 0,
        noflush,
        interner: Interner::default(),
    };
    let at = |line| Place { source: source.to_string(), line };
    for (number, line) in text.lines().enumerate() {
        reader.line = number + 1;
        match reader.line(line) {
            Ok(()) => {}
            Err(Unread::Problem(problem)) => return Err(problem.at(at(reader.line))),
            Err(Unread::Table(table)) => {
                return Err(Error::TableNotModelled { place: at(reader.line), table });
            }
        }
    }
    if reader.table.is_some() {
        return Err(Problem::syntax("the text ends before COMMIT").at(at(reader.line)));
    }
    Ok(reader.read)
}

struct Reader {
    read: Read,
    table: Option<Table>,
    line: usize,
    noflush: bool,
    interner: Interner,
}

/// Why a line was not read.
enum Unread {
    Problem(Problem),
    Table(String),
}

impl From<Problem> for Unread {
    fn from(problem: Problem) -> Unread {
        Unread::Problem(problem)
    }
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Unread> {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        match (line.strip_prefix('*'), self.table) {
            (Some(name), None) => self.table(name.trim()),
            (Some(_), Some(table)) => {
                Err(Problem::syntax(format!("table {table} is open: COMMIT must end it")).into())
            }
            (None, None) => {
                Err(Problem::syntax("this line stands in no table: \"*TABLE\" must come first").into())
            }
            (None, Some(table)) => Ok(self.step(table, line)?),
        }
    }

    fn table(&mut self, name: &str) -> Result<(), Unread> {
        let table = Table::ALL.into_iter().find(|table| table.as_str() == name);
        let table = table.ok_or_else(|| Unread::Table(name.to_string()))?;
        self.table = Some(table);
        if !self.noflush {
            self.push(table, Op::FlushTable);
        }
        Ok(())
    }

    fn step(&mut self, table: Table, line: &str) -> Result<(), Problem> {
        if line == "COMMIT" {
            self.table = None;
            return Ok(());
        }
        match line.strip_prefix(':') {
            Some(chain) => self.chain(table, chain),
            None => self.command(table, line),
        }
    }

    fn push(&mut self, table: Table, op: Op) {
        self.read.transaction.push(table, op);
        self.read.lines.push(self.line);
    }

    /// `:NAME POLICY [PACKETS:BYTES]`. A policy of a user chain is not looked at, `-` keeps that of a base chain.
    /// Source: iptables 1.8.9, `xtables_restore_parse_line` in iptables/xtables-restore.c.
    fn chain(&mut self, table: Table, line: &str) -> Result<(), Problem> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().ok_or_else(|| Problem::syntax("\":\" needs the name of a chain"))?;
        let policy =
            words.next().ok_or_else(|| Problem::syntax(format!(":{name} needs a policy, or \"-\"")))?;
        if let Some(counters) = words.next().filter(|counters| !is_counters(counters)) {
            return Err(Problem::syntax(format!(":{name}: {counters:?} is not [PACKETS:BYTES]")));
        }
        let is_base = Hook::of(name).is_some_and(|hook| hook.is_in(table));
        let name = self.interner.name(name);
        let op = match (is_base, policy) {
            (false, _) => Op::Chain(name),
            (true, "-") => return Ok(()),
            (true, text) => Op::Policy(name, policy_of(":", text)?),
        };
        self.push(table, op);
        Ok(())
    }

    fn command(&mut self, table: Table, line: &str) -> Result<(), Problem> {
        let line = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((counters, rule)) if is_counters(&format!("[{counters}]")) => rule,
            Some((counters, _)) => {
                return Err(Problem::syntax(format!("[{counters}] is not [PACKETS:BYTES]")));
            }
            None => line,
        };
        let words = split(line).ok_or_else(|| Problem::syntax("a quote is not closed"))?;
        for op in ops(&words, self.read.transaction.family, &mut self.interner)? {
            self.push(table, op);
        }
        Ok(())
    }
}

fn is_counters(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let number = |text: &str| text.parse::<u64>().is_ok();
    inside
        .and_then(|text| text.split_once(':'))
        .is_some_and(|(packets, bytes)| number(packets) && number(bytes))
}
