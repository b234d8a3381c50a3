//! How many Pods each ReplicaSet of a Deployment should have next: numbers in, numbers out.
//!
//! Source: `pkg/controller/deployment/util/deployment_util.go`, `rolling.go`, `sync.go`, v1.33.

use crate::object::{Deployment, IntOrString};

/// What bounds a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Pods that there should be.
    pub(crate) wanted: i32,
    /// Pods that may be too many.
    pub(crate) surge: i32,
    /// Pods that may be missing.
    pub(crate) unavailable: i32,
}

/// A ReplicaSet: Pods that it should have, and Pods that are available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) replicas: i32,
    pub(crate) available: i32,
}

impl Limits {
    /// Surge is rounded up, unavailable down; where both come to nothing, one may be unavailable, or nothing would move.
    /// Source: `ResolveFenceposts`, `MaxSurge`, `MaxUnavailable`.
    pub(crate) fn of(deployment: &Deployment) -> Limits {
        let wanted = deployment.spec.replicas.unwrap_or(1);
        if deployment.spec.strategy.type_ == "Recreate" {
            return Limits { wanted, surge: 0, unavailable: 0 };
        }
        let quarter = IntOrString::Str("25%".to_owned());
        let rolling = deployment.spec.strategy.rolling_update.as_ref();
        let surge = rolling.and_then(|it| it.max_surge.as_ref()).unwrap_or(&quarter);
        let unavailable = rolling.and_then(|it| it.max_unavailable.as_ref()).unwrap_or(&quarter);
        let (surge, mut unavailable) = (share(surge, wanted, true), share(unavailable, wanted, false));
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Limits { wanted, surge, unavailable: unavailable.min(wanted) }
    }

    /// Pods that there may be at most.
    pub(crate) fn most(self) -> i32 {
        self.wanted.saturating_add(self.surge)
    }

    /// Pods that must be available.
    pub(crate) fn least(self) -> i32 {
        self.wanted - self.unavailable
    }

    /// Pods that the new ReplicaSet should have next, of `all` that the ReplicaSets should have together.
    /// Source: `reconcileNewReplicaSet`, `NewRSNewReplicas`.
    pub(crate) fn grown(self, new: i32, all: i32) -> i32 {
        if new >= self.wanted {
            return self.wanted;
        }
        let room = (self.most() - all).max(0);
        new + room.min(self.wanted - new)
    }

    /// Pods that each old ReplicaSet should have next, the oldest first: those that are not available go first, then as many
    /// as the available ones allow. Source: `reconcileOldReplicaSets`, `cleanupUnhealthyReplicas`,
    /// `scaleDownOldReplicaSetsForRollingUpdate`.
    pub(crate) fn shrunk(self, new: Size, old: &[Size]) -> Vec<i32> {
        let mut replicas: Vec<i32> = old.iter().map(|size| size.replicas).collect();
        let all = new.replicas + replicas.iter().sum::<i32>();
        let mut most = all - self.least() - (new.replicas - new.available);
        if most <= 0 {
            return replicas;
        }
        for (left, size) in replicas.iter_mut().zip(old) {
            let unhealthy = (size.replicas - size.available).clamp(0, most);
            *left -= unhealthy;
            most -= unhealthy;
        }
        let available = new.available + old.iter().map(|size| size.available).sum::<i32>();
        let mut more = (available - self.least()).max(0);
        for left in &mut replicas {
            let down = more.min(*left);
            *left -= down;
            more -= down;
        }
        replicas
    }

    /// Sizes after the Deployment was scaled in the middle of a rollout: what is to add or remove is shared among the active
    /// ReplicaSets by their size. `sets` are sizes, each with the most Pods that the Deployment might have when the ReplicaSet
    /// was last written, in the order of who gets what is left over.
    /// Source: `scale`, `GetProportion`, `getReplicaSetFraction`.
    pub(crate) fn proportional(self, sets: &[(i32, i32)]) -> Vec<i32> {
        let allowed = if self.wanted > 0 { self.most() } else { 0 };
        let add = allowed - sets.iter().map(|(replicas, _)| replicas).sum::<i32>();
        let mut added = 0;
        let mut sizes = Vec::with_capacity(sets.len());
        for (replicas, most_then) in sets {
            let part = if add == 0 { 0 } else { self.part(*replicas, *most_then, add, added) };
            added += part;
            sizes.push(replicas + part);
        }
        if let Some(first) = sizes.first_mut() {
            *first = (*first + add - added).max(0);
        }
        sizes
    }

    fn part(self, replicas: i32, most_then: i32, add: i32, added: i32) -> i32 {
        if replicas == 0 || add == added {
            return 0;
        }
        let fraction = if self.wanted == 0 {
            -replicas
        } else {
            let then = if most_then == 0 { self.most() } else { most_then };
            let exact = f64::from(replicas) * f64::from(self.most()) / f64::from(then);
            #[expect(clippy::cast_possible_truncation, reason = "a size below 2^31 rounded")]
            let size = exact.round() as i32;
            size - replicas
        };
        if add > 0 { fraction.min(add - added) } else { fraction.max(add - added) }
    }
}

