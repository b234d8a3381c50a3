//! Commands of an nft script.

use super::block;
use super::cursor::Cursor;
use super::lex::tokens;
use super::statement::rule;
use super::values;
use crate::nft::{MapsTo, Op, Ruleset, Step, Table, TableFamily, Transaction, Type};
use crate::{Error, Name, Place};
use kdp_sim::Time;

/// What later commands need to know of a set that an earlier one declared, or that is there.
pub(super) type Shape = (Vec<Type>, Option<MapsTo>);

/// A script that is read.
pub(super) struct Script<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) transaction: Transaction,
    /// The line of each step.
    lines: Vec<usize>,
    shapes: Vec<(Table, String, Shape)>,
    known: &'a dyn Fn(&Table, &str) -> Option<Shape>,
}

/// Reads an `nft -f` script, which is called `source` in errors.
///
/// `known` gives key and data types of sets that are there already: elements cannot be read without; see
/// [`Ruleset::shape`](crate::nft::Ruleset::shape). Errors: codes `rule-syntax`, `rule-expression-not-modelled`, `nft-unknown-set`.
pub fn parse(
    text: &str,
    source: &str,
    known: &dyn Fn(&Table, &str) -> Option<Shape>,
) -> Result<Transaction, Error> {
    Ok(read(text, source, known)?.0)
}

/// Reads a script as [`parse`] does and does what it says; errors of the rule set name the line too.
pub fn load(ruleset: &mut Ruleset, text: &str, source: &str, now: Time) -> Result<(), Error> {
    let (transaction, lines) = read(text, source, &|table, set| ruleset.shape(table, set))?;
    ruleset.apply_steps(&transaction, now).map_err(|(step, error)| Error::AtLine {
        place: Place { source: source.to_string(), line: lines[step] },
        error: Box::new(error.into()),
    })
}

/// What is wrong with the statements of a script, and with the rule set that they make when nothing is.
pub(crate) fn survey(text: &str, source: &str) -> Vec<Error> {
    let tokens = match tokens(text, source) {
        Ok(tokens) => tokens,
        Err(error) => return vec![error],
    };
    let cursor = Cursor::collecting(&tokens, source);
    let (transaction, lines) = (Transaction::new(), Vec::new());
    let mut script = Script { cursor, transaction, lines, shapes: Vec::new(), known: &|_, _| None };
    let mut last = script.commands().err();
    let mut errors = script.cursor.collected();
    if errors.is_empty() && last.is_none() {
        last = load(&mut Ruleset::new(), text, source, Time::ZERO).err();
    }
    errors.extend(last);
    errors
}

/// The transaction of a script, and the line of each step.
fn read(
    text: &str,
    source: &str,
    known: &dyn Fn(&Table, &str) -> Option<Shape>,
) -> Result<(Transaction, Vec<usize>), Error> {
    let tokens = tokens(text, source)?;
    let cursor = Cursor::new(&tokens, source);
    let (transaction, lines) = (Transaction::new(), Vec::new());
    let mut script = Script { cursor, transaction, lines, shapes: Vec::new(), known };
    script.commands()?;
    Ok((script.transaction, script.lines))
}

/// Which form of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Create,
    Insert,
    Delete,
    Destroy,
    Flush,
}

