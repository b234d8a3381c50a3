use std::collections::BTreeMap;

use kdp_packet::Family;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::text::print_rule;
use crate::{Error, Match, Op, Target, Transaction};

fn jump(to: &Name) -> Rule {
    Rule { matches: Vec::new(), target: Target::Jump(to.clone()) }
}

fn rule(target: Target) -> Rule {
    Rule { matches: Vec::new(), target }
}

fn filter(ops: Vec<Op>) -> Transaction {
    Transaction { family: Family::V4, ops: ops.into_iter().map(|op| (Table::Filter, op)).collect() }
}

/// A row of chains `C1` to `Cn`, each jumping to the next, and INPUT jumping to the first.
fn row(n: usize) -> Vec<Op> {
    let name = |i: usize| Name::text(format!("C{i}"));
    let mut ops: Vec<Op> = (1..=n).map(|i| Op::Chain(name(i))).collect();
    ops.extend((1..n).map(|i| Op::Append(name(i), jump(&name(i + 1)))));
    ops.push(Op::Append("INPUT".into(), jump(&name(1))));
    ops
}

/// A loop that lies deep is both; which of the two is said first does not matter.
fn class(code: &'static str) -> &'static str {
    if code == "ruleset-jump-loop" { "ruleset-too-deep" } else { code }
}

fn code(result: Result<Applied, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

#[test]
fn fifteen_chains_may_follow_one_another() {
    for (n, wanted) in [(15, "ok"), (16, "ruleset-too-deep"), (100_000, "ruleset-too-deep")] {
        let mut ruleset = Ruleset::new(Family::V4);
        assert_eq!(code(ruleset.apply(&filter(row(n)))), wanted, "{n} chains");
    }
    let mut unattached = row(100_000);
    unattached.pop();
    assert_eq!(code(Ruleset::new(Family::V4).apply(&filter(unattached))), "ok");
}

#[test]
fn a_row_may_be_as_long_again_after_it_was_shorter() {
    let mut ruleset = Ruleset::new(Family::V4);
    ruleset.apply(&filter(row(15))).unwrap();
    let (first, second) = (Name::text("C1"), Name::text("C2"));
    // Past C1, so that one more chain has room; the bounds on the levels are too high by then.
    let shorter = vec![
        Op::Delete("INPUT".into(), jump(&first)),
        Op::Append("INPUT".into(), jump(&second)),
        Op::Chain("C16".into()),
        Op::Append("C15".into(), jump(&"C16".into())),
        Op::Delete("C1".into(), jump(&second)),
    ];
    assert_eq!(code(ruleset.apply(&filter(shorter))), "ok");
    let deeper = vec![Op::Chain("C17".into()), Op::Append("C16".into(), jump(&"C17".into()))];
    assert_eq!(code(ruleset.apply(&filter(deeper))), "ruleset-too-deep");
    assert!(ruleset.find(Table::Filter, &"C17".into()).is_none(), "nothing of it is left");
}

#[test]
fn a_loop_is_refused_when_a_base_chain_reaches_it() {
    let (a, b) = (Name::text("A"), Name::text("B"));
    let mut ops = vec![Op::Chain(a.clone()), Op::Chain(b.clone())];
    ops.extend([Op::Append(a.clone(), jump(&b)), Op::Append(b.clone(), jump(&a))]);
    let mut ruleset = Ruleset::new(Family::V4);
    assert_eq!(code(ruleset.apply(&filter(ops))), "ok");
    let attach = filter(vec![Op::Append("INPUT".into(), jump(&a))]);
    assert_eq!(code(ruleset.apply(&attach)), "ruleset-jump-loop");
    let mend = filter(vec![Op::Append("INPUT".into(), jump(&a)), Op::Delete(b, jump(&a))]);
    assert_eq!(code(ruleset.apply(&mend)), "ok", "what counts is how things are in the end");
}

#[test]
fn names_of_chains_are_checked() {
    for (name, wanted) in [
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ01", "ok"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ012", "ruleset-chain-name"),
        ("-x", "ruleset-chain-name"),
        ("!x", "ruleset-chain-name"),
        ("", "ruleset-chain-name"),
        ("a b", "ruleset-chain-name"),
        ("DROP", "ruleset-chain-name"),
        ("MARK", "ok"),
        ("INPUT", "ruleset-base-chain"),
    ] {
        assert_eq!(
            code(Ruleset::new(Family::V4).apply(&filter(vec![Op::Chain(name.into())]))),
            wanted,
            "{name:?}"
        );
    }
    let hashed = Op::Chain(Name::hashed("A-PREFIX-TOO-LONG-", "seed"));
    assert_eq!(code(Ruleset::new(Family::V4).apply(&filter(vec![hashed]))), "ruleset-chain-name");
}

#[test]
fn the_other_family_is_refused() {
    let mut ruleset = Ruleset::new(Family::V4);
    assert_eq!(code(ruleset.apply(&Transaction::new(Family::V6))), "ruleset-family");
    let cidr = kdp_packet::Cidr::parse("fd00::/8").unwrap();
    let other = Rule { matches: vec![Match::Src(crate::Test::is(cidr))], target: Target::Drop };
    assert_eq!(code(ruleset.apply(&filter(vec![Op::Append("INPUT".into(), other)]))), "ruleset-family");
}

#[test]
fn a_list_lives_as_long_as_a_rule_names_it() {
    let recent = crate::Recent {
        name: Name::hashed("KUBE-SEP-", "x"),
        op: crate::RecentOp::Set,
        seconds: None,
        hitcount: None,
        reap: false,
        invert: false,
    };
    let set = Rule { matches: vec![Match::Recent(recent.clone())], target: Target::Continue };
    let mut ruleset = Ruleset::new(Family::V4);
    ruleset.apply(&filter(vec![Op::Chain("A".into()), Op::Append("A".into(), set.clone())])).unwrap();
    let first = ruleset.recent_list(&recent.name).unwrap();
    // Spelled out it is the same list.
    assert_eq!(ruleset.recent_list(&Name::text(recent.name.as_str())), Some(first));
    // Gone and back in one transaction: the list stays.
    ruleset.apply(&filter(vec![Op::Chain("A".into()), Op::Append("A".into(), set.clone())])).unwrap();
    assert_eq!(ruleset.recent_list(&recent.name), Some(first));
    ruleset.apply(&filter(vec![Op::Chain("A".into())])).unwrap();
    assert_eq!(ruleset.recent_list(&recent.name), None);
    ruleset.apply(&filter(vec![Op::Append("A".into(), set)])).unwrap();
    assert_ne!(ruleset.recent_list(&recent.name), Some(first), "another list in the same place");
}

#[test]
fn every_code_is_listed_once() {
    let mut sorted = crate::CODES.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, crate::CODES);
}

