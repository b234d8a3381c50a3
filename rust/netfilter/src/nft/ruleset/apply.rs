//! Doing a transaction: all of it, or nothing.
//!
//! Source: net/netfilter/nf_tables_api.c, v6.12: what is refused, and that `add` of something that is there does nothing.

use std::sync::Arc;

use kdp_sim::Time;

use super::check::{text_of, unknown};
use super::elements::{Elements, Stored};
use super::journal::Done;
use super::{ChainContent, Content, Installed, Reached, Ruleset, SetContent};
use crate::nft::error::{Error, Noun};
use crate::nft::{Chain, Element, Object, Op, Rule, Set, Step, Table, TableFamily, Transaction};
use crate::{Name, Policy};

/// Does the steps in order. On an error gives its step, and leaves the rules as they were.
pub(super) fn apply(
    ruleset: &mut Ruleset,
    transaction: &Transaction,
    now: Time,
) -> Result<(), (usize, Error)> {
    let mut applying = Applying { ruleset, now, done: Vec::new() };
    for (number, step) in transaction.steps.iter().enumerate() {
        if let Err(error) = applying.step(step) {
            applying.roll_back();
            return Err((number, error));
        }
    }
    Ok(())
}

struct Applying<'a> {
    ruleset: &'a mut Ruleset,
    now: Time,
    done: Vec<Done>,
}

/// What a step comes to.
type Outcome = Result<(), Error>;

