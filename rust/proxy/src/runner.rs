//! When a proxier syncs: not too often, once more after a failure, and at the latest after an hour.
//!
//! Source: kube-proxy, `BoundedFrequencyRunner` (up to 1.33 pkg/util/async, from 1.34 on pkg/proxy/runner).

use std::time::Duration;

use kdp_sim::Time;

use crate::profile::Pacing;
use crate::sync::FULL_SYNC_PERIOD;

/// Runs that may follow each other without a wait, up to 1.33. Source: kube-proxy, `burstSyncs`.
const BURST: u32 = 2;

/// Says when the next sync is due. One request at most is pending: those that come meanwhile are merged into it.
#[derive(Clone, Debug)]
pub struct Runner {
    pacing: Pacing,
    min: Duration,
    retry: Duration,
    next: Time,
    last: Option<Time>,
    /// Up to 1.33: time that runs have not used yet, each takes `min` of it; and when that was counted.
    saved: Duration,
    counted: Time,
}

impl Runner {
    /// One that is due at once: the first sync follows the listing of all objects.
    pub fn new(pacing: Pacing, min: Duration, retry: Duration, now: Time) -> Runner {
        Runner { pacing, min, retry, next: now, last: None, saved: min * BURST, counted: now }
    }

    /// Something changed.
    pub fn request(&mut self, now: Time) {
        let due = match (self.pacing, self.last) {
            (_, None) => now,
            (Pacing::Burst, Some(last)) => {
                self.save(now);
                if self.saved >= self.min { now } else { last + self.min }
            }
            (Pacing::AfterEnd, Some(last)) => now.max(last + self.min),
        };
        self.next = self.next.min(due);
    }

    /// When the next sync starts if nothing else happens.
    pub fn next_at(&self) -> Time {
        self.next
    }

    /// A sync ended, which takes no virtual time.
    pub fn ran(&mut self, now: Time, success: bool) {
        self.save(now);
        self.saved = self.saved.saturating_sub(self.min);
        self.last = Some(now);
        self.next = now + if success { FULL_SYNC_PERIOD } else { self.retry };
    }

    fn save(&mut self, now: Time) {
        self.saved = (self.saved + now.since(self.counted)).min(self.min * BURST);
        self.counted = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_secs(1);
    const RETRY: Duration = Duration::from_secs(30);

    fn at(millis: u64) -> Time {
        Time(millis * 1_000_000)
    }

    /// When syncs start that are requested at these moments.
    fn starts(pacing: Pacing, requests: &[u64]) -> Vec<u64> {
        let mut runner = Runner::new(pacing, MIN, RETRY, at(0));
        let mut starts = Vec::new();
        for request in requests.iter().copied().map(at).chain([at(100_000)]) {
            while runner.next_at() <= request {
                let start = runner.next_at();
                starts.push(start.as_nanos() / 1_000_000);
                runner.ran(start, true);
            }
            runner.request(request);
        }
        starts
    }

    #[test]
    fn up_to_1_33_two_syncs_may_follow_each_other() {
        assert_eq!(starts(Pacing::Burst, &[100, 200, 300]), [0, 100, 1100]);
        assert_eq!(starts(Pacing::Burst, &[5_000, 5_100, 5_200]), [0, 5_000, 5_100, 6_100]);
    }

    #[test]
    fn from_1_34_on_each_sync_waits_for_the_one_before() {
        assert_eq!(starts(Pacing::AfterEnd, &[100, 200, 300]), [0, 1_000]);
        assert_eq!(starts(Pacing::AfterEnd, &[5_000, 5_100, 5_200]), [0, 5_000, 6_000]);
    }

    #[test]
    fn a_failure_is_tried_again_and_an_hour_is_the_longest_wait() {
        for pacing in [Pacing::Burst, Pacing::AfterEnd] {
            let mut runner = Runner::new(pacing, MIN, RETRY, at(0));
            runner.ran(at(0), false);
            assert_eq!(runner.next_at(), at(30_000));
            runner.ran(at(30_000), true);
            assert_eq!(runner.next_at(), at(3_630_000));
            runner.request(at(40_000));
            assert_eq!(runner.next_at(), at(40_000), "a request comes before");
        }
    }
}
