//! What is asked of rules and elements before they are put in.

use super::Content;
use super::uses::{Reference, of_element, of_rule};
use crate::nft::error::{Error, Noun};
use crate::nft::{Data, Element, Expr, MapsTo, Right, Rule, Set, SetRef, Statement, Table};

/// The keys of an element, for messages.
pub(super) fn text_of(set: &Set, element: &Element) -> String {
    crate::nft::text::key_text(&set.key, &element.key)
}

/// A name that nothing in the table has.
pub(super) fn unknown(table: &Table, noun: Noun, name: &str) -> Error {
    Error::Unknown { table: table.to_string(), noun, name: name.to_string() }
}

impl Content {
    pub(super) fn mismatch(&self, object: String, found: String, allowed: String) -> Error {
        Error::Mismatch { table: self.table.to_string(), object, found, allowed }
    }

    pub(super) fn element_exists(&self, set: &Set, element: &Element) -> Error {
        let element = text_of(set, element);
        Error::ElementExists { table: self.table.to_string(), set: set.name.to_string(), element }
    }

    pub(super) fn check_element(&self, set: &Set, element: &Element) -> Result<(), Error> {
        let object = || format!("set {}, element {}", set.name, text_of(set, element));
        if element.key.len() != set.key.len() {
            let (found, allowed) = (element.key.len(), set.key.len());
            let object = format!("set {}", set.name);
            return Err(self.mismatch(object, format!("a key of {found}"), format!("a key of {allowed}")));
        }
        if !set.flags.interval && !element.key.iter().all(|span| span.is_one()) {
            let allowed = "one value, unless the set has the flag interval".to_string();
            return Err(self.mismatch(object(), "a range".to_string(), allowed));
        }
        let fits = match (&set.data, &element.data) {
            (None, None) | (Some(MapsTo::Verdict), Some(Data::Verdict(_))) => true,
            (Some(MapsTo::Values(types)), Some(Data::Values(values))) => types.len() == values.len(),
            _ => false,
        };
        if !fits {
            let allowed = "what the map is declared to give, and nothing for a set".to_string();
            return Err(self.mismatch(object(), "something else".to_string(), allowed));
        }
        if element.timeout.is_some() && !set.flags.timeout {
            let allowed = "no timeout, unless the set has the flag timeout".to_string();
            return Err(self.mismatch(object(), "a timeout".to_string(), allowed));
        }
        self.check_all(|each| of_element(element, each))
    }

    pub(super) fn check_rule(&self, rule: &Rule) -> Result<(), Error> {
        self.check_all(|each| of_rule(rule, each))?;
        rule.statements.iter().try_for_each(|statement| self.check_statement(statement))
    }

    fn check_all<'a>(&self, all: impl FnOnce(&mut dyn FnMut(Reference<'a>))) -> Result<(), Error> {
        let mut wrong = Ok(());
        all(&mut |reference| {
            if wrong.is_ok() {
                wrong = self.check_reference(&reference);
            }
        });
        wrong
    }

    fn check_reference(&self, reference: &Reference<'_>) -> Result<(), Error> {
        match reference {
            Reference::Chain(name) => match self.chain_id(name) {
                None => Err(unknown(&self.table, Noun::Chain, name.as_str())),
                Some(id) if self.chain(id).chain.base.is_some() => {
                    Err(Error::JumpToBase { table: self.table.to_string(), chain: name.to_string() })
                }
                Some(_) => Ok(()),
            },
            Reference::Set(name) if self.set_id(name).is_none() => Err(unknown(&self.table, Noun::Set, name)),
            Reference::Object(name) if !self.objects.contains_key(*name) => {
                Err(unknown(&self.table, Noun::Object, name))
            }
            Reference::Set(_) | Reference::Object(_) => Ok(()),
        }
    }

    /// A key has as many parts as the set's, and a map is asked for what it gives.
    fn check_statement(&self, statement: &Statement) -> Result<(), Error> {
        match statement {
            Statement::Match { left, right, .. } => {
                self.check_expr(left)?;
                match right {
                    Right::Set(set) => self.check_lookup(left, set, None),
                    Right::Span(_) | Right::AnyBit(_) => Ok(()),
                }
            }
            Statement::Vmap { key, map } => {
                self.check_expr(key)?;
                self.check_lookup(key, map, Some(&MapsTo::Verdict))
            }
            Statement::Set { value, .. } => self.check_expr(value),
            Statement::Nat(nat) => nat.from.iter().try_for_each(|expr| self.check_expr(expr)),
            Statement::Update { key, set, timeout, .. } => {
                self.check_expr(key)?;
                self.check_lookup(key, &SetRef::Named(set.clone()), None)?;
                self.check_update(set, timeout.is_some())
            }
            Statement::Verdict(_)
            | Statement::Reject(_)
            | Statement::Counter(_)
            | Statement::Limit(_)
            | Statement::LimitName(_)
            | Statement::Quota(_)
            | Statement::QuotaName(_)
            | Statement::CtTimeout(_)
            | Statement::Log(_)
            | Statement::Notrack => Ok(()),
        }
    }

    fn check_expr(&self, expr: &Expr) -> Result<(), Error> {
        match expr {
            Expr::Load(_) | Expr::Value(..) => Ok(()),
            Expr::Bits { of, .. } => self.check_expr(of),
            Expr::Concat(parts) => parts.iter().try_for_each(|part| self.check_expr(part)),
            Expr::Map { key, map } => {
                self.check_expr(key)?;
                self.check_lookup(key, &map.set, Some(&map.data))
            }
        }
    }

    fn check_lookup(&self, key: &Expr, set: &SetRef, gives: Option<&MapsTo>) -> Result<(), Error> {
        let SetRef::Named(name) = set else { return Ok(()) };
        let (_, content) = self.set_named(name).expect("references were checked");
        let parts = if let Expr::Concat(parts) = key { parts.len() } else { 1 };
        if parts == content.set.key.len() && (gives.is_none() || gives == content.set.data.as_ref()) {
            return Ok(());
        }
        let found = format!("a lookup with a key of {parts}");
        let allowed =
            format!("a key of {}, and what the set or map is declared to give", content.set.key.len());
        Err(self.mismatch(format!("set {name}"), found, allowed))
    }

    /// Source: net/netfilter/nft_dynset.c, v6.12, `nft_dynset_init`.
    fn check_update(&self, name: &str, timeout: bool) -> Result<(), Error> {
        let (_, content) = self.set_named(name).expect("references were checked");
        let flags = content.set.flags;
        if !flags.constant && (flags.timeout || !timeout) {
            return Ok(());
        }
        let found = "a rule that changes it".to_string();
        let allowed = "that, unless it is constant; with a timeout if it has the flag timeout".to_string();
        Err(self.mismatch(format!("set {name}"), found, allowed))
    }
}
