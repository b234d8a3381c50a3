//! The queues of the controllers: what to sync, when, and when to try again.
//!
//! Source: client-go `util/workqueue` (delaying and rate-limiting queues); each controller's `NewController`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kdp_sim::Time;

use super::ServiceKey;

/// How long a failed sync waits, and how often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retries {
    /// After the first failure; each further one doubles it.
    first: Duration,
    /// No wait is longer.
    longest: Duration,
    /// After so many the Service is dropped until its next change.
    most: u32,
}

/// Source: `pkg/controller/endpointslice`, `defaultSyncBackOff`, `maxSyncBackOff`, `maxRetries`.
pub(super) const SLICE_RETRIES: Retries =
    Retries { first: Duration::from_secs(1), longest: Duration::from_secs(1000), most: 15 };
/// Source: `pkg/controller/endpoint`; the waits are those of client-go's `DefaultTypedControllerRateLimiter`.
pub(super) const LEGACY_RETRIES: Retries =
    Retries { first: Duration::from_millis(5), longest: Duration::from_secs(1000), most: 15 };
/// Source: `pkg/controller/endpointslicemirroring`.
pub(super) const MIRROR_RETRIES: Retries =
    Retries { first: Duration::from_secs(1), longest: Duration::from_secs(100), most: 15 };
/// The least that a change of a slice by others waits. Source: `pkg/controller/endpointslice`, `endpointSliceChangeMinSyncDelay`.
pub(super) const SLICE_CHANGE_DELAY: Duration = Duration::from_secs(1);
/// All retries of a controller together: ten a second, after a burst of a hundred.
const BUCKET_INTERVAL: Duration = Duration::from_millis(100);
const BUCKET_BURST: u32 = 100;

/// Services to sync; each is there once.
#[derive(Clone, Debug)]
pub(super) struct WorkQueue {
    retries: Retries,
    ready: BTreeSet<ServiceKey>,
    waiting: BTreeMap<ServiceKey, Time>,
    by_time: BTreeSet<(Time, ServiceKey)>,
    failures: BTreeMap<ServiceKey, u32>,
    /// When the bucket would be full again.
    bucket: Time,
}

impl WorkQueue {
    pub(super) fn new(retries: Retries) -> WorkQueue {
        WorkQueue {
            retries,
            ready: BTreeSet::new(),
            waiting: BTreeMap::new(),
            by_time: BTreeSet::new(),
            failures: BTreeMap::new(),
            bucket: Time::ZERO,
        }
    }

    pub(super) fn add(&mut self, key: ServiceKey) {
        self.ready.insert(key);
    }

    /// Adds a Service that is not due before a time. One that waits already keeps the earlier time.
    pub(super) fn add_after(&mut self, key: ServiceKey, now: Time, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        let due = now + delay;
        if let Some(old) = self.waiting.get(&key).copied() {
            if old <= due {
                return;
            }
            self.by_time.remove(&(old, key.clone()));
        }
        self.waiting.insert(key.clone(), due);
        self.by_time.insert((due, key));
    }

    /// A sync has ended, well or not.
    pub(super) fn done(&mut self, key: &ServiceKey, well: bool, now: Time) {
        if well {
            self.failures.remove(key);
        } else {
            self.failed(key, now);
        }
    }

    /// A sync failed: it is tried again after a while, or dropped.
    fn failed(&mut self, key: &ServiceKey, now: Time) {
        let failures = self.failures.entry(key.clone()).or_default();
        if *failures >= self.retries.most {
            self.failures.remove(key);
            return;
        }
        let wait = self.retries.first.saturating_mul(1 << *failures).min(self.retries.longest);
        *failures += 1;
        let wait = wait.max(self.reserve(now));
        self.add_after(key.clone(), now, wait);
    }

    /// Takes a token of the bucket, and says how long it is until there is one.
    fn reserve(&mut self, now: Time) -> Duration {
        self.bucket = self.bucket.max(now) + BUCKET_INTERVAL;
        self.bucket.since(now).saturating_sub(BUCKET_INTERVAL * BUCKET_BURST)
    }

    /// The Services that are due, in the order of their names; they leave the queue.
    pub(super) fn take(&mut self, now: Time) -> BTreeSet<ServiceKey> {
        let mut due = std::mem::take(&mut self.ready);
        while let Some((at, key)) = self.by_time.pop_first() {
            if at > now {
                self.by_time.insert((at, key));
                break;
            }
            self.waiting.remove(&key);
            due.insert(key);
        }
        due
    }

    /// When the next Service is due; [`Time::ZERO`] for one that is due at once.
    pub(super) fn next_at(&self) -> Option<Time> {
        let waiting = self.by_time.first().map(|(at, _)| *at);
        if self.ready.is_empty() { waiting } else { Some(Time::ZERO) }
    }

    /// All that is there, due or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &ServiceKey> {
        self.ready.iter().chain(self.waiting.keys())
    }

    /// Forgets those that are due at once and not wanted.
    pub(super) fn retain(&mut self, wanted: impl FnMut(&ServiceKey) -> bool) {
        self.ready.retain(wanted);
    }

    /// Makes due what waits.
    pub(super) fn hurry(&mut self) {
        self.by_time.clear();
        self.ready.extend(std::mem::take(&mut self.waiting).into_keys());
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = WorkQueue::new(self.retries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ServiceKey {
        ServiceKey::new("d", "web")
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let mut queue = WorkQueue::new(MIRROR_RETRIES);
        let mut now = Time::ZERO;
        let mut waits = Vec::new();
        for _ in 0..MIRROR_RETRIES.most {
            queue.failed(&key(), now);
            let at = queue.next_at().unwrap();
            waits.push(at.since(now).as_secs());
            now = at;
            assert_eq!(queue.take(now).len(), 1);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 100, 100, 100, 100, 100, 100, 100, 100]);
        queue.failed(&key(), now);
        assert_eq!(queue.next_at(), None, "dropped");
        queue.failed(&key(), now);
        assert_eq!(queue.next_at().unwrap().since(now).as_secs(), 1, "and forgotten");
    }

    #[test]
    fn a_batch_is_one_and_keeps_its_first_time() {
        let mut queue = WorkQueue::new(LEGACY_RETRIES);
        let at = |millis: u64| Time(millis * 1_000_000);
        for millis in [0, 100, 200] {
            queue.add_after(key(), at(millis), Duration::from_secs(1));
        }
        assert_eq!(queue.take(at(999)).len(), 0);
        assert_eq!(queue.take(at(1000)).len(), 1);
        assert_eq!(queue.next_at(), None);
    }

    #[test]
    fn many_retries_share_a_bucket() {
        let mut queue = WorkQueue::new(LEGACY_RETRIES);
        for number in 0..110 {
            queue.failed(&ServiceKey::new("d", &format!("s{number:03}")), Time::ZERO);
        }
        assert_eq!(queue.take(Time(5_000_000)).len(), 100);
        assert_eq!(queue.take(Time(1_000_000_000)).len(), 10);
    }
}
