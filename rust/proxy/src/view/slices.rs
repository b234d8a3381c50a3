//! Which endpoints there are, and which Services' slices changed since the last sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::slice::{Endpoint, SliceFacts};
use crate::names::{PortName, ServiceName};

/// The endpoints of a Service by port. A port without endpoints has no key.
pub type EndpointsMap = BTreeMap<PortName, PortEndpoints>;

/// The endpoints of one service port, ordered by text; copies of one endpoint stand side by side, in order of slice names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortEndpoints {
    /// Every copy.
    pub endpoints: Vec<Endpoint>,
    /// How many they are without copies.
    pub distinct: usize,
}

/// The slices of every Service, applied and pending, and the endpoints that they come to.
///
/// A slice event is a change if it differs from the pending slice, else from the applied one. A new but empty slice is a
/// change; the removal of an unknown one is not.
/// Source: kube-proxy, `EndpointSliceCache` (pkg/proxy/endpointslicecache.go).
#[derive(Clone, Debug, Default)]
pub(crate) struct Slices {
    services: BTreeMap<ServiceName, ServiceSlices>,
    pending: BTreeMap<ServiceName, BTreeMap<Arc<str>, Option<Arc<SliceFacts>>>>,
}

#[derive(Clone, Debug, Default)]
struct ServiceSlices {
    applied: BTreeMap<Arc<str>, Arc<SliceFacts>>,
    endpoints: Arc<EndpointsMap>,
}

impl Slices {
    /// Takes an event: the slice is now `facts` (`None`: it is gone). Whether that was a change.
    pub(crate) fn apply(&mut self, service: &ServiceName, slice: &str, facts: Option<SliceFacts>) -> bool {
        let pending = self.pending.get(service).and_then(|slices| slices.get(slice));
        let applied = self.services.get(service).and_then(|slices| slices.applied.get(slice));
        let known = match pending {
            Some(pending) => pending.as_deref(),
            None => applied.map(|facts| &**facts),
        };
        if known == facts.as_ref() {
            return false;
        }
        self.pending.entry(service.clone()).or_default().insert(slice.into(), facts.map(Arc::new));
        true
    }

    /// Whether a sync would find something.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The Services with pending slices, whether or not their endpoints will differ.
    pub(crate) fn pending_names(&self) -> Vec<ServiceName> {
        self.pending.keys().cloned().collect()
    }

    /// Brings the map up to date.
    pub(crate) fn drain(&mut self) {
        for (name, slices) in std::mem::take(&mut self.pending) {
            let own = self.services.entry(name.clone()).or_default();
            for (slice, facts) in slices {
                match facts {
                    Some(facts) => own.applied.insert(slice, facts),
                    None => own.applied.remove(&slice),
                };
            }
            own.endpoints = Arc::new(merge(own.applied.values()));
            if own.applied.is_empty() {
                self.services.remove(&name);
            }
        }
    }

    /// The endpoints of a Service, as of the last drain.
    pub(crate) fn get(&self, name: &ServiceName) -> Option<&Arc<EndpointsMap>> {
        self.services.get(name).map(|slices| &slices.endpoints)
    }
}

/// The endpoints that slices come to. The port of a slice and that of a Service are joined by name and protocol alone.
fn merge<'a>(slices: impl Iterator<Item = &'a Arc<SliceFacts>>) -> EndpointsMap {
    let mut map = EndpointsMap::new();
    for slice in slices {
        for (port, number) in &slice.ports {
            if !slice.endpoints.is_empty() {
                let own = map.entry(port.clone()).or_default();
                own.endpoints.extend(slice.endpoints.iter().map(|backend| Endpoint::new(backend, *number)));
            }
        }
    }
    for own in map.values_mut() {
        own.endpoints.sort_by(|a, b| a.text.cmp(&b.text));
        own.distinct = own.endpoints.chunk_by(|a, b| a.text == b.text).count();
    }
    map
}
