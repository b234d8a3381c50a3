//! An API server for cases: a store that counts generations, gives uids, and takes along what a Service owned.

use std::sync::Arc;

use kdp_sim::Time;
use serde_json::{Value, json};

use crate::endpoints::{Controller, Op, Settings, Synced, Write, api};
use crate::object::{Kind, KindName, Object, ObjectKey};
use crate::store::{Change, Cursor, Store};

/// The objects, and the controllers that watch them.
pub(super) struct World {
    store: Store,
    seen: Cursor,
    uids: u64,
    pub(super) controller: Controller,
    /// Names that went with their owner.
    pub(super) collected: Vec<String>,
    /// The changes that were seen last.
    pub(super) seen_last: Vec<Change>,
}

/// What the controllers did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) writes: Vec<(Op, ObjectKey)>,
    pub(super) events: Vec<String>,
    pub(super) sync_errors: usize,
}

impl World {
    /// Controllers that start among these objects.
    pub(super) fn new(settings: Settings, objects: Vec<Kind>) -> World {
        let mut store = Store::new();
        let mut uids = 0;
        for object in objects {
            put(&mut store, &mut uids, object);
        }
        let controller = Controller::rebuild(settings, &store);
        World { seen: store.cursor(), store, uids, controller, collected: Vec::new(), seen_last: Vec::new() }
    }

    /// An object is made or changed by somebody.
    pub(super) fn put(&mut self, object: Kind) {
        put(&mut self.store, &mut self.uids, object);
        self.watch();
    }

    /// An object is deleted by somebody; slices that it owned go with it.
    pub(super) fn delete(&mut self, key: &ObjectKey) {
        let Some(gone) = self.store.delete(key) else { return };
        let uid = gone.meta().uid.clone();
        let is_owned = |object: &&Arc<Object>| object.meta().owner_references.iter().any(|o| o.uid == uid);
        let slices = self.store.list(&KindName::EndpointSlice, Some(&key.namespace));
        let owned: Vec<ObjectKey> = slices.filter(is_owned).map(|object| object.key()).collect();
        for slice in owned.iter().filter(|_| !uid.is_empty()) {
            self.store.delete(slice);
            self.collected.push(slice.name.to_string());
        }
        self.watch();
    }

    /// The controllers see what has changed.
    fn watch(&mut self) {
        let changes = self.store.changes_since(self.seen).expect("the log is kept whole");
        self.seen_last = changes.cloned().collect();
        for change in &self.seen_last {
            self.controller.apply(Time::ZERO, change);
        }
        self.seen = self.store.cursor();
        self.store.trim(self.seen);
    }

    /// Syncs what is queued, once.
    pub(super) fn sync(&mut self) -> Done {
        let (store, uids) = (&mut self.store, &mut self.uids);
        self.controller.hurry();
        let synced = self.controller.drain(Time::ZERO, &mut |write| perform(store, uids, write));
        self.watch();
        let mut done = Done::default();
        for Synced { writes, events, problems, .. } in synced {
            done.writes.extend(writes);
            done.events.extend(events.iter().map(ToString::to_string));
            done.sync_errors += usize::from(!problems.is_empty());
        }
        done
    }

    /// Every object of a kind, as the API prints it.
    pub(super) fn objects(&self, kind: &KindName) -> Vec<Value> {
        self.store.list(kind, None).map(|object| object.to_value()).collect()
    }
}

/// With a uid, if it has none.
fn put(store: &mut Store, uids: &mut u64, mut object: Kind) {
    *uids += 1;
    name_uid(store, *uids, &mut object);
    api::put(store, object);
}

fn perform(store: &mut Store, uids: &mut u64, mut write: Write) -> Option<Arc<Object>> {
    *uids += 1;
    name_uid(store, *uids, &mut write.object);
    api::perform(store, write)
}

fn name_uid(store: &Store, number: u64, object: &mut Kind) {
    if object.meta().uid.is_empty() {
        let old = store.get(&object.key()).map(|old| old.meta().uid.clone());
        object.meta_mut().uid = old.unwrap_or_else(|| format!("made-{number}"));
    }
}

/// A write as results print it.
pub(super) fn print_write((op, key): &(Op, ObjectKey)) -> Value {
    json!({"op": op.as_str(), "kind": key.kind.as_str(), "namespace": key.namespace, "name": key.name})
}

/// An object of a case, as it is, without defaults.
pub(super) fn object_of(value: &Value) -> Result<Kind, serde_json::Error> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    Kind::read(&KindName::of(text("apiVersion"), text("kind")), text("apiVersion"), value)
}