impl Script<'_> {
    /// Adds a step that stands in a line.
    pub(super) fn push_at(&mut self, line: usize, table: &Table, op: Op) {
        self.transaction.push(table, op);
        self.lines.resize(self.transaction.steps.len(), line);
    }

    fn commands(&mut self) -> Result<(), Error> {
        loop {
            self.cursor.skip_ends();
            if self.cursor.is_done() {
                return Ok(());
            }
            let line = self.cursor.place().line;
            let mark = self.cursor.mark();
            let read = self.command().and_then(|()| self.cursor.end());
            if let Err(error) = read {
                self.cursor.pass_over(mark, error)?;
                // A brace that closes nothing would be met again and again.
                self.cursor.sign("}");
            }
            self.lines.resize(self.transaction.steps.len(), line);
        }
    }

    fn command(&mut self) -> Result<(), Error> {
        let verb = match self.cursor.peek() {
            Some("add") => Verb::Add,
            Some("create") => Verb::Create,
            Some("insert") => Verb::Insert,
            Some("delete") => Verb::Delete,
            Some("destroy") => Verb::Destroy,
            Some("flush") => Verb::Flush,
            Some("table") => return self.noun(Verb::Add, "table"),
            Some(other) => return self.cursor.not_modelled(other),
            None => return self.cursor.wrong("a command is missing"),
        };
        self.cursor.text("a command")?;
        let noun = self.cursor.peek().unwrap_or("").to_string();
        self.noun(verb, &noun)
    }

    fn noun(&mut self, verb: Verb, noun: &str) -> Result<(), Error> {
        self.cursor.need(noun)?;
        match noun {
            "ruleset" => self.ruleset(verb),
            "table" => self.table_command(verb),
            "chain" => self.chain(verb),
            "rule" => self.rule(verb),
            "set" | "map" => self.set(verb),
            "element" => self.element(verb),
            "counter" | "quota" | "limit" => self.object(verb, noun),
            "ct" if self.cursor.take("timeout") => self.object(verb, "ct timeout"),
            other => self.cursor.not_modelled(other),
        }
    }

    fn not_with<T>(&self, noun: &str) -> Result<T, Error> {
        self.cursor.not_modelled(format!("this command with {noun}"))
    }

    fn ruleset(&mut self, verb: Verb) -> Result<(), Error> {
        if verb != Verb::Flush {
            return self.not_with("ruleset");
        }
        let family = family(&mut self.cursor);
        self.transaction.steps.push(Step::FlushRuleset(family));
        Ok(())
    }

    /// `[FAMILY] NAME`.
    fn table(&mut self) -> Result<Table, Error> {
        let family = family(&mut self.cursor).unwrap_or(TableFamily::Ip);
        let name = self.cursor.text("a table")?;
        if OTHER_FAMILIES.contains(&name) && !self.cursor.at_end() {
            return self.cursor.not_modelled(format!("table {name}"));
        }
        Ok(Table::new(family, name))
    }

    fn table_command(&mut self, verb: Verb) -> Result<(), Error> {
        let table = self.table()?;
        let op = match verb {
            Verb::Add | Verb::Create => return block::table(self, &table),
            Verb::Delete => Op::DeleteTable,
            Verb::Destroy => Op::DestroyTable,
            Verb::Flush => Op::FlushTable,
            Verb::Insert => return self.not_with("table"),
        };
        self.transaction.push(&table, op);
        Ok(())
    }

    fn chain(&mut self, verb: Verb) -> Result<(), Error> {
        let table = self.table()?;
        let name = Name::text(self.cursor.text("a chain")?);
        let op = match verb {
            Verb::Add | Verb::Create => {
                let (chain, rules) = block::chain(&mut self.cursor, table.family, name)?;
                let name = chain.name.clone();
                self.transaction.push(&table, Op::AddChain(chain));
                for (_, rule) in rules {
                    self.transaction.push(&table, Op::AddRule(name.clone(), rule));
                }
                return Ok(());
            }
            Verb::Delete => Op::DeleteChain(name),
            Verb::Destroy => Op::DestroyChain(name),
            Verb::Flush => Op::FlushChain(name),
            Verb::Insert => return self.not_with("chain"),
        };
        self.transaction.push(&table, op);
        Ok(())
    }

    fn rule(&mut self, verb: Verb) -> Result<(), Error> {
        let table = self.table()?;
        let name = Name::text(self.cursor.text("a chain")?);
        if verb == Verb::Delete {
            self.cursor.need("handle")?;
            let handle = self.cursor.number("a handle")?;
            self.transaction.push(&table, Op::DeleteRule(name, handle));
            return Ok(());
        }
        if matches!(self.cursor.peek(), Some("index" | "handle" | "position")) {
            return self.cursor.not_modelled("the place of a rule");
        }
        let rule = rule(&mut self.cursor, table.family)?;
        let op = match verb {
            Verb::Add | Verb::Create => Op::AddRule(name, rule),
            Verb::Insert => Op::InsertRule(name, rule),
            Verb::Delete | Verb::Destroy | Verb::Flush => return self.not_with("rule"),
        };
        self.transaction.push(&table, op);
        Ok(())
    }

    fn set(&mut self, verb: Verb) -> Result<(), Error> {
        let table = self.table()?;
        let name = self.cursor.text("a set")?;
        let op = match verb {
            Verb::Add | Verb::Create => {
                let (set, elements) = block::set(&mut self.cursor, name)?;
                self.remember(&table, &set);
                let name = set.name.clone();
                self.transaction.push(&table, Op::AddSet(set));
                if elements.is_empty() {
                    return Ok(());
                }
                Op::AddElements(name, elements)
            }
            Verb::Delete => Op::DeleteSet(name.into()),
            Verb::Destroy => Op::DestroySet(name.into()),
            Verb::Flush => Op::FlushSet(name.into()),
            Verb::Insert => return self.not_with("set"),
        };
        self.transaction.push(&table, op);
        Ok(())
    }

    pub(super) fn remember(&mut self, table: &Table, set: &crate::nft::Set) {
        let shape = (set.key.clone(), set.data.clone());
        self.shapes.push((table.clone(), set.name.to_string(), shape));
    }

    fn shape(&self, table: &Table, name: &str) -> Result<Shape, Error> {
        let declared = self.shapes.iter().rev().find(|(each, set, _)| each == table && set == name);
        if let Some((_, _, shape)) = declared {
            return Ok(shape.clone());
        }
        let unknown = || {
            let (table, name) = (table.to_string(), name.to_string());
            crate::nft::error::Error::Unknown { table, noun: crate::nft::error::Noun::Set, name }
        };
        Ok((self.known)(table, name).ok_or_else(unknown)?)
    }

    fn element(&mut self, verb: Verb) -> Result<(), Error> {
        let table = self.table()?;
        let name = self.cursor.text("a set")?;
        let (key, data) = self.shape(&table, name)?;
        let elements = values::elements(&mut self.cursor, &key, data.as_ref())?;
        let op = match verb {
            Verb::Add => Op::AddElements(name.into(), elements),
            Verb::Create => Op::CreateElements(name.into(), elements),
            Verb::Delete => Op::DeleteElements(name.into(), elements),
            Verb::Destroy => Op::DestroyElements(name.into(), elements),
            Verb::Insert | Verb::Flush => return self.not_with("element"),
        };
        self.transaction.push(&table, op);
        Ok(())
    }

    fn object(&mut self, verb: Verb, noun: &str) -> Result<(), Error> {
        let table = self.table()?;
        let name = self.cursor.text("a name")?;
        let op = match verb {
            Verb::Add | Verb::Create if noun == "ct timeout" => {
                Op::AddObject(block::ct_timeout(&mut self.cursor, table.family, name)?)
            }
            Verb::Add | Verb::Create => Op::AddObject(block::object(&mut self.cursor, noun, name)?),
            Verb::Delete => Op::DeleteObject(name.into()),
            Verb::Insert | Verb::Destroy | Verb::Flush => return self.not_with(noun),
        };
        self.transaction.push(&table, op);
        Ok(())
    }
}

/// Families of tables that are not modelled.
const OTHER_FAMILIES: [&str; 3] = ["bridge", "arp", "netdev"];

/// A family, if one is named.
fn family(cursor: &mut Cursor<'_>) -> Option<TableFamily> {
    let families = [TableFamily::Ip, TableFamily::Ip6, TableFamily::Inet];
    families.into_iter().find(|family| cursor.take(family.as_str()))
}
