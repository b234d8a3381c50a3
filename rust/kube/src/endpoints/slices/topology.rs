//! Hints in proportion to the CPU of zones: `service.kubernetes.io/topology-mode: Auto`.
//!
//! Source: k8s.io/endpointslice `topologycache` (2026-07). Where the real one walks maps in random order (equal zones, who
//! receives first), here it is the order of zone names.

use std::collections::{BTreeMap, BTreeSet};

use super::hints::{Distribution, is_ready};
use super::pack::Plan;
use super::quantity::nanos;
use super::{Event, EventType};
use crate::endpoints::{ServiceKey, words};
use crate::object::{EndpointHints, EndpointSlice, HintName, Node, Service};

/// How much more than its share an endpoint may have to bear.
const OVERLOAD_MAX: f64 = 0.2;
const EXCLUDED_NODES: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

type Zones = BTreeMap<Box<str>, i64>;

/// What is known of zones, and how the endpoints of Services with hints are spread over them.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Share of the CPU by zone; `None` if it cannot be told.
    ratios: Option<BTreeMap<Box<str>, f64>>,
    hinted: BTreeMap<ServiceKey, BTreeMap<String, Zones>>,
    /// Services that had hints after their last sync.
    populated: BTreeSet<ServiceKey>,
}

#[derive(Clone, Copy)]
struct Share {
    maximum: i64,
    desired: f64,
}

impl Topology {
    /// Counts the Nodes anew, and names the Services whose hints now overload an endpoint.
    pub fn count_nodes<'n>(&mut self, nodes: impl Iterator<Item = &'n Node>) -> Vec<ServiceKey> {
        self.ratios = cpu_ratios(nodes);
        let overloaded = |zones: &Zones| self.is_overloaded(zones);
        let services = self.hinted.iter().filter(|(_, by_type)| by_type.values().any(overloaded));
        services.map(|(service, _)| service.clone()).collect()
    }

    /// Gives hints to the slices that are written, and marks those whose hints no longer do.
    pub(super) fn apply(
        &mut self,
        key: &ServiceKey,
        address_type: &str,
        plan: &mut Plan<'_>,
    ) -> Option<Event> {
        let outcome = self.spread(plan);
        match outcome {
            Err(message) => {
                self.forget(key, address_type);
                Distribution::Anywhere.apply(plan);
                Some(Event::hints(EventType::Warning, "TopologyAwareHintsDisabled", &message, address_type))
            }
            Ok(zones) => {
                self.hinted.entry(key.clone()).or_default().insert(address_type.to_owned(), zones);
                let first = self.populated.insert(key.clone());
                let message = "Topology Aware Hints has been enabled";
                first.then(|| {
                    Event::hints(EventType::Normal, "TopologyAwareHintsEnabled", message, address_type)
                })
            }
        }
    }

    /// The mode was switched off: an event, if there were hints.
    pub(super) fn switch_off(&mut self, key: &ServiceKey, address_type: &str) -> Option<Event> {
        let populated = self.populated.contains(key);
        self.forget(key, address_type);
        let message = "Topology Aware Hints has been disabled";
        populated
            .then(|| Event::hints(EventType::Warning, "TopologyAwareHintsDisabled", message, address_type))
    }

    pub(super) fn forget(&mut self, key: &ServiceKey, address_type: &str) {
        if let Some(by_type) = self.hinted.get_mut(key) {
            by_type.remove(address_type);
            if by_type.is_empty() {
                self.hinted.remove(key);
            }
        }
        self.populated.remove(key);
    }

    fn spread(&self, plan: &mut Plan<'_>) -> Result<Zones, String> {
        let slices = plan.create.iter().chain(&plan.update).chain(plan.unchanged.iter().copied());
        let ready = slices.flat_map(|slice| &slice.endpoints).filter(|e| is_ready(e)).count();
        let shares = self.shares(ready)?;
        let mut allocated = keep_valid(&shares, plan);
        own_zones(&mut allocated, plan)?;
        give(&shares, &mut allocated, plan);
        Ok(allocated)
    }

    fn shares(&self, ready: usize) -> Result<BTreeMap<&str, Share>, String> {
        let Some(ratios) = &self.ratios else {
            let message =
                "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
            return Err(message.to_owned());
        };
        let zones = ratios.len();
        if zones > ready {
            return Err(format!("Insufficient number of endpoints ({ready} endpoints, {zones} zones)"));
        }
        let count = i64::try_from(ready).expect("endpoints fit");
        let desired = |ratio: f64| ratio * as_float(count);
        let minimum = |ratio: f64| as_integer((desired(ratio) * (1.0 / (1.0 + OVERLOAD_MAX))).ceil());
        let spare = count - ratios.values().map(|ratio| minimum(*ratio)).sum::<i64>();
        if spare < 0 {
            let what = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold";
            return Err(format!("{what} ({ready} endpoints, {zones} zones)"));
        }
        let share = |ratio: f64| {
            let minimum = minimum(ratio);
            Share { maximum: minimum + spare, desired: desired(ratio).max(as_float(minimum)) }
        };
        Ok(ratios.iter().map(|(zone, ratio)| (&**zone, share(*ratio))).collect())
    }

    fn is_overloaded(&self, zones: &Zones) -> bool {
        if zones.is_empty() {
            return false;
        }
        let Some(ratios) = &self.ratios else { return true };
        let total = as_float(zones.values().sum());
        let minimum = |ratio: f64| as_integer((total * ratio * (1.0 / (1.0 + OVERLOAD_MAX))).ceil());
        ratios.iter().any(|(zone, ratio)| zones.get(zone).is_none_or(|count| *count < minimum(*ratio)))
    }
}

