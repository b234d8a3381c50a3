//! What the slice controller wrote itself, so that it notices when its view lags behind.
//!
//! Source: `endpointslice/util` slice tracker (2026-07).

use std::collections::BTreeMap;

use super::{ServiceKey, words};
use crate::object::{EndpointSlice, Service};

/// Generations of slices by Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracker {
    by_service: BTreeMap<ServiceKey, Tracked>,
}

#[derive(Clone, Debug, Default)]
struct Tracked {
    /// The Service's uid at its last sync: what was written for another is no longer waited for.
    service_uid: Option<String>,
    slices: BTreeMap<SliceId, Expected>,
}

/// By uid; the name stands in where a store gives none.
type SliceId = (String, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Generation(i64),
    Gone,
}

impl Tracker {
    /// The slice as the store has it after a write.
    pub(super) fn wrote(&mut self, slice: &EndpointSlice) {
        self.note(slice, Expected::Generation(slice.meta.generation));
    }

    pub(super) fn expect_deletion(&mut self, slice: &EndpointSlice) {
        self.note(slice, Expected::Gone);
    }

    fn note(&mut self, slice: &EndpointSlice, expected: Expected) {
        let tracked = self.by_service.entry(service_of(slice)).or_default();
        tracked.slices.insert(id_of(slice), expected);
    }

    pub(super) fn forget(&mut self, service: &ServiceKey) {
        self.by_service.remove(service);
    }

    /// Whether a slice that was seen is news: not known here, or of a later generation.
    pub(super) fn is_news(&self, slice: &EndpointSlice) -> bool {
        match self.expected(slice) {
            Some(Expected::Generation(known)) => slice.meta.generation > known,
            Some(Expected::Gone) | None => true,
        }
    }

    /// A slice is gone. Whether this controller had written it and did not expect that.
    pub(super) fn lost(&mut self, slice: &EndpointSlice) -> bool {
        let Some(tracked) = self.by_service.get_mut(&service_of(slice)) else { return false };
        matches!(tracked.slices.remove(&id_of(slice)), Some(Expected::Generation(_)))
    }

    /// Whether the slices that are seen are older than what was written.
    pub(super) fn is_stale(&mut self, service: &Service, seen: &[&EndpointSlice]) -> bool {
        let Some(tracked) = self.by_service.get_mut(&ServiceKey::of(&service.meta)) else { return false };
        let uid = &service.meta.uid;
        if tracked.service_uid.as_ref().is_some_and(|old| old != uid && !old.is_empty() && !uid.is_empty()) {
            tracked.slices.clear();
        }
        tracked.service_uid = Some(uid.clone());
        let late = |slice: &&EndpointSlice| match tracked.slices.get(&id_of(slice)) {
            Some(Expected::Gone) => true,
            Some(Expected::Generation(written)) => *written > slice.meta.generation,
            None => false,
        };
        let missing = |(id, expected): (&SliceId, &Expected)| {
            *expected != Expected::Gone && !seen.iter().any(|slice| id_of(slice) == *id)
        };
        seen.iter().any(late) || tracked.slices.iter().any(missing)
    }

    fn expected(&self, slice: &EndpointSlice) -> Option<Expected> {
        self.by_service.get(&service_of(slice))?.slices.get(&id_of(slice)).copied()
    }
}

fn service_of(slice: &EndpointSlice) -> ServiceKey {
    let name = slice.meta.labels.get(words::SERVICE_NAME).map_or("", String::as_str);
    ServiceKey::new(&slice.meta.namespace, name)
}

fn id_of(slice: &EndpointSlice) -> SliceId {
    (slice.meta.uid.clone(), slice.meta.name.clone())
}
