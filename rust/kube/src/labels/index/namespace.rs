//! The lists of one namespace: Pods by label, values by key, selectors by the predicate they are filed under.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::compiled::{Compiled, Filing, Pair, Predicate};
use super::{Label, PodId, SelectorId};
use crate::labels::interner::Text;

/// A label's selectors are filed anew when it has this many times the Pods that it had when they were filed.
const CROWDING: usize = 8;
/// Below this many Pods, filing anew gains nothing. Small in tests, so that they see it happen.
const CROWD_MIN: usize = if cfg!(test) { 2 } else { 32 };

#[derive(Default)]
pub(super) struct Namespace {
    pods: Vec<PodId>,
    pairs: HashMap<Pair, ByPair, FixedState>,
    keys: HashMap<Text, ByKey, FixedState>,
    rest: Vec<SelectorId>,
}

/// What is known of one label.
#[derive(Default)]
struct ByPair {
    pods: Vec<PodId>,
    selectors: SmallVec<[SelectorId; 2]>,
    /// Number of Pods at which the selectors are filed anew.
    crowded_at: usize,
    /// Place in its key's list of values.
    place: usize,
}

/// What is known of one key.
#[derive(Default)]
struct ByKey {
    pods: usize,
    /// The values that some Pod has.
    values: Vec<Text>,
    selectors: SmallVec<[SelectorId; 2]>,
}

impl Namespace {
    pub(super) fn add_pod(&mut self, pod: PodId) -> u32 {
        self.pods.push(pod);
        place(self.pods.len() - 1)
    }

    /// The Pod that took the place of the removed one.
    pub(super) fn remove_pod(&mut self, place: u32) -> Option<PodId> {
        self.pods.swap_remove(place as usize);
        self.pods.get(place as usize).copied()
    }

    /// Lists the Pod under a label: its place there, and the selectors that have become crowded.
    pub(super) fn add_label(&mut self, pair: Pair, pod: PodId) -> (u32, SmallVec<[SelectorId; 2]>) {
        let key = self.keys.entry(pair.key).or_default();
        key.pods += 1;
        let list = self.pairs.entry(pair).or_default();
        if list.pods.is_empty() {
            list.place = key.values.len();
            key.values.push(pair.value);
        }
        list.pods.push(pod);
        let mut crowded: SmallVec<[SelectorId; 2]> = SmallVec::new();
        if !list.selectors.is_empty() && list.pods.len() >= list.crowded_at.max(CROWD_MIN) {
            list.crowded_at = list.pods.len() * CROWDING;
            crowded.clone_from(&list.selectors);
        }
        (place(list.pods.len() - 1), crowded)
    }

    /// The Pod that took the place of the removed one.
    pub(super) fn remove_label(&mut self, pair: Pair, place: u32) -> Option<PodId> {
        let list = self.pairs.get_mut(&pair).expect("a listed label has a list");
        list.pods.swap_remove(place as usize);
        let moved = list.pods.get(place as usize).copied();
        let (empty, at) = (list.pods.is_empty(), list.place);
        let key = self.keys.get_mut(&pair.key).expect("a listed label has a key");
        key.pods -= 1;
        if empty {
            key.values.swap_remove(at);
            if let Some(value) = key.values.get(at).copied() {
                let moved = self.pairs.get_mut(&Pair { value, ..pair }).expect("a listed value has a list");
                moved.place = at;
            }
            self.drop_if_unused(pair);
        }
        moved
    }

    fn drop_if_unused(&mut self, pair: Pair) {
        if self.pairs.get(&pair).is_some_and(|l| l.pods.is_empty() && l.selectors.is_empty()) {
            self.pairs.remove(&pair);
        }
        if self.keys.get(&pair.key).is_some_and(|k| k.pods == 0 && k.selectors.is_empty()) {
            self.keys.remove(&pair.key);
        }
    }

