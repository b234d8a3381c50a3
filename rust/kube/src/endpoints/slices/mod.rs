//! The `EndpointSlice` controller: what one sync of one Service writes.
//!
//! [`reconcile`] is a function of the Service, its Pods, the Nodes and the slices that exist; only [`Topology`] is carried
//! from sync to sync. It follows the published reconciler step by step.
//!
//! Source: k8s.io/endpointslice `reconciler.go` (2026-07).

mod hints;
mod metadata;
mod pack;
mod quantity;
mod topology;
mod wanted;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use kdp_packet::{Family, parse_ip_lenient};

use super::timestamp::Timestamp;
use super::trigger::annotate;
use super::{Op, ServiceKey, Write};
use crate::object::{EndpointSlice, Node, Service};
use crate::object::{Kind as ObjectKind, Pod};
use hints::Distribution;
use metadata::Kind;
use pack::Plan;
use wanted::{Wanted, wanted};

pub(super) use metadata::has_no_cluster_ip;
pub use topology::Topology;
pub(super) use topology::is_node_ready;
pub(super) use wanted::{PortKey, port_key};

/// The controller's flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceSettings {
    /// `--max-endpoints-per-slice`.
    pub endpoints_per_slice_max: usize,
    /// The gate `PreferSameTrafficDistribution`: `PreferSameZone` and `PreferSameNode` have a meaning.
    pub prefer_same_traffic_distribution: bool,
    /// `--endpointslice-updates-batch-period`: how long changes of Pods wait for more.
    pub batch_period: Duration,
}

impl Default for SliceSettings {
    /// As a cluster has it since 1.34.
    fn default() -> SliceSettings {
        SliceSettings {
            endpoints_per_slice_max: 100,
            prefer_same_traffic_distribution: true,
            batch_period: Duration::ZERO,
        }
    }
}

/// Where Nodes are looked up.
pub trait Nodes {
    /// The Node of this name.
    fn node(&self, name: &str) -> Option<&Node>;
}

impl Nodes for BTreeMap<String, Node> {
    fn node(&self, name: &str) -> Option<&Node> {
        self.get(name)
    }
}

/// What a sync of one Service looks at.
pub struct Inputs<'a> {
    /// The Service: with a selector, and not of type `ExternalName`.
    pub service: &'a Service,
    /// The Pods of its namespace that the selector matches, in an order that stays the same.
    pub pods: &'a [&'a Pod],
    /// The slices of its name that this controller manages, without those being deleted.
    pub slices: &'a [&'a EndpointSlice],
    /// The Nodes.
    pub nodes: &'a dyn Nodes,
    /// The time for the trigger annotation; `None` removes it.
    pub trigger_time: Option<Timestamp>,
    /// The flags.
    pub settings: &'a SliceSettings,
}

/// What a sync did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Writes to the API, in order.
    pub writes: Vec<Write>,
    /// Events recorded on the Service.
    pub events: Vec<Event>,
    /// Why the sync failed and is tried again; the writes are done nevertheless.
    pub problems: Vec<Problem>,
}

/// A reason for a sync to end in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A Pod is on a Node that is not there, or on none; it was left out.
    NodeMissing {
        /// The Pod.
        pod: String,
        /// The Node it names.
        node: String,
    },
    /// The controller does not yet see what it wrote itself.
    Stale,
    /// The API refused a write: it was decided on an old view.
    Refused,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// For information.
    Normal,
    /// Something is not as it was asked for.
    Warning,
}

/// An event recorded on a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How grave it is.
    pub type_: EventType,
    /// One word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl Event {
    fn hints(type_: EventType, reason: &'static str, message: &str, address_type: &str) -> Event {
        Event { type_, reason, message: format!("{message}, addressType: {address_type}") }
    }
}

impl fmt::Display for Event {
    /// `Type/Reason: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}: {}", self.type_, self.reason, self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NodeMissing { pod, node } => write!(f, "skipping Pod {pod}: Node {node:?} not found"),
            Problem::Stale => f.write_str("the controller's view of EndpointSlices is out of date"),
            Problem::Refused => f.write_str("the API refused a write"),
        }
    }
}

/// Makes the slices of a Service what they should be.
pub fn reconcile(inputs: &Inputs<'_>, topology: &mut Topology) -> Outcome {
    let mut outcome = Outcome::default();
    let families = families(inputs.service);
    let key = ServiceKey::of(&inputs.service.meta);
    let supported = |slice: &EndpointSlice| families.iter().any(|f| f.as_str() == slice.address_type);
    let (existing, unsupported): (Vec<&EndpointSlice>, Vec<&EndpointSlice>) =
        inputs.slices.iter().copied().partition(|slice| supported(slice));
    for slice in &unsupported {
        topology.forget(&key, &slice.address_type);
    }
    for family in families {
        let of_type = existing.iter().filter(|slice| slice.address_type == family.as_str()).copied();
        reconcile_family(inputs, family, &of_type.collect::<Vec<_>>(), topology, &mut outcome);
    }
    outcome.writes.extend(unsupported.into_iter().map(delete));
    outcome
}

