//! One family's proxier on one node: what it wrote, and what it writes next.

mod edits;
mod order;
#[cfg(test)]
pub(crate) mod tests;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kdp_netfilter::{Name, Op, Ruleset, Table, Transaction};
use kdp_packet::Family;
use kdp_sim::Time;

use self::edits::{EDITED_SERVICES_MAX, counts, edit};
use self::order::Order;
use self::written::{Shape, Totals, Written, same_shared, widen};
use crate::config::{Config, Settings};
use crate::iptables::{self, EndpointChains, Input, Scope, Section};
use crate::names::{PortName, ServiceName, ServicePortName};
use crate::node::NodeFacts;
use crate::select::{Chooser, select};
use crate::view::{Cursor, FamilyView, ServicePort, ServicePorts, View};

/// A full sync happens at least this often. Source: kube-proxy, `proxyutil.FullSyncPeriod`.
pub const FULL_SYNC_PERIOD: Duration = Duration::from_secs(3600);
/// Above this many endpoints comments are left out. Source: kube-proxy, `largeClusterEndpointsThreshold`.
pub const LARGE_CLUSTER_ENDPOINTS: usize = 1000;

/// How much of the unchanged rules a transaction carries. The rule set that it leads to is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What changed alone: the cost follows the change.
    Changed,
    /// What kube-proxy writes: the filter table and the shared chains whole, at every sync.
    Whole,
}

/// kube-proxy's iptables proxier for one family on one node.
///
/// It costs nothing until it syncs, and holds then what it wrote: rules of shared chains and names of its own.
#[derive(Clone, Debug)]
pub struct Proxier {
    settings: Settings,
    zone: Option<Arc<str>>,
    cursor: Cursor,
    written: BTreeMap<ServiceName, BTreeMap<PortName, Written>>,
    /// Chains that were called once and are still there, by text.
    stale: BTreeMap<Box<str>, Name>,
    cleaned_at: Option<Time>,
    full_at: Option<Time>,
    needs_full: bool,
    totals: Totals,
    order: Order,
}

/// How a sync goes over the service ports.
#[derive(Clone, Copy, Debug)]
struct Pass {
    large: bool,
    /// Whether chains of endpoints that stand already are passed over.
    partial: bool,
}

/// What a sync made.
#[derive(Clone, Debug, PartialEq)]
pub struct Synced {
    /// The change of the rule set.
    pub transaction: Transaction,
    /// Whether it was a full sync.
    pub full: bool,
    /// What kube-proxy counts of it.
    pub counts: Counts,
}

/// What kube-proxy writes in a sync and counts, whatever the [`Extent`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rules of table filter: `sync_proxy_rules_iptables_total{table="filter"}`.
    pub filter_rules: usize,
    /// Rules of table nat, skipped ones too: `sync_proxy_rules_iptables_total{table="nat"}`.
    pub nat_rules: usize,
    /// Rules of table nat that are written: `sync_proxy_rules_iptables_last{table="nat"}`.
    pub nat_rules_written: usize,
    /// Chains that are deleted.
    pub chains_deleted: usize,
    /// Lines of the restore input.
    pub lines: usize,
}

impl Proxier {
    /// One that has not synced yet.
    pub fn new(config: &Config, node: &NodeFacts, family: Family) -> Proxier {
        Proxier {
            settings: Settings::new(config, node, family),
            zone: node.zone.clone(),
            cursor: Cursor::default(),
            written: BTreeMap::new(),
            stale: BTreeMap::new(),
            cleaned_at: None,
            full_at: None,
            needs_full: true,
            totals: Totals::default(),
            order: Order::default(),
        }
    }

    /// The options that it works by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How far it has read the view.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Takes a change of this node's labels; a new zone makes the next sync a full one.
    pub fn set_node(&mut self, node: &NodeFacts) {
        if self.zone != node.zone {
            self.zone.clone_from(&node.zone);
            self.needs_full = true;
        }
    }

