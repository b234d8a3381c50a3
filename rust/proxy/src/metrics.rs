//! What a kube-proxy counts, under its own names, as its metrics page has it.
//!
//! Times are virtual: a sync takes none, so that durations are 0.

mod histogram;
mod page;

use std::time::Duration;

use kdp_sim::Time;

pub use histogram::Histogram;
pub use page::{ChangeCounts, PageFacts, print};

use crate::cleanup::Cleaned;
use crate::config::Mode;
use crate::profile::Profile;
use crate::sync::Counts;

/// What one family's proxier has counted.
#[derive(Clone, Debug)]
pub struct Metrics {
    mode: Mode,
    profile: Profile,
    sync: Histogram,
    full_sync: Histogram,
    partial_sync: Histogram,
    programming: Histogram,
    reconciler: Histogram,
    reconciler_deleted: usize,
    /// `sync_proxy_rules_last_timestamp_seconds`; none before the first sync.
    synced_at: Option<Time>,
    queued_at: Option<Time>,
    /// A sync that was asked for and has not succeeded: what `/healthz` looks at.
    waiting_since: Option<Time>,
    counts: Option<Counts>,
    failures: usize,
    partial_failures: usize,
}

impl Metrics {
    /// Nothing yet.
    pub fn new(mode: Mode, profile: Profile) -> Metrics {
        let seconds = Histogram::doubling(Duration::from_millis(1), 15);
        Metrics {
            mode,
            profile,
            sync: seconds.clone(),
            full_sync: seconds.clone(),
            partial_sync: seconds.clone(),
            programming: Histogram::programming(),
            reconciler: seconds,
            reconciler_deleted: 0,
            synced_at: None,
            queued_at: None,
            waiting_since: None,
            counts: None,
            failures: 0,
            partial_failures: 0,
        }
    }

    /// A sync was asked for.
    pub fn queued(&mut self, now: Time) {
        self.queued_at = Some(now);
        self.waiting_since.get_or_insert(now);
    }

    /// A sync succeeded; `counts` in iptables mode, `latencies` from the changes that it brought in.
    pub fn synced(&mut self, full: bool, counts: Option<Counts>, latencies: &[Duration], now: Time) {
        self.ended(full);
        (self.synced_at, self.counts, self.waiting_since) = (Some(now), counts, None);
        for latency in latencies {
            self.programming.observe(*latency);
        }
    }

    /// A sync was refused.
    pub fn refused(&mut self, full: bool) {
        self.ended(full);
        self.failures += 1;
        self.partial_failures += usize::from(!full);
    }

    fn ended(&mut self, full: bool) {
        self.sync.observe(Duration::ZERO);
        if full { &mut self.full_sync } else { &mut self.partial_sync }.observe(Duration::ZERO);
    }

    /// Connection tracking was cleaned up.
    pub fn cleaned(&mut self, cleaned: Cleaned) {
        if cleaned.ran {
            self.reconciler.observe(Duration::ZERO);
            self.reconciler_deleted += cleaned.deleted;
        }
    }

    /// Both families in one, as they were counted before the label `ip_family`: counters add up, gauges have the last value.
    fn merged(mut self, other: &Metrics) -> Metrics {
        self.sync.add(&other.sync);
        self.full_sync.add(&other.full_sync);
        self.partial_sync.add(&other.partial_sync);
        self.programming.add(&other.programming);
        self.synced_at = self.synced_at.max(other.synced_at);
        self.queued_at = self.queued_at.max(other.queued_at);
        self.counts = other.counts.or(self.counts);
        self.failures += other.failures;
        self.partial_failures += other.partial_failures;
        self
    }

    /// Since when a sync waits.
    pub fn waiting_since(&self) -> Option<Time> {
        self.waiting_since
    }
}
