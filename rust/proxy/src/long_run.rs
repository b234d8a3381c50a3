//! A long life: thousands of changes on end, with partial syncs in both modes and both families, against rebuilds.
//!
//! `KDP_CHANGES=10000 cargo test -p kdp-proxy long_run` runs as many changes as it says.

use kdp_packet::Family;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::generate::{Event, event};
use crate::profile::Profile;
use crate::sync::{Extent, tests as iptables};
use crate::view::View;
use crate::view::tests::World;
use crate::{nftables::tests as nftables, sync::tests::listing};

/// Changes after which rules are compared with those of a rebuild.
const COMPARED_EVERY: usize = 50;

struct Life {
    profile: Profile,
    view: View,
    world: World,
    iptables: Vec<iptables::Machine>,
    nftables: Vec<nftables::Machine>,
    families: [Family; 2],
}

impl Life {
    fn new(minor: u8) -> Life {
        let (profile, families) = (Profile::of(minor).unwrap(), [Family::V4, Family::V6]);
        let config = iptables::config(minor);
        let machine = |family| iptables::Machine::new(&config, family, Extent::Changed);
        Life {
            profile,
            view: View::new(profile),
            world: World::default(),
            iptables: families.map(machine).into(),
            nftables: families.map(|family| nftables::Machine::new(minor, family)).into(),
            families,
        }
    }

    fn sync(&mut self, now: u64) -> usize {
        let partial =
            self.iptables.iter_mut().filter_map(|node| (!node.sync(&self.view, now).full).then_some(()));
        let partial = partial.count();
        let nft =
            self.nftables.iter_mut().filter_map(|node| (!node.sync(&self.view, now).full).then_some(()));
        partial + nft.count()
    }

    /// The rules are those that a proxy makes that starts now, in order.
    fn compare(&mut self, now: u64) {
        self.view.drain();
        self.sync(now);
        // Once more, a little later: stale chains of nftables go.
        self.sync(now + 2);
        let view = self.world.rebuild(self.profile);
        let config = iptables::config(self.profile.minor);
        for (at, family) in self.families.into_iter().enumerate() {
            let mut fresh = iptables::Machine::new(&config, family, Extent::Whole);
            fresh.sync(&view, 0);
            assert_eq!(
                listing(&self.iptables[at].ruleset),
                listing(&fresh.ruleset),
                "iptables {family:?}, at {now}"
            );
            let mut fresh = nftables::Machine::new(self.profile.minor, family);
            fresh.sync(&view, 0);
            assert_eq!(self.nftables[at].kernel, fresh.kernel, "nftables {family:?}, at {now}");
        }
    }
}

#[test]
fn partial_syncs_leave_the_rules_of_a_rebuild_after_any_number_of_changes() {
    let changes =
        std::env::var("KDP_CHANGES").map_or(1_000, |text| text.parse().expect("KDP_CHANGES is a number"));
    for minor in [Profile::FIRST, Profile::LAST] {
        let (mut life, mut runner) = (Life::new(minor), TestRunner::deterministic());
        let mut partial = 0;
        for at in 0..changes {
            let event = event().new_tree(&mut runner).expect("there is an event").current();
            life.world.apply(&event, &mut life.view);
            let now = 10 * at as u64;
            if matches!(event, Event::Sync) {
                partial += life.sync(now);
            }
            if at % COMPARED_EVERY == COMPARED_EVERY - 1 {
                life.compare(now + 1);
            }
        }
        life.compare(10 * changes as u64);
        assert!(partial > changes / 4, "most syncs are partial: {partial} of {changes} changes");
    }
}