    /// The last transaction was refused: its changes are consumed, so the next sync is a full one.
    pub fn failed(&mut self) {
        self.needs_full = true;
    }

    /// Whether a sync would change anything but clocks.
    pub fn is_behind(&self, view: &View) -> bool {
        self.needs_full || view.family(self.settings.family).cursor() != self.cursor
    }

    /// Syncs with what the view shows. `ruleset` is the kernel's, as it stands.
    pub fn sync(&mut self, view: &View, ruleset: &Ruleset, now: Time, extent: Extent) -> Synced {
        let view = view.family(self.settings.family);
        let full = self.is_full_due(ruleset, now);
        let mut transaction = Transaction::new(self.settings.family);
        if full {
            self.full_at = Some(now);
            iptables::ensure(&mut transaction, ruleset);
        }
        let large = view.endpoints_known() > LARGE_CLUSTER_ENDPOINTS;
        let mut scope = if full || extent == Extent::Whole { Scope::WHOLE } else { Scope::SECTIONS };
        let mut edits = Vec::new();
        let sections = if full {
            self.rewrite_all(view, large)
        } else {
            self.rewrite_changed(view, large, &mut scope, &mut edits)
        };
        self.cursor = view.cursor();
        if full {
            self.find_stale(ruleset);
        }
        let stale = self.take_stale(large, now);
        let counts = self.count(&sections, stale.len());
        let shared = self.written.values().flat_map(BTreeMap::values).flat_map(|port| &port.shared);
        Input { settings: &self.settings, scope, shared, edits, sections, stale }.write(&mut transaction);
        Synced { transaction, full, counts }
    }

    /// A full sync: the first one, after a failure, when the canaries are gone, and once an hour.
    fn is_full_due(&mut self, ruleset: &Ruleset, now: Time) -> bool {
        let Some(full_at) = self.full_at else { return true };
        let due = now.since(full_at) >= FULL_SYNC_PERIOD;
        std::mem::take(&mut self.needs_full) || due || !iptables::canaries_live(ruleset)
    }

    fn rewrite_all(&mut self, view: &FamilyView, large: bool) -> Vec<Section> {
        self.needs_full = false;
        let mut before = std::mem::take(&mut self.written);
        (self.totals, self.order) = Default::default();
        let mut sections = Vec::new();
        for (name, ports) in view.services() {
            let old = before.remove(name).unwrap_or_default();
            sections.extend(self.rewrite(view, name, ports, &old, Pass { large, partial: false }));
            self.order.set(name, counts(self.written.get(name).into_iter().flat_map(BTreeMap::values)));
            self.retire(name, &old);
        }
        for (name, old) in before {
            self.retire(&name, &old);
        }
        sections
    }

    /// Rewrites the service ports of changed Services.
    ///
    /// Where their rules in shared chains differ, few are edited in place; after many, the chains come into `scope`.
    fn rewrite_changed(
        &mut self,
        view: &FamilyView,
        large: bool,
        scope: &mut Scope,
        edits: &mut Vec<(Table, Op)>,
    ) -> Vec<Section> {
        let pass = Pass { large, partial: *scope != Scope::WHOLE };
        let few =
            view.changed_since(self.cursor).take(EDITED_SERVICES_MAX + 1).count() <= EDITED_SERVICES_MAX;
        let none = BTreeMap::new();
        let mut sections = Vec::new();
        for name in view.changed_since(self.cursor) {
            let old = self.written.remove(name).unwrap_or_default();
            for port in old.values() {
                self.totals.remove(port);
            }
            if let Some(ports) = view.service(name) {
                sections.extend(self.rewrite(view, name, ports, &old, pass));
            }
            let new = self.written.get(name).unwrap_or(&none);
            if !same_shared(&old, new) {
                if pass.partial && few {
                    edit(self.order.before(name), &old, new, edits);
                } else {
                    widen(scope, &old, new);
                }
                self.order.set(name, counts(new.values()));
            }
            self.retire(name, &old);
        }
        sections
    }

