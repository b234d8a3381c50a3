//! The Endpoints controller's own queue and memory.
//!
//! Source: `pkg/controller/endpoint` of Kubernetes, 1.32 to 1.34.

use kdp_sim::Time;

use super::controller::{Api, Synced};
use super::legacy::{LegacySettings, reconcile};
use super::queue::{LEGACY_RETRIES, WorkQueue};
use super::slices::Problem;
use super::trigger::TriggerTimes;
use super::view::View;
use super::{Op, ServiceKey, Write};

pub(super) struct LegacySide {
    pub(super) queue: WorkQueue,
    settings: LegacySettings,
    trigger_times: TriggerTimes,
}

impl LegacySide {
    pub(super) fn new(settings: LegacySettings) -> LegacySide {
        LegacySide { queue: WorkQueue::new(LEGACY_RETRIES), settings, trigger_times: TriggerTimes::default() }
    }

    /// A change of a Pod concerns a Service.
    pub(super) fn pod_changed(&mut self, key: ServiceKey, now: Time) {
        self.queue.add_after(key, now, self.settings.batch_period);
    }

    /// Queues the Services of all objects that are there, locks of others aside: what belongs to none will be deleted.
    pub(super) fn check_leftovers(&mut self, view: &View) {
        view.endpoints_unlocked().for_each(|key| self.queue.add(key.clone()));
    }

    pub(super) fn sync(&mut self, view: &View, key: ServiceKey, now: Time, api: &mut Api<'_>) -> Synced {
        let mut synced =
            Synced { service: key, writes: Vec::new(), events: Vec::new(), problems: Vec::new() };
        if let Some(write) = self.decide(view, &synced.service) {
            let op = write.op;
            synced.writes.push((op, write.object.key()));
            if api(write).is_none() && op != Op::Delete {
                synced.problems.push(Problem::Refused);
            }
        }
        self.queue.done(&synced.service, synced.problems.is_empty(), now);
        synced
    }

    fn decide(&mut self, view: &View, key: &ServiceKey) -> Option<Write> {
        let existing = view.endpoints(key);
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
