//! Hints by `spec.trafficDistribution`, and none.
//!
//! Source: k8s.io/endpointslice `trafficdist` (2026-07).

use super::pack::Plan;
use crate::object::{Endpoint, EndpointHints, EndpointSlice, HintName};

/// Whom an endpoint should serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distribution {
    /// Everybody: no hints.
    Anywhere,
    /// Its own zone.
    Zone,
    /// Its own node, or else its own zone.
    Node,
}

impl Distribution {
    /// `PreferSameZone` and `PreferSameNode` need their feature gate; what is unknown means anywhere.
    pub(super) fn of(text: Option<&str>, prefer_same: bool) -> Distribution {
        match text {
            Some("PreferClose") => Distribution::Zone,
            Some("PreferSameZone") if prefer_same => Distribution::Zone,
            Some("PreferSameNode") if prefer_same => Distribution::Node,
            _ => Distribution::Anywhere,
        }
    }

    /// Sets the hints of slices that are written, and marks those whose hints are wrong.
    pub(super) fn apply(self, plan: &mut Plan<'_>) {
        let (wrong, right) = plan.unchanged.drain(..).partition(|slice| self.is_wrong(slice));
        plan.unchanged = right;
        let wrong: Vec<&EndpointSlice> = wrong;
        plan.update.extend(wrong.into_iter().cloned());
        for slice in plan.create.iter_mut().chain(&mut plan.update) {
            for endpoint in &mut slice.endpoints {
                if self == Distribution::Anywhere || is_ready(endpoint) {
                    endpoint.hints = self.hints(endpoint);
                }
            }
        }
    }

    fn is_wrong(self, slice: &EndpointSlice) -> bool {
        if self == Distribution::Anywhere {
            return slice.endpoints.iter().any(|endpoint| endpoint.hints.is_some());
        }
        let differs =
            |e: &&Endpoint| e.hints.clone().unwrap_or_default() != self.hints(e).unwrap_or_default();
        slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)).any(|endpoint| differs(&endpoint))
    }

    fn hints(self, endpoint: &Endpoint) -> Option<EndpointHints> {
        let names = |name: &Option<String>, wanted: bool| {
            name.iter().filter(|_| wanted).map(|name| HintName { name: name.clone() }).collect()
        };
        let hints = EndpointHints {
            for_zones: names(&endpoint.zone, self != Distribution::Anywhere),
            for_nodes: names(&endpoint.node_name, self == Distribution::Node),
        };
        (hints != EndpointHints::default()).then_some(hints)
    }
}

/// Whether an endpoint says that it is ready; hints are for no others.
pub(super) fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.ready == Some(true)
}
