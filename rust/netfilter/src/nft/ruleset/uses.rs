//! What rules and elements refer to, and how often each chain and set is referred to.

use super::Content;
use crate::Name;
use crate::nft::{CtField, Data, Element, Expr, Load, Right, Rule, SetRef, Statement, Verdict};

/// Whether a rule reads how many packets or bytes a connection has had.
pub(super) fn counts_connections(rule: &Rule) -> bool {
    let reads = |expr: &Expr| matches!(expr, Expr::Load(Load::Ct(CtField::Packets(_) | CtField::Bytes(_))));
    rule.statements.iter().any(|statement| match statement {
        Statement::Match { left, .. } => reads(left),
        Statement::Set { value, .. } => reads(value),
        Statement::Vmap { key, .. } | Statement::Update { key, .. } => reads(key),
        _ => false,
    })
}

/// Something that a rule or element refers to.
pub(super) enum Reference<'a> {
    Chain(&'a Name),
    Set(&'a str),
    Object(&'a str),
}

/// Calls `each` for all that a rule refers to.
pub(super) fn of_rule<'a>(rule: &'a Rule, each: &mut dyn FnMut(Reference<'a>)) {
    for statement in &rule.statements {
        of_statement(statement, each);
    }
}

fn of_statement<'a>(statement: &'a Statement, each: &mut dyn FnMut(Reference<'a>)) {
    match statement {
        Statement::Match { left, right, .. } => {
            of_expr(left, each);
            if let Right::Set(set) = right {
                of_set(set, each);
            }
        }
        Statement::Verdict(verdict) => of_verdict(verdict, each),
        Statement::Vmap { key, map } => {
            of_expr(key, each);
            of_set(map, each);
        }
        Statement::Set { value, .. } => of_expr(value, each),
        Statement::Nat(nat) => nat.from.iter().for_each(|expr| of_expr(expr, each)),
        Statement::Update { set, key, .. } => {
            each(Reference::Set(set));
            of_expr(key, each);
        }
        Statement::Counter(Some(name))
        | Statement::LimitName(name)
        | Statement::QuotaName(name)
        | Statement::CtTimeout(name) => {
            each(Reference::Object(name));
        }
        Statement::Counter(None)
        | Statement::Limit(_)
        | Statement::Quota(_)
        | Statement::Reject(_)
        | Statement::Log(_)
        | Statement::Notrack => {}
    }
}

fn of_expr<'a>(expr: &'a Expr, each: &mut dyn FnMut(Reference<'a>)) {
    match expr {
        Expr::Load(_) | Expr::Value(..) => {}
        Expr::Bits { of, .. } => of_expr(of, each),
        Expr::Concat(parts) => parts.iter().for_each(|part| of_expr(part, each)),
        Expr::Map { key, map } => {
            of_expr(key, each);
            of_set(&map.set, each);
        }
    }
}

fn of_set<'a>(set: &'a SetRef, each: &mut dyn FnMut(Reference<'a>)) {
    match set {
        SetRef::Named(name) => each(Reference::Set(name)),
        SetRef::Anonymous(elements) => elements.iter().for_each(|element| of_element(element, each)),
    }
}

/// Calls `each` for the chain that an element leads to.
pub(super) fn of_element<'a>(element: &'a Element, each: &mut dyn FnMut(Reference<'a>)) {
    if let Some(Data::Verdict(verdict)) = &element.data {
        of_verdict(verdict, each);
    }
}

fn of_verdict<'a>(verdict: &'a Verdict, each: &mut dyn FnMut(Reference<'a>)) {
    if let Verdict::Jump(name) | Verdict::Goto(name) = verdict {
        each(Reference::Chain(name));
    }
}

impl Content {
    /// Counts what a rule refers to, up or down.
    pub(super) fn count_rule(&mut self, rule: &Rule, by: i32) {
        of_rule(rule, &mut |reference| self.count(&reference, by));
    }

    /// Counts what an element refers to, up or down.
    pub(super) fn count_element(&mut self, element: &Element, by: i32) {
        of_element(element, &mut |reference| self.count(&reference, by));
    }

    /// How many rules name an object: asked when one is deleted, so not counted before.
    pub(super) fn object_uses(&self, object: &str) -> u32 {
        let mut uses = 0;
        for installed in self.chains.values().flat_map(|chain| &chain.rules) {
            of_rule(&installed.rule, &mut |reference| {
                uses += u32::from(matches!(reference, Reference::Object(name) if name == object));
            });
        }
        uses
    }

    fn count(&mut self, reference: &Reference<'_>, by: i32) {
        let uses = match reference {
            Reference::Chain(name) => {
                let id = self.chain_ids[*name];
                &mut self.chains.get_mut(&id).expect("the chain is there while it is referred to").uses
            }
            Reference::Set(name) => {
                let id = self.set_ids[*name];
                &mut self.sets.get_mut(&id).expect("the set is there while it is referred to").uses
            }
            Reference::Object(_) => return,
        };
        *uses = uses.checked_add_signed(by).expect("a reference is counted before it is taken back");
    }
}