/// Whether a Service asks for this mode. The older annotation hides the newer, whatever its value.
pub(super) fn is_asked(service: &Service) -> bool {
    let annotations = &service.meta.annotations;
    let value = annotations.get(words::TOPOLOGY_HINTS).or_else(|| annotations.get(words::TOPOLOGY_MODE));
    value.is_some_and(|value| value == "Auto" || value == "auto")
}

/// One counted Node without a zone or without CPU spoils it for all. So does a single zone.
fn cpu_ratios<'n>(nodes: impl Iterator<Item = &'n Node>) -> Option<BTreeMap<Box<str>, f64>> {
    let mut cpu: BTreeMap<Box<str>, u128> = BTreeMap::new();
    for node in nodes.filter(|node| is_counted(node)) {
        let zone = node.meta.labels.get(words::ZONE).filter(|zone| !zone.is_empty())?;
        let here = node.status.allocatable.get("cpu").and_then(|q| nanos(&q.0)).filter(|cpu| *cpu != 0)?;
        *cpu.entry(zone.as_str().into()).or_default() += here;
    }
    // Amounts are compared in thousandths, rounded up.
    let millis = |nanos: u128| as_float(i64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(i64::MAX));
    let total: u128 = cpu.values().sum();
    let ratio = |of: u128| millis(of) / millis(total);
    (cpu.len() >= 2).then(|| cpu.into_iter().map(|(zone, of)| (zone, ratio(of))).collect())
}

fn is_counted(node: &Node) -> bool {
    let excluded = EXCLUDED_NODES.iter().any(|label| node.meta.labels.contains_key(*label));
    !excluded && is_node_ready(node)
}

/// The first Ready condition decides.
pub(in crate::endpoints) fn is_node_ready(node: &Node) -> bool {
    let ready = node.status.conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.is_some_and(|condition| condition.status == "True")
}

/// Slices with valid hints stay, as long as no zone gets more than its maximum; the others will be written.
fn keep_valid(shares: &BTreeMap<&str, Share>, plan: &mut Plan<'_>) -> Zones {
    let mut allocated = Zones::new();
    for slice in std::mem::take(&mut plan.unchanged) {
        match valid_hints(shares, &allocated, slice) {
            None => plan.update.push(slice.clone()),
            Some(zones) => {
                plan.unchanged.push(slice);
                for (zone, count) in zones {
                    *allocated.entry(zone).or_default() += count;
                }
            }
        }
    }
    allocated
}

