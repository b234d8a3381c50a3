//! What the controllers see of Services, Pods and Nodes, and which Services a change concerns.
//!
//! Source: `endpointslice/util` `GetServicesToUpdateOnPodChange` (2026-07); its scan of all Services is an index here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::pods::compare;
use super::slices::Nodes;
use super::{ServiceKey, words};
use crate::labels::{LabelIndex, PodId, Selector, SelectorId};
use crate::object::{Endpoints, Meta, Node, Object, Pod, Service};

#[derive(Default)]
pub(super) struct View {
    services: BTreeMap<ServiceKey, Seen>,
    by_selector: HashMap<SelectorId, BTreeSet<ServiceKey>, FixedState>,
    endpoints: BTreeMap<ServiceKey, Arc<Object>>,
    nodes: BTreeMap<Box<str>, Arc<Object>>,
    pod_ids: HashMap<ServiceKey, PodId, FixedState>,
    pods: Vec<Option<Arc<Object>>>,
    index: LabelIndex,
}

struct Seen {
    object: Arc<Object>,
    selector: Option<SelectorId>,
}

impl View {
    pub(super) fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.services.get(key)?.object.get()
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter_map(|object| object.get())
    }

    /// The Pods of a Service's namespace that its selector matches, by name.
    pub(super) fn pods_of(&self, key: &ServiceKey) -> Vec<&Pod> {
        let Some(selector) = self.services.get(key).and_then(|seen| seen.selector) else { return Vec::new() };
        let ids = self.index.pods_of(selector).into_iter();
        let mut pods: Vec<&Pod> = ids.filter_map(|id| self.pod(id)).collect();
        pods.sort_unstable_by(|a, b| a.meta.name.cmp(&b.meta.name));
        pods
    }

    pub(super) fn put_service(&mut self, object: Arc<Object>) {
        let service = object.get::<Service>().expect("the caller looked at the kind");
        let key = ServiceKey::of(&service.meta);
        let selector = Selector::from_map(service.spec.selector.as_ref())
            .map(|selector| self.index.add_selector(&key.namespace, &selector));
        if let Some(selector) = selector {
            self.by_selector.entry(selector).or_default().insert(key.clone());
        }
        if let Some(old) = self.services.insert(key.clone(), Seen { object, selector }) {
            self.drop_selector(&key, old.selector, selector);
        }
    }

    pub(super) fn delete_service(&mut self, key: &ServiceKey) {
        if let Some(old) = self.services.remove(key) {
            self.drop_selector(key, old.selector, None);
        }
    }

    fn drop_selector(&mut self, key: &ServiceKey, old: Option<SelectorId>, new: Option<SelectorId>) {
        let Some(old) = old else { return };
        if Some(old) != new
            && let Some(services) = self.by_selector.get_mut(&old)
        {
            services.remove(key);
            if services.is_empty() {
                self.by_selector.remove(&old);
            }
        }
        self.index.remove_selector(old);
        self.index.drain();
    }

    /// The Services that the change concerns.
    pub(super) fn put_pod(&mut self, object: Arc<Object>) -> BTreeSet<ServiceKey> {
        let pod = object.get::<Pod>().expect("the caller looked at the kind");
        let key = ServiceKey::of(&pod.meta);
        let Some(id) = self.pod_ids.get(&key).copied() else { return self.add_pod(key, object) };
        let old = self.pods[id.0 as usize].clone().expect("a numbered Pod is there");
        let change = compare(old.get().expect("Pods are kept as Pods"), pod);
        let before = self.services_of(id);
        self.index.relabel(id, labels(&pod.meta));
        self.index.drain();
        let is_resync =
            !pod.meta.resource_version.is_empty() && pod.meta.resource_version == old.meta().resource_version;
        self.pods[id.0 as usize] = Some(object);
        let after = self.services_of(id);
        match (change.endpoints && !is_resync, change.membership && !is_resync) {
            (false, false) => BTreeSet::new(),
            (true, false) => after,
            (false, true) => before.symmetric_difference(&after).cloned().collect(),
            (true, true) => before.union(&after).cloned().collect(),
        }
    }

    fn add_pod(&mut self, key: ServiceKey, object: Arc<Object>) -> BTreeSet<ServiceKey> {
        let id = self.index.add_pod(&key.namespace, labels(object.meta()));
        self.index.drain();
        self.pod_ids.insert(key, id);
        let place = id.0 as usize;
        if self.pods.len() <= place {
            self.pods.resize(place + 1, None);
        }
        self.pods[place] = Some(object);
        self.services_of(id)
    }

    /// The Services that the Pod belonged to.
    pub(super) fn delete_pod(&mut self, key: &ServiceKey) -> BTreeSet<ServiceKey> {
        let Some(id) = self.pod_ids.remove(key) else { return BTreeSet::new() };
        let services = self.services_of(id);
        self.index.remove_pod(id);
        self.index.drain();
        self.pods[id.0 as usize] = None;
        services
    }

    /// Endpoints come, change or go.
    pub(super) fn see_endpoints(&mut self, key: &ServiceKey, after: Option<&Arc<Object>>) {
        match after {
            Some(after) => drop(self.endpoints.insert(key.clone(), Arc::clone(after))),
            None => drop(self.endpoints.remove(key)),
        }
    }

    pub(super) fn endpoints(&self, key: &ServiceKey) -> Option<&Endpoints> {
        self.endpoints.get(key)?.get()
    }

    /// The Endpoints that are no lock of others.
    pub(super) fn endpoints_unlocked(&self) -> impl Iterator<Item = &ServiceKey> {
        let is_lock = |object: &Object| object.meta().annotations.contains_key(words::LEADER_ELECTION);
        self.endpoints.iter().filter(move |(_, object)| !is_lock(object)).map(|(key, _)| key)
    }

    /// What was there before.
    pub(super) fn put_node(&mut self, object: Arc<Object>) -> Option<Arc<Object>> {
        self.nodes.insert(object.meta().name.as_str().into(), object)
    }

    /// Whether it was there.
    pub(super) fn delete_node(&mut self, name: &str) -> bool {
        self.nodes.remove(name).is_some()
    }

    fn pod(&self, id: PodId) -> Option<&Pod> {
        self.pods[id.0 as usize].as_ref()?.get()
    }

    fn services_of(&self, pod: PodId) -> BTreeSet<ServiceKey> {
        let selectors = self.index.selectors_of(pod).iter();
        selectors.filter_map(|selector| self.by_selector.get(selector)).flatten().cloned().collect()
    }
}

impl Nodes for View {
    fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)?.get()
    }
}

fn labels(meta: &Meta) -> impl Iterator<Item = (&str, &str)> + Clone {
    meta.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}
