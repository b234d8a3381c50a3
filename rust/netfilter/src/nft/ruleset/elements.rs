//! The elements of one set or map: exact keys hashed, spans in order.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_sim::Time;
use smallvec::SmallVec;

use crate::nft::{Element, Span, Spans};

/// The values that a packet gives for the parts of a key.
pub(crate) type Key = SmallVec<[u128; 4]>;

/// Elements, found by key.
#[derive(Clone, Debug)]
pub(crate) struct Elements {
    stored: BTreeMap<u64, Stored>,
    found: Found,
}

/// An element, and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) element: Element,
    pub(crate) deadline: Option<Time>,
}

impl Stored {
    pub(crate) fn is_alive(&self, now: Time) -> bool {
        self.deadline.is_none_or(|deadline| deadline > now)
    }
}

/// How a key finds its element.
#[derive(Clone, Debug)]
enum Found {
    /// Every part is one value.
    Exact(HashMap<Key, u64, FixedState>),
    /// Spans of one part that do not overlap, by their first values.
    Spans(BTreeMap<u128, (u128, u64)>),
    /// Spans of several parts: asked one by one.
    Boxes,
}

impl Elements {
    /// None yet. `interval`: elements may be spans. `parts`: how many parts a key has.
    pub(crate) fn new(interval: bool, parts: usize) -> Elements {
        let found = match (interval, parts) {
            (false, _) => Found::Exact(HashMap::default()),
            (true, 1) => Found::Spans(BTreeMap::new()),
            (true, _) => Found::Boxes,
        };
        Elements { stored: BTreeMap::new(), found }
    }

    pub(crate) fn len(&self) -> usize {
        self.stored.len()
    }

    /// In the order in which they were added; spans of one part by value, as the kernel's tree has them.
    /// Source: net/netfilter/nft_set_rbtree.c, v6.12.
    pub(crate) fn listed(&self) -> Vec<&Stored> {
        match &self.found {
            Found::Spans(spans) => spans.values().map(|(_, number)| &self.stored[number]).collect(),
            Found::Exact(_) | Found::Boxes => self.stored.values().collect(),
        }
    }

    /// The element that a packet's key falls into.
    pub(crate) fn lookup(&self, key: &[u128]) -> Option<&Stored> {
        let number = match &self.found {
            Found::Exact(map) => map.get(key).copied(),
            Found::Spans(spans) => {
                let (_, (last, number)) = spans.range(..=key[0]).next_back()?;
                (key[0] <= *last).then_some(*number)
            }
            Found::Boxes => {
                self.stored.iter().find(|(_, each)| holds(&each.element.key, key)).map(|(n, _)| *n)
            }
        };
        number.map(|number| &self.stored[&number])
    }

    /// The number of the element with exactly this key.
    pub(crate) fn find(&self, key: &[Span]) -> Option<u64> {
        match &self.found {
            Found::Exact(map) => map.get(&firsts(key)).copied(),
            Found::Spans(spans) => {
                spans.get(&key[0].first).filter(|(last, _)| *last == key[0].last).map(|(_, number)| *number)
            }
            Found::Boxes => self.stored.iter().find(|(_, each)| *each.element.key == *key).map(|(n, _)| *n),
        }
    }

    /// Whether another element shares a key with this one.
    pub(crate) fn overlaps(&self, key: &[Span]) -> bool {
        match &self.found {
            Found::Exact(map) => map.contains_key(&firsts(key)),
            Found::Spans(spans) => {
                spans.range(..=key[0].last).next_back().is_some_and(|(_, (last, _))| *last >= key[0].first)
            }
            Found::Boxes => self.stored.values().any(|each| {
                each.element.key.iter().zip(key).all(|(a, b)| a.first <= b.last && b.first <= a.last)
            }),
        }
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Stored> {
        self.stored.get(&number)
    }

    /// Puts an element in under a number. No other has its key.
    pub(crate) fn put(&mut self, number: u64, stored: Stored) {
        let key = &stored.element.key;
        match &mut self.found {
            Found::Exact(map) => drop(map.insert(firsts(key), number)),
            Found::Spans(spans) => drop(spans.insert(key[0].first, (key[0].last, number))),
            Found::Boxes => {}
        }
        self.stored.insert(number, stored);
    }

    /// Takes an element out.
    pub(crate) fn take(&mut self, number: u64) -> Stored {
        let stored = self.stored.remove(&number).expect("an element is taken out once");
        match &mut self.found {
            Found::Exact(map) => drop(map.remove(&firsts(&stored.element.key))),
            Found::Spans(spans) => drop(spans.remove(&stored.element.key[0].first)),
            Found::Boxes => {}
        }
        stored
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.stored.keys().copied().collect()
    }
}

fn firsts(key: &[Span]) -> Key {
    key.iter().map(|span| span.first).collect()
}

fn holds(spans: &Spans, key: &[u128]) -> bool {
    spans.iter().zip(key).all(|(span, value)| span.contains(*value))
}
