//! StatefulSet: Pods with ordinals, one after another or all at once.
//!
//! Source: `pkg/controller/statefulset/stateful_set_control.go`, `stateful_set_utils.go`, v1.33.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_sim::Time;

use super::make::controlled_by;
use super::replica_set::count;
use super::revisions::{REVISION_HASH, Revision, is_of};
use super::writes::edit;
use super::{Timer, Workloads, pod_key};
use crate::labels::Selector;
use crate::object::{Object, ObjectKey, Pod, StatefulSet};
use crate::store::Store;

/// One look at a StatefulSet.
struct Look<'a> {
    set: &'a StatefulSet,
    key: ObjectKey,
    /// Pods that should be, by ordinal.
    replicas: BTreeMap<i32, Option<Arc<Object>>>,
    /// Pods that should not be, the highest ordinal first.
    condemned: Vec<Arc<Object>>,
    current: Revision,
    newest: Revision,
    monotonic: bool,
    now: Time,
}

impl Workloads {
    pub(super) fn sync_stateful_set(
        &mut self,
        store: &mut Store,
        object: &Object,
        set: &StatefulSet,
        now: Time,
    ) {
        let Ok(selector) = Selector::from_object(set.spec.selector.as_ref()) else { return };
        let owner = controlled_by("StatefulSet", &set.meta);
        let claimed = self.claim_pods(store, &owner, &set.meta.namespace, &selector);
        let newest = self.revisions.newest(object, None);
        let current =
            self.revisions.find(&object.key(), &set.status.current_revision).unwrap_or(&newest).clone();
        let (replicas, condemned) = by_ordinal(set, &claimed);
        let monotonic = set.spec.pod_management_policy != "Parallel";
        let look = Look { set, key: object.key(), replicas, condemned, current, newest, monotonic, now };
        if set.meta.deletion_timestamp.is_none() {
            self.move_stateful_set(store, &look);
        }
        self.report_stateful_set(store, &look, &claimed);
    }

    /// Scaling comes first, then the update. In order, only one step is taken at a time.
    fn move_stateful_set(&mut self, store: &mut Store, look: &Look<'_>) {
        if self.fill(store, look) && look.monotonic {
            return;
        }
        if self.condemn(store, look) && look.monotonic {
            return;
        }
        if look.set.spec.update_strategy.type_ != "OnDelete" {
            self.update_next(store, look);
        }
    }

    /// Source: `processReplica`. Whether there is something to wait for.
    fn fill(&mut self, store: &mut Store, look: &Look<'_>) -> bool {
        let mut waits = false;
        for (ordinal, pod) in &look.replicas {
            let stops = match pod.as_ref().and_then(|object| object.get::<Pod>()) {
                None => {
                    self.create_ordinal(store, look, *ordinal);
                    true
                }
                Some(pod) if pod.is_terminal() => {
                    if !pod.meta.is_terminating() {
                        self.delete_pod(store, &pod_key(pod), None, look.now);
                    }
                    true
                }
                Some(pod) => look.monotonic && self.is_unavailable(pod, look),
            };
            waits |= stops;
            if stops && look.monotonic {
                return true;
            }
        }
        waits
    }

    /// Source: `processCondemned`. Whether there is something to wait for.
    fn condemn(&mut self, store: &mut Store, look: &Look<'_>) -> bool {
        let first_unavailable = self.first_unavailable(look);
        for object in &look.condemned {
            let pod = object.get::<Pod>().expect("a StatefulSet owns Pods");
            let blocked = self.is_unavailable(pod, look) && first_unavailable.as_ref() != Some(&object.key());
            if pod.meta.is_terminating() {
                if look.monotonic {
                    return true;
                }
                continue;
            }
            if !(look.monotonic && blocked) {
                self.delete_pod(store, &object.key(), None, look.now);
            }
            if look.monotonic {
                return true;
            }
        }
        !look.condemned.is_empty()
    }

    fn first_unavailable(&mut self, look: &Look<'_>) -> Option<ObjectKey> {
        let condemned = look.condemned.iter().rev();
        let all: Vec<&Arc<Object>> = look.replicas.values().flatten().chain(condemned).collect();
        let unavailable = |object: &&&Arc<Object>| {
            let pod = object.get::<Pod>().expect("a StatefulSet owns Pods");
            self.available_from(pod, look.set.spec.min_ready_seconds).is_none_or(|at| at > look.now)
                || pod.meta.is_terminating()
        };
        all.iter().find(unavailable).map(|object| object.key())
    }