    /// Calls for every selector that a Pod with these labels has to verify.
    pub(super) fn each_filed(&self, labels: &[Label], mut visit: impl FnMut(SelectorId)) {
        for label in labels {
            if let Some(list) = self.pairs.get(&label.pair) {
                list.selectors.iter().copied().for_each(&mut visit);
            }
            if let Some(key) = self.keys.get(&label.pair.key) {
                key.selectors.iter().copied().for_each(&mut visit);
            }
        }
        self.rest.iter().copied().for_each(visit);
    }

    /// Calls for every Pod that may satisfy the selector.
    pub(super) fn each_candidate(&self, selector: &Compiled, mut visit: impl FnMut(PodId)) {
        match self.rarest(selector).1 {
            Filing::Nowhere => {}
            Filing::Pairs(predicate) => {
                for pair in selector.pairs(predicate) {
                    self.pods_with(pair).iter().copied().for_each(&mut visit);
                }
            }
            Filing::Key(key) => {
                for value in self.keys.get(&key).map_or(&[][..], |k| &k.values) {
                    self.pods_with(Pair { key, value: *value }).iter().copied().for_each(&mut visit);
                }
            }
            Filing::Rest => self.pods.iter().copied().for_each(visit),
        }
    }

    pub(super) fn file(&mut self, id: SelectorId, selector: &mut Compiled) {
        selector.filing = self.rarest(selector).1;
        match selector.filing {
            Filing::Nowhere => {}
            Filing::Rest => self.rest.push(id),
            Filing::Key(key) => self.keys.entry(key).or_default().selectors.push(id),
            Filing::Pairs(predicate) => {
                for pair in selector.pairs(predicate) {
                    let list = self.pairs.entry(pair).or_default();
                    list.crowded_at = list.crowded_at.max(list.pods.len() * CROWDING);
                    if !list.selectors.contains(&id) {
                        list.selectors.push(id);
                    }
                }
            }
        }
    }

    pub(super) fn unfile(&mut self, id: SelectorId, selector: &mut Compiled) {
        match std::mem::take(&mut selector.filing) {
            Filing::Nowhere => {}
            Filing::Rest => self.rest.retain(|s| *s != id),
            Filing::Key(key) => {
                let by_key = self.keys.get_mut(&key).expect("a selector is filed under a known key");
                by_key.selectors.retain(|s| *s != id);
                if by_key.pods == 0 && by_key.selectors.is_empty() {
                    self.keys.remove(&key);
                }
            }
            Filing::Pairs(predicate) => {
                for pair in selector.pairs(predicate) {
                    if let Some(list) = self.pairs.get_mut(&pair) {
                        list.selectors.retain(|s| *s != id);
                    }
                    self.drop_if_unused(pair);
                }
            }
        }
    }

    /// The predicate that the fewest Pods satisfy, and how many do. Ties go to the first.
    fn rarest(&self, selector: &Compiled) -> (usize, Filing) {
        let mut best = (usize::MAX, if selector.impossible { Filing::Nowhere } else { Filing::Rest });
        if selector.impossible {
            return best;
        }
        for (i, predicate) in selector.predicates.iter().enumerate() {
            let of_key = |key: &Text| self.keys.get(key).map_or(0, |k| k.pods);
            let found = match predicate {
                Predicate::In(..) => {
                    let count = selector.pairs(i).map(|pair| self.pods_with(pair).len()).sum();
                    (count, Filing::Pairs(i))
                }
                Predicate::Exists(key) | Predicate::Ordered(key, _) => (of_key(key), Filing::Key(*key)),
                Predicate::NotIn(..) | Predicate::DoesNotExist(_) => continue,
            };
            if found.0 < best.0 {
                best = found;
            }
        }
        best
    }

    fn pods_with(&self, pair: Pair) -> &[PodId] {
        self.pairs.get(&pair).map_or(&[], |list| &list.pods)
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 Pods in a namespace")
}
