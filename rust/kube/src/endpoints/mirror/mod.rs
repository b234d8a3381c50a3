//! The mirroring controller: slices of Endpoints that somebody else writes.
//!
//! [`reconcile`] is a function of the Endpoints and the slices that mirror them. It follows the published reconciler step
//! by step; what that takes from maps in random order comes in the order of address types and ports here.
//!
//! Source: `pkg/controller/endpointslicemirroring` `reconciler.go` of Kubernetes (1.33).

mod desired;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use super::pods::same_reference;
use super::slices::{Event, EventType, Outcome};
use super::{Op, Write, words};
use crate::object::{Endpoint, EndpointSlice, Endpoints, Kind, Meta, OwnerReference};
use desired::{Desired, GroupKey, group_key, identity};

/// The controller's flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorSettings {
    /// `--mirroring-max-endpoints-per-subset`.
    pub endpoints_per_subset_max: usize,
    /// `--mirroring-endpointslice-updates-batch-period`: how long changes of slices by others wait.
    pub batch_period: Duration,
}

impl Default for MirrorSettings {
    /// The flags' own defaults.
    fn default() -> MirrorSettings {
        MirrorSettings { endpoints_per_subset_max: 1_000, batch_period: Duration::ZERO }
    }
}

/// What becomes of the slices.
#[derive(Default)]
struct Plan<'a> {
    create: Vec<EndpointSlice>,
    update: Vec<EndpointSlice>,
    delete: Vec<&'a EndpointSlice>,
}

/// Whether Endpoints ask to be left alone: by a label, or because they are a lock of others.
pub fn is_mirrored(endpoints: &Endpoints) -> bool {
    let skip = endpoints.meta.labels.get(words::SKIP_MIRROR).is_some_and(|value| value == "true");
    !skip && !endpoints.meta.annotations.contains_key(words::LEADER_ELECTION)
}

/// Makes the slices what the Endpoints say. The Service has no selector; [`is_mirrored`] holds.
/// Events are recorded on the Endpoints.
pub fn reconcile(endpoints: &Endpoints, slices: &[&EndpointSlice], settings: &MirrorSettings) -> Outcome {
    let desired = Desired::of(endpoints, settings.endpoints_per_subset_max);
    let mut existing: BTreeMap<GroupKey, Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in slices {
        existing.entry(group_key(&slice.address_type, &slice.ports)).or_default().push(slice);
    }
    let mut plan = Plan::default();
    for (key, group) in &desired.groups {
        let slices = existing.remove(key).unwrap_or_default();
        mirror(endpoints, key, group, &slices, settings.endpoints_per_subset_max, &mut plan);
    }
    plan.delete.extend(existing.into_values().flatten());
    let events = events(&desired, settings.endpoints_per_subset_max);
    Outcome { writes: finish(endpoints, plan), events, problems: Vec::new() }
}

/// One slice for a group, or none for an empty one.
fn mirror<'a>(
    endpoints: &Endpoints,
    key: &GroupKey,
    group: &desired::Group,
    slices: &[&'a EndpointSlice],
    max: usize,
    plan: &mut Plan<'a>,
) {
    if group.endpoints.is_empty() {
        plan.delete.extend(slices);
        return;
    }
    let first = slices.first();
    plan.delete.extend(slices.iter().skip(1));
    if first.is_some_and(|slice| is_current(endpoints, group, slice)) {
        return;
    }
    let mut new = new_slice(endpoints, key, group);
    new.endpoints = group.endpoints.values().take(max).cloned().collect();
    match first {
        None => plan.create.push(new),
        Some(old) => {
            take_name(&mut new, old);
            plan.update.push(new);
        }
    }
}

/// Whether a slice has exactly the endpoints, the labels and the annotations, and belongs to these very Endpoints.
fn is_current(endpoints: &Endpoints, group: &desired::Group, slice: &EndpointSlice) -> bool {
    let same = |old: &Endpoint| {
        group.endpoints.get(&identity(old)).is_some_and(|new| same_beyond_identity(new, old))
    };
    let labels = slice.meta.labels.iter();
    let labels = labels.filter(|(key, _)| !matches!(key.as_str(), words::MANAGED_BY | words::SERVICE_NAME));
    slice.endpoints.len() == group.endpoints.len()
        && slice.endpoints.iter().all(same)
        && labels.eq(&endpoints.meta.labels)
        && annotations(endpoints).eq(&slice.meta.annotations)
        && slice.meta.owner_references.iter().any(|owner| owner.uid == endpoints.meta.uid)
}