    /// The highest ordinal that is not of the newest template goes; before that, what is unavailable is waited for.
    fn update_next(&mut self, store: &mut Store, look: &Look<'_>) {
        let start = start_of(look.set);
        let partition = partition_of(look.set);
        for (ordinal, object) in look.replicas.iter().rev() {
            if *ordinal < start.saturating_add(partition) {
                return;
            }
            let Some(pod) = object.as_ref().and_then(|object| object.get::<Pod>()) else { return };
            if !is_of(&pod.meta.labels, &look.newest.name, &look.set.meta.name) && !pod.meta.is_terminating()
            {
                self.delete_pod(store, &pod_key(pod), None, look.now);
                return;
            }
            if self.is_unavailable(pod, look) {
                return;
            }
        }
    }

    /// Whether a Pod is not running, not ready for long enough, or ending. Sets the clock for one that waits for its time.
    fn is_unavailable(&mut self, pod: &Pod, look: &Look<'_>) -> bool {
        if pod.meta.is_terminating() || pod.status.phase != "Running" {
            return true;
        }
        match self.available_from(pod, look.set.spec.min_ready_seconds) {
            Some(at) if at > look.now => {
                self.timers.push(at, Timer::Sync(look.key.clone()));
                true
            }
            found => found.is_none(),
        }
    }

    /// Source: `newStatefulSetPod`, `initIdentity`: names, labels, hostname, subdomain.
    fn create_ordinal(&mut self, store: &mut Store, look: &Look<'_>, ordinal: i32) {
        let (set, meta) = (look.set, &look.set.meta);
        let old = ordinal < start_of(set).saturating_add(partition_of(set));
        let revision = if old { &look.current } else { &look.newest };
        let name = format!("{}-{ordinal}", meta.name);
        let owner = controlled_by("StatefulSet", meta);
        let mut pod = self.pod_of(&revision.template, owner, &meta.namespace, &name, look.now);
        pod.meta.labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), name.clone());
        pod.meta.labels.insert("apps.kubernetes.io/pod-index".to_owned(), ordinal.to_string());
        pod.meta.labels.insert(REVISION_HASH.to_owned(), revision.name.clone());
        pod.spec.hostname = name;
        pod.spec.subdomain.clone_from(&set.spec.service_name);
        self.create_pod(store, pod);
    }

    /// Source: `updateStatus`, `completeRollingUpdate`.
    fn report_stateful_set(&mut self, store: &mut Store, look: &Look<'_>, claimed: &[Arc<Object>]) {
        let pods: Vec<&Pod> = claimed.iter().filter_map(|object| object.get::<Pod>()).collect();
        let ready = pods.iter().filter(|pod| pod.status.phase == "Running" && pod.is_ready()).count();
        let available = self.count_available(&look.key, &pods, look.set.spec.min_ready_seconds, look.now);
        let of = |name: &str| {
            let is = |pod: &&&Pod| {
                !pod.meta.is_terminating() && is_of(&pod.meta.labels, name, &look.set.meta.name)
            };
            count(pods.iter().filter(is).count())
        };
        let wanted = look.set.spec.replicas.unwrap_or(1);
        let updated = of(&look.newest.name);
        let done = [updated, count(ready), count(pods.len())] == [wanted; 3];
        let current = if done { &look.newest.name } else { &look.current.name };
        edit::<StatefulSet>(store, &look.key, |set| {
            let status = &mut set.status;
            status.observed_generation = set.meta.generation;
            status.replicas = count(pods.len());
            status.ready_replicas = count(ready);
            status.available_replicas = available;
            status.updated_replicas = updated;
            status.current_replicas = if done { updated } else { of(&look.current.name) };
            status.current_revision.clone_from(current);
            status.update_revision.clone_from(&look.newest.name);
        });
    }
}

fn start_of(set: &StatefulSet) -> i32 {
    set.spec.ordinals.as_ref().map_or(0, |ordinals| ordinals.start)
}

fn partition_of(set: &StatefulSet) -> i32 {
    set.spec.update_strategy.rolling_update.as_ref().and_then(|it| it.partition).unwrap_or(0)
}

/// A Pod's ordinal: the number behind its set's name.
fn ordinal_of(set: &StatefulSet, pod: &str) -> Option<i32> {
    pod.strip_prefix(&set.meta.name)?.strip_prefix('-')?.parse().ok()
}

type Replicas = BTreeMap<i32, Option<Arc<Object>>>;

fn by_ordinal(set: &StatefulSet, pods: &[Arc<Object>]) -> (Replicas, Vec<Arc<Object>>) {
    let start = start_of(set);
    let wanted = set.spec.replicas.unwrap_or(1);
    let mut replicas: Replicas = (0..wanted).map(|at| (start.saturating_add(at), None)).collect();
    let mut condemned = BTreeMap::new();
    for pod in pods {
        let Some(ordinal) = ordinal_of(set, &pod.meta().name) else { continue };
        match replicas.get_mut(&ordinal) {
            Some(place) => *place = Some(Arc::clone(pod)),
            None => _ = condemned.insert(ordinal, Arc::clone(pod)),
        }
    }
    (replicas, condemned.into_values().rev().collect())
}
