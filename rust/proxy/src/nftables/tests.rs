//! Syncs as stories, and partial syncs against a rebuild.

mod kernel;
mod texts;

use kdp_netfilter::nft::{Op, Step, Transaction};
use kdp_packet::Family;
use kdp_sim::Time;
use proptest::prelude::*;
use serde_json::json;

use self::kernel::Kernel;
use super::*;
use crate::config::Config;
use crate::generate::{Event, endpoint, events, service, slice};
use crate::node::NodeFacts;
use crate::profile::Profile;
use crate::view::View;
use crate::view::tests::World;

/// A node n1 with its kernel.
pub(crate) struct Machine {
    pub(crate) proxier: NftProxier,
    pub(crate) kernel: Kernel,
}

impl Machine {
    pub(crate) fn new(minor: u8, family: Family) -> Machine {
        let node = NodeFacts { zone: Some("z1".into()), ..NodeFacts::default() };
        Machine { proxier: NftProxier::new(&config(minor), &node, family), kernel: Kernel::default() }
    }

    pub(crate) fn sync(&mut self, view: &View, now: u64) -> NftSynced {
        let synced = self.proxier.sync(view, Time::from_secs(now)).expect("no name is long");
        synced.cleanup.iter().chain([&synced.transaction]).for_each(|change| self.kernel.apply(change));
        synced
    }
}

fn config(minor: u8) -> Config {
    let block = json!({"mode": "nftables", "nodeName": "n1", "version": format!("1.{minor}"), "nodeIPs": ["10.200.0.1"],
        "primaryNodeIP": "10.200.0.1", "detectLocal": {"clusterCIDR": "10.1.0.0/16"}, "serviceCIDRs": ["10.96.0.0/16"]});
    Config::from_block(&block).unwrap()
}

/// Steps as kube-proxy counts them: each element is one.
fn operations(transaction: &Transaction) -> usize {
    let count = |step: &Step| match step {
        Step::In(_, Op::AddElements(_, elements) | Op::DeleteElements(_, elements)) => elements.len(),
        _ => 1,
    };
    transaction.steps.iter().map(count).sum()
}

fn one_endpoint(view: &mut View, name: &str) {
    view.apply_service(&service(name)).unwrap();
    view.apply_slice(&slice(name, name, vec![endpoint("10.1.0.1", "n1")])).unwrap();
    view.drain();
}

/// Source of the numbers: kube-proxy, nftables unit tests of partial syncs.
#[test]
fn a_service_comes_in_ten_operations_and_goes_in_four() {
    let mut view = View::new(Profile::of(35).unwrap());
    let mut node = Machine::new(35, Family::V4);
    assert!(node.sync(&view, 0).full);
    let empty = node.kernel.clone();
    one_endpoint(&mut view, "a");
    let synced = node.sync(&view, 1);
    assert!(!synced.full);
    assert_eq!(operations(&synced.transaction), 10);
    assert_eq!(operations(&node.sync(&view, 2).transaction), 0);
    view.delete_service("ns", "a");
    view.drain();
    assert_eq!(operations(&node.sync(&view, 3).transaction), 4);
    assert!(node.sync(&view, 4).cleanup.is_none(), "a second is not more than a second");
    assert_eq!(node.sync(&view, 5).cleanup.map(|change| change.steps.len()), Some(2));
    assert_eq!(node.kernel, empty);
}

#[test]
fn a_chain_that_comes_back_is_not_deleted() {
    let mut view = View::new(Profile::of(35).unwrap());
    let mut node = Machine::new(35, Family::V4);
    one_endpoint(&mut view, "a");
    node.sync(&view, 0);
    let before = node.kernel.clone();
    view.delete_slice("ns", "a");
    view.drain();
    node.sync(&view, 1);
    one_endpoint(&mut view, "a");
    node.sync(&view, 2);
    assert!(node.sync(&view, 9).cleanup.is_none());
    assert_eq!(node.kernel, before);
}

