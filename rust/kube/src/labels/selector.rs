//! A selector, once it is known to be one.

use std::collections::BTreeMap;
use std::fmt;

/// Something that has labels: a lookup of one key.
pub trait Labels {
    /// The value of a label.
    fn label(&self, key: &str) -> Option<&str>;
}

impl<K: Ord + std::borrow::Borrow<str>, V: AsRef<str>> Labels for BTreeMap<K, V> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).map(AsRef::as_ref)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Labels for [(K, V)] {
    /// The pairs must be sorted by key.
    fn label(&self, key: &str) -> Option<&str> {
        let at = self.binary_search_by(|(k, _)| k.as_ref().cmp(key)).ok()?;
        Some(self[at].1.as_ref())
    }
}

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `k=v`.
    Equals,
    /// `k==v`: means the same, prints differently.
    DoubleEquals,
    /// `k!=v`: also without the key.
    NotEquals,
    /// `k in (…)`.
    In,
    /// `k notin (…)`: also without the key.
    NotIn,
    /// `k`.
    Exists,
    /// `!k`.
    DoesNotExist,
    /// `k>n`.
    GreaterThan,
    /// `k<n`.
    LessThan,
}

/// One term of a selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: Box<str>,
    operator: Operator,
    values: Vec<Box<str>>,
}

impl Requirement {
    /// Values must fit the operator; the parsers see to that.
    pub(super) fn new(key: &str, operator: Operator, values: Vec<Box<str>>) -> Requirement {
        Requirement { key: key.into(), operator, values }
    }

    /// The label key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How it compares.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it compares with: none for presence, one for `=`, `!=`, `>`, `<`.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &str> {
        self.values.iter().map(AsRef::as_ref)
    }

    /// Whether a label of this value (`None`: no such label) satisfies it.
    pub fn accepts(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|v| **v == *value);
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => value.is_some_and(listed),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compares(value, |value, bound| value > bound),
            Operator::LessThan => self.compares(value, |value, bound| value < bound),
        }
    }

    /// A value that is no whole number never satisfies `>` or `<`. Signs are read: `+2` is two.
    fn compares(&self, value: Option<&str>, holds: fn(i64, i64) -> bool) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = self.values.first().and_then(|bound| number(bound));
        value.and_then(number).zip(bound).is_some_and(|(value, bound)| holds(value, bound))
    }
}

/// Which objects are meant, by their labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// No object: what a missing `LabelSelector` means.
    Nothing,
    /// The objects that satisfy every requirement; none at all means everything. Sorted by key, equal keys as given.
    AllOf(Vec<Requirement>),
}

impl Selector {
    /// The selector of everything.
    pub const EVERYTHING: Selector = Selector::AllOf(Vec::new());

    /// All of these requirements.
    pub(super) fn all_of(mut requirements: Vec<Requirement>) -> Selector {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Selector::AllOf(requirements)
    }

    /// Whether an object with these labels is meant.
    pub fn matches<L: Labels + ?Sized>(&self, labels: &L) -> bool {
        match self {
            Selector::Nothing => false,
            Selector::AllOf(requirements) => requirements.iter().all(|r| r.accepts(labels.label(&r.key))),
        }
    }

    /// The requirements, none for [`Selector::Nothing`].
    pub fn requirements(&self) -> &[Requirement] {
        match self {
            Selector::Nothing => &[],
            Selector::AllOf(requirements) => requirements,
        }
    }
}

impl fmt::Display for Selector {
    /// The canonical text; empty for everything and for nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements().iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.operator {
            Operator::Exists => return f.write_str(&self.key),
            Operator::DoesNotExist => return write!(f, "!{}", self.key),
            Operator::In => " in ",
            Operator::NotIn => " notin ",
            Operator::Equals => "=",
            Operator::DoubleEquals => "==",
            Operator::NotEquals => "!=",
            Operator::GreaterThan => ">",
            Operator::LessThan => "<",
        };
        write!(f, "{}{sign}", self.key)?;
        if matches!(self.operator, Operator::In | Operator::NotIn) {
            let mut values: Vec<_> = self.values().collect();
            values.sort_unstable();
            return write!(f, "({})", values.join(","));
        }
        f.write_str(self.values.first().map_or("", AsRef::as_ref))
    }
}
