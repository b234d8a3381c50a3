//! What the proxies of a cluster see of its Services and EndpointSlices.
//!
//! One view serves every node: it knows nothing of any of them. A node keeps a [`Cursor`] into it and asks what changed.

mod service;
mod services;
mod slice;
mod slices;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_kube::object::{EndpointSlice, Service};
use kdp_packet::Family;

pub use service::{ServicePort, ServicePorts, service_ports};
pub use slice::{Backend, Endpoint, SliceFacts, slice_facts};
pub use slices::{EndpointsMap, PortEndpoints};

use crate::error::Result;
use crate::metrics::ChangeCounts;
use crate::names::{PortName, ServiceName};
use crate::profile::Profile;
use services::Services;
use slices::Slices;

/// The Services and endpoints of a cluster as proxies of one release see them, both families.
///
/// `apply` takes an event, `drain` makes the events of one batch visible and tells which Services they changed.
#[derive(Clone, Debug)]
pub struct View {
    profile: Profile,
    families: [FamilyView; 2],
    slice_owners: BTreeMap<(Arc<str>, Arc<str>), ServiceName>,
    changes_seen: ChangeCounts,
}

/// One family's part of a [`View`].
#[derive(Clone, Debug, Default)]
pub struct FamilyView {
    services: Services,
    slices: Slices,
    endpoints_known: usize,
    version: u64,
    changes: BTreeMap<u64, ServiceName>,
    changed_at: BTreeMap<ServiceName, ChangedAt>,
}

/// The versions in which a Service changed last, and in which its slices did.
#[derive(Clone, Copy, Debug, Default)]
struct ChangedAt {
    any: u64,
    slices: u64,
}

/// How far somebody has read a [`FamilyView`]; the default has read nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(u64);

/// What a drain made of its events: names of changed Services, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// In IPv4.
    pub v4: Vec<ServiceName>,
    /// In IPv6.
    pub v6: Vec<ServiceName>,
}

impl View {
    /// An empty one for proxies of a release.
    pub fn new(profile: Profile) -> View {
        View {
            profile,
            families: Default::default(),
            slice_owners: BTreeMap::new(),
            changes_seen: ChangeCounts::default(),
        }
    }

    /// The view of these objects, read at once: what a restarted proxy sees.
    pub fn rebuild<'a>(
        profile: Profile,
        services: impl IntoIterator<Item = &'a Service>,
        slices: impl IntoIterator<Item = &'a EndpointSlice>,
    ) -> Result<View> {
        let mut view = View::new(profile);
        services.into_iter().try_for_each(|service| view.apply_service(service))?;
        slices.into_iter().try_for_each(|slice| view.apply_slice(slice))?;
        view.drain();
        Ok(view)
    }

    /// The release whose rules decide what counts.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// One family's part.
    pub fn family(&self, family: Family) -> &FamilyView {
        &self.families[family as usize]
    }

    /// Takes an added or changed Service. On an error nothing is taken.
    pub fn apply_service(&mut self, service: &Service) -> Result<()> {
        // Each family's tracker counts it.
        self.changes_seen.services += self.families.len();
        let name = ServiceName::new(service.meta.namespace.as_str(), service.meta.name.as_str());
        let v4 = service_ports(service, Family::V4, &self.profile)?;
        let v6 = service_ports(service, Family::V6, &self.profile)?;
        self.families[0].services.apply(name.clone(), v4);
        self.families[1].services.apply(name, v6);
        Ok(())
    }

    /// Takes the deletion of a Service.
    pub fn delete_service(&mut self, namespace: &str, name: &str) {
        self.changes_seen.services += self.families.len();
        let name = ServiceName::new(namespace, name);
        for view in &mut self.families {
            view.services.apply(name.clone(), ServicePorts::new());
        }
    }

    /// Takes an added or changed EndpointSlice. On an error nothing is taken.
    ///
    /// DEVIATION(proxy-slice-relabelled): a slice whose service-name label changes leaves its old Service here; kube-proxy
    /// keeps the old copy too.
    pub fn apply_slice(&mut self, slice: &EndpointSlice) -> Result<()> {
        let meta = &slice.meta;
        let owner = meta.labels.get("kubernetes.io/service-name").filter(|name| !name.is_empty());
        let watched = service::slice_is_watched(&meta.labels, self.profile.watch);
        let Some(owner) = owner.filter(|_| watched) else {
            self.delete_slice(&meta.namespace, &meta.name);
            return Ok(());
        };
        let v4 = slice_facts(slice, Family::V4, &self.profile)?;
        let v6 = slice_facts(slice, Family::V6, &self.profile)?;
        let owner = ServiceName::new(meta.namespace.as_str(), owner.as_str());
        let key = (Arc::from(meta.namespace.as_str()), Arc::from(meta.name.as_str()));
        if self.slice_owners.get(&key).is_some_and(|before| *before != owner) {
            self.delete_slice(&meta.namespace, &meta.name);
        }
        self.changes_seen.slices += 1;
        self.slice_owners.insert(key, owner.clone());
        self.families[0].slices.apply(&owner, &meta.name, v4);
        self.families[1].slices.apply(&owner, &meta.name, v6);
        Ok(())
    }

    /// Takes the deletion of an EndpointSlice; of an unknown one, nothing happens.
    pub fn delete_slice(&mut self, namespace: &str, name: &str) {
        if let Some(owner) = self.slice_owners.remove(&(namespace.into(), name.into())) {
            self.changes_seen.slices += 1;
            for view in &mut self.families {
                view.slices.apply(&owner, name, None);
            }
        }
    }

    /// Events of Services, once for each family's tracker, and of slices that some Service has.
    pub fn changes_seen(&self) -> ChangeCounts {
        self.changes_seen
    }

    /// Whether a drain would find something, in a family.
    pub fn has_pending(&self, family: Family) -> bool {
        let view = self.family(family);
        view.services.has_pending() || view.slices.has_pending()
    }

    /// Makes what was applied visible; the names of the Services that changed.
    pub fn drain(&mut self) -> Changed {
        let [v4, v6] = &mut self.families;
        Changed { v4: v4.drain(), v6: v6.drain() }
    }
}