#[test]
fn what_makes_a_sync_full() {
    let mut view = View::new(Profile::default());
    one_endpoint(&mut view, "a");
    let mut node = Machine::new(36, Family::V4);
    node.sync(&view, 0);
    let before = node.kernel.clone();
    assert!(!node.proxier.is_behind(&view) && !node.sync(&view, 1).full);
    node.proxier.set_node(&NodeFacts { zone: Some("z2".into()), ..NodeFacts::default() });
    assert!(node.proxier.is_behind(&view) && node.sync(&view, 2).full, "after a change of the zone");
    assert!(!node.sync(&view, 3).full);
    node.proxier.failed();
    assert!(node.sync(&view, 4).full, "after a failure");
    assert!(node.sync(&view, 3604).full, "an hour later");
    assert_eq!(node.kernel, before);
}

#[test]
fn a_cluster_ip_stays_while_a_port_of_its_service_does() {
    let mut view = View::new(Profile::default());
    let mut own = service("a");
    own.spec.ports.push(crate::generate::port("q", "TCP", 81, None));
    view.apply_service(&own).unwrap();
    view.drain();
    let mut node = Machine::new(36, Family::V4);
    node.sync(&view, 0);
    view.apply_service(&service("a")).unwrap();
    view.drain();
    // The frontend of port q goes, the address stays.
    assert_eq!(operations(&node.sync(&view, 1).transaction), 1);
}

#[test]
fn an_affinity_set_whose_timeout_changes_is_made_anew() {
    let mut view = View::new(Profile::default());
    let mut own = service("a");
    own.spec.session_affinity = "ClientIP".into();
    own.spec.session_affinity_config =
        serde_json::from_value(json!({"clientIP": {"timeoutSeconds": 60}})).unwrap();
    view.apply_service(&own).unwrap();
    view.apply_slice(&slice("a", "a", vec![endpoint("10.1.0.1", "n1")])).unwrap();
    view.drain();
    let mut node = Machine::new(36, Family::V4);
    node.sync(&view, 0);
    own.spec.session_affinity_config =
        serde_json::from_value(json!({"clientIP": {"timeoutSeconds": 61}})).unwrap();
    view.apply_service(&own).unwrap();
    view.drain();
    node.sync(&view, 1);
    assert_eq!(node.kernel.timeouts(), [Time::from_secs(61)]);
}

#[test]
fn a_long_name_stops_the_family_while_its_service_has_no_endpoint() {
    let (mut view, mut node) = (View::new(Profile::default()), Machine::new(36, Family::V4));
    let mut own = service(&"s".repeat(63));
    own.meta.namespace = "n".repeat(63);
    own.spec.ports[0].name = "p".repeat(3);
    view.apply_service(&own).unwrap();
    view.drain();
    let refused = node.proxier.sync(&view, Time::ZERO).unwrap_err();
    assert_eq!(refused.code(), "proxy-nft-comment-too-long");
    own.spec.ports[0].name.clear();
    view.apply_service(&own).unwrap();
    view.drain();
    assert!(node.sync(&view, 1).full);
}

proptest! {
    #[test]
    fn partial_syncs_lead_to_the_rules_of_a_rebuild(events in events(), minor in 30..=36u8, v6: bool) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let profile = Profile::of(minor).unwrap();
        let (mut view, mut world) = (View::new(profile), World::default());
        let mut node = Machine::new(minor, family);
        for (now, event) in events.iter().chain([&Event::Sync]).enumerate() {
            world.apply(event, &mut view);
            if matches!(event, Event::Sync) {
                node.sync(&view, now as u64);
            }
        }
        // Once more, so that stale chains go.
        node.sync(&view, 1000);
        let mut rebuilt = Machine::new(minor, family);
        rebuilt.sync(&world.rebuild(profile), 0);
        prop_assert_eq!(node.kernel, rebuilt.kernel);
    }
}
