//! The mirroring controller's own queue and memory.
//!
//! Source: `pkg/controller/endpointslicemirroring` of Kubernetes (1.33).

use std::sync::Arc;

use kdp_sim::Time;

use super::controller::{Api, Synced};
use super::mirror::{MirrorSettings, is_mirrored, reconcile};
use super::queue::{MIRROR_RETRIES, WorkQueue};
use super::slice_list::SliceList;
use super::slices::{Outcome, Problem};
use super::view::View;
use super::{Op, ServiceKey, Write, words};
use crate::object::{EndpointSlice, Endpoints, Kind, Object, Service};

pub(super) struct MirrorSide {
    pub(super) queue: WorkQueue,
    settings: MirrorSettings,
    pub(super) list: SliceList,
}

impl MirrorSide {
    pub(super) fn new(settings: MirrorSettings) -> MirrorSide {
        MirrorSide {
            queue: WorkQueue::new(MIRROR_RETRIES),
            settings,
            list: SliceList::new(words::MIRRORING_CONTROLLER),
        }
    }

    /// A Service without a selector comes or goes, or gets or loses one.
    pub(super) fn service_changed(
        &mut self,
        key: &ServiceKey,
        before: Option<&Object>,
        after: Option<&Object>,
    ) {
        let has_none = |object: &Object| object.get::<Service>().is_some_and(|s| s.spec.selector.is_none());
        let concerned = match (before, after) {
            (Some(before), Some(after)) => has_none(before) != has_none(after),
            (before, after) => before.or(after).is_some_and(has_none),
        };
        if concerned {
            self.queue.add(key.clone());
        }
    }

    /// Endpoints that are mirrored, or were, change.
    pub(super) fn endpoints_changed(
        &mut self,
        key: &ServiceKey,
        before: Option<&Object>,
        after: Option<&Object>,
    ) {
        let mirrored = |object: &Object| object.get::<Endpoints>().is_some_and(is_mirrored);
        if before.is_some_and(mirrored) || after.is_some_and(mirrored) {
            self.queue.add(key.clone());
        }
    }

    /// A change of a slice queues its Service if somebody else made it.
    pub(super) fn see(
        &mut self,
        key: &ServiceKey,
        before: Option<&Arc<Object>>,
        after: Option<&Arc<Object>>,
        now: Time,
    ) {
        for service in self.list.see(key, before, after) {
            self.queue.add_after(service, now, self.settings.batch_period);
        }
    }

    pub(super) fn sync(&mut self, view: &View, key: ServiceKey, now: Time, api: &mut Api<'_>) -> Synced {
        let Outcome { writes, events, problems } = self.decide(view, &key);
        let mut synced = Synced { service: key, writes: Vec::new(), events, problems };
        self.list.write_all(writes, &mut synced, api);
        self.queue.done(&synced.service, synced.problems.is_empty(), now);
        synced
    }

    fn decide(&mut self, view: &View, key: &ServiceKey) -> Outcome {
        let objects = self.list.of(key);
        let slices: Vec<&EndpointSlice> = objects.iter().filter_map(|object| object.get()).collect();
        let service = view.service(key).filter(|service| service.spec.selector.is_none());
        let endpoints = view.endpoints(key).filter(|endpoints| is_mirrored(endpoints));
        let (Some(service), Some(endpoints)) = (service, endpoints) else {
            self.list.tracker.forget(key);
            let delete = |slice: &EndpointSlice| Write { op: Op::Delete, object: Kind::from(slice.clone()) };
            return Outcome { writes: slices.into_iter().map(delete).collect(), ..Outcome::default() };
        };
        if self.list.tracker.is_stale(service, &slices) {
            return Outcome { problems: vec![Problem::Stale], ..Outcome::default() };
        }
        reconcile(endpoints, &slices, &self.settings)
    }
}
