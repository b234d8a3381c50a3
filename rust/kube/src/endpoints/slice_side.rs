//! The slice controller's own queue and memory.
//!
//! Source: `pkg/controller/endpointslice` of Kubernetes (2026-07).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::controller::{Api, Synced};
use super::slices::{Inputs, Outcome, Problem, SliceSettings, Topology, is_node_ready, reconcile};
use super::tracker::Tracker;
use super::trigger::TriggerTimes;
use super::view::View;
use super::{Op, ServiceKey, Write, words};
use crate::object::{EndpointSlice, Kind, Node, Object};

pub(super) struct SliceSide {
    pub(super) queue: BTreeSet<ServiceKey>,
    pub(super) failed: BTreeSet<ServiceKey>,
    settings: SliceSettings,
    /// Slices by namespace and their own name.
    objects: BTreeMap<ServiceKey, Arc<Object>>,
    /// Names of the slices that this controller manages, by Service.
    by_service: BTreeMap<ServiceKey, BTreeSet<Box<str>>>,
    /// Names given to new slices that it does not see yet.
    given: BTreeSet<ServiceKey>,
    tracker: Tracker,
    trigger_times: TriggerTimes,
    topology: Topology,
    nodes_changed: bool,
}

impl SliceSide {
    pub(super) fn new(settings: SliceSettings) -> SliceSide {
        SliceSide {
            queue: BTreeSet::new(),
            failed: BTreeSet::new(),
            settings,
            objects: BTreeMap::new(),
            by_service: BTreeMap::new(),
            given: BTreeSet::new(),
            tracker: Tracker::default(),
            trigger_times: TriggerTimes::default(),
            topology: Topology::default(),
            nodes_changed: false,
        }
    }

    /// A change of a slice queues its Service if somebody else made it.
    pub(super) fn see(
        &mut self,
        key: &ServiceKey,
        before: Option<&Arc<Object>>,
        after: Option<&Arc<Object>>,
    ) {
        let old = self.objects.remove(key).or_else(|| before.cloned());
        let old = old.as_deref().and_then(|object| object.get::<EndpointSlice>());
        let new = after.and_then(|object| object.get::<EndpointSlice>());
        self.list(key, old, new);
        let concerned = self.concerned(old, new);
        self.queue.extend(concerned);
        self.given.remove(key);
        if let Some(after) = after {
            self.objects.insert(key.clone(), Arc::clone(after));
        }
    }

    fn list(&mut self, key: &ServiceKey, old: Option<&EndpointSlice>, new: Option<&EndpointSlice>) {
        if let Some(service) = old.filter(|slice| is_managed(slice)).and_then(service_of)
            && let Some(names) = self.by_service.get_mut(&service)
        {
            names.remove(&key.name);
            if names.is_empty() {
                self.by_service.remove(&service);
            }
        }
        if let Some(service) = new.filter(|slice| is_managed(slice)).and_then(service_of) {
            self.by_service.entry(service).or_default().insert(key.name.clone());
        }
    }

    fn concerned(&mut self, old: Option<&EndpointSlice>, new: Option<&EndpointSlice>) -> Vec<ServiceKey> {
        let services: Vec<Option<ServiceKey>> = match (old, new) {
            (Some(old), None) if is_managed(old) && self.tracker.lost(old) => vec![service_of(old)],
            (Some(old), Some(new)) if service_of(old) != service_of(new) => {
                vec![service_of(new), service_of(old)]
            }
            (Some(old), Some(new)) if is_managed(old) != is_managed(new) => vec![service_of(new)],
            (_, Some(new)) if is_managed(new) && self.tracker.is_news(new) => vec![service_of(new)],
            _ => Vec::new(),
        };
        services.into_iter().flatten().collect()
    }

    /// Whether this change of a Node bears on shares of CPU. A change of its CPU alone goes unnoticed.
    pub(super) fn recounts(old: &Object, new: &Object) -> bool {
        let facts = |object: &Object| {
            let zone = object.meta().labels.get(words::ZONE).cloned().unwrap_or_default();
            (object.get::<Node>().is_some_and(is_node_ready), zone)
        };
        facts(old) != facts(new)
    }

    pub(super) fn count_nodes_later(&mut self) {
        self.nodes_changed = true;
    }

    /// Counts the Nodes, if they have changed, and queues the Services that are overloaded now.
    pub(super) fn count_nodes(&mut self, view: &View) {
        if std::mem::take(&mut self.nodes_changed) {
            self.queue.extend(self.topology.count_nodes(view.nodes()));
        }
    }

    /// Forgets what it has to do and what it waits for.
    pub(super) fn forget_work(&mut self) {
        self.queue.clear();
        self.failed.clear();
        self.given.clear();
        self.tracker = Tracker::default();
    }

    /// Takes the managed slices that are there for its own.
    pub(super) fn adopt(&mut self) {
        let slices = self.objects.values().filter_map(|object| object.get::<EndpointSlice>());
        for slice in slices.filter(|slice| is_managed(slice)) {
            self.tracker.wrote(slice);
        }
    }

    pub(super) fn sync(&mut self, view: &View, key: ServiceKey, api: &mut Api<'_>) -> Synced {
        let Outcome { writes, events, problems } = self.decide(view, &key);
        let mut synced = Synced { service: key, writes: Vec::new(), events, problems };
        for write in writes {
            let write = self.named(write);
            synced.writes.push((write.op, write.object.key()));
            if !self.write(write, api) {
                synced.problems.push(Problem::Refused);
                break;
            }
        }
        if !synced.problems.is_empty() {
            self.failed.insert(synced.service.clone());
        }
        synced
    }

    fn decide(&mut self, view: &View, key: &ServiceKey) -> Outcome {
        let Some(service) = view.service(key) else {
            self.trigger_times.forget(key);
            self.tracker.forget(key);
            return Outcome::default();
        };
        if service.spec.type_ == "ExternalName" || service.spec.selector.is_none() {
            return Outcome::default();
        }
        let names = self.by_service.get(key).into_iter().flatten();
        let objects = names.filter_map(|name| self.objects.get(&ServiceKey::new(&key.namespace, name)));
        let slices: Vec<&EndpointSlice> = objects
            .filter_map(|object| object.get::<EndpointSlice>())
            .filter(|slice| !slice.meta.is_terminating())
            .collect();
        if self.tracker.is_stale(service, &slices) {
            return Outcome { problems: vec![Problem::Stale], ..Outcome::default() };
        }
        let pods = view.pods_of(key);
        let inputs = Inputs {
            service,
            pods: &pods,
            slices: &slices,
            nodes: view,
            trigger_time: self.trigger_times.observe(service, &pods),
            settings: &self.settings,
        };
        reconcile(&inputs, &mut self.topology)
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

    /// Remembers what was written: its own view changes only when the write comes back. Whether it was done.
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

fn is_managed(slice: &EndpointSlice) -> bool {
    slice.meta.labels.get(words::MANAGED_BY).is_some_and(|by| by == words::SLICE_CONTROLLER)
}

fn service_of(slice: &EndpointSlice) -> Option<ServiceKey> {
    let name = slice.meta.labels.get(words::SERVICE_NAME).filter(|name| !name.is_empty())?;
    Some(ServiceKey::new(&slice.meta.namespace, name))
}
