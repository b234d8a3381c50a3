//! A selector over interned texts.

use smallvec::SmallVec;

use super::{Label, label_of};
use crate::labels::interner::{Interner, Text};
use crate::labels::selector::{Operator, Requirement, Selector};

/// A label: key and value by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) key: Text,
    pub(super) value: Text,
}

/// One requirement; values are sorted by number.
pub(super) enum Predicate {
    In(Text, SmallVec<[Text; 2]>),
    NotIn(Text, SmallVec<[Text; 2]>),
    Exists(Text),
    DoesNotExist(Text),
    /// `>` and `<`: the requirement itself reads the text.
    Ordered(Text, Requirement),
}

/// Where a selector is filed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Filing {
    /// Nowhere: nothing satisfies it, or it was not filed yet.
    #[default]
    Nowhere,
    /// Under each of the values of its predicate of this number.
    Pairs(usize),
    /// Under a key that must be there.
    Key(Text),
    /// With those that ask for nothing to be there: every Pod verifies them.
    Rest,
}

/// A selector in the form that is matched, and its place.
pub(super) struct Compiled {
    pub(super) predicates: SmallVec<[Predicate; 3]>,
    /// Nothing satisfies it: [`Selector::Nothing`].
    pub(super) impossible: bool,
    pub(super) filing: Filing,
}

impl Compiled {
    /// Holds the texts it needs until [`Compiled::release`].
    pub(super) fn new(selector: &Selector, texts: &mut Interner) -> Compiled {
        let predicates = selector.requirements().iter().map(|r| Predicate::new(r, texts)).collect();
        let impossible = *selector == Selector::Nothing;
        Compiled { predicates, impossible, filing: Filing::Nowhere }
    }

    pub(super) fn release(&self, texts: &mut Interner) {
        for predicate in &self.predicates {
            texts.release(predicate.key());
            for value in predicate.values() {
                texts.release(*value);
            }
        }
    }

    pub(super) fn matches(&self, labels: &[Label], texts: &Interner) -> bool {
        !self.impossible && self.predicates.iter().all(|p| p.accepts(label_of(labels, p.key()), texts))
    }

    /// The labels one of which a Pod must have, by the predicate of this number.
    pub(super) fn pairs(&self, predicate: usize) -> impl Iterator<Item = Pair> {
        let predicate = &self.predicates[predicate];
        let key = predicate.key();
        predicate.values().iter().map(move |value| Pair { key, value: *value })
    }
}

impl Predicate {
    fn new(requirement: &Requirement, texts: &mut Interner) -> Predicate {
        let key = texts.hold(requirement.key());
        let mut values = || {
            let mut values: SmallVec<[Text; 2]> = requirement.values().map(|v| texts.hold(v)).collect();
            values.sort_unstable();
            values
        };
        match requirement.operator() {
            Operator::Equals | Operator::DoubleEquals | Operator::In => Predicate::In(key, values()),
            Operator::NotEquals | Operator::NotIn => Predicate::NotIn(key, values()),
            Operator::Exists => Predicate::Exists(key),
            Operator::DoesNotExist => Predicate::DoesNotExist(key),
            Operator::GreaterThan | Operator::LessThan => Predicate::Ordered(key, requirement.clone()),
        }
    }

    pub(super) fn key(&self) -> Text {
        match self {
            Predicate::In(key, _)
            | Predicate::NotIn(key, _)
            | Predicate::Exists(key)
            | Predicate::DoesNotExist(key)
            | Predicate::Ordered(key, _) => *key,
        }
    }

    fn values(&self) -> &[Text] {
        match self {
            Predicate::In(_, values) | Predicate::NotIn(_, values) => values,
            Predicate::Exists(_) | Predicate::DoesNotExist(_) | Predicate::Ordered(..) => &[],
        }
    }

    fn accepts(&self, value: Option<Text>, texts: &Interner) -> bool {
        match self {
            Predicate::In(_, values) => value.is_some_and(|v| values.contains(&v)),
            Predicate::NotIn(_, values) => !value.is_some_and(|v| values.contains(&v)),
            Predicate::Exists(_) => value.is_some(),
            Predicate::DoesNotExist(_) => value.is_none(),
            Predicate::Ordered(_, requirement) => requirement.accepts(value.map(|v| texts.text(v))),
        }
    }
}
