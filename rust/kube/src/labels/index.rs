//! The label index: which selectors a Pod matches, which Pods a selector selects, and what changed.
//!
//! Each namespace stands alone, as selection does. A distinct selector is stored once and filed under the one predicate
//! that the fewest Pods satisfy now; a Pod probes its own labels and verifies the few selectors it meets there.
//! A new selector starts from the shortest list of Pods that one of its predicates allows. When Pods crowd under
//! a predicate, its selectors are filed anew.
//!
//! Cost: a change of a Pod's labels is one probe a label, plus the candidates met; a change of anything else is none.

mod compiled;
mod namespace;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::interner::{Interner, Text};
use super::selector::Selector;
use compiled::{Compiled, Pair};
use namespace::Namespace;

/// A Pod in the index. Numbers are used again after a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub u32);

/// A distinct selector of one namespace; equal selectors share it. Numbers are used again after a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SelectorId(pub u32);

/// A pair that began or ceased to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delta {
    /// The Pod.
    pub pod: PodId,
    /// The selector.
    pub selector: SelectorId,
    /// Whether they match now.
    pub matches: bool,
}

/// Pods and selectors of many namespaces, and which of them match.
#[derive(Default)]
pub struct LabelIndex {
    texts: Interner,
    names: HashMap<Box<str>, u32, foldhash::fast::FixedState>,
    namespaces: Vec<Namespace>,
    pods: Slab<Pod>,
    selectors: Slab<Filed>,
    shared: HashMap<(u32, Selector), SelectorId, foldhash::fast::FixedState>,
    deltas: Vec<Delta>,
}

/// A label of a Pod and its place in the list of Pods with that label.
#[derive(Clone, Copy)]
struct Label {
    pair: Pair,
    place: u32,
}

struct Pod {
    namespace: u32,
    /// Place in the namespace's list of all Pods.
    place: u32,
    /// In the order in which they came, that is, by the text of the key.
    labels: SmallVec<[Label; 8]>,
    /// Sorted.
    matches: SmallVec<[SelectorId; 4]>,
}

struct Filed {
    namespace: u32,
    holders: u32,
    selector: Selector,
    compiled: Compiled,
}

impl LabelIndex {
    /// An empty index.
    pub fn new() -> LabelIndex {
        LabelIndex::default()
    }

    /// Adds a Pod. Labels come sorted by key, each key once.
    pub fn add_pod<'a>(
        &mut self,
        namespace: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> PodId {
        let namespace = self.namespace(namespace);
        let pod = Pod { namespace, place: 0, labels: SmallVec::new(), matches: SmallVec::new() };
        let id = PodId(self.pods.put(pod));
        self.pods[id.0].place = self.namespaces[namespace as usize].add_pod(id);
        self.attach(id, labels);
        self.rematch(id);
        id
    }

