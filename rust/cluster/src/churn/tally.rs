//! What was counted: by second, by cause, by endpoint.

use std::collections::BTreeMap;

use kdp_sim::Time;
use serde_json::{Map, Value, json};

/// Names of the counts of a second.
pub(super) const COUNTS: [&str; 17] = [
    "opened",
    "refused",
    "timed_out",
    "reset",
    "broken",
    "closed",
    "answered",
    "unanswered",
    "terminating",
    "wrong",
    "blackholed_ns",
    "packets",
    "rules_walked",
    "slice_writes",
    "slice_bytes",
    "endpoints_writes",
    "endpoints_bytes",
];

/// The counts of an experiment.
#[derive(Default)]
pub(super) struct Tally {
    seconds: BTreeMap<u64, [u64; COUNTS.len()]>,
    causes: BTreeMap<&'static str, Cause>,
    endpoints: BTreeMap<String, u64>,
    walked: BTreeMap<u64, u64>,
}

struct Cause {
    count: u64,
    first: Value,
}

impl Tally {
    /// Counts more of something, in the second of `now`.
    pub(super) fn add(&mut self, what: &str, more: u64, now: Time) {
        let at = COUNTS.iter().position(|name| *name == what).expect("counts have names of the list");
        self.seconds.entry(now.as_nanos() / 1_000_000_000).or_default()[at] += more;
    }

    /// Counts a cause; the first packet that shows it is kept.
    pub(super) fn blame(&mut self, cause: &'static str, show: impl FnOnce() -> Value) {
        self.causes.entry(cause).or_insert_with(|| Cause { count: 0, first: show() }).count += 1;
    }

    /// Counts a connection at its endpoint.
    pub(super) fn served(&mut self, endpoint: &str) {
        match self.endpoints.get_mut(endpoint) {
            Some(count) => *count += 1,
            None => drop(self.endpoints.insert(endpoint.to_owned(), 1)),
        }
    }

    /// Counts the rules that the first packet of a connection walked.
    pub(super) fn walked(&mut self, rules: u64) {
        *self.walked.entry(rules).or_default() += 1;
    }

    pub(super) fn to_value(&self) -> Value {
        let row = |(second, counts): (&u64, &[u64; COUNTS.len()])| {
            let mut row = Map::new();
            row.insert("second".to_owned(), (*second).into());
            row.extend(
                COUNTS.iter().zip(counts).map(|(name, count)| ((*name).to_owned(), Value::from(*count))),
            );
            Value::Object(row)
        };
        let causes: Map<String, Value> = self
            .causes
            .iter()
            .map(|(name, cause)| ((*name).to_owned(), json!({"count": cause.count, "first": cause.first})))
            .collect();
        let walked: Vec<[u64; 2]> = self.walked.iter().map(|(rules, count)| [*rules, *count]).collect();
        json!({
            "seconds": self.seconds.iter().map(row).collect::<Vec<_>>(), "causes": causes,
            "endpoints": self.endpoints, "walked": walked,
        })
    }
}
