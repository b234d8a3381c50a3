//! The commands of a restore text: `-A`, `-I`, `-D` and the like.

use kdp_packet::Family;

use super::arguments::{Arguments, Opt};
use super::rule_line::rules;
use super::words::Word;
use super::{Interner, Problem};
use crate::{Name, Op, Policy, Rule};

/// The steps of one command.
pub(super) fn ops(words: &[Word], family: Family, interner: &mut Interner) -> Result<Vec<Op>, Problem> {
    let mut arguments = Arguments::new(words, family, interner);
    let command = arguments.option()?.ok_or_else(|| Problem::syntax("a line without a command"))?;
    command.plain()?;
    match command.name {
        "-A" | "--append" => {
            let (name, rules) = chain_and_rules(&command, &mut arguments)?;
            Ok(rules.into_iter().map(|rule| Op::Append(name.clone(), rule)).collect())
        }
        "-I" | "--insert" => insert(&command, &mut arguments),
        "-D" | "--delete" => delete(&command, &mut arguments),
        "-R" | "--replace" => replace(&command, &mut arguments),
        "-N" | "--new-chain" => {
            let name = chain(&command, &mut arguments)?;
            end(Op::NewChain(name), &mut arguments)
        }
        "-X" | "--delete-chain" => {
            let op = optional_chain(&mut arguments).map_or(Op::DeleteChains, Op::DeleteChain);
            end(op, &mut arguments)
        }
        "-F" | "--flush" => {
            let op = Op::Flush(optional_chain(&mut arguments));
            end(op, &mut arguments)
        }
        "-P" | "--policy" => {
            let name = chain(&command, &mut arguments)?;
            let policy = policy(command.name, arguments.value(command.name)?)?;
            end(Op::Policy(name, policy), &mut arguments)
        }
        "-Z" | "--zero" | "-E" | "--rename-chain" | "-C" | "--check" | "-L" | "--list" | "-S"
        | "--list-rules" => Err(Problem::option(command.name, "iptables-restore")),
        other => Err(Problem::syntax(format!("{other:?} is not a command"))),
    }
}

/// `ACCEPT` or `DROP`.
pub(super) fn policy(of: &str, text: &str) -> Result<Policy, Problem> {
    match text {
        "ACCEPT" => Ok(Policy::Accept),
        "DROP" => Ok(Policy::Drop),
        other => Err(Problem::syntax(format!("{of}: policy {other:?} is neither ACCEPT nor DROP"))),
    }
}

fn chain(command: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<Name, Problem> {
    let name = arguments.value(command.name)?;
    Ok(arguments.interner.name(name))
}

fn optional_chain(arguments: &mut Arguments<'_>) -> Option<Name> {
    arguments.optional().map(|name| arguments.interner.name(name))
}

fn chain_and_rules(command: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<(Name, Vec<Rule>), Problem> {
    let name = chain(command, arguments)?;
    let rules = rules(name.as_str(), arguments)?;
    Ok((name, rules))
}

fn insert(command: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<Vec<Op>, Problem> {
    let name = chain(command, arguments)?;
    let number = number(arguments)?.unwrap_or(1);
    let insert = |rule| match number {
        1 => Op::Prepend(name.clone(), rule),
        _ => Op::Insert(name.clone(), number, rule),
    };
    Ok(rules(name.as_str(), arguments)?.into_iter().map(insert).collect())
}

fn delete(command: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<Vec<Op>, Problem> {
    let name = chain(command, arguments)?;
    if let Some(number) = number(arguments)? {
        return end(Op::DeleteAt(name, number), arguments);
    }
    let rules = rules(name.as_str(), arguments)?;
    Ok(rules.into_iter().map(|rule| Op::Delete(name.clone(), rule)).collect())
}

fn replace(command: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<Vec<Op>, Problem> {
    let name = chain(command, arguments)?;
    let number = number(arguments)?.ok_or_else(|| Problem::syntax("-R needs the number of a rule"))?;
    let mut rules = rules(name.as_str(), arguments)?;
    if rules.len() > 1 {
        return Err(Problem::syntax("-R puts one rule in the place of one"));
    }
    let rule = rules.pop().expect("a line makes one rule at least");
    Ok(vec![Op::DeleteAt(name.clone(), number), Op::Insert(name, number, rule)])
}

/// The number of a rule behind the chain's name, if one stands there.
fn number(arguments: &mut Arguments<'_>) -> Result<Option<usize>, Problem> {
    let Some(text) = arguments.optional() else { return Ok(None) };
    let number = text.parse::<usize>().ok().filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| Problem::syntax(format!("{text:?} is not the number of a rule, from 1")))
}

/// The one step of a command that takes no more arguments.
fn end(op: Op, arguments: &mut Arguments<'_>) -> Result<Vec<Op>, Problem> {
    let too_much = |word: &str| Err(Problem::syntax(format!("{word:?} is too much")));
    match arguments.optional() {
        Some(word) => too_much(word),
        None => arguments.option()?.map_or(Ok(vec![op]), |option| too_much(option.name)),
    }
}
