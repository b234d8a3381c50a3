//! The controllers at work: changes in, writes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use kdp_sim::Time;

use super::legacy::LegacySettings;
use super::legacy_side::LegacySide;
use super::mirror::MirrorSettings;
use super::mirror_side::MirrorSide;
use super::queue::WorkQueue;
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
    /// The mirroring controller.
    pub mirroring: Option<MirrorSettings>,
}

impl Default for Settings {
    /// All of them, as in a kube-controller-manager.
    fn default() -> Settings {
        Settings {
            slices: Some(SliceSettings::default()),
            endpoints: Some(LegacySettings::default()),
            mirroring: Some(MirrorSettings::default()),
        }
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
    /// Why the sync failed. It is tried again after a while.
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
    mirroring: Option<MirrorSide>,
}

impl Controller {
    /// Controllers that have seen nothing.
    pub fn new(settings: Settings) -> Controller {
        let Settings { slices, endpoints, mirroring } = settings;
        Controller {
            view: View::default(),
            slices: slices.map(SliceSide::new),
            endpoints: endpoints.map(LegacySide::new),
            mirroring: mirroring.map(MirrorSide::new),
        }
    }

    /// Controllers that start now: they see every object, and have every Service to sync, and what earlier ones left.
    pub fn rebuild(settings: Settings, store: &Store) -> Controller {
        let mut controller = Controller::new(settings);
        for object in store.objects() {
            controller.see(Time::ZERO, None, Some(object));
        }
        if let Some(side) = &mut controller.endpoints {
            side.check_leftovers(&controller.view);
        }
        controller
    }

    /// Takes note of a change of any object, and queues the Services that it concerns.
    pub fn apply(&mut self, now: Time, change: &Change) {
        self.see(now, change.before.as_ref(), change.after.as_ref());
    }

    fn see(&mut self, now: Time, before: Option<&Arc<Object>>, after: Option<&Arc<Object>>) {
        let Some(object) = after.or(before) else { return };
        match &object.kind {
            Kind::Service(_) => self.see_service(&ServiceKey::of(object.meta()), before, after),
            Kind::Pod(_) => self.see_pod(now, object, after),
            Kind::Node(_) => self.see_node(&object.meta().name, after),
            Kind::EndpointSlice(_) => {
                let key = ServiceKey::of(object.meta());
                self.slices.iter_mut().for_each(|side| side.see(&key, before, after, now));
                self.mirroring.iter_mut().for_each(|side| side.see(&key, before, after, now));
            }
            Kind::Endpoints(_) => self.see_endpoints(&ServiceKey::of(object.meta()), before, after),
            _ => {}
        }
    }

    fn see_service(&mut self, key: &ServiceKey, before: Option<&Arc<Object>>, after: Option<&Arc<Object>>) {
        match after {
            Some(after) => self.view.put_service(Arc::clone(after)),
            None => self.view.delete_service(key),
        }
        self.slices.iter_mut().for_each(|side| side.queue.add(key.clone()));
        self.endpoints.iter_mut().for_each(|side| side.queue.add(key.clone()));
        if let Some(side) = &mut self.mirroring {
            side.service_changed(key, before.map(AsRef::as_ref), after.map(AsRef::as_ref));
        }
    }

    fn see_pod(&mut self, now: Time, object: &Object, after: Option<&Arc<Object>>) {
        let services = match after {
            Some(after) => self.view.put_pod(Arc::clone(after)),
            None => self.view.delete_pod(&ServiceKey::of(object.meta())),
        };
        for service in services {
            self.slices.iter_mut().for_each(|side| side.pod_changed(service.clone(), now));
            self.endpoints.iter_mut().for_each(|side| side.pod_changed(service.clone(), now));
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

    /// The Endpoints controller looks at deletes alone: updates by others wait for the next sync.
    fn see_endpoints(&mut self, key: &ServiceKey, before: Option<&Arc<Object>>, after: Option<&Arc<Object>>) {
        self.view.see_endpoints(key, after);
        if let Some(side) = &mut self.mirroring {
            side.endpoints_changed(key, before.map(AsRef::as_ref), after.map(AsRef::as_ref));
        }
        if after.is_none() {
            self.endpoints.iter_mut().for_each(|side| side.queue.add(key.clone()));
        }
    }

    fn queues(&self) -> impl Iterator<Item = &WorkQueue> {
        let slices = self.slices.iter().map(|side| &side.queue);
        let endpoints = self.endpoints.iter().map(|side| &side.queue);
        slices.chain(endpoints).chain(self.mirroring.iter().map(|side| &side.queue))
    }

    /// The Services that wait for a sync, by any controller, due or not.
    pub fn queued(&mut self) -> BTreeSet<ServiceKey> {
        if let Some(side) = &mut self.slices {
            side.count_nodes(&self.view);
        }
        self.queues().flat_map(WorkQueue::all).cloned().collect()
    }

    /// When the next sync is due; [`Time::ZERO`] for one that is due at once.
    pub fn next_at(&mut self) -> Option<Time> {
        if let Some(side) = &mut self.slices {
            side.count_nodes(&self.view);
        }
        self.queues().filter_map(WorkQueue::next_at).min()
    }

    /// Syncs every Service that is due once, in the order of their names: first their slices, then their Endpoints,
    /// then what is mirrored.
    pub fn drain(&mut self, now: Time, api: &mut Api<'_>) -> Vec<Synced> {
        let mut synced = Vec::new();
        let view = &self.view;
        if let Some(side) = &mut self.slices {
            side.count_nodes(view);
            synced.extend(side.queue.take(now).into_iter().map(|key| side.sync(view, key, now, api)));
        }
        if let Some(side) = &mut self.endpoints {
            synced.extend(side.queue.take(now).into_iter().map(|key| side.sync(view, key, now, api)));
        }
        if let Some(side) = &mut self.mirroring {
            synced.extend(side.queue.take(now).into_iter().map(|key| side.sync(view, key, now, api)));
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
        if let Some(side) = &mut self.mirroring {
            side.queue.retain(|key| !with_slices.contains(key));
        }
    }

    /// Makes everything due that waits.
    pub fn hurry(&mut self) {
        self.slices.iter_mut().for_each(|side| side.queue.hurry());
        self.endpoints.iter_mut().for_each(|side| side.queue.hurry());
        self.mirroring.iter_mut().for_each(|side| side.queue.hurry());
    }

    /// As if these controllers had run before: everything was synced, and the managed slices are their `own` writes.
    pub(super) fn pose_as_running(&mut self, own: bool, synced: bool) {
        if synced {
            self.drain(Time::ZERO, &mut |_| None);
        }
        self.queued();
        if let Some(side) = &mut self.slices {
            side.forget_work();
        }
        if let Some(side) = &mut self.endpoints {
            side.queue.clear();
        }
        if let Some(side) = &mut self.mirroring {
            side.queue.clear();
            side.list.forget_writes();
        }
        if own {
            self.adopt_slices();
        }
    }

    fn adopt_slices(&mut self) {
        self.slices.iter_mut().for_each(|side| side.list.adopt());
        self.mirroring.iter_mut().for_each(|side| side.list.adopt());
    }
}
