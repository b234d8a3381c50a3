//! What a proxier keeps of what it wrote, so that the next sync can be a partial one.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_netfilter::{Name, Rule, Table};

use crate::iptables::{EndpointChains, Scope, Section, Shared};
use crate::names::PortName;

/// What was written of a service port.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Its rules in shared chains.
    pub(super) shared: Vec<(Shared, Rule)>,
    /// Its own chains but those of endpoints.
    chains: Vec<Name>,
    /// Chains of its endpoints, by endpoint.
    endpoints: Vec<(Arc<str>, Name)>,
    shape: Shape,
    /// Rules in its own chains.
    rules: usize,
}

/// What the rules in a chain of an endpoint depend on, beside the endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Whether comments are left out.
    pub(super) large: bool,
    /// Whether the endpoint remembers its clients.
    pub(super) affinity: bool,
}

impl Written {
    /// What `section` wrote, now in `shape`.
    pub(super) fn of(section: &Section, shape: Shape) -> Written {
        Written {
            shared: section.shared.clone(),
            chains: section.chains.clone(),
            endpoints: section.endpoints.clone(),
            shape,
            rules: section.rules_len(),
        }
    }

    /// The chains of endpoints as the next section may use them. With `partial`, those whose rules would be the same stay.
    pub(super) fn endpoint_chains(&self, shape: Shape, partial: bool) -> EndpointChains<'_> {
        EndpointChains { known: &self.endpoints, stand: partial && self.shape == shape }
    }

    /// Its own chains.
    pub(super) fn chains(&self) -> impl Iterator<Item = &Name> {
        self.chains.iter().chain(self.endpoints.iter().map(|(_, chain)| chain))
    }

    /// Its own chains that `next`, the same service port now, does not have.
    pub(super) fn gone<'a>(&'a self, next: Option<&'a Written>) -> impl Iterator<Item = &'a Name> {
        let chains =
            self.chains.iter().filter(move |chain| !next.is_some_and(|next| next.chains.contains(chain)));
        let endpoints =
            self.endpoints.iter().filter(move |(endpoint, _)| !next.is_some_and(|next| next.has(endpoint)));
        chains.chain(endpoints.map(|(_, chain)| chain))
    }

    fn has(&self, endpoint: &str) -> bool {
        self.endpoints.binary_search_by(|(own, _)| (**own).cmp(endpoint)).is_ok()
    }
}

/// Whether a Service's rules in shared chains are the same, in the same order.
pub(super) fn same_shared(old: &BTreeMap<PortName, Written>, new: &BTreeMap<PortName, Written>) -> bool {
    old.values().flat_map(|port| &port.shared).eq(new.values().flat_map(|port| &port.shared))
}

/// Takes the shared chains into `scope` in which a Service's rules differ.
pub(super) fn widen(scope: &mut Scope, old: &BTreeMap<PortName, Written>, new: &BTreeMap<PortName, Written>) {
    for chain in Shared::ALL {
        let own = |(own, _): &&(Shared, Rule)| *own == chain;
        let rules = |ports: &'_ BTreeMap<PortName, Written>| {
            ports
                .values()
                .flat_map(|port| port.shared.iter().filter(own))
                .map(|(_, rule)| rule.clone())
                .collect::<Vec<_>>()
        };
        scope.shared[chain as usize] |= rules(old) != rules(new);
    }
}

/// Sums over all that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Rules of Services in table filter.
    pub(super) filter: usize,
    /// Rules in shared chains of table nat.
    pub(super) nat_shared: usize,
    /// Rules in chains of one service port.
    pub(super) nat_own: usize,
}

impl Totals {
    fn parts(port: &Written) -> Totals {
        let filter = port.shared.iter().filter(|(chain, _)| chain.table() == Table::Filter).count();
        Totals { filter, nat_shared: port.shared.len() - filter, nat_own: port.rules }
    }

    pub(super) fn add(&mut self, port: &Written) {
        let parts = Totals::parts(port);
        self.filter += parts.filter;
        self.nat_shared += parts.nat_shared;
        self.nat_own += parts.nat_own;
    }

    pub(super) fn remove(&mut self, port: &Written) {
        let parts = Totals::parts(port);
        self.filter -= parts.filter;
        self.nat_shared -= parts.nat_shared;
        self.nat_own -= parts.nat_own;
    }
}