fn same_beyond_identity(a: &Endpoint, b: &Endpoint) -> bool {
    (&a.node_name, &a.zone, &a.conditions) == (&b.node_name, &b.zone, &b.conditions)
        && same_reference(a.target_ref.as_ref(), b.target_ref.as_ref())
}

fn annotations(endpoints: &Endpoints) -> impl Iterator<Item = (&String, &String)> {
    let copied = |key: &str| !matches!(key, words::TRIGGER_TIME | words::LAST_APPLIED);
    endpoints.meta.annotations.iter().filter(move |(key, _)| copied(key))
}

fn new_slice(endpoints: &Endpoints, key: &GroupKey, group: &desired::Group) -> EndpointSlice {
    let from = &endpoints.meta;
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Endpoints".to_owned(),
        name: from.name.clone(),
        uid: from.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let mut labels = from.labels.clone();
    labels.insert(words::SERVICE_NAME.to_owned(), from.name.clone());
    labels.insert(words::MANAGED_BY.to_owned(), words::MIRRORING_CONTROLLER.to_owned());
    let meta = Meta {
        generate_name: words::slice_prefix(&from.name),
        namespace: from.namespace.clone(),
        labels,
        annotations: annotations(endpoints).map(|(key, value)| (key.clone(), value.clone())).collect(),
        owner_references: vec![owner],
        ..Meta::default()
    };
    let (address_type, ports) = (key.0.as_str().to_owned(), group.ports.clone());
    EndpointSlice { meta, address_type, endpoints: Vec::new(), ports }
}

/// The name is all that a slice takes over; what the store keeps of an object is kept.
fn take_name(new: &mut EndpointSlice, old: &EndpointSlice) {
    new.meta.name.clone_from(&old.meta.name);
    new.meta.uid.clone_from(&old.meta.uid);
    new.meta.creation_timestamp.clone_from(&old.meta.creation_timestamp);
}

/// Turns creates into updates of slices of the same type that would go, and puts the writes in order.
///
/// DEVIATION(mirror-recycles-own-family): a slice that would go is used for a new one of its own address type.
fn finish(endpoints: &Endpoints, mut plan: Plan<'_>) -> Vec<Write> {
    let mut deletes = Vec::new();
    for old in std::mem::take(&mut plan.delete) {
        let at = plan.create.iter().position(|new| new.address_type == old.address_type);
        if let Some(at) = at {
            let mut new = plan.create.remove(at);
            take_name(&mut new, old);
            plan.update.push(new);
        } else {
            deletes.push(old);
        }
    }
    // The owner is going: what it owns goes with it, so nothing new is made.
    if endpoints.meta.is_terminating() {
        plan.create.clear();
    }
    let write = |op: Op| move |slice: EndpointSlice| Write { op, object: Kind::from(slice) };
    let creates = plan.create.into_iter().map(write(Op::Create));
    let updates = plan.update.into_iter().map(write(Op::Update));
    creates.chain(updates).chain(deletes.into_iter().cloned().map(write(Op::Delete))).collect()
}

fn events(desired: &Desired, max: usize) -> Vec<Event> {
    let warning = |reason, message| Event { type_: EventType::Warning, reason, message };
    let (invalid, skipped) = (desired.invalid, desired.skipped);
    let of_invalid = (invalid > 0).then(|| {
        let message = format!("Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices");
        warning("InvalidIPAddress", message)
    });
    let of_many = (skipped > invalid).then(|| {
        let limit =
            format!("A max of {max} addresses can be mirrored to EndpointSlices per Endpoints subset.");
        warning("TooManyAddressesToMirror", format!("{limit} {skipped} addresses were skipped"))
    });
    of_invalid.into_iter().chain(of_many).collect()
}