impl FamilyView {
    fn drain(&mut self) -> Vec<ServiceName> {
        let mut pending = self.services.pending_names();
        let with_slices = self.slices.pending_names();
        pending.extend(with_slices.iter().cloned());
        pending.sort();
        pending.dedup();
        for name in &pending {
            self.endpoints_known -= self.known_of(name);
        }
        self.services.drain();
        self.slices.drain();
        for name in &pending {
            self.endpoints_known += self.known_of(name);
            self.log(name, with_slices.binary_search(name).is_ok());
        }
        pending
    }

    /// Endpoints of a Service's known ports, usable or not, copies counted once.
    fn known_of(&self, name: &ServiceName) -> usize {
        let Some(ports) = self.services.get(name) else { return 0 };
        let Some(endpoints) = self.slices.get(name) else { return 0 };
        ports.keys().filter_map(|port| endpoints.get(port)).map(|own| own.distinct).sum()
    }

    fn log(&mut self, name: &ServiceName, slices: bool) {
        self.version += 1;
        let at = match self.changed_at.get_mut(name) {
            Some(at) => at,
            None => self.changed_at.entry(name.clone()).or_default(),
        };
        self.changes.remove(&at.any);
        at.any = self.version;
        if slices {
            at.slices = self.version;
        }
        self.changes.insert(self.version, name.clone());
    }

    /// The ports of a Service.
    pub fn service(&self, name: &ServiceName) -> Option<&Arc<ServicePorts>> {
        self.services.get(name)
    }

    /// Every Service with its ports, by namespace and name.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceName, &Arc<ServicePorts>)> {
        self.services.iter()
    }

    /// The endpoints of a service port; `None` if it has none.
    pub fn endpoints(&self, name: &ServiceName, port: &PortName) -> Option<&PortEndpoints> {
        self.slices.get(name)?.get(port)
    }

    /// The endpoints of a Service by port.
    pub fn endpoints_of(&self, name: &ServiceName) -> Option<&Arc<EndpointsMap>> {
        self.slices.get(name)
    }

    /// Endpoints over all known service ports, usable or not: what decides on large-cluster mode.
    pub fn endpoints_known(&self) -> usize {
        self.endpoints_known
    }

    /// Where a reader stands who has read everything.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.version)
    }

    /// Whether slices of a Service changed since `cursor`.
    pub fn endpoints_changed_since(&self, cursor: Cursor, name: &ServiceName) -> bool {
        self.changed_at.get(name).is_some_and(|at| at.slices > cursor.0)
    }

    /// Services that changed since `cursor`, each once. The cost follows their number.
    pub fn changed_since(&self, cursor: Cursor) -> impl Iterator<Item = &ServiceName> {
        self.changes.range(cursor.0 + 1..).map(|(_, name)| name)
    }
}
