//! Which endpoints a service port uses on a node: one pure function for every mode.

use crate::profile::{Copies, Profile};
use crate::view::{Backend, Endpoint, PortEndpoints, ServicePort};

/// What a node brings to the choice.
#[derive(Clone, Copy, Debug)]
pub struct Chooser<'a> {
    /// The release.
    pub profile: &'a Profile,
    /// The node's name.
    pub node: &'a str,
    /// The node's zone.
    pub zone: Option<&'a str>,
}

/// The endpoints of a service port that are used on a node, each list ordered by text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected<'a> {
    /// For traffic of policy Cluster.
    pub cluster: Vec<&'a Endpoint>,
    /// For traffic of policy Local.
    pub local: Vec<&'a Endpoint>,
    /// Every one that some traffic may reach: kube-proxy lists them in no order where it takes the union.
    pub reachable: Vec<&'a Endpoint>,
    /// Whether there is any usable endpoint anywhere.
    pub has_any: bool,
}

/// Which ready endpoints the hints leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    All,
    SameZone,
    SameNode,
}

/// Chooses. Source: kube-proxy, `CategorizeEndpoints` (pkg/proxy/topology.go).
pub fn select<'a>(
    port: &ServicePort,
    endpoints: Option<&'a PortEndpoints>,
    chooser: Chooser<'_>,
) -> Selected<'a> {
    let Some(endpoints) = endpoints else { return Selected::default() };
    let endpoints = without_copies(endpoints, chooser);
    let (uses_cluster, uses_local) = (port.uses_cluster(), port.uses_local());
    let mut selected = Selected::default();
    let mut topology = Topology::All;
    if uses_cluster {
        topology = self::topology(&endpoints, port.hints_wanted, chooser);
        selected.cluster = cluster(&endpoints, topology, chooser);
        selected.has_any = !selected.cluster.is_empty();
    }
    if !uses_local {
        selected.reachable.clone_from(&selected.cluster);
        return selected;
    }
    let usable = |backend: &Backend| backend.ready || backend.is_serving_terminating();
    selected.has_any |= endpoints.iter().any(|endpoint| usable(&endpoint.backend));
    let (local, fell_back) = local(&endpoints, chooser);
    selected.local = local;
    selected.reachable = if !uses_cluster {
        selected.local.clone()
    } else if topology == Topology::All && !fell_back {
        // Then the local ones are among the others.
        selected.cluster.clone()
    } else {
        union(&selected.cluster, &selected.local)
    };
    selected
}

fn without_copies<'a>(endpoints: &'a PortEndpoints, chooser: Chooser<'_>) -> Vec<&'a Endpoint> {
    if endpoints.distinct == endpoints.endpoints.len() {
        return endpoints.endpoints.iter().collect();
    }
    let wins = |backend: &Backend| match chooser.profile.copies {
        Copies::LocalWins => backend.is_local(chooser.node),
        Copies::NotTerminatingWins => !backend.terminating,
    };
    let copies = endpoints.endpoints.chunk_by(|a, b| a.text == b.text);
    copies.map(|copies| copies.iter().find(|copy| wins(&copy.backend)).unwrap_or(&copies[0])).collect()
}

/// The hints that count: one ready endpoint without hints turns them off, and so does a node that none of them names.
fn topology(endpoints: &[&Endpoint], wanted: bool, chooser: Chooser<'_>) -> Topology {
    let ready = || endpoints.iter().map(|endpoint| &*endpoint.backend).filter(|backend| backend.ready);
    if !wanted {
        return Topology::All;
    }
    let by_node = chooser.profile.same_node_hints && ready().all(|backend| !backend.node_hints.is_empty());
    if by_node && ready().any(|backend| hinted(backend, Topology::SameNode, chooser)) {
        return Topology::SameNode;
    }
    let by_zone = ready().all(|backend| !backend.zone_hints.is_empty());
    if by_zone && ready().any(|backend| hinted(backend, Topology::SameZone, chooser)) {
        return Topology::SameZone;
    }
    Topology::All
}

fn hinted(backend: &Backend, topology: Topology, chooser: Chooser<'_>) -> bool {
    match topology {
        Topology::All => true,
        Topology::SameZone => {
            chooser.zone.is_some_and(|zone| backend.zone_hints.iter().any(|hint| **hint == *zone))
        }
        Topology::SameNode => backend.node_hints.iter().any(|hint| **hint == *chooser.node),
    }
}

/// Ready endpoints that fit the hints; if there are none, those that are going away but still answer, hints or not.
fn cluster<'a>(endpoints: &[&'a Endpoint], topology: Topology, chooser: Chooser<'_>) -> Vec<&'a Endpoint> {
    let fits = |backend: &Backend| backend.ready && hinted(backend, topology, chooser);
    filter(endpoints, fits)
        .unwrap_or_else(|| filter(endpoints, Backend::is_serving_terminating).unwrap_or_default())
}

/// Ready endpoints of this node, hints or not; if there are none, those that are going away but still answer, and true.
fn local<'a>(endpoints: &[&'a Endpoint], chooser: Chooser<'_>) -> (Vec<&'a Endpoint>, bool) {
    let here = |backend: &Backend| backend.is_local(chooser.node);
    if let Some(ready) = filter(endpoints, |backend| here(backend) && backend.ready) {
        return (ready, false);
    }
    let going = filter(endpoints, |backend| here(backend) && backend.is_serving_terminating());
    let fell_back = going.is_some();
    (going.unwrap_or_default(), fell_back)
}

/// Those that pass; `None` if there are none.
fn filter<'a>(endpoints: &[&'a Endpoint], pass: impl Fn(&Backend) -> bool) -> Option<Vec<&'a Endpoint>> {
    let passed: Vec<_> = endpoints.iter().copied().filter(|endpoint| pass(&endpoint.backend)).collect();
    Some(passed).filter(|passed| !passed.is_empty())
}

/// Both lists in one, by text; both are ordered by it.
fn union<'a>(a: &[&'a Endpoint], b: &[&'a Endpoint]) -> Vec<&'a Endpoint> {
    let mut all: Vec<_> = a.iter().chain(b).copied().collect();
    all.sort_by(|a, b| a.text.cmp(&b.text));
    all.dedup_by(|a, b| a.text == b.text);
    all
}

#[cfg(test)]
mod tests;
