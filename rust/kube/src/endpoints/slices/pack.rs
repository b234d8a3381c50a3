//! How endpoints are put into slices with as few writes as the rules allow.
//!
//! Source: k8s.io/endpointslice `reconciler.go` `reconcileByPortMapping` (2026-07). The real controller picks endpoints
//! and equally full slices in random order; here the order is that of the Pods and slices it is given.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::metadata::{Kind, labels_of, new_slice, same_labels};
use super::wanted::Group;
use crate::endpoints::pods::same_reference;
use crate::object::{Endpoint, EndpointSlice};

/// What becomes of the slices of one address type.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) create: Vec<EndpointSlice>,
    pub(super) update: Vec<EndpointSlice>,
    pub(super) delete: Vec<&'a EndpointSlice>,
    pub(super) unchanged: Vec<&'a EndpointSlice>,
}

/// Endpoints are the same by addresses, hostname and Pod name; uid, Node and conditions do not count.
type Identity<'a> = (Vec<&'a str>, Option<&'a str>, &'a str, &'a str);

/// Endpoints that have no place yet, in order.
struct Homeless<'a> {
    endpoints: &'a [Endpoint],
    by_identity: HashMap<Identity<'a>, usize, FixedState>,
    placed: Vec<bool>,
    left: usize,
    next: usize,
}

/// What is left of a slice without the endpoints that are no longer wanted.
enum Kept {
    Nothing,
    Changed(Box<EndpointSlice>),
    Same,
}

/// Packs one group into the Service's slices that have its ports, and into new ones, none with more than `max` endpoints.
pub(super) fn pack<'a>(
    kind: &Kind<'_>,
    existing: &[&'a EndpointSlice],
    group: &Group,
    max: usize,
    plan: &mut Plan<'a>,
) {
    let mut homeless = Homeless::new(&group.endpoints);
    let (mut update, mut unchanged) = (Vec::new(), Vec::new());
    for slice in existing {
        match keep(kind, slice, &mut homeless) {
            Kept::Nothing => plan.delete.push(slice),
            Kept::Changed(changed) => update.push(*changed),
            Kept::Same => unchanged.push(*slice),
        }
    }
    update.sort_by_key(|slice| std::cmp::Reverse(slice.endpoints.len()));
    for slice in &mut update {
        homeless.fill(slice, max);
    }
    while homeless.left > 0 {
        if let Some(fits) = best_fit(&unchanged, homeless.left, max) {
            let mut slice = unchanged.remove(fits).clone();
            homeless.fill(&mut slice, max);
            update.push(slice);
        } else {
            let mut slice = new_slice(kind, group.ports.clone());
            homeless.fill(&mut slice, max);
            plan.create.push(slice);
        }
    }
    plan.update.append(&mut update);
    plan.unchanged.append(&mut unchanged);
}

fn keep(kind: &Kind<'_>, slice: &EndpointSlice, homeless: &mut Homeless<'_>) -> Kept {
    let mut changed = false;
    let mut endpoints = Vec::with_capacity(slice.endpoints.len());
    for old in &slice.endpoints {
        if let Some(fresh) = homeless.take(old) {
            changed |= !same_beyond_identity(fresh, old);
            endpoints.push(fresh.clone());
        }
    }
    changed |= endpoints.len() != slice.endpoints.len();
    let same_labels = same_labels(kind.service, slice);
    match (changed, endpoints.is_empty()) {
        (true, true) => Kept::Nothing,
        (false, _) if same_labels => Kept::Same,
        (false, _) => Kept::Changed(Box::new(relabelled(kind, slice, slice.endpoints.clone()))),
        // The fresh endpoints have no hints yet.
        (true, false) => Kept::Changed(Box::new(relabelled(kind, slice, endpoints))),
    }
}

fn relabelled(kind: &Kind<'_>, slice: &EndpointSlice, endpoints: Vec<Endpoint>) -> EndpointSlice {
    let mut meta = slice.meta.clone();
    meta.labels = labels_of(kind.service);
    let (address_type, ports) = (slice.address_type.clone(), slice.ports.clone());
    EndpointSlice { meta, address_type, endpoints, ports }
}

/// The slice that would be fullest with all of the rest, if the rest is less than a slice and one has room for all of it.
fn best_fit(slices: &[&EndpointSlice], rest: usize, max: usize) -> Option<usize> {
    if rest >= max {
        return None;
    }
    let room = |slice: &EndpointSlice| max.checked_sub(slice.endpoints.len() + rest);
    let fitting = slices.iter().enumerate().filter_map(|(i, slice)| Some((room(slice)?, i)));
    fitting.min().map(|(_, i)| i)
}

fn same_beyond_identity(a: &Endpoint, b: &Endpoint) -> bool {
    (&a.node_name, &a.zone, &a.conditions) == (&b.node_name, &b.zone, &b.conditions)
        && same_reference(a.target_ref.as_ref(), b.target_ref.as_ref())
}

fn identity(endpoint: &Endpoint) -> Identity<'_> {
    let mut addresses: Vec<_> = endpoint.addresses.iter().map(String::as_str).collect();
    addresses.sort_unstable();
    let (namespace, name) = endpoint.target_ref.as_ref().map_or(("", ""), |r| (&r.namespace, &r.name));
    (addresses, endpoint.hostname.as_deref(), namespace, name)
}

impl<'a> Homeless<'a> {
    fn new(endpoints: &'a [Endpoint]) -> Homeless<'a> {
        let by_identity: HashMap<_, _, _> =
            endpoints.iter().enumerate().map(|(i, e)| (identity(e), i)).collect();
        Homeless {
            endpoints,
            placed: vec![false; endpoints.len()],
            left: by_identity.len(),
            by_identity,
            next: 0,
        }
    }

    /// The wanted version of an endpoint, if it is wanted and has no place yet.
    fn take(&mut self, like: &Endpoint) -> Option<&'a Endpoint> {
        let at = *self.by_identity.get(&identity(like))?;
        if std::mem::replace(&mut self.placed[at], true) {
            return None;
        }
        self.left -= 1;
        Some(&self.endpoints[at])
    }

    fn fill(&mut self, slice: &mut EndpointSlice, max: usize) {
        while slice.endpoints.len() < max && self.left > 0 {
            let like = &self.endpoints[self.next];
            self.next += 1;
            slice.endpoints.extend(self.take(like).cloned());
        }
    }
}