/// A number, or a percentage of `of` rounded up or down.
/// Source: `k8s.io/apimachinery/pkg/util/intstr` `GetScaledValueFromIntOrPercent`.
pub(crate) fn share(value: &IntOrString, of: i32, up: bool) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::Str(text) => {
            let percent: i64 = text.strip_suffix('%').and_then(|text| text.parse().ok()).unwrap_or(0);
            let hundredths = percent * i64::from(of);
            let share = if up { (hundredths + 99).div_euclid(100) } else { hundredths.div_euclid(100) };
            i32::try_from(share).unwrap_or(i32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::RollingUpdate;
    use proptest::prelude::*;

    fn limits(wanted: i32, surge: &str, unavailable: &str) -> Limits {
        let value =
            |text: &str| text.parse().map_or_else(|_| IntOrString::Str(text.to_owned()), IntOrString::Int);
        let mut deployment = Deployment::default();
        deployment.spec.replicas = Some(wanted);
        deployment.spec.strategy.rolling_update = Some(RollingUpdate {
            max_surge: Some(value(surge)),
            max_unavailable: Some(value(unavailable)),
            partition: None,
        });
        Limits::of(&deployment)
    }

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        for (wanted, surge, unavailable, expected) in [
            (10, "25%", "25%", (3, 2)),
            (3, "25%", "25%", (1, 0)),
            (1, "0", "25%", (0, 1)),
            (4, "0", "0", (0, 1)),
            (2, "1", "5", (1, 2)),
            (0, "25%", "25%", (0, 0)),
        ] {
            let limits = limits(wanted, surge, unavailable);
            assert_eq!((limits.surge, limits.unavailable), expected, "{wanted} {surge} {unavailable}");
        }
    }

    #[test]
    fn a_rollout_of_ten_begins_with_five_new_and_eight_old() {
        let limits = limits(10, "25%", "25%");
        assert_eq!(limits.grown(0, 10), 3);
        let old = [Size { replicas: 10, available: 10 }];
        assert_eq!(limits.shrunk(Size { replicas: 3, available: 0 }, &old), [8]);
        assert_eq!(limits.grown(3, 11), 5);
        assert_eq!(
            limits.shrunk(Size { replicas: 5, available: 0 }, &[Size { replicas: 8, available: 8 }]),
            [8]
        );
    }

    #[test]
    fn unhealthy_old_pods_go_first() {
        let limits = limits(10, "0", "2");
        let old = [Size { replicas: 4, available: 4 }, Size { replicas: 6, available: 4 }];
        assert_eq!(limits.shrunk(Size { replicas: 0, available: 0 }, &old), [4, 4]);
    }

    #[test]
    fn scaling_in_the_middle_is_shared_by_size() {
        // Source: the example of "Proportional scaling" in the Kubernetes documentation of Deployments: 8 and 5 of 10+3
        // become 11 and 7 of 15+3.
        let limits = limits(15, "3", "2");
        assert_eq!(limits.proportional(&[(8, 13), (5, 13)]), [11, 7]);
    }

    proptest! {
        /// The controller alone against Pods that become available in any order: the bounds hold at each step, and the end is reached.
        #[test]
        fn a_rollout_never_breaks_its_bounds(
            wanted in 1i32..40, surge in 0i32..60, unavailable in 0i32..60, luck in prop::collection::vec(0i32..5, 1..50),
        ) {
            let limits = limits(wanted, &format!("{surge}%"), &format!("{unavailable}%"));
            let (mut new, mut old) = (Size { replicas: 0, available: 0 }, Size { replicas: wanted, available: wanted });
            let mut luck = luck.iter().cycle();
            for _ in 0..2000 {
                new.replicas = limits.grown(new.replicas, new.replicas + old.replicas);
                old.replicas = limits.shrunk(new, &[old])[0];
                old.available = old.available.min(old.replicas);
                prop_assert!(new.replicas + old.replicas <= limits.most());
                prop_assert!(new.available + old.available >= limits.least());
                new.available = (new.available + luck.next().unwrap()).min(new.replicas);
                if new.available == wanted && old.replicas == 0 { return Ok(()); }
                if luck.clone().take(50).all(|more| *more == 0) { return Ok(()); }
            }
            prop_assert!(false, "the rollout never ends: {new:?} {old:?}");
        }

        #[test]
        fn shares_add_up_to_what_is_allowed(
            wanted in 1i32..60, surge in 0i32..10, sets in prop::collection::vec((1i32..30, 1i32..80), 1..5),
        ) {
            let limits = limits(wanted, &surge.to_string(), "1");
            let sizes = limits.proportional(&sets);
            prop_assert!(sizes.iter().all(|size| *size >= 0));
            prop_assert!(sizes.iter().sum::<i32>() >= limits.most(), "nothing of what is to add is lost");
        }
    }
}
