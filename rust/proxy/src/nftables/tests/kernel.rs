//! A plain table: the twin that holds what transactions lead to, and refuses what the kernel would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kdp_netfilter::nft::{
    Chain, Data, Element, Expr, Op, Right, Rule, Set, SetRef, Spans, Statement, Step, Transaction, Verdict,
};
use kdp_sim::Time;

/// One table, whatever its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kernel {
    chains: BTreeMap<String, (Chain, Vec<Rule>)>,
    sets: BTreeMap<Arc<str>, (Set, BTreeMap<Spans, Element>)>,
}

impl Kernel {
    pub(super) fn apply(&mut self, transaction: &Transaction) {
        for step in &transaction.steps {
            let Step::In(_, op) = step else { panic!("a proxier keeps to its table") };
            self.step(op);
            self.check();
        }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::AddTable(_) => {}
            Op::DeleteTable => *self = Kernel::default(),
            Op::AddChain(chain) => {
                let fresh = || (chain.clone(), Vec::new());
                let there = self.chains.entry(chain.name.to_string()).or_insert_with(fresh);
                assert_eq!(&there.0, chain, "a chain never becomes another");
            }
            Op::FlushChain(name) => self.chains.get_mut(name.as_str()).expect("it is there").1.clear(),
            Op::DeleteChain(name) => drop(self.chains.remove(name.as_str()).expect("it is there")),
            Op::AddRule(name, rule) => {
                self.chains.get_mut(name.as_str()).expect("it is there").1.push(rule.clone());
            }
            Op::AddSet(set) => {
                let there =
                    self.sets.entry(set.name.clone()).or_insert_with(|| (set.clone(), BTreeMap::new()));
                assert_eq!(&there.0, set, "a set never becomes another");
            }
            Op::FlushSet(name) => self.sets.get_mut(name).expect("it is there").1.clear(),
            Op::DeleteSet(name) => drop(self.sets.remove(name).expect("it is there")),
            Op::AddElements(name, elements) => {
                let set = &mut self.sets.get_mut(name).expect("it is there").1;
                for element in elements {
                    let before = set.insert(element.key.clone(), element.clone());
                    assert!(before.is_none_or(|before| before == *element), "an element exists");
                }
            }
            Op::DeleteElements(name, elements) => {
                let set = &mut self.sets.get_mut(name).expect("it is there").1;
                for element in elements {
                    set.remove(&element.key).expect("it is there");
                }
            }
            op => panic!("a proxier does not do {op:?}"),
        }
    }

    /// Whatever is referred to is there.
    fn check(&self) {
        let mut chains = BTreeSet::new();
        let mut sets = BTreeSet::new();
        for statement in self.chains.values().flat_map(|(_, rules)| rules).flat_map(|rule| &rule.statements) {
            mentioned(statement, &mut chains, &mut sets);
        }
        for element in self.sets.values().flat_map(|(_, elements)| elements.values()) {
            if let Some(Data::Verdict(verdict)) = &element.data {
                leads_to(verdict, &mut chains);
            }
        }
        assert!(chains.iter().all(|chain| self.chains.contains_key(*chain)), "a chain is missing");
        assert!(sets.iter().all(|set| self.sets.contains_key(*set)), "a set is missing");
    }

    /// Timeouts of the sets that have one.
    pub(super) fn timeouts(&self) -> Vec<Time> {
        self.sets.values().filter_map(|(set, _)| set.timeout).collect()
    }
}

fn leads_to<'a>(verdict: &'a Verdict, chains: &mut BTreeSet<&'a str>) {
    if let Verdict::Jump(chain) | Verdict::Goto(chain) = verdict {
        chains.insert(chain.as_str());
    }
}

fn mentioned<'a>(statement: &'a Statement, chains: &mut BTreeSet<&'a str>, sets: &mut BTreeSet<&'a str>) {
    let set = match statement {
        Statement::Verdict(verdict) => return leads_to(verdict, chains),
        Statement::Match { right: Right::Set(set), .. } | Statement::Vmap { map: set, .. } => set,
        Statement::Nat(nat) => match &nat.from {
            Some(Expr::Map { map, .. }) => &map.set,
            _ => return,
        },
        Statement::Update { set, .. } => {
            sets.insert(set);
            return;
        }
        _ => return,
    };
    match set {
        SetRef::Named(name) => {
            sets.insert(name);
        }
        SetRef::Anonymous(elements) => {
            for element in elements.iter() {
                if let Some(Data::Verdict(verdict)) = &element.data {
                    leads_to(verdict, chains);
                }
            }
        }
    }
}