    /// Gives a Pod new labels, sorted by key. Costs a comparison of texts if they are the old ones.
    pub fn relabel<'a>(&mut self, pod: PodId, labels: impl IntoIterator<Item = (&'a str, &'a str)> + Clone) {
        if self.has_labels(pod, labels.clone()) {
            return;
        }
        // New texts are held before old ones are freed, so that what stays keeps its number.
        let old = std::mem::take(&mut self.pods[pod.0].labels);
        self.detach(pod, &old);
        self.attach(pod, labels);
        self.release(&old);
        self.rematch(pod);
    }

    /// Removes a Pod; its matches cease.
    pub fn remove_pod(&mut self, pod: PodId) {
        let labels = std::mem::take(&mut self.pods[pod.0].labels);
        self.detach(pod, &labels);
        self.release(&labels);
        let gone = self.pods.take(pod.0);
        if let Some(moved) = self.namespaces[gone.namespace as usize].remove_pod(gone.place) {
            self.pods[moved.0].place = gone.place;
        }
        self.deltas.extend(gone.matches.iter().map(|s| Delta { pod, selector: *s, matches: false }));
    }

    /// Adds a selector, or one more holder of an equal one: then nothing begins to match.
    pub fn add_selector(&mut self, namespace: &str, selector: &Selector) -> SelectorId {
        let namespace = self.namespace(namespace);
        if let Some(id) = self.shared.get(&(namespace, selector.clone())) {
            self.selectors[id.0].holders += 1;
            return *id;
        }
        let compiled = Compiled::new(selector, &mut self.texts);
        let filed = Filed { namespace, holders: 1, selector: selector.clone(), compiled };
        let id = SelectorId(self.selectors.put(filed));
        self.shared.insert((namespace, selector.clone()), id);
        self.file(id);
        for pod in self.pods_of(id) {
            let matches = &mut self.pods[pod.0].matches;
            let at = matches.binary_search(&id).expect_err("a new selector matches nothing yet");
            matches.insert(at, id);
            self.deltas.push(Delta { pod, selector: id, matches: true });
        }
        id
    }

    /// One holder less; the last one removes the selector, and its matches cease.
    pub fn remove_selector(&mut self, id: SelectorId) {
        self.selectors[id.0].holders -= 1;
        if self.selectors[id.0].holders > 0 {
            return;
        }
        for pod in self.pods_of(id) {
            self.pods[pod.0].matches.retain(|s| *s != id);
            self.deltas.push(Delta { pod, selector: id, matches: false });
        }
        self.unfile(id);
        let gone = self.selectors.take(id.0);
        gone.compiled.release(&mut self.texts);
        self.shared.remove(&(gone.namespace, gone.selector));
    }

    /// The selectors that a Pod matches, sorted.
    pub fn selectors_of(&self, pod: PodId) -> &[SelectorId] {
        &self.pods[pod.0].matches
    }

    /// The Pods that a selector selects, sorted.
    pub fn pods_of(&self, id: SelectorId) -> Vec<PodId> {
        let filed = &self.selectors[id.0];
        let namespace = &self.namespaces[filed.namespace as usize];
        let mut pods = Vec::new();
        namespace.each_candidate(&filed.compiled, |pod| {
            if filed.compiled.matches(&self.pods[pod.0].labels, &self.texts) {
                pods.push(pod);
            }
        });
        pods.sort_unstable();
        // An object may list a value twice.
        pods.dedup();
        pods
    }

    /// What began and ceased to match since the last call, in order of the changes.
    pub fn drain(&mut self) -> Vec<Delta> {
        std::mem::take(&mut self.deltas)
    }

    /// Number of distinct keys and values that Pods and selectors hold now.
    pub fn texts_held(&self) -> usize {
        self.texts.len()
    }

    fn namespace(&mut self, name: &str) -> u32 {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = u32::try_from(self.namespaces.len()).expect("fewer than 2^32 namespaces");
        self.namespaces.push(Namespace::default());
        self.names.insert(name.into(), id);
        id
    }

    fn has_labels<'a>(&self, pod: PodId, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
        let mut old = self.pods[pod.0].labels.iter();
        let same = |label: &Label, (key, value): (&str, &str)| {
            self.texts.text(label.pair.key) == key && self.texts.text(label.pair.value) == value
        };
        labels.into_iter().all(|new| old.next().is_some_and(|label| same(label, new))) && old.next().is_none()
    }

    fn attach<'a>(&mut self, pod: PodId, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let namespace = self.pods[pod.0].namespace;
        for (key, value) in labels {
            let pair = Pair { key: self.texts.hold(key), value: self.texts.hold(value) };
            let (place, crowded) = self.namespaces[namespace as usize].add_label(pair, pod);
            self.pods[pod.0].labels.push(Label { pair, place });
            for selector in crowded {
                self.unfile(selector);
                self.file(selector);
            }
        }
    }

    fn detach(&mut self, pod: PodId, labels: &[Label]) {
        let namespace = &mut self.namespaces[self.pods[pod.0].namespace as usize];
        for label in labels {
            if let Some(moved) = namespace.remove_label(label.pair, label.place) {
                let labels = &mut self.pods[moved.0].labels;
                let of_moved = labels.iter_mut().find(|l| l.pair == label.pair);
                of_moved.expect("a listed Pod has the label").place = label.place;
            }
        }
    }

    fn release(&mut self, labels: &[Label]) {
        for label in labels {
            self.texts.release(label.pair.key);
            self.texts.release(label.pair.value);
        }
    }

    /// Finds the Pod's matches again and notes the difference.
    fn rematch(&mut self, id: PodId) {
        let pod = &self.pods[id.0];
        let namespace = &self.namespaces[pod.namespace as usize];
        let mut now: SmallVec<[SelectorId; 4]> = SmallVec::new();
        namespace.each_filed(&pod.labels, |selector| {
            if self.selectors[selector.0].compiled.matches(&pod.labels, &self.texts) {
                now.push(selector);
            }
        });
        now.sort_unstable();
        let before = std::mem::replace(&mut self.pods[id.0].matches, now.clone());
        let only = |a: &[SelectorId], b: &[SelectorId], matches| {
            let only: Vec<_> = a.iter().filter(|s| b.binary_search(s).is_err()).copied().collect();
            only.into_iter().map(move |selector| Delta { pod: id, selector, matches })
        };
        self.deltas.extend(only(&before, &now, false));
        self.deltas.extend(only(&now, &before, true));
    }

    fn file(&mut self, id: SelectorId) {
        let Filed { namespace, compiled, .. } = &mut self.selectors[id.0];
        self.namespaces[*namespace as usize].file(id, compiled);
    }

    fn unfile(&mut self, id: SelectorId) {
        let Filed { namespace, compiled, .. } = &mut self.selectors[id.0];
        self.namespaces[*namespace as usize].unfile(id, compiled);
    }
}

/// Values at small numbers that are used again.
struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    fn put(&mut self, value: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self.slots[id as usize] = Some(value);
            return id;
        }
        self.slots.push(Some(value));
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 entries")
    }

    fn take(&mut self, id: u32) -> T {
        self.free.push(id);
        self.slots[id as usize].take().expect("the number is in use")
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        self.slots[id as usize].as_ref().expect("the number is in use")
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        self.slots[id as usize].as_mut().expect("the number is in use")
    }
}

/// The value of a key among a Pod's labels.
fn label_of(labels: &[Label], key: Text) -> Option<Text> {
    labels.iter().find(|label| label.pair.key == key).map(|label| label.pair.value)
}
