//! The arrows between the stages, and how long an event takes along each.

use kdp_sim::{EventQueue, Time};

use kdp_kube::Change;

/// An arrow from a stage to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// From the store to the controllers that make Endpoints and EndpointSlices.
    ObjectToSlice,
    /// From the store to the proxies: Services.
    ServiceToNode,
    /// From the store to the proxies: EndpointSlices.
    SliceToNode,
}

impl Edge {
    /// All of them.
    pub const ALL: [Edge; 3] = [Edge::ObjectToSlice, Edge::ServiceToNode, Edge::SliceToNode];

    /// Its name in options.
    pub const fn as_str(self) -> &'static str {
        match self {
            Edge::ObjectToSlice => "object->slice",
            Edge::ServiceToNode => "service->node",
            Edge::SliceToNode => "slice->node",
        }
    }

    /// The edge of that name.
    pub fn parse(name: &str) -> Option<Edge> {
        Edge::ALL.into_iter().find(|edge| edge.as_str() == name)
    }
}

/// How long events take, in nanoseconds an edge; 0 by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency([u64; Edge::ALL.len()]);

impl Latency {
    /// Sets the latency of an edge.
    pub fn set(&mut self, edge: Edge, nanos: u64) {
        self.0[edge as usize] = nanos;
    }

    /// When an event left that arrives at `now`.
    pub fn departure(&self, edge: Edge, now: Time) -> Time {
        Time(now.as_nanos().saturating_sub(self.0[edge as usize]))
    }

    /// When an event that leaves at `now` arrives.
    pub fn arrival(&self, edge: Edge, now: Time) -> Time {
        now + std::time::Duration::from_nanos(self.0[edge as usize])
    }
}

/// Changes on their way.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(EventQueue<(Edge, Change)>);

impl InFlight {
    /// A change leaves along an edge.
    pub(crate) fn send(&mut self, edge: Edge, change: Change, latency: &Latency, now: Time) {
        self.0.push(latency.arrival(edge, now), (edge, change));
    }

    /// The next change that has arrived at `now`.
    pub(crate) fn receive(&mut self, now: Time) -> Option<(Time, Edge, Change)> {
        self.0.pop_due(now).map(|(at, (edge, change))| (at, edge, change))
    }

    /// When the next change arrives.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.0.next_at()
    }
}
