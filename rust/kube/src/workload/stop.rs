//! How a Pod ends: grace, SIGTERM, the program's end.

use std::time::Duration;

use kdp_sim::Time;

use super::Workloads;
use super::timing::{GRACE_LEFT, GRACE_SECONDS, Timing};
use super::writes::edit;
use crate::object::{ObjectKey, Pod};
use crate::store::Store;

/// Moments of a Pod's end, from the moment at which its deletion was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Its program gets SIGTERM: after `preStop`.
    pub(super) sigterm: Duration,
    /// Its program has ended, by itself or by SIGKILL.
    pub(super) exit: Duration,
    /// Whether it was by SIGKILL.
    pub(super) killed: bool,
}

impl Ending {
    /// The longest `preStop` of the Pod's containers runs first, within the grace; then the program has what is left.
    /// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` `killContainer`, v1.33.
    pub(super) fn of(pod: &Pod, timing: &Timing) -> Ending {
        let grace = grace_of(pod);
        let sleeps = pod.spec.containers.iter().filter_map(|container| {
            let sleep = container.lifecycle.as_ref()?.pre_stop.as_ref()?.sleep.as_ref()?;
            Some(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0)))
        });
        let sigterm = sleeps.max().unwrap_or_default().min(grace);
        let left = grace.saturating_sub(sigterm).max(GRACE_LEFT);
        Ending { sigterm, exit: sigterm + timing.shutdown.min(left), killed: timing.shutdown > left }
    }
}

fn grace_of(pod: &Pod) -> Duration {
    let seconds = pod.meta.deletion_grace_period_seconds.or(pod.spec.termination_grace_period_seconds);
    Duration::from_secs(u64::try_from(seconds.unwrap_or(GRACE_SECONDS)).unwrap_or(0))
}

impl Workloads {
    /// Deletes a Pod as the API does: with its grace, or at once if no kubelet has it, it has ended, or `grace` is 0.
    /// Source: `pkg/registry/core/pod/strategy.go` `CheckGracefulDelete`, v1.33.
    pub fn delete_pod(&self, store: &mut Store, key: &ObjectKey, grace: Option<i64>, now: Time) {
        let Some(pod) = store.get(key).and_then(|object| object.get::<Pod>()) else { return };
        let own = pod.spec.termination_grace_period_seconds.unwrap_or(GRACE_SECONDS);
        let seconds =
            if pod.spec.node_name.is_empty() || pod.is_terminal() { 0 } else { grace.unwrap_or(own) };
        if seconds == 0 {
            store.delete(key);
            return;
        }
        let at = self.epoch.text(now + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
        edit::<Pod>(store, key, |pod| {
            if pod.meta.deletion_timestamp.is_none() {
                pod.meta.deletion_timestamp = Some(at);
                pod.meta.deletion_grace_period_seconds = Some(seconds);
            }
        });
    }
}
