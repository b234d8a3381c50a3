//! Both controllers at work: changes in, writes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::legacy::LegacySettings;
use super::legacy_side::LegacySide;
use super::slice_side::SliceSide;
use super::slices::{Event, Problem, SliceSettings};
use super::view::View;
use super::{Op, ServiceKey, Write};
use crate::object::{Kind, Object, ObjectKey};
use crate::store::{Change, Store};

/// Which controllers run, and with which flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The `EndpointSlice` controller.
    pub slices: Option<SliceSettings>,
    /// The Endpoints controller.
    pub endpoints: Option<LegacySettings>,
}

impl Default for Settings {
    /// Both, as in a kube-controller-manager.
    fn default() -> Settings {
        Settings { slices: Some(SliceSettings::default()), endpoints: Some(LegacySettings::default()) }
    }
}

/// One sync of one Service by one of the controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The Service, which may be gone.
    pub service: ServiceKey,
    /// What was written, in order.
    pub writes: Vec<(Op, ObjectKey)>,
    /// Events recorded on the Service.
    pub events: Vec<Event>,
    /// Why the sync failed. [`Controller::retry`] queues the Service again.
    pub problems: Vec<Problem>,
}

/// The API as a controller writes to it: does the write, and returns the object as it is stored then; `None` for a delete
/// and for a write that is refused. [`perform`](super::perform) is one over a store.
pub type Api<'a> = dyn FnMut(Write) -> Option<Arc<Object>> + 'a;

/// The endpoint controllers, with what they have seen and what they have to do.
///
/// Their own writes come back to them through [`Controller::apply`], as all changes do; what they wrote and do not see
/// yet, they wait for.
pub struct Controller {
    view: View,
    slices: Option<SliceSide>,
    endpoints: Option<LegacySide>,
}

impl Controller {
    /// Controllers that have seen nothing.
    pub fn new(settings: Settings) -> Controller {
        let Settings { slices, endpoints } = settings;
        Controller {
            view: View::default(),
            slices: slices.map(SliceSide::new),
            endpoints: endpoints.map(LegacySide::new),
        }
    }

    /// Controllers that start now: they see every object, and have every Service to sync, and what earlier ones left.
    pub fn rebuild(settings: Settings, store: &Store) -> Controller {
        let mut controller = Controller::new(settings);
        for object in store.objects() {
            controller.see(None, Some(object));
        }
        controller.endpoints.iter_mut().for_each(LegacySide::check_leftovers);
        controller
    }

    /// Takes note of a change of any object, and queues the Services that it concerns.
    pub fn apply(&mut self, change: &Change) {
        self.see(change.before.as_ref(), change.after.as_ref());
    }

    fn see(&mut self, before: Option<&Arc<Object>>, after: Option<&Arc<Object>>) {
        let Some(object) = after.or(before) else { return };
        let key = ServiceKey::of(object.meta());
        match (&object.kind, after) {
            (Kind::Service(_), Some(after)) => {
                self.view.put_service(Arc::clone(after));
                self.queue(&[key]);
            }
            (Kind::Service(_), None) => {
                self.view.delete_service(&key);
                self.queue(&[key]);
            }
            (Kind::Pod(_), Some(after)) => {
                let services = self.view.put_pod(Arc::clone(after));
                self.queue(services.iter());
            }
            (Kind::Pod(_), None) => {
                let services = self.view.delete_pod(&key);
                self.queue(services.iter());
            }
            (Kind::Node(_), after) => self.see_node(&key.name, after),
            (Kind::EndpointSlice(_), after) => {
                self.slices.iter_mut().for_each(|side| side.see(&key, before, after));
            }
            (Kind::Endpoints(_), after) => {
                self.endpoints.iter_mut().for_each(|side| side.see(&key, after));
            }
            _ => {}
        }
    }

    fn see_node(&mut self, name: &str, after: Option<&Arc<Object>>) {
        let counts = match after {
            None => self.view.delete_node(name),
            Some(after) => {
                let old = self.view.put_node(Arc::clone(after));
                old.is_none_or(|old| SliceSide::recounts(&old, after))
            }
        };
        if counts && let Some(side) = &mut self.slices {
            side.count_nodes_later();
        }
    }

    fn queue<'k>(&mut self, services: impl IntoIterator<Item = &'k ServiceKey> + Clone) {
        if let Some(side) = &mut self.slices {
            side.queue.extend(services.clone().into_iter().cloned());
        }
        if let Some(side) = &mut self.endpoints {
            side.queue.extend(services.into_iter().cloned());
        }
    }

    /// The Services that wait for a sync, by either controller.
    pub fn queued(&mut self) -> BTreeSet<ServiceKey> {
        let mut queued = BTreeSet::new();
        if let Some(side) = &mut self.slices {
            side.count_nodes(&self.view);
            queued.extend(side.queue.iter().cloned());
        }
        queued.extend(self.endpoints.iter().flat_map(|side| &side.queue).cloned());
        queued
    }

    /// Syncs every queued Service once, in the order of their names: first their slices, then their Endpoints.
    pub fn drain(&mut self, api: &mut Api<'_>) -> Vec<Synced> {
        let mut synced = Vec::new();
        if let Some(side) = &mut self.slices {
            side.count_nodes(&self.view);
            let queue = std::mem::take(&mut side.queue);
            synced.extend(queue.into_iter().map(|key| side.sync(&self.view, key, api)));
        }
        if let Some(side) = &mut self.endpoints {
            let queue = std::mem::take(&mut side.queue);
            synced.extend(queue.into_iter().map(|key| side.sync(&self.view, key, api)));
        }
        synced
    }

    /// Takes Services as synced whose slices or Endpoints an earlier controller left: a dump shows a cluster at work, and its
    /// Pods may not be part of it. The next change of one of them queues it again.
    pub fn settle(&mut self, with_slices: &BTreeSet<ServiceKey>, with_endpoints: &BTreeSet<ServiceKey>) {
        self.adopt_slices();
        if let Some(side) = &mut self.slices {
            side.queue.retain(|key| !with_slices.contains(key));
        }
        if let Some(side) = &mut self.endpoints {
            side.queue.retain(|key| !with_endpoints.contains(key));
        }
    }

    /// Queues the Services whose last sync failed.
    pub fn retry(&mut self) {
        if let Some(side) = &mut self.slices {
            side.queue.append(&mut side.failed);
        }
        if let Some(side) = &mut self.endpoints {
            side.queue.append(&mut side.failed);
        }
    }

    /// As if these controllers had run before: everything was synced, and the managed slices are their `own` writes.
    pub(super) fn pose_as_running(&mut self, own: bool, synced: bool) {
        if synced {
            self.drain(&mut |_| None);
        }
        self.queued();
        if let Some(side) = &mut self.slices {
            side.forget_work();
        }
        if let Some(side) = &mut self.endpoints {
            side.forget_work();
        }
        if own {
            self.adopt_slices();
        }
    }

    fn adopt_slices(&mut self) {
        self.slices.iter_mut().for_each(SliceSide::adopt);
    }
}
