//! The slice controller's own queue and memory.
//!
//! Source: `pkg/controller/endpointslice` of Kubernetes (2026-07).

use std::sync::Arc;

use kdp_sim::Time;

use super::controller::{Api, Synced};
use super::queue::{SLICE_CHANGE_DELAY, SLICE_RETRIES, WorkQueue};
use super::slice_list::SliceList;
use super::slices::{Inputs, Outcome, Problem, SliceSettings, Topology, is_node_ready, reconcile};
use super::trigger::TriggerTimes;
use super::view::View;
use super::{ServiceKey, words};
use crate::object::{EndpointSlice, Node, Object};

pub(super) struct SliceSide {
    pub(super) queue: WorkQueue,
    settings: SliceSettings,
    pub(super) list: SliceList,
    trigger_times: TriggerTimes,
    topology: Topology,
    nodes_changed: bool,
}

impl SliceSide {
    pub(super) fn new(settings: SliceSettings) -> SliceSide {
        SliceSide {
            queue: WorkQueue::new(SLICE_RETRIES),
            settings,
            list: SliceList::new(words::SLICE_CONTROLLER),
            trigger_times: TriggerTimes::default(),
            topology: Topology::default(),
            nodes_changed: false,
        }
    }

    /// A change of a Pod concerns a Service.
    pub(super) fn pod_changed(&mut self, key: ServiceKey, now: Time) {
        self.queue.add_after(key, now, self.settings.batch_period);
    }

    /// A change of a slice queues its Service if somebody else made it.
    pub(super) fn see(
        &mut self,
        key: &ServiceKey,
        before: Option<&Arc<Object>>,
        after: Option<&Arc<Object>>,
        now: Time,
    ) {
        let delay = self.settings.batch_period.max(SLICE_CHANGE_DELAY);
        for service in self.list.see(key, before, after) {
            self.queue.add_after(service, now, delay);
        }
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
            let overloaded = self.topology.count_nodes(view.nodes());
            for service in overloaded {
                self.queue.add(service);
            }
        }
    }

    /// Forgets what it has to do and what it waits for.
    pub(super) fn forget_work(&mut self) {
        self.queue.clear();
        self.list.forget_writes();
    }

    pub(super) fn sync(&mut self, view: &View, key: ServiceKey, now: Time, api: &mut Api<'_>) -> Synced {
        let Outcome { writes, events, problems } = self.decide(view, &key);
        let mut synced = Synced { service: key, writes: Vec::new(), events, problems };
        self.list.write_all(writes, &mut synced, api);
        self.queue.done(&synced.service, synced.problems.is_empty(), now);
        synced
    }

    fn decide(&mut self, view: &View, key: &ServiceKey) -> Outcome {
        let Some(service) = view.service(key) else {
            self.trigger_times.forget(key);
            self.list.tracker.forget(key);
            return Outcome::default();
        };
        if service.spec.type_ == "ExternalName" || service.spec.selector.is_none() {
            return Outcome::default();
        }
        let objects = self.list.of(key);
        let slices = objects.iter().filter_map(|object| object.get::<EndpointSlice>());
        let slices: Vec<_> = slices.filter(|slice| !slice.meta.is_terminating()).collect();
        if self.list.tracker.is_stale(service, &slices) {
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
}
