//! The Endpoints controller's own queue and memory.
//!
//! Source: `pkg/controller/endpoint` of Kubernetes, 1.32 to 1.34.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::controller::{Api, Synced};
use super::legacy::{LegacySettings, reconcile};
use super::slices::Problem;
use super::trigger::TriggerTimes;
use super::view::View;
use super::{Op, ServiceKey, Write, words};
use crate::object::{Endpoints, Object};

pub(super) struct LegacySide {
    pub(super) queue: BTreeSet<ServiceKey>,
    pub(super) failed: BTreeSet<ServiceKey>,
    settings: LegacySettings,
    objects: BTreeMap<ServiceKey, Arc<Object>>,
    trigger_times: TriggerTimes,
}

impl LegacySide {
    pub(super) fn new(settings: LegacySettings) -> LegacySide {
        LegacySide {
            queue: BTreeSet::new(),
            failed: BTreeSet::new(),
            settings,
            objects: BTreeMap::new(),
            trigger_times: TriggerTimes::default(),
        }
    }

    /// A delete queues the Service. Updates by others wait for the next sync.
    pub(super) fn see(&mut self, key: &ServiceKey, after: Option<&Arc<Object>>) {
        if let Some(after) = after {
            self.objects.insert(key.clone(), Arc::clone(after));
        } else {
            self.objects.remove(key);
            self.queue.insert(key.clone());
        }
    }

    /// Queues the Services of all objects that are there, locks of others aside: what belongs to none will be deleted.
    pub(super) fn check_leftovers(&mut self) {
        let is_lock = |object: &Object| object.meta().annotations.contains_key(words::LEADER_ELECTION);
        let objects = self.objects.iter().filter(|(_, object)| !is_lock(object));
        self.queue.extend(objects.map(|(key, _)| key.clone()));
    }

    /// Forgets what it has to do.
    pub(super) fn forget_work(&mut self) {
        self.queue.clear();
        self.failed.clear();
    }

    pub(super) fn sync(&mut self, view: &View, key: ServiceKey, api: &mut Api<'_>) -> Synced {
        let mut synced =
            Synced { service: key, writes: Vec::new(), events: Vec::new(), problems: Vec::new() };
        if let Some(write) = self.decide(view, &synced.service) {
            let op = write.op;
            synced.writes.push((op, write.object.key()));
            if api(write).is_none() && op != Op::Delete {
                synced.problems.push(Problem::Refused);
                self.failed.insert(synced.service.clone());
            }
        }
        synced
    }

    fn decide(&mut self, view: &View, key: &ServiceKey) -> Option<Write> {
        let existing = self.objects.get(key).and_then(|object| object.get::<Endpoints>());
        let Some(service) = view.service(key) else {
            self.trigger_times.forget(key);
            return existing.map(|gone| Write { op: Op::Delete, object: gone.clone().into() });
        };
        if service.spec.type_ == "ExternalName" || service.spec.selector.is_none() {
            return None;
        }
        let pods = view.pods_of(key);
        let trigger_time = self.trigger_times.observe(service, &pods);
        reconcile(service, &pods, existing, trigger_time, &self.settings)
    }
}
