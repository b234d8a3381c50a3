//! One family's proxier on one node: what it wrote, and what it writes next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use kdp_netfilter::{Name, Rule, Ruleset, Table, Transaction};
use kdp_packet::Family;
use kdp_sim::Time;

use crate::config::{Config, Settings};
use crate::iptables::{self, Input, Scope, Section, Shared};
use crate::names::{PortName, ServiceName, ServicePortName};
use crate::node::NodeFacts;
use crate::select::{Chooser, select};
use crate::view::{Cursor, FamilyView, ServicePort, ServicePorts, View};

/// `--iptables-sync-period`: in large clusters stale chains are looked for at most this often.
pub const SYNC_PERIOD: Duration = Duration::from_secs(30);
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
}

/// What was written of a service port.
#[derive(Clone, Debug, Default)]
struct Written {
    shared: Vec<(Shared, Rule)>,
    chains: Vec<Name>,
    rules: usize,
}

/// Sums over [`Written`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    filter: usize,
    nat_shared: usize,
    nat_own: usize,
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
        }
    }

    /// The options that it works by.
    pub fn settings(&self) -> &Settings {
        &self.settings
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
        let sections =
            if full { self.rewrite_all(view, large) } else { self.rewrite_changed(view, large, &mut scope) };
        self.cursor = view.cursor();
        if full {
            self.find_stale(ruleset);
        }
        let stale = self.take_stale(large, now);
        let counts = self.count(&sections, stale.len());
        let shared = self.written.values().flat_map(BTreeMap::values).flat_map(|port| &port.shared);
        Input { settings: &self.settings, scope, shared, sections, stale }.write(&mut transaction);
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
        let before = std::mem::take(&mut self.written);
        self.totals = Totals::default();
        let mut sections = Vec::new();
        for (name, ports) in view.services() {
            sections.extend(self.rewrite(view, name, ports, large));
        }
        for (name, old) in before {
            self.retire(&name, old);
        }
        sections
    }

    /// Rewrites the service ports of changed Services. Shared chains whose rules differ come into `scope`.
    fn rewrite_changed(&mut self, view: &FamilyView, large: bool, scope: &mut Scope) -> Vec<Section> {
        let none = ServicePorts::new();
        let mut sections = Vec::new();
        for name in view.changed_since(self.cursor) {
            let old = self.written.remove(name).unwrap_or_default();
            for port in old.values() {
                self.totals.remove(port);
            }
            let ports = view.service(name).map_or(&none, |ports| ports);
            sections.extend(self.rewrite(view, name, ports, large));
            let rules = |ports: &BTreeMap<PortName, Written>| {
                ports.values().flat_map(|port| port.shared.iter().cloned()).collect::<Vec<_>>()
            };
            widen(scope, &rules(&old), &self.written.get(name).map(rules).unwrap_or_default());
            self.retire(name, old);
        }
        sections
    }

    /// Writes the sections of a Service and keeps what later syncs need of them.
    fn rewrite(
        &mut self,
        view: &FamilyView,
        name: &ServiceName,
        ports: &ServicePorts,
        large: bool,
    ) -> Vec<Section> {
        let mut sections = Vec::with_capacity(ports.len());
        let mut kept = BTreeMap::new();
        for (port, own) in ports {
            let section = self.section(view, name, port, own, large);
            let (shared, chains) = (section.shared.clone(), section.chains.clone());
            let written = Written { shared, chains, rules: section.rules.len() };
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
    fn retire(&mut self, name: &ServiceName, old: BTreeMap<PortName, Written>) {
        let present = self.written.get(name);
        let present = || present.into_iter().flat_map(BTreeMap::values).flat_map(|port| &port.chains);
        if !self.stale.is_empty() {
            for chain in present() {
                self.stale.remove(chain.as_str());
            }
        }
        let recipes: HashSet<_, FixedState> = present().filter_map(Name::recipe).collect();
        let gone = old.into_values().flat_map(|port| port.chains);
        let gone = gone.filter(|chain| chain.recipe().is_none_or(|recipe| !recipes.contains(&recipe)));
        self.stale.extend(gone.map(|chain| (chain.as_str().into(), chain)));
    }

    /// Looks for chains of a proxier before this one.
    fn find_stale(&mut self, ruleset: &Ruleset) {
        let found: Vec<&Name> = iptables::service_chains(ruleset).collect();
        if found.is_empty() {
            return;
        }
        let active = self.written.values().flat_map(BTreeMap::values).flat_map(|port| &port.chains);
        let active: BTreeSet<&str> = active.map(Name::as_str).collect();
        let stale = found.into_iter().filter(|name| !active.contains(name.as_str()));
        self.stale.extend(stale.map(|name| (name.as_str().into(), name.clone())));
    }

    /// The stale chains that this sync deletes: all, but in a large cluster only once a sync period.
    fn take_stale(&mut self, large: bool, now: Time) -> Vec<Name> {
        if large && self.cleaned_at.is_some_and(|at| now.since(at) <= SYNC_PERIOD) {
            return Vec::new();
        }
        self.cleaned_at = Some(now);
        std::mem::take(&mut self.stale).into_values().collect()
    }

    fn count(&self, sections: &[Section], stale: usize) -> Counts {
        let fixed = iptables::FixedCounts::of(&self.settings);
        let own: usize = sections.iter().map(|section| section.rules.len()).sum();
        let opened: usize = sections.iter().map(|section| section.chains.len()).sum();
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
    ) -> Section {
        let key = ServicePortName { service: name.clone(), port: port.clone() };
        let settings = &self.settings;
        let chooser =
            Chooser { profile: &settings.profile, node: &settings.node_name, zone: self.zone.as_deref() };
        let selected = select(own, view.endpoints(name, port), chooser);
        iptables::section(settings, &key, own, &selected, large)
    }
}

/// Takes the shared chains into `scope` whose rules of one Service differ.
fn widen(scope: &mut Scope, old: &[(Shared, Rule)], new: &[(Shared, Rule)]) {
    if old == new {
        return;
    }
    for chain in Shared::ALL {
        let of = |rules: &[(Shared, Rule)]| -> Vec<Rule> {
            rules.iter().filter(|(own, _)| *own == chain).map(|(_, rule)| rule.clone()).collect()
        };
        scope.shared[chain as usize] |= of(old) != of(new);
    }
}

impl Totals {
    fn parts(port: &Written) -> Totals {
        let filter = port.shared.iter().filter(|(chain, _)| chain.table() == Table::Filter).count();
        Totals { filter, nat_shared: port.shared.len() - filter, nat_own: port.rules }
    }

    fn add(&mut self, port: &Written) {
        let parts = Totals::parts(port);
        self.filter += parts.filter;
        self.nat_shared += parts.nat_shared;
        self.nat_own += parts.nat_own;
    }

    fn remove(&mut self, port: &Written) {
        let parts = Totals::parts(port);
        self.filter -= parts.filter;
        self.nat_shared -= parts.nat_shared;
        self.nat_own -= parts.nat_own;
    }
}

#[cfg(test)]
mod tests;
