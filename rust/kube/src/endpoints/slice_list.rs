//! The slices as one controller sees them, and what it wrote of them itself.
//!
//! Source: `pkg/controller/endpointslice` and `pkg/controller/endpointslicemirroring`: their handlers of slices are the
//! same but for the name in `managed-by`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::controller::{Api, Synced};
use super::slices::Problem;
use super::tracker::Tracker;
use super::{Op, ServiceKey, Write, words};
use crate::object::{EndpointSlice, Kind, Object};

pub(super) struct SliceList {
    /// The controller's name.
    manager: &'static str,
    /// Slices by namespace and their own name.
    objects: BTreeMap<ServiceKey, Arc<Object>>,
    /// Names of the slices that this controller manages, by Service.
    by_service: BTreeMap<ServiceKey, BTreeSet<Arc<str>>>,
    /// Names given to new slices that it does not see yet.
    given: BTreeSet<ServiceKey>,
    pub(super) tracker: Tracker,
}

impl SliceList {
    pub(super) fn new(manager: &'static str) -> SliceList {
        SliceList {
            manager,
            objects: BTreeMap::new(),
            by_service: BTreeMap::new(),
            given: BTreeSet::new(),
            tracker: Tracker::default(),
        }
    }

    /// Takes note of a change of a slice: the Services that it concerns, if somebody else made it.
    pub(super) fn see(
        &mut self,
        key: &ServiceKey,
        before: Option<&Arc<Object>>,
        after: Option<&Arc<Object>>,
    ) -> Vec<ServiceKey> {
        let old = self.objects.remove(key).or_else(|| before.cloned());
        let old = old.as_deref().and_then(|object| object.get::<EndpointSlice>());
        let new = after.and_then(|object| object.get::<EndpointSlice>());
        self.list(key, old, new);
        self.given.remove(key);
        if let Some(after) = after {
            self.objects.insert(key.clone(), Arc::clone(after));
        }
        self.concerned(old, new)
    }

    fn list(&mut self, key: &ServiceKey, old: Option<&EndpointSlice>, new: Option<&EndpointSlice>) {
        if let Some(service) = old.filter(|slice| self.manages(slice)).and_then(service_of)
            && let Some(names) = self.by_service.get_mut(&service)
        {
            names.remove(&key.name);
            if names.is_empty() {
                self.by_service.remove(&service);
            }
        }
        if let Some(service) = new.filter(|slice| self.manages(slice)).and_then(service_of) {
            self.by_service.entry(service).or_default().insert(Arc::clone(&key.name));
        }
    }

    fn concerned(&mut self, old: Option<&EndpointSlice>, new: Option<&EndpointSlice>) -> Vec<ServiceKey> {
        let services: Vec<Option<ServiceKey>> = match (old, new) {
            (Some(old), None) if self.manages(old) && self.tracker.lost(old) => vec![service_of(old)],
            (Some(old), Some(new)) if service_of(old) != service_of(new) => {
                vec![service_of(new), service_of(old)]
            }
            (Some(old), Some(new)) if self.manages(old) != self.manages(new) => vec![service_of(new)],
            (_, Some(new)) if self.manages(new) && self.tracker.is_news(new) => vec![service_of(new)],
            _ => Vec::new(),
        };
        services.into_iter().flatten().collect()
    }

    fn manages(&self, slice: &EndpointSlice) -> bool {
        slice.meta.labels.get(words::MANAGED_BY).is_some_and(|by| by == self.manager)
    }

    /// The managed slices of a Service, by name.
    pub(super) fn of(&self, service: &ServiceKey) -> Vec<Arc<Object>> {
        let names = self.by_service.get(service).into_iter().flatten();
        let key = |name: &Arc<str>| ServiceKey {
            namespace: Arc::clone(&service.namespace),
            name: Arc::clone(name),
        };
        names.map(|name| Arc::clone(&self.objects[&key(name)])).collect()
    }

    /// Takes the managed slices that are there for its own.
    pub(super) fn adopt(&mut self) {
        let slices = self.objects.values().filter_map(|object| object.get::<EndpointSlice>());
        for slice in slices {
            if slice.meta.labels.get(words::MANAGED_BY).is_some_and(|by| by == self.manager) {
                self.tracker.wrote(slice);
            }
        }
    }

    /// Forgets what it waits for.
    pub(super) fn forget_writes(&mut self) {
        self.given.clear();
        self.tracker = Tracker::default();
    }

    /// Does the writes in their order; the first that is refused ends it.
    pub(super) fn write_all(&mut self, writes: Vec<Write>, synced: &mut Synced, api: &mut Api<'_>) {
        for write in writes {
            let write = self.named(write);
            synced.writes.push((write.op, write.object.key()));
            if !self.write(write, api) {
                synced.problems.push(Problem::Refused);
                break;
            }
        }
    }

    /// Gives a new slice the first free one of its names.
    fn named(&mut self, mut write: Write) -> Write {
        let meta = write.object.meta_mut();
        if write.op == Op::Create && meta.name.is_empty() {
            let candidates = (0..).map(|n| words::generated_name(&meta.namespace, &meta.generate_name, n));
            let mut candidates = candidates.map(|name| ServiceKey::new(&meta.namespace, &name));
            let is_free = |key: &ServiceKey| !self.objects.contains_key(key) && !self.given.contains(key);
            let key = candidates.find(is_free).expect("numbers do not end");
            meta.name = key.name.to_string();
            self.given.insert(key);
        }
        write
    }

    /// Does a write and remembers it: its own view changes only when the write comes back. Whether it was done.
    fn write(&mut self, write: Write, api: &mut Api<'_>) -> bool {
        if let (Op::Delete, Kind::EndpointSlice(slice)) = (write.op, &write.object) {
            self.tracker.expect_deletion(slice);
            api(write);
            return true;
        }
        let stored = api(write);
        let stored = stored.as_deref().and_then(|object| object.get::<EndpointSlice>());
        stored.inspect(|slice| self.tracker.wrote(slice)).is_some()
    }
}

/// The Service that a slice's label names.
fn service_of(slice: &EndpointSlice) -> Option<ServiceKey> {
    let name = slice.meta.labels.get(words::SERVICE_NAME).filter(|name| !name.is_empty())?;
    Some(ServiceKey::new(&slice.meta.namespace, name))
}