impl Applying<'_> {
    fn roll_back(mut self) {
        while let Some(done) = self.done.pop() {
            self.ruleset.take_back(done);
        }
        // Bounds may have been counted anew on the way: without the changes, what was accepted before is again.
        for content in self.ruleset.tables.values_mut() {
            content.recount().expect("the rules as they were are valid");
        }
    }

    fn step(&mut self, step: &Step) -> Outcome {
        match step {
            Step::FlushRuleset(family) => self.flush_ruleset(*family),
            Step::In(table, Op::AddTable(comment)) => self.add_table(table, comment.clone()),
            Step::In(table, op) => match (self.ruleset.by_name.get(table), op) {
                (Some(id), op) => return self.op(*id, op),
                (None, Op::DestroyTable) => {}
                (None, _) => return Err(unknown(table, Noun::Table, &table.name)),
            },
        }
        Ok(())
    }

    /// A step in a table that is there.
    fn op(&mut self, id: u64, op: &Op) -> Outcome {
        match op {
            Op::AddTable(_) => unreachable!("a table is added before it is there"),
            Op::DeleteTable | Op::DestroyTable => self.delete_table(id),
            Op::FlushTable => self.flush_table(id),
            Op::FlushChain(name) => self.flush_chain(id, self.chain(id, name)?),
            Op::FlushSet(name) => self.flush_set(id, self.set(id, name)?),
            Op::AddObject(object) => self.add_object(id, object),
            Op::DestroyChain(name) if self.home(id).chain_id(name).is_none() => {}
            Op::DestroySet(name) if self.home(id).set_id(name).is_none() => {}
            Op::AddChain(chain) => self.add_chain(id, chain)?,
            Op::DeleteChain(name) | Op::DestroyChain(name) => self.delete_chain(id, name)?,
            Op::AddRule(name, rule) => self.add_rule(id, name, rule, false)?,
            Op::InsertRule(name, rule) => self.add_rule(id, name, rule, true)?,
            Op::DeleteRule(name, handle) => self.delete_rule(id, name, *handle)?,
            Op::AddSet(set) => self.add_set(id, set)?,
            Op::DeleteSet(name) | Op::DestroySet(name) => self.delete_set(id, name)?,
            Op::AddElements(name, elements) => self.add_elements(id, name, elements, false)?,
            Op::CreateElements(name, elements) => self.add_elements(id, name, elements, true)?,
            Op::DeleteElements(name, elements) => self.delete_elements(id, name, elements, true)?,
            Op::DestroyElements(name, elements) => self.delete_elements(id, name, elements, false)?,
            Op::DeleteObject(name) => self.delete_object(id, name)?,
        }
        Ok(())
    }

    fn home(&self, table: u64) -> &Content {
        &self.ruleset.tables[&table]
    }

    fn chain(&self, table: u64, name: &Name) -> Result<u64, Error> {
        let home = self.home(table);
        home.chain_id(name).ok_or_else(|| unknown(&home.table, Noun::Chain, name.as_str()))
    }

    fn set(&self, table: u64, name: &str) -> Result<u64, Error> {
        let home = self.home(table);
        home.set_id(name).ok_or_else(|| unknown(&home.table, Noun::Set, name))
    }

    fn handle(&mut self) -> u64 {
        self.ruleset.handles += 1;
        self.ruleset.handles
    }

    fn add_table(&mut self, table: &Table, comment: Option<Arc<str>>) {
        if self.ruleset.by_name.contains_key(table) {
            return;
        }
        let id = self.handle();
        self.ruleset.put_table(id, Content::new(table.clone(), comment));
        self.done.push(Done::TableMade(id));
    }

    fn flush_ruleset(&mut self, family: Option<TableFamily>) {
        let wanted = |table: &Table| family.is_none_or(|family| family == table.family);
        let ids: Vec<u64> =
            self.ruleset.by_name.iter().filter(|(table, _)| wanted(table)).map(|(_, id)| *id).collect();
        for id in ids {
            self.delete_table(id);
        }
    }

    fn delete_table(&mut self, id: u64) {
        let content = self.ruleset.take_table(id);
        self.done.push(Done::TableTaken(id, Box::new(content)));
    }

    fn flush_table(&mut self, id: u64) {
        let chains: Vec<u64> = self.home(id).chains.keys().copied().collect();
        for chain in chains {
            self.flush_chain(id, chain);
        }
    }

    fn add_chain(&mut self, table: u64, chain: &Chain) -> Outcome {
        if let Some(id) = self.home(table).chain_id(&chain.name) {
            return self.add_existing_chain(table, id, chain);
        }
        let id = self.handle();
        let content =
            ChainContent { chain: chain.clone(), rules: Vec::new(), uses: 0, reached: Reached::default() };
        self.ruleset.put_chain(table, id, content);
        self.done.push(Done::ChainMade(table, id));
        if chain.base.is_some() { self.ruleset.reach_base(table, id) } else { Ok(()) }
    }

    /// A base chain may get another policy; nothing else of it can change.
    fn add_existing_chain(&mut self, table: u64, id: u64, chain: &Chain) -> Outcome {
        let Some(wanted) = chain.base else { return Ok(()) };
        let home = self.home(table);
        let was = home.chain(id).chain.base;
        let same = was.is_some_and(|was| super::super::Base { policy: wanted.policy, ..was } == wanted);
        let Some(was) = was.filter(|_| same) else {
            let (table, name) = (home.table.to_string(), chain.name.to_string());
            return Err(Error::Exists { table, noun: Noun::Chain, name });
        };
        if was.policy != wanted.policy {
            let was: Policy = self.ruleset.set_policy(table, id, wanted.policy);
            self.done.push(Done::PolicySet(table, id, was));
        }
        Ok(())
    }

    fn flush_chain(&mut self, table: u64, chain: u64) {
        for at in (0..self.home(table).chain(chain).rules.len()).rev() {
            self.remove_rule(table, chain, at);
        }
    }

    fn remove_rule(&mut self, table: u64, chain: u64, at: usize) {
        let rule = self.ruleset.take_rule(table, chain, at);
        self.done.push(Done::RuleTaken(table, chain, at, rule));
    }

    fn delete_chain(&mut self, table: u64, name: &Name) -> Outcome {
        let chain = self.chain(table, name)?;
        self.flush_chain(table, chain);
        let home = self.home(table);
        let uses = home.chain(chain).uses;
        if uses > 0 {
            return Err(in_use(&home.table, Noun::Chain, name.as_str(), uses));
        }
        let content = self.ruleset.take_chain(table, chain);
        self.done.push(Done::ChainTaken(table, chain, Box::new(content)));
        Ok(())
    }

    fn add_rule(&mut self, table: u64, name: &Name, rule: &Rule, first: bool) -> Outcome {
        let chain = self.chain(table, name)?;
        self.home(table).check_rule(rule)?;
        self.ruleset.counts_connections |= super::uses::counts_connections(rule);
        let handle = self.handle();
        let at = if first { 0 } else { self.home(table).chain(chain).rules.len() };
        self.ruleset.put_rule(table, chain, at, Installed { handle, rule: Arc::new(rule.clone()) });
        self.done.push(Done::RuleMade(table, chain, at));
        self.ruleset.reach_rule(table, chain, at)
    }

    fn delete_rule(&mut self, table: u64, name: &Name, handle: u64) -> Outcome {
        let chain = self.chain(table, name)?;
        let home = self.home(table);
        let at = home.chain(chain).rules.iter().position(|rule| rule.handle == handle);
        let at = at.ok_or_else(|| unknown(&home.table, Noun::Rule, &format!("handle {handle}")))?;
        self.remove_rule(table, chain, at);
        Ok(())
    }

    fn add_set(&mut self, table: u64, set: &Set) -> Outcome {
        let home = self.home(table);
        if let Some((_, there)) = home.set_named(&set.name) {
            let same = there.set.key == set.key && there.set.data == set.data && there.set.flags == set.flags;
            let name = set.name.to_string();
            let exists = Error::Exists { table: home.table.to_string(), noun: Noun::Set, name };
            return if same { Ok(()) } else { Err(exists) };
        }
        let id = self.handle();
        let elements = Elements::new(set.flags.interval, set.key.len());
        // Source: nftables 1.0.6, src/evaluate.c, `set_evaluate`: a set that rules fill has a size.
        let size = set.size.or(set.flags.dynamic.then_some(65_535));
        let set = Set { size, ..set.clone() };
        let content = SetContent { set, elements, uses: 0, reached: Reached::default() };
        self.ruleset.put_set(table, id, content);
        self.done.push(Done::SetMade(table, id));
        Ok(())
    }

    fn flush_set(&mut self, table: u64, set: u64) {
        for number in self.home(table).sets[&set].elements.numbers() {
            self.remove_element(table, set, number);
        }
    }

    fn remove_element(&mut self, table: u64, set: u64, number: u64) {
        let stored = self.ruleset.take_element(table, set, number);
        self.done.push(Done::ElementTaken(table, set, number, Box::new(stored)));
    }

    fn delete_set(&mut self, table: u64, name: &str) -> Outcome {
        let set = self.set(table, name)?;
        let home = self.home(table);
        let uses = home.sets[&set].uses;
        if uses > 0 {
            return Err(in_use(&home.table, Noun::Set, name, uses));
        }
        self.flush_set(table, set);
        let content = self.ruleset.take_set(table, set);
        self.done.push(Done::SetTaken(table, set, Box::new(content)));
        Ok(())
    }

    fn add_elements(&mut self, table: u64, name: &str, elements: &[Element], new: bool) -> Outcome {
        let set = self.set(table, name)?;
        elements.iter().try_for_each(|element| self.add_element(table, set, element, new))
    }

    /// An element that is there and gives the same is left as it is.
    fn add_element(&mut self, table: u64, set: u64, element: &Element, new: bool) -> Outcome {
        let home = self.home(table);
        let content = &home.sets[&set];
        home.check_element(&content.set, element)?;
        if let Some(number) = content.elements.find(&element.key) {
            let there = content.elements.get(number).expect("it was just found");
            if !there.is_alive(self.now) {
                self.remove_element(table, set, number);
            } else if !new && there.element.data == element.data {
                return Ok(());
            } else {
                return Err(home.element_exists(&content.set, element));
            }
        } else if content.elements.overlaps(&element.key) {
            return Err(home.element_exists(&content.set, element));
        }
        self.put_element(table, set, element)
    }

    fn put_element(&mut self, table: u64, set: u64, element: &Element) -> Outcome {
        let content = &self.home(table).sets[&set];
        let timeout = element.timeout.or(content.set.timeout);
        let deadline = timeout.map(|timeout| Time(self.now.0 + timeout.0));
        let full = content.set.size.is_some_and(|size| content.elements.len() >= size as usize);
        if full {
            return Err(self.home(table).mismatch(
                format!("set {}", content.set.name),
                "one element more".into(),
                format!("a size of {}", content.elements.len()),
            ));
        }
        let number = self.handle();
        let stored = Stored { element: element.clone(), deadline };
        self.ruleset.put_element(table, set, number, stored);
        self.done.push(Done::ElementMade(table, set, number));
        self.ruleset.reach_element(table, set, number)
    }

    fn delete_elements(&mut self, table: u64, name: &str, elements: &[Element], must: bool) -> Outcome {
        let set = self.set(table, name)?;
        for element in elements {
            let home = self.home(table);
            match home.sets[&set].elements.find(&element.key) {
                Some(number) => self.remove_element(table, set, number),
                None if must => {
                    let content = &home.sets[&set];
                    let (table, element) = (home.table.to_string(), text_of(&content.set, element));
                    return Err(Error::NoSuchElement { table, set: name.to_string(), element });
                }
                None => {}
            }
        }
        Ok(())
    }

    fn add_object(&mut self, table: u64, object: &Object) {
        if self.home(table).objects.contains_key(&object.name) {
            return;
        }
        let id = self.handle();
        self.ruleset.content(table).objects.insert(object.name.clone(), (id, object.clone()));
        self.done.push(Done::ObjectMade(table, object.name.clone()));
    }

    fn delete_object(&mut self, table: u64, name: &str) -> Outcome {
        let uses = self.home(table).object_uses(name);
        if uses > 0 {
            return Err(in_use(&self.home(table).table, Noun::Object, name, uses));
        }
        let Some(object) = self.ruleset.content(table).objects.remove(name) else {
            return Err(unknown(&self.home(table).table, Noun::Object, name));
        };
        self.done.push(Done::ObjectTaken(table, object));
        Ok(())
    }
}

fn in_use(table: &Table, noun: Noun, name: &str, uses: u32) -> Error {
    Error::InUse { table: table.to_string(), noun, name: name.to_string(), uses }
}
