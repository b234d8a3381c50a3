//! The world: every object, its version, and what changed.
//!
//! Writing to the store is the only way to change anything. Whoever derives something from objects keeps a [`Cursor`]
//! and reads the changes since, in order; nobody is called.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::error::Error;
use crate::nearest::nearest;
use crate::object::{KindName, Object, ObjectKey, Typed};

/// A place in the log of changes: everything before it was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(u64);

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The version that the write made; it grows by one with each.
    pub version: u64,
    /// The object before, unless it was made by the write.
    pub before: Option<Arc<Object>>,
    /// The object after, unless it was deleted by the write.
    pub after: Option<Arc<Object>>,
}

impl Change {
    /// The object that the change is of: after it, or before it if it was deleted.
    pub fn object(&self) -> &Arc<Object> {
        self.after.as_ref().or(self.before.as_ref()).expect("a change has an object on one side")
    }
}

/// The objects of one cluster.
#[derive(Clone, Debug, Default)]
pub struct Store {
    version: u64,
    /// Each object under the sequence number of its creation.
    objects: BTreeMap<u64, Arc<Object>>,
    /// By kind and namespace, then in order of creation.
    groups: BTreeMap<KindName, BTreeMap<Box<str>, BTreeSet<u64>>>,
    names: HashMap<ObjectKey, u64, foldhash::fast::FixedState>,
    created: u64,
    log: VecDeque<Change>,
}

impl Store {
    /// An empty store at version 0.
    pub fn new() -> Store {
        Store::default()
    }

    /// The version of the last write; 0 if there was none.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Makes the object, or replaces the one of its key, which keeps its place in listings.
    /// Sets `resourceVersion`. Returns the version of the write.
    pub fn put(&mut self, mut object: Object) -> u64 {
        self.version += 1;
        object.meta_mut().resource_version = self.version.to_string();
        let key = object.key();
        let object = Arc::new(object);
        let before = match self.names.get(&key) {
            Some(place) => self.objects.insert(*place, Arc::clone(&object)),
            None => self.create(key, Arc::clone(&object)),
        };
        self.log.push_back(Change { version: self.version, before, after: Some(object) });
        self.version
    }

    fn create(&mut self, key: ObjectKey, object: Arc<Object>) -> Option<Arc<Object>> {
        self.created += 1;
        let group =
            self.groups.entry(key.kind.clone()).or_default().entry(key.namespace.clone()).or_default();
        group.insert(self.created);
        self.names.insert(key, self.created);
        self.objects.insert(self.created, object)
    }

    /// Deletes an object. Returns it, or `None` if there was none: then nothing was written.
    pub fn delete(&mut self, key: &ObjectKey) -> Option<Arc<Object>> {
        let place = self.names.remove(key)?;
        let object = self.objects.remove(&place).expect("a name leads to an object");
        let namespaces = self.groups.get_mut(&key.kind).expect("an object is in a group");
        let group = namespaces.get_mut(&key.namespace).expect("an object is in a group");
        group.remove(&place);
        if group.is_empty() {
            namespaces.remove(&key.namespace);
        }
        self.version += 1;
        self.log.push_back(Change { version: self.version, before: Some(Arc::clone(&object)), after: None });
        Some(object)
    }

    /// The object of that key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects.get(self.names.get(key)?)
    }

    /// The typed object of that name; `namespace` is empty for objects of the cluster.
    pub fn find<T: Typed>(&self, namespace: &str, name: &str) -> Option<&T> {
        self.get(&ObjectKey::new(T::KIND, namespace, name))?.get::<T>()
    }

    /// The object of that key, or an error with the nearest names of its kind and namespace.
    pub fn require(&self, key: &ObjectKey) -> Result<&Arc<Object>, Error> {
        self.get(key).ok_or_else(|| self.no_such(key))
    }

    fn no_such(&self, key: &ObjectKey) -> Error {
        let here = self.list(&key.kind, Some(&key.namespace)).map(|object| object.meta().name.as_str());
        let mut found: Vec<String> = nearest(&key.name, here, 3).into_iter().map(str::to_owned).collect();
        if found.is_empty() {
            let elsewhere = self.list(&key.kind, None).filter(|object| *object.meta().name == *key.name);
            found = elsewhere.take(3).map(|object| object.key().to_string()).collect();
        }
        Error::NoSuchObject { wanted: Box::new(key.clone()), nearest: found }
    }

    /// The objects of a kind, in one namespace or in all, in order of their creation.
    pub fn list<'s>(
        &'s self,
        kind: &KindName,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &'s Arc<Object>> + use<'s> {
        let namespaces = self.groups.get(kind);
        let places: Vec<u64> = match (namespaces, namespace) {
            (None, _) => Vec::new(),
            (Some(all), Some(one)) => all.get(one).into_iter().flatten().copied().collect(),
            (Some(all), None) => in_order(all.values().flatten().copied().collect()),
        };
        places.into_iter().map(|place| &self.objects[&place])
    }

    /// The typed objects of a kind, in one namespace or in all, in order of their creation.
    pub fn all<'s, T: Typed + 's>(
        &'s self,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &'s T> + use<'s, T> {
        self.list(&T::KIND, namespace).map(|object| object.get::<T>().expect("a list holds one kind"))
    }

    /// Every object, in order of creation.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    /// The namespaces in which there are objects of a kind, in alphabetical order.
    pub fn namespaces_of(&self, kind: &KindName) -> impl Iterator<Item = &str> {
        self.groups.get(kind).into_iter().flat_map(|all| all.keys().map(AsRef::as_ref))
    }

    /// The place behind the last change.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.version)
    }

    /// The changes since a cursor, in order. `None` if the log was trimmed beyond it: then list again, as after the
    /// API's `410 Gone`.
    pub fn changes_since(&self, cursor: Cursor) -> Option<impl ExactSizeIterator<Item = &Change>> {
        let first = self.version - self.log.len() as u64;
        let skip = usize::try_from(cursor.0.checked_sub(first)?).ok()?;
        Some(self.log.range(skip.min(self.log.len())..))
    }

    /// Forgets the changes before a cursor: the slowest of those who read.
    pub fn trim(&mut self, slowest: Cursor) {
        while self.log.front().is_some_and(|change| change.version <= slowest.0) {
            self.log.pop_front();
        }
    }
}

