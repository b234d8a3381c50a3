//! The time of the change that a write follows: the annotation `last-change-trigger-time`.
//!
//! Source: `endpointslice/util` trigger time tracker (2026-07).

use std::collections::BTreeMap;

use super::pods::ready_condition;
use super::timestamp::Timestamp;
use super::{ServiceKey, words};
use crate::object::{Meta, Pod, Service};

/// What was seen of each Service at its last sync.
#[derive(Clone, Debug, Default)]
pub struct TriggerTimes {
    seen: BTreeMap<ServiceKey, Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    service: Option<Timestamp>,
    pods: BTreeMap<Box<str>, Timestamp>,
}

impl TriggerTimes {
    /// The time to write, at a sync of this Service with all the Pods that its selector matches, listed or not: the
    /// Service's creation at its first sync, later the earliest change that is new. `None`: no new change.
    pub fn observe(&mut self, service: &Service, pods: &[&Pod]) -> Option<Timestamp> {
        let created = time(service.meta.creation_timestamp.as_deref());
        let now: BTreeMap<Box<str>, Timestamp> = pods.iter().filter_map(|pod| changed_at(pod)).collect();
        let seen = Seen { service: created, pods: now };
        let Some(before) = self.seen.insert(ServiceKey::of(&service.meta), seen.clone()) else {
            return created;
        };
        let advanced = |name: &str, at: Timestamp| before.pods.get(name).is_none_or(|old| at > *old);
        let of_pods = seen.pods.iter().map(|(name, at)| (name, *at));
        let of_pods = of_pods.filter(|(name, at)| advanced(name, *at)).map(|(_, at)| at);
        let of_service = created.filter(|_| created > before.service);
        of_pods.chain(of_service).min()
    }

    /// Forgets a Service.
    pub fn forget(&mut self, service: &ServiceKey) {
        self.seen.remove(service);
    }
}

/// Sets the annotation, or removes it.
pub(super) fn annotate(meta: &mut Meta, at: Option<Timestamp>) {
    match at {
        Some(at) => drop(meta.annotations.insert(words::TRIGGER_TIME.to_owned(), at.to_string())),
        None => drop(meta.annotations.remove(words::TRIGGER_TIME)),
    }
}

fn changed_at(pod: &Pod) -> Option<(Box<str>, Timestamp)> {
    let at = time(ready_condition(pod)?.last_transition_time.as_deref())?;
    Some((pod.meta.name.as_str().into(), at))
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(Timestamp::parse)
}