/// The address types of a Service's slices; without `ipFamilies` by its cluster address, and both if it has none.
fn families(service: &Service) -> Vec<Family> {
    let both = [Family::V4, Family::V6];
    let named = |f: &Family| service.spec.ip_families.iter().any(|name| name == f.as_str());
    let named: Vec<Family> = both.into_iter().filter(named).collect();
    if !named.is_empty() {
        return named;
    }
    match service.spec.cluster_ip.as_str() {
        "" | "None" => both.to_vec(),
        ip => vec![parse_ip_lenient(ip).map_or(Family::V4, Family::of)],
    }
}

fn reconcile_family<'a>(
    inputs: &Inputs<'a>,
    family: Family,
    existing: &[&'a EndpointSlice],
    topology: &mut Topology,
    outcome: &mut Outcome,
) {
    let kind = Kind { service: inputs.service, address_type: family.as_str() };
    let Wanted { groups, mut problems } = wanted(inputs.service, inputs.pods, inputs.nodes, family);
    let mut plan = plan_groups(inputs, &kind, existing, &groups);
    place_holder(&kind, existing.len(), &mut plan);
    outcome.events.extend(hint(inputs, &kind, topology, &mut plan));
    outcome.writes.extend(finish(inputs, plan));
    outcome.problems.append(&mut problems);
}

fn plan_groups<'a>(
    inputs: &Inputs<'_>,
    kind: &Kind<'_>,
    existing: &[&'a EndpointSlice],
    groups: &BTreeMap<PortKey, wanted::Group>,
) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut by_ports: BTreeMap<PortKey, Vec<&'a EndpointSlice>> = BTreeMap::new();
    for slice in existing {
        if metadata::is_owned(kind.service, slice) {
            by_ports.entry(port_key(&slice.ports)).or_default().push(slice);
        } else {
            plan.delete.push(slice);
        }
    }
    for (ports, group) in groups {
        let existing = by_ports.remove(ports).unwrap_or_default();
        pack::pack(kind, &existing, group, inputs.settings.endpoints_per_slice_max, &mut plan);
    }
    plan.delete.extend(by_ports.into_values().flatten());
    plan
}

/// A Service without any endpoints has one empty slice.
fn place_holder(kind: &Kind<'_>, existing: usize, plan: &mut Plan<'_>) {
    if existing != plan.delete.len() || !plan.create.is_empty() {
        return;
    }
    let placeholder = metadata::new_slice(kind, Vec::new());
    match plan.delete.as_slice() {
        [only] if metadata::is_same_placeholder(only, &placeholder) => {
            plan.unchanged.append(&mut plan.delete);
        }
        _ => plan.create.push(placeholder),
    }
}

fn hint(inputs: &Inputs<'_>, kind: &Kind<'_>, topology: &mut Topology, plan: &mut Plan<'_>) -> Option<Event> {
    let key = ServiceKey::of(&inputs.service.meta);
    if topology::is_asked(inputs.service) {
        return topology.apply(&key, kind.address_type, plan);
    }
    let event = topology.switch_off(&key, kind.address_type);
    let asked = inputs.service.spec.traffic_distribution.as_deref();
    Distribution::of(asked, inputs.settings.prefer_same_traffic_distribution).apply(plan);
    event
}

/// Turns creates into updates of slices that would go, and puts the writes in order.
fn finish(inputs: &Inputs<'_>, mut plan: Plan<'_>) -> Vec<Write> {
    let mut deletes = Vec::new();
    for slice in std::mem::take(&mut plan.delete) {
        if metadata::is_owned(inputs.service, slice)
            && let Some(mut new) = plan.create.pop()
        {
            take_name(&mut new, slice);
            plan.update.push(new);
        } else {
            deletes.push(slice);
        }
    }
    // The owner is going: what it owns goes with it, so nothing new is made.
    if inputs.service.meta.is_terminating() {
        plan.create.clear();
    }
    let stamped = |op: Op| {
        move |mut slice: EndpointSlice| {
            annotate(&mut slice.meta, inputs.trigger_time);
            Write { op, object: ObjectKind::from(slice) }
        }
    };
    let creates = plan.create.into_iter().map(stamped(Op::Create));
    let updates = plan.update.into_iter().map(stamped(Op::Update));
    creates.chain(updates).chain(deletes.into_iter().map(delete)).collect()
}

/// The name is all that a slice takes over; what the store keeps of an object is kept.
fn take_name(new: &mut EndpointSlice, old: &EndpointSlice) {
    new.meta.name.clone_from(&old.meta.name);
    new.meta.uid.clone_from(&old.meta.uid);
    new.meta.creation_timestamp.clone_from(&old.meta.creation_timestamp);
    new.meta.resource_version.clone_from(&old.meta.resource_version);
    new.meta.generation = old.meta.generation;
}

fn delete(slice: &EndpointSlice) -> Write {
    Write { op: Op::Delete, object: ObjectKind::from(slice.clone()) }
}