fn valid_hints(shares: &BTreeMap<&str, Share>, allocated: &Zones, slice: &EndpointSlice) -> Option<Zones> {
    let mut zones = Zones::new();
    for endpoint in slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)) {
        let hints = endpoint.hints.as_ref().filter(|hints| !hints.for_zones.is_empty())?;
        for zone in &hints.for_zones {
            shares.get(zone.name.as_str())?;
            *zones.entry(zone.name.as_str().into()).or_default() += 1;
        }
    }
    let fits = |zone: &str, count: i64| count + allocated.get(zone).unwrap_or(&0) <= shares[zone].maximum;
    zones.iter().all(|(zone, count)| fits(zone, *count)).then_some(zones)
}

/// To begin with, every endpoint serves its own zone.
fn own_zones(allocated: &mut Zones, plan: &mut Plan<'_>) -> Result<(), String> {
    for slice in plan.create.iter_mut().chain(&mut plan.update) {
        for endpoint in slice.endpoints.iter_mut().filter(|endpoint| is_ready(endpoint)) {
            let Some(zone) = endpoint.zone.as_deref().filter(|zone| !zone.is_empty()) else {
                return Err("One or more endpoints do not have a zone specified".to_owned());
            };
            *allocated.entry(zone.into()).or_default() += 1;
            endpoint.hints = Some(for_zone(zone));
        }
    }
    Ok(())
}

/// Zones that have more than they need give endpoints to those that have less.
fn give(shares: &BTreeMap<&str, Share>, allocated: &mut Zones, plan: &mut Plan<'_>) {
    let (mut giving, mut receiving) = exchanges(shares, allocated);
    for slice in plan.create.iter_mut().chain(&mut plan.update) {
        for endpoint in slice.endpoints.iter_mut().filter(|endpoint| is_ready(endpoint)) {
            let Some(mut left) = receiving.first_entry() else { return };
            let zone: Box<str> = endpoint.zone.as_deref().unwrap_or_default().into();
            let Some(gives) = giving.get_mut(&zone).filter(|gives| **gives > 0) else { continue };
            *gives -= 1;
            endpoint.hints = Some(for_zone(left.key()));
            *allocated.entry(left.key().clone()).or_default() += 1;
            *allocated.entry(zone).or_default() -= 1;
            *left.get_mut() -= 1;
            if *left.get() == 0 {
                left.remove();
            }
        }
    }
}

/// How many endpoints each zone gives and receives: the most needed first, halves and less are not worth it.
fn exchanges(shares: &BTreeMap<&str, Share>, allocated: &Zones) -> (Zones, Zones) {
    let surplus = |zone: &str, share: &Share| as_float(*allocated.get(zone).unwrap_or(&0)) - share.desired;
    let surplus = shares.iter().map(|(zone, share)| (*zone, surplus(zone, share)));
    let (mut over, mut under): (Vec<_>, Vec<_>) = surplus.partition(|(_, surplus)| *surplus > 0.0);
    for (_, lack) in &mut under {
        *lack = -*lack;
    }
    let (mut giving, mut receiving) = (Zones::new(), Zones::new());
    while let (Some(from), Some(to)) = (most(&mut over), most(&mut under)) {
        if (from.1 < 1.0 && to.1 < 1.0) || from.1 < 0.5 || to.1 < 0.5 {
            break;
        }
        *giving.entry(from.0.into()).or_default() += 1;
        *receiving.entry(to.0.into()).or_default() += 1;
        from.1 -= 1.0;
        to.1 -= 1.0;
    }
    (giving, receiving)
}

/// The first of the greatest, if it is above zero.
fn most<'a, 'z>(zones: &'a mut [(&'z str, f64)]) -> Option<&'a mut (&'z str, f64)> {
    let mut best: Option<&mut (&str, f64)> = None;
    for zone in zones.iter_mut().filter(|zone| zone.1 > 0.0) {
        if best.as_ref().is_none_or(|best| zone.1 > best.1) {
            best = Some(zone);
        }
    }
    best
}

fn for_zone(zone: &str) -> EndpointHints {
    EndpointHints { for_zones: vec![HintName { name: zone.to_owned() }], for_nodes: Vec::new() }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of endpoints and thousandths of CPU stay far below 2^53"
)]
fn as_float(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a number of endpoints, rounded up")]
fn as_integer(number: f64) -> i64 {
    number as i64
}
