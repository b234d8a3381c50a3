//! What is left when its owner is gone.
//!
//! Source: `pkg/controller/garbagecollector/garbagecollector.go`, v1.33: dependents in the background, each by a delete.

use kdp_sim::Time;

use super::pod_life::PodStep;
use super::{Timer, Workloads};
use crate::object::{KindName, Object};

impl Workloads {
    /// An owner is gone: what it controlled is deleted, Pods with their grace.
    pub(super) fn orphaned(&mut self, owner: &Object, now: Time) {
        for key in self.index.owned(&owner.meta().uid) {
            // A ReplicaSet goes at once, and its Pods follow it.
            self.timers.push(now, Timer::Pod { key, uid: "".into(), step: PodStep::Collect });
        }
        if owner.key().kind == KindName::Deployment {
            self.revisions.forget(&owner.key());
        }
    }
}