impl Cursor {
    /// The place behind a version, as `resourceVersion` of a watch names it.
    pub fn after(version: u64) -> Cursor {
        Cursor(version)
    }

    /// The version that it is behind.
    pub fn version(self) -> u64 {
        self.0
    }
}

fn in_order(mut places: Vec<u64>) -> Vec<u64> {
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Pod, Service};
    use proptest::prelude::*;

    fn pod(namespace: &str, name: &str) -> Object {
        let mut pod = Pod::default();
        pod.meta.namespace = namespace.into();
        pod.meta.name = name.into();
        Object::new(pod)
    }

    fn names(store: &Store, namespace: Option<&str>) -> Vec<String> {
        store.all::<Pod>(namespace).map(|pod| pod.meta.name.clone()).collect()
    }

    #[test]
    fn listing_is_in_order_of_creation_and_a_change_keeps_its_place() {
        let mut store = Store::new();
        for (namespace, name) in [("b", "z"), ("a", "y"), ("b", "x")] {
            store.put(pod(namespace, name));
        }
        store.put(pod("b", "z"));
        assert_eq!(names(&store, None), ["z", "y", "x"]);
        assert_eq!(names(&store, Some("b")), ["z", "x"]);
        assert_eq!(store.find::<Pod>("b", "z").unwrap().meta.resource_version, "4");
        assert_eq!(store.all::<Service>(None).count(), 0);
    }

    #[test]
    fn a_cursor_reads_what_came_after_it() {
        let mut store = Store::new();
        store.put(pod("a", "x"));
        let cursor = store.cursor();
        store.put(pod("a", "x"));
        store.delete(&pod("a", "x").key());
        let seen: Vec<_> =
            store.changes_since(cursor).unwrap().map(|c| (c.before.is_some(), c.after.is_some())).collect();
        assert_eq!(seen, [(true, true), (true, false)]);
        assert_eq!(store.changes_since(store.cursor()).unwrap().count(), 0);
        store.trim(Cursor::after(2));
        assert!(store.changes_since(cursor).is_none());
        assert_eq!(store.changes_since(Cursor::after(2)).unwrap().count(), 1);
    }

    #[test]
    fn an_unknown_name_comes_with_the_nearest() {
        let mut store = Store::new();
        store.put(pod("a", "web-1"));
        let error = store.require(&pod("a", "web-2").key()).unwrap_err();
        assert_eq!(error.to_string(), "Pod a/web-2 does not exist; nearest: web-1");
        let error = store.require(&pod("b", "web-1").key()).unwrap_err();
        assert_eq!(error.to_string(), "Pod b/web-1 does not exist; nearest: Pod a/web-1");
    }

    proptest! {
        #[test]
        fn the_log_replayed_gives_the_state(steps in prop::collection::vec((any::<bool>(), 0u8..3, 0u8..6), 0..60)) {
            let mut store = Store::new();
            let mut twin: Vec<(ObjectKey, String)> = Vec::new();
            for (put, namespace, name) in steps {
                let object = pod(&namespace.to_string(), &name.to_string());
                if put { store.put(object); } else { store.delete(&object.key()); }
            }
            for change in store.changes_since(Cursor::default()).unwrap() {
                let key = change.object().key();
                let at = twin.iter().position(|(k, _)| *k == key);
                prop_assert_eq!(change.before.is_some(), at.is_some());
                match (&change.after, at) {
                    (Some(after), Some(at)) => twin[at].1.clone_from(&after.meta().resource_version),
                    (Some(after), None) => twin.push((key, after.meta().resource_version.clone())),
                    (None, Some(at)) => { twin.remove(at); }
                    (None, None) => prop_assert!(false, "a deletion of nothing"),
                }
            }
            let state: Vec<_> = store.list(&KindName::Pod, None).map(|o| (o.key(), o.meta().resource_version.clone())).collect();
            prop_assert_eq!(state, twin);
        }
    }
}
