//! Which service ports there are, and which Services changed since the last sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::service::ServicePorts;
use crate::names::ServiceName;

/// The service port map with its pending changes.
///
/// A change is a pair of what was before the first event since the last sync, and what is now; a pair that becomes equal is
/// no change any more. What does not end up in the ports (labels, selector, target port) is none from the start.
/// Source: kube-proxy, `ServiceChangeTracker` (pkg/proxy/servicechangetracker.go).
#[derive(Clone, Debug, Default)]
pub(crate) struct Services {
    current: BTreeMap<ServiceName, Arc<ServicePorts>>,
    pending: BTreeMap<ServiceName, Arc<ServicePorts>>,
}

impl Services {
    /// Takes an event: the Service's ports are now `ports` (none: it is gone, or not served).
    pub(crate) fn apply(&mut self, name: ServiceName, ports: ServicePorts) {
        let same = match self.current.get(&name) {
            Some(before) => **before == ports,
            None => ports.is_empty(),
        };
        if same {
            self.pending.remove(&name);
        } else {
            self.pending.insert(name, Arc::new(ports));
        }
    }

    /// Whether a sync would find something.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The Services with pending changes.
    pub(crate) fn pending_names(&self) -> Vec<ServiceName> {
        self.pending.keys().cloned().collect()
    }

    /// Brings the map up to date.
    pub(crate) fn drain(&mut self) {
        for (name, ports) in std::mem::take(&mut self.pending) {
            if ports.is_empty() {
                self.current.remove(&name);
            } else {
                self.current.insert(name, ports);
            }
        }
    }

    /// The ports of a Service, as of the last drain.
    pub(crate) fn get(&self, name: &ServiceName) -> Option<&Arc<ServicePorts>> {
        self.current.get(name)
    }

    /// All, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ServiceName, &Arc<ServicePorts>)> {
        self.current.iter()
    }
}