/// The slow twin: chains as lists of rules, copied for each transaction, and every check from scratch.
#[derive(Clone, Default)]
struct Model {
    chains: BTreeMap<String, Vec<Rule>>,
    drop: BTreeMap<String, bool>,
}

impl Model {
    fn new() -> Model {
        let base = ["FORWARD", "INPUT", "OUTPUT"];
        Model {
            chains: base.iter().map(|name| ((*name).to_string(), Vec::new())).collect(),
            drop: base.iter().map(|name| ((*name).to_string(), false)).collect(),
        }
    }

    fn apply(&mut self, transaction: &Transaction) -> Result<(), &'static str> {
        let mut next = self.clone();
        for (_, op) in &transaction.ops {
            next.step(op)?;
        }
        for base in next.drop.keys() {
            next.descend(base, &mut Vec::new())?;
        }
        *self = next;
        Ok(())
    }

    fn descend(&self, name: &str, above: &mut Vec<String>) -> Result<(), &'static str> {
        if above.iter().any(|other| other == name) {
            return Err("ruleset-jump-loop");
        }
        if above.len() > DEPTH_MAX {
            return Err("ruleset-too-deep");
        }
        above.push(name.to_string());
        for rule in &self.chains[name] {
            if let Target::Jump(to) = &rule.target {
                self.descend(to.as_str(), above)?;
            }
        }
        above.pop();
        Ok(())
    }

    fn rules(&mut self, name: &Name) -> Result<&mut Vec<Rule>, &'static str> {
        self.chains.get_mut(name.as_str()).ok_or("ruleset-unknown-chain")
    }

    fn references(&self, name: &str) -> usize {
        let to = |rule: &&Rule| matches!(&rule.target, Target::Jump(to) if to.as_str() == name);
        self.chains.values().flatten().filter(to).count()
    }

    fn insert(&mut self, name: &Name, place: usize, rule: &Rule) -> Result<(), &'static str> {
        self.rules(name)?;
        if let Target::Jump(to) = &rule.target {
            self.rules(to)?;
            if self.drop.contains_key(to.as_str()) {
                return Err("ruleset-jump-to-base-chain");
            }
        }
        self.rules(name)?.insert(place, rule.clone());
        Ok(())
    }

    fn step(&mut self, op: &Op) -> Result<(), &'static str> {
        match op {
            Op::FlushTable => *self = Model::new(),
            Op::Chain(name) if self.drop.contains_key(name.as_str()) => return Err("ruleset-base-chain"),
            Op::Chain(name) => drop(self.chains.insert(name.to_string(), Vec::new())),
            Op::NewChain(name) => {
                if self.chains.insert(name.to_string(), Vec::new()).is_some() {
                    return Err("ruleset-chain-exists");
                }
            }
            Op::Policy(name, policy) => {
                self.rules(name)?;
                *self.drop.get_mut(name.as_str()).ok_or("ruleset-no-policy")? = *policy == Policy::Drop;
            }
            Op::Append(name, rule) => {
                let end = self.rules(name)?.len();
                self.insert(name, end, rule)?;
            }
            Op::Prepend(name, rule) => self.insert(name, 0, rule)?,
            Op::Insert(name, number, rule) => {
                let rules = self.rules(name)?.len();
                if *number == 0 || *number > rules + 1 {
                    return Err("ruleset-rule-number");
                }
                self.insert(name, number - 1, rule)?;
            }
            Op::EnsureTop(name, rule) => {
                if !self.rules(name)?.contains(rule) {
                    self.insert(name, 0, rule)?;
                }
            }
            Op::Delete(name, rule) => {
                let rules = self.rules(name)?;
                let place = rules.iter().position(|other| other == rule).ok_or("ruleset-no-such-rule")?;
                rules.remove(place);
            }
            Op::DeleteAt(name, number) => {
                let rules = self.rules(name)?;
                if *number == 0 || *number > rules.len() {
                    return Err("ruleset-rule-number");
                }
                rules.remove(number - 1);
            }
            Op::Flush(Some(name)) => self.rules(name)?.clear(),
            Op::Flush(None) => self.chains.values_mut().for_each(Vec::clear),
            Op::DeleteChain(name) => self.delete(name.as_str())?,
            Op::DeleteChains => panic!("the generator makes none"),
        }
        Ok(())
    }

    fn delete(&mut self, name: &str) -> Result<(), &'static str> {
        let rules = self.chains.get(name).ok_or("ruleset-unknown-chain")?;
        if self.drop.contains_key(name) {
            return Err("ruleset-base-chain");
        }
        if self.references(name) > 0 {
            return Err("ruleset-chain-in-use");
        }
        if !rules.is_empty() {
            return Err("ruleset-chain-not-empty");
        }
        self.chains.remove(name);
        Ok(())
    }

    /// The chains in any order, each with its policy and its rules.
    fn print(&self) -> Vec<String> {
        let print = |(name, rules): (&String, &Vec<Rule>)| {
            let rules: Vec<String> = rules.iter().map(|rule| print_rule(Family::V4, name, rule)).collect();
            format!("{name} {:?} {} {}", self.drop.get(name), self.references(name), rules.join("; "))
        };
        self.chains.iter().map(print).collect()
    }
}

