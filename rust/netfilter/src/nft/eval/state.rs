//! What walks change: elements that rules add, counters, quotas, limits, numbers in turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_sim::Time;

use crate::nft::ruleset::{Key, SetContent};
use crate::nft::{Span, Spans};
use crate::vm::Count;

/// The state that rules have, by the numbers that a [`Ruleset`](crate::nft::Ruleset) gives once. A copy is cheap until either
/// side changes: an exploration works on copies.
#[derive(Clone, Debug, Default)]
pub struct State {
    sets: Arc<BTreeMap<u64, Members>>,
    pub(super) meters: Arc<BTreeMap<Meter, Metered>>,
}

/// A rule's number and the place of the statement among those of it that remember; or an object's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Meter {
    pub(super) owner: u64,
    pub(super) place: u32,
}

/// What a statement remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Metered {
    pub(super) count: Count,
    /// Of a limit: tokens, in nanoseconds, and when they were counted.
    pub(super) tokens: Option<(u64, Time)>,
    /// Of numbers in turn: how many were given.
    pub(super) turns: u32,
}

type Members = HashMap<Key, Life, FixedState>;

/// What became of a key since the set's own elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// It is there, until a time.
    Until(Option<Time>),
    /// It was taken out.
    Gone,
}

impl Life {
    fn is_alive(self, now: Time) -> bool {
        match self {
            Life::Until(deadline) => deadline.is_none_or(|deadline| deadline > now),
            Life::Gone => false,
        }
    }
}

impl State {
    /// No state.
    pub fn new() -> State {
        State::default()
    }

    /// Whether the key is in a set that rules change.
    pub(super) fn has(&self, set: u64, content: &SetContent, key: &[u128], now: Time) -> bool {
        match self.sets.get(&set).and_then(|members| members.get(key)) {
            Some(life) => life.is_alive(now),
            None => content.elements.lookup(key).is_some_and(|stored| stored.is_alive(now)),
        }
    }

    /// Adds a key, or gives it a new time; `false` if the set is full.
    ///
    /// Source: net/netfilter/nft_dynset.c, v6.12, `nft_dynset_eval`.
    pub(super) fn put(
        &mut self,
        (set, content): (u64, &SetContent),
        key: Key,
        (now, timeout): (Time, Option<Time>),
        refresh: bool,
    ) -> bool {
        let there = self.has(set, content, &key, now);
        if there && !refresh {
            return true;
        }
        let timeout = timeout.or(content.set.timeout);
        let deadline = timeout.map(|timeout| Time(now.0 + timeout.0));
        let members = Arc::make_mut(&mut self.sets).entry(set).or_default();
        if !there {
            let room = content.set.size.map_or(usize::MAX, |size| size as usize);
            // Those that timed out make room: once in a while, or when it is needed.
            if members.len() >= room || members.len() >= 64 && members.len().is_power_of_two() {
                members.retain(|_, life| life.is_alive(now) || *life == Life::Gone);
            }
            if members.len() + content.elements.len() >= room {
                return false;
            }
        }
        members.insert(key, Life::Until(deadline));
        true
    }

    /// Takes a key out.
    pub(super) fn take(&mut self, set: u64, key: Key) {
        Arc::make_mut(&mut self.sets).entry(set).or_default().insert(key, Life::Gone);
    }

    /// Whether rules added this key to a set, or took it out.
    pub(crate) fn knows(&self, set: u64, key: &[Span]) -> bool {
        let key: Key = key.iter().map(|span| span.first).collect();
        self.sets.get(&set).is_some_and(|members| members.contains_key(&key))
    }

    /// Keys that rules added to a set and that are alive, in order.
    pub(crate) fn members(&self, set: u64, now: Time) -> Vec<Spans> {
        let Some(members) = self.sets.get(&set) else { return Vec::new() };
        let alive = members.iter().filter(|(_, life)| life.is_alive(now));
        let mut keys: Vec<Spans> =
            alive.map(|(key, _)| key.iter().map(|value| Span::one(*value)).collect()).collect();
        keys.sort();
        keys
    }

    /// Sets a named counter back to zero.
    pub(crate) fn forget_object(&mut self, number: u64) {
        Arc::make_mut(&mut self.meters).remove(&Meter { owner: number, place: 0 });
    }

    /// Forgets what belongs to sets and rules that are gone.
    pub fn retain(&mut self, ruleset: &crate::nft::Ruleset) {
        if self.sets.keys().any(|set| !ruleset.has_set(*set)) {
            Arc::make_mut(&mut self.sets).retain(|set, _| ruleset.has_set(*set));
        }
    }

    pub(super) fn metered(&mut self, meter: Meter) -> &mut Metered {
        Arc::make_mut(&mut self.meters).entry(meter).or_default()
    }

    /// What a named counter or quota of this number counted.
    pub(crate) fn object(&self, number: u64) -> Count {
        self.meters.get(&Meter { owner: number, place: 0 }).map(|metered| metered.count).unwrap_or_default()
    }
}
