//! What a Deployment says of itself.

use std::time::Duration;

use kdp_sim::Time;

use super::sets::Sets;
use super::sizes::Limits;
use crate::object::{Deployment, ObjectKey, WorkloadStatus};
use crate::store::Store;
use crate::workload::timing::PROGRESS_DEADLINE_SECONDS;
use crate::workload::writes::{edit, set_condition};
use crate::workload::{Timer, Workloads};

impl Workloads {
    pub(super) fn report_deployment(
        &mut self,
        store: &mut Store,
        key: &ObjectKey,
        limits: Limits,
        sets: &Sets,
        now: Time,
    ) {
        let Some(object) = store.get(key).cloned() else { return };
        let Some(deployment) = object.get::<Deployment>() else { return };
        let status = status_of(deployment, sets);
        let enough = status.available_replicas >= limits.least();
        let reason = if enough { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" };
        let available = self.condition("Available", enough, reason, now);
        let progress = self.progress(key, deployment, &status, limits, now);
        edit::<Deployment>(store, key, |it| {
            let conditions = std::mem::take(&mut it.status.conditions);
            it.status = WorkloadStatus { conditions, ..status };
            set_condition(&mut it.status.conditions, available);
            set_condition(&mut it.status.conditions, progress);
        });
    }

    /// Source: `progress.go` `syncRolloutStatus`, `deployment_util.go` `DeploymentProgressing`, `DeploymentTimedOut`.
    fn progress(
        &mut self,
        key: &ObjectKey,
        deployment: &Deployment,
        status: &WorkloadStatus,
        limits: Limits,
        now: Time,
    ) -> crate::object::Condition {
        let done =
            [status.updated_replicas, status.replicas, status.available_replicas] == [limits.wanted; 3];
        if done {
            self.progress_at.insert(key.clone(), now);
            return self.condition("Progressing", true, "NewReplicaSetAvailable", now);
        }
        let old = &deployment.status;
        let older = |status: &WorkloadStatus| status.replicas - status.updated_replicas;
        let moves = status.updated_replicas > old.updated_replicas
            || older(status) < older(old)
            || status.ready_replicas > old.ready_replicas
            || status.available_replicas > old.available_replicas;
        let deadline = deployment.spec.progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE_SECONDS);
        let deadline = Duration::from_secs(u64::from(deadline.max(0).unsigned_abs()));
        let moves = moves || deployment.meta.generation > old.observed_generation;
        match self.progress_at.get(key).filter(|_| !moves) {
            Some(since) if now.since(*since) >= deadline => {
                return self.condition("Progressing", false, "ProgressDeadlineExceeded", now);
            }
            Some(_) => {}
            None => {
                self.progress_at.insert(key.clone(), now);
                self.timers.push(now + deadline, Timer::Sync(key.clone()));
            }
        }
        self.condition("Progressing", true, "ReplicaSetUpdated", now)
    }
}

fn status_of(deployment: &Deployment, sets: &Sets) -> WorkloadStatus {
    let available = sets.total(|set| set.status.available_replicas);
    let updated = sets.new.as_ref().and_then(|set| set.get::<crate::object::ReplicaSet>());
    WorkloadStatus {
        observed_generation: deployment.meta.generation,
        replicas: sets.total(|set| set.status.replicas),
        updated_replicas: updated.map_or(0, |set| set.status.replicas),
        ready_replicas: sets.total(|set| set.status.ready_replicas),
        available_replicas: available,
        unavailable_replicas: (sets.replicas() - available).max(0),
        ..WorkloadStatus::default()
    }
}