    /// Writes the sections of a Service and keeps what later syncs need of them.
    fn rewrite(
        &mut self,
        view: &FamilyView,
        name: &ServiceName,
        ports: &ServicePorts,
        old: &BTreeMap<PortName, Written>,
        pass: Pass,
    ) -> Vec<Section> {
        let mut sections = Vec::with_capacity(ports.len());
        let mut kept = BTreeMap::new();
        for (port, own) in ports {
            let shape = Shape { large: pass.large, affinity: own.affinity_seconds.is_some() };
            let standing = old.get(port).map(|old| old.endpoint_chains(shape, pass.partial));
            let section = self.section(view, name, port, own, pass.large, standing.unwrap_or_default());
            let written = Written::of(&section, shape);
            self.totals.add(&written);
            kept.insert(port.clone(), written);
            sections.push(section);
        }
        if !kept.is_empty() {
            self.written.insert(name.clone(), kept);
        }
        sections
    }

    /// Chains of a Service that are no longer its own become stale; its present ones are not, if they were.
    fn retire(&mut self, name: &ServiceName, old: &BTreeMap<PortName, Written>) {
        let present = self.written.get(name);
        if !self.stale.is_empty() {
            for chain in present.into_iter().flat_map(BTreeMap::values).flat_map(Written::chains) {
                self.stale.remove(chain.as_str());
            }
        }
        for (port, old) in old {
            let gone = old.gone(present.and_then(|present| present.get(port)));
            self.stale.extend(gone.map(|chain| (chain.as_str().into(), chain.clone())));
        }
    }

    /// Looks for chains of a proxier before this one.
    fn find_stale(&mut self, ruleset: &Ruleset) {
        let found: Vec<&Name> = iptables::service_chains(ruleset).collect();
        if found.is_empty() {
            return;
        }
        let active = self.written.values().flat_map(BTreeMap::values).flat_map(Written::chains);
        let active: BTreeSet<&str> = active.map(Name::as_str).collect();
        let stale = found.into_iter().filter(|name| !active.contains(name.as_str()));
        self.stale.extend(stale.map(|name| (name.as_str().into(), name.clone())));
    }

    /// The stale chains that this sync deletes: all, but in a large cluster only once a sync period.
    fn take_stale(&mut self, large: bool, now: Time) -> Vec<Name> {
        if large && self.cleaned_at.is_some_and(|at| now.since(at) <= self.settings.sync_period) {
            return Vec::new();
        }
        self.cleaned_at = Some(now);
        std::mem::take(&mut self.stale).into_values().collect()
    }

    fn count(&self, sections: &[Section], stale: usize) -> Counts {
        let fixed = iptables::FixedCounts::of(&self.settings);
        let own: usize = sections.iter().map(Section::rules_len).sum();
        let opened: usize = sections.iter().map(Section::chains_len).sum();
        let filter_rules = fixed.filter_rules + self.totals.filter;
        let nat_rules_written = fixed.nat_rules + self.totals.nat_shared + own;
        // A header and a COMMIT for each table; a line to empty and one to delete each stale chain.
        let lines = 4 + fixed.chains + filter_rules + nat_rules_written + opened + 2 * stale;
        let nat_rules = fixed.nat_rules + self.totals.nat_shared + self.totals.nat_own;
        Counts { filter_rules, nat_rules, nat_rules_written, chains_deleted: stale, lines }
    }

    fn section(
        &self,
        view: &FamilyView,
        name: &ServiceName,
        port: &PortName,
        own: &ServicePort,
        large: bool,
        standing: EndpointChains<'_>,
    ) -> Section {
        let key = ServicePortName { service: name.clone(), port: port.clone() };
        let settings = &self.settings;
        let chooser =
            Chooser { profile: &settings.profile, node: &settings.node_name, zone: self.zone.as_deref() };
        let selected = select(own, view.endpoints(name, port), chooser);
        iptables::section(settings, &key, own, &selected, large, standing)
    }
}