fn printed(ruleset: &Ruleset) -> Vec<String> {
    let mut chains: Vec<String> = ruleset
        .chains(Table::Filter)
        .into_iter()
        .map(|id| {
            let chain = ruleset.chain(id);
            let name = chain.name().as_str();
            let rules = chain.rules().iter().map(|rule| print_rule(Family::V4, name, rule.rule()));
            let drop = chain.policy().map(|policy| policy == Policy::Drop);
            format!("{name} {drop:?} {} {}", chain.references(), rules.collect::<Vec<_>>().join("; "))
        })
        .collect();
    chains.sort();
    chains
}

/// User chains: hashed names, the same spelled out, and plain ones.
fn user() -> impl Strategy<Value = Name> {
    let hashed = |i: usize| Name::hashed("KUBE-SVC-", format!("{i}"));
    let mut names: Vec<Name> = (0..2).map(hashed).collect();
    names.extend((0..2).map(|i| Name::text(hashed(i).as_str())));
    names.extend(["A", "B", "C"].map(Name::text));
    select(names)
}

fn any_chain() -> impl Strategy<Value = Name> {
    prop_oneof![4 => user(), 1 => select(vec![Name::text("INPUT"), Name::text("FORWARD")])]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        select(vec![Target::Accept, Target::Drop, Target::Continue]).prop_map(rule),
        any_chain().prop_map(|to| jump(&to))
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let policy = prop_oneof![Just(Policy::Accept), Just(Policy::Drop)];
    prop_oneof![
        1 => Just(Op::FlushTable),
        8 => user().prop_map(Op::Chain),
        1 => any_chain().prop_map(Op::Chain),
        2 => user().prop_map(Op::NewChain),
        1 => (any_chain(), policy).prop_map(|(name, policy)| Op::Policy(name, policy)),
        8 => (any_chain(), any_rule()).prop_map(|(name, rule)| Op::Append(name, rule)),
        2 => (any_chain(), any_rule()).prop_map(|(name, rule)| Op::Prepend(name, rule)),
        2 => (any_chain(), 0usize..4, any_rule()).prop_map(|(name, number, rule)| Op::Insert(name, number, rule)),
        2 => (any_chain(), any_rule()).prop_map(|(name, rule)| Op::EnsureTop(name, rule)),
        2 => (any_chain(), any_rule()).prop_map(|(name, rule)| Op::Delete(name, rule)),
        2 => (any_chain(), 0usize..3).prop_map(|(name, number)| Op::DeleteAt(name, number)),
        2 => proptest::option::weighted(0.9, any_chain()).prop_map(Op::Flush),
        4 => any_chain().prop_map(Op::DeleteChain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn transactions_do_what_a_plain_model_does(transactions in vec(vec(op(), 1..6), 1..40)) {
        let (mut ruleset, mut model) = (Ruleset::new(Family::V4), Model::new());
        for ops in transactions {
            let transaction = filter(ops);
            let wanted = model.apply(&transaction).err().unwrap_or("ok");
            prop_assert_eq!(class(code(ruleset.apply(&transaction))), class(wanted), "{:?}", transaction.ops);
            prop_assert_eq!(printed(&ruleset), model.print());
        }
    }

    /// Edges among a row of chains come and go, so that depth and loops are met often.
    #[test]
    fn depth_and_loops_are_those_of_a_plain_walk(
        edges in vec(vec((0usize..18, 0usize..18, any::<bool>()), 1..4), 1..60)
    ) {
        let name = |i: usize| if i == 0 { Name::text("INPUT") } else { Name::text(format!("C{i}")) };
        let (mut ruleset, mut model) = (Ruleset::new(Family::V4), Model::new());
        let mut setup: Vec<Op> = (1..18).map(|i| Op::Chain(name(i))).collect();
        setup.extend((0..14).map(|i| Op::Append(name(i), jump(&name(i + 1)))));
        for transaction in std::iter::once(filter(setup)).chain(edges.into_iter().map(|edges| {
            filter(edges.into_iter().map(|(from, to, add)| match (add, from < to) {
                (true, true) => Op::Append(name(from), jump(&name(to))),
                (true, false) => Op::Append(name(from), jump(&name((from + 1).min(17)))),
                (false, _) => Op::DeleteAt(name(from), 1),
            }).collect())
        })) {
            let wanted = model.apply(&transaction).err().unwrap_or("ok");
            prop_assert_eq!(class(code(ruleset.apply(&transaction))), class(wanted), "{:?}", transaction.ops);
        }
        prop_assert_eq!(printed(&ruleset), model.print());
    }
}
