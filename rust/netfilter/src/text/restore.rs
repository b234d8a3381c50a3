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
    let mut reader = Reader::new(family, noflush);
    let at = |line| Place { source: source.to_string(), line };
    for (number, line) in text.lines().enumerate() {
        reader.line = number + 1;
        reader.line(line).map_err(|problem| problem.at(at(reader.line)))?;
    }
    reader.end().map_err(|problem| problem.at(at(reader.line)))?;
    Ok(reader.read)
}

/// What is wrong with the lines of `text`, and with the rule set that they make when nothing is: each line, and in a rule
/// each match, target and option.
pub(crate) fn survey(text: &str, source: &str, family: Family) -> Vec<Error> {
    let mut reader = Reader::new(family, true);
    let mut problems = Vec::new();
    let mut skips = false;
    for (number, line) in text.lines().enumerate() {
        reader.line = number + 1;
        let place = || Place { source: source.to_string(), line: number + 1 };
        if skips {
            skips = line.trim_end() != "COMMIT";
            continue;
        }
        for problem in reader.problems(line) {
            skips |= matches!(problem, Problem::Table(_));
            problems.push(problem.at(place()));
        }
    }
    if let (false, Err(problem)) = (skips, reader.end()) {
        problems.push(problem.at(Place { source: source.to_string(), line: reader.line }));
    }
    if problems.is_empty() {
        problems.extend(load(&mut Ruleset::new(family), text, source, false).err());
    }
    problems
}

struct Reader {
    read: Read,
    table: Option<Table>,
    line: usize,
    noflush: bool,
    interner: Interner,
}

impl Reader {
    fn new(family: Family, noflush: bool) -> Reader {
        Reader {
            read: Read { transaction: Transaction::new(family), lines: Vec::new() },
            table: None,
            line: 0,
            noflush,
            interner: Interner::default(),
        }
    }

    fn end(&self) -> Result<(), Problem> {
        match self.table {
            Some(_) => Err(Problem::syntax("the text ends before COMMIT")),
            None => Ok(()),
        }
    }

    /// Every problem of a line: what is not modelled is cut out of it, and the rest is read again.
    fn problems(&mut self, line: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut line = line.to_string();
        while let Err(problem) = self.line(&line) {
            let rest = problem.cut_out_of(&line);
            problems.push(problem);
            match rest {
                Some(rest) => line = rest,
                None => break,
            }
        }
        problems
    }

    fn line(&mut self, line: &str) -> Result<(), Problem> {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        match (line.strip_prefix('*'), self.table) {
            (Some(name), None) => self.table(name.trim()),
            (Some(_), Some(table)) => {
                Err(Problem::syntax(format!("table {table} is open: COMMIT must end it")))
            }
            (None, None) => Err(Problem::syntax("this line stands in no table: \"*TABLE\" must come first")),
            (None, Some(table)) => self.step(table, line),
        }
    }

    fn table(&mut self, name: &str) -> Result<(), Problem> {
        let table = Table::ALL.into_iter().find(|table| table.as_str() == name);
        let table = table.ok_or_else(|| Problem::Table(name.to_string()))?;
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
