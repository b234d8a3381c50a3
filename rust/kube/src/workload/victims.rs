//! Which Pods a ReplicaSet gives up first.
//!
//! Source: `pkg/controller/controller_utils.go` `ActivePodsWithRanks`, v1.33.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use kdp_sim::Time;

use super::clock::Epoch;
use crate::object::Pod;

/// The annotation by which a Pod asks to be given up sooner or later than others.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Sorts Pods so that those that go come first. `related` counts, by node, Pods of the same owner's ReplicaSets.
pub(super) fn sort(pods: &mut [&Pod], related: &BTreeMap<&str, usize>, epoch: Epoch, now: Time) {
    pods.sort_by(|a, b| compare(a, b, related, epoch, now));
}

fn compare(a: &Pod, b: &Pod, related: &BTreeMap<&str, usize>, epoch: Epoch, now: Time) -> Ordering {
    let rank = |pod: &Pod| related.get(pod.spec.node_name.as_str()).copied().unwrap_or(0);
    let placed = |pod: &Pod| !pod.spec.node_name.is_empty();
    let both_ready = a.is_ready() && b.is_ready();
    placed(a)
        .cmp(&placed(b))
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| a.is_ready().cmp(&b.is_ready()))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| rank(b).cmp(&rank(a)))
        .then_with(|| {
            if both_ready { younger(ready_since(a), ready_since(b), epoch, now) } else { Ordering::Equal }
        })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| {
            let made = |pod: &'_ Pod| pod.meta.creation_timestamp.clone();
            younger(made(a).as_deref(), made(b).as_deref(), epoch, now)
        })
        .then_with(|| a.meta.uid.cmp(&b.meta.uid))
}

fn phase(pod: &Pod) -> u8 {
    match pod.status.phase.as_str() {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

fn cost(pod: &Pod) -> i32 {
    pod.meta.annotations.get(DELETION_COST).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn restarts(pod: &Pod) -> i32 {
    pod.status.container_statuses.iter().map(|status| status.restart_count).max().unwrap_or(0)
}

fn ready_since(pod: &Pod) -> Option<&str> {
    let ready = pod.status.conditions.iter().find(|it| it.type_ == "Ready" && it.status == "True");
    ready.and_then(|it| it.last_transition_time.as_deref())
}

/// The younger one goes first; ages within a power of two are alike (gate LogarithmicScaleDown). No time counts as young.
fn younger(a: Option<&str>, b: Option<&str>, epoch: Epoch, now: Time) -> Ordering {
    match (a, b) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return Ordering::Less,
        (Some(_), None) => return Ordering::Greater,
        (Some(_), Some(_)) => {}
    }
    let bucket = |text| epoch.age_seconds(text, now).checked_ilog2().map_or(-1, i64::from);
    bucket(a).cmp(&bucket(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Condition;
    use crate::store::Store;

    fn pod(name: &str, node: &str, ready: Option<&str>, cost: &str) -> Pod {
        let mut pod = Pod::default();
        (pod.meta.name, pod.meta.uid) = (name.to_owned(), name.to_owned());
        pod.spec.node_name = node.to_owned();
        pod.status.phase = "Running".to_owned();
        pod.meta.creation_timestamp = Some("2023-12-31T23:00:00Z".to_owned());
        if !cost.is_empty() {
            pod.meta.annotations.insert(DELETION_COST.to_owned(), cost.to_owned());
        }
        pod.status.conditions.push(Condition {
            type_: "Ready".to_owned(),
            status: if ready.is_some() { "True" } else { "False" }.to_owned(),
            last_transition_time: ready.map(str::to_owned),
            ..Condition::default()
        });
        pod
    }

    #[test]
    fn unplaced_then_not_ready_then_cheap_then_crowded_then_young() {
        let epoch = Epoch::behind(&Store::new());
        let old = Some("2023-12-31T23:00:00Z");
        let pods = [
            pod("old", "n1", old, ""),
            pod("young", "n1", Some("2023-12-31T23:59:50Z"), ""),
            pod("crowded", "n2", old, ""),
            pod("cheap", "n1", old, "-1"),
            pod("not-ready", "n1", None, ""),
            pod("unplaced", "", None, ""),
        ];
        let related = BTreeMap::from([("n1", 1), ("n2", 2)]);
        let mut sorted: Vec<&Pod> = pods.iter().collect();
        sort(&mut sorted, &related, epoch, Time::ZERO);
        let names: Vec<&str> = sorted.iter().map(|pod| pod.meta.name.as_str()).collect();
        assert_eq!(names, ["unplaced", "not-ready", "cheap", "crowded", "young", "old"]);
    }

    #[test]
    fn ages_of_one_power_of_two_are_alike() {
        let epoch = Epoch::behind(&Store::new());
        let age = |a, b| younger(Some(a), Some(b), epoch, Time::ZERO);
        assert_eq!(age("2023-12-31T23:59:28Z", "2023-12-31T23:59:15Z"), Ordering::Equal, "32 and 45 seconds");
        assert_eq!(age("2023-12-31T23:59:30Z", "2023-12-31T23:59:15Z"), Ordering::Less, "30 and 45 seconds");
    }
}
