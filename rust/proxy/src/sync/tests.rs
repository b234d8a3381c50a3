//! Syncs as stories, and partial syncs against a rebuild.

use kdp_netfilter::{Match, Op, Rule, Table};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::generate::{endpoint, events, service, slice};
use crate::profile::Profile;
use crate::view::tests::World;

/// A node n1 with its kernel, IPv4.
pub(crate) struct Machine {
    pub(crate) proxier: Proxier,
    pub(crate) ruleset: Ruleset,
    extent: Extent,
}

impl Machine {
    pub(crate) fn new(config: &Config, family: Family, extent: Extent) -> Machine {
        let node = NodeFacts { zone: Some("z1".into()), ..NodeFacts::default() };
        Machine { proxier: Proxier::new(config, &node, family), ruleset: Ruleset::new(family), extent }
    }

    pub(crate) fn sync(&mut self, view: &View, now: u64) -> Synced {
        let synced = self.proxier.sync(view, &self.ruleset, Time::from_secs(now), self.extent);
        self.ruleset.apply(&synced.transaction).expect("transactions fit");
        synced
    }
}

pub(crate) fn config(minor: u8) -> Config {
    let block = json!({"nodeName": "n1", "version": format!("1.{minor}"), "nodeIPs": ["10.200.0.1"], "primaryNodeIP": "10.200.0.1",
        "detectLocal": {"clusterCIDR": "10.1.0.0/16"}, "nfacct": true});
    Config::from_block(&block).unwrap()
}

/// Every chain with its rules, in listing order.
pub(crate) fn listing(ruleset: &Ruleset) -> Vec<(Table, String, Vec<Rule>)> {
    let chains =
        Table::ALL.into_iter().flat_map(|table| ruleset.chains(table).into_iter().map(move |id| (table, id)));
    chains
        .map(|(table, id)| {
            let chain = ruleset.chain(id);
            (
                table,
                chain.name().to_string(),
                chain.rules().iter().map(|installed| installed.rule().clone()).collect(),
            )
        })
        .collect()
}

/// Rules of kube-proxy's chains of a table, counted.
fn rules_of(ruleset: &Ruleset, table: Table) -> usize {
    let chains =
        listing(ruleset).into_iter().filter(|(own, name, _)| *own == table && name.starts_with("KUBE-"));
    chains.map(|(_, _, rules)| rules.len()).sum()
}

/// A view of Services `a` and `b` with two endpoints each.
fn two_services() -> View {
    let mut view = View::new(Profile::default());
    for (i, name) in ["a", "b"].into_iter().enumerate() {
        let mut own = service(name);
        own.spec.cluster_ips[0] = format!("10.96.0.{}", i + 1);
        view.apply_service(&own).unwrap();
        let endpoints = [1, 2].map(|host| endpoint(&format!("10.1.{i}.{host}"), "n1"));
        view.apply_slice(&slice(name, name, endpoints.to_vec())).unwrap();
    }
    view.drain();
    view
}

/// The chains that a transaction writes.
fn written(transaction: &Transaction) -> BTreeSet<String> {
    let opened = transaction.ops.iter().filter_map(|(_, op)| match op {
        Op::Chain(name) => Some(name.to_string()),
        _ => None,
    });
    opened.collect()
}

#[test]
fn the_first_sync_is_full_and_the_second_has_nothing_to_do() {
    let (view, mut node) = (two_services(), Machine::new(&config(36), Family::V4, Extent::Changed));
    assert!(node.sync(&view, 0).full);
    assert!(!node.proxier.is_behind(&view));
    let synced = node.sync(&view, 1);
    assert!(!synced.full && synced.transaction.ops.is_empty());
}

#[test]
fn a_changed_endpoint_touches_its_service_ports_chains_alone() {
    let (mut view, mut node) = (two_services(), Machine::new(&config(36), Family::V4, Extent::Changed));
    node.sync(&view, 0);
    let endpoints = vec![endpoint("10.1.0.1", "n1"), endpoint("10.1.0.3", "n1")];
    view.apply_slice(&slice("a", "a", endpoints)).unwrap();
    view.drain();
    let synced = node.sync(&view, 1);
    let key = ServicePortName {
        service: ServiceName::new("ns", "a"),
        port: PortName { name: "p".into(), protocol: kdp_packet::Proto::TCP },
    };
    let endpoints = [1, 2, 3].map(|host| key.endpoint_chain(&format!("10.1.0.{host}:8080")).to_string());
    // The endpoint that stays keeps its chain as it stands.
    let expected = [key.chain("KUBE-SVC-").to_string(), endpoints[1].clone(), endpoints[2].clone()];
    assert_eq!(written(&synced.transaction), BTreeSet::from(expected));
    assert_eq!(synced.counts.chains_deleted, 1);
    assert!(node.ruleset.find(Table::Nat, &Name::text(endpoints[1].as_str())).is_none());
    // What kube-proxy writes is more: the shared parts, whole.
    assert!(synced.counts.lines > 30 && synced.transaction.ops.len() < 15);
}

#[test]
fn the_last_endpoint_leaves_a_rejection() {
    let (mut view, mut node) = (two_services(), Machine::new(&config(36), Family::V4, Extent::Changed));
    node.sync(&view, 0);
    view.delete_slice("ns", "a");
    view.drain();
    let synced = node.sync(&view, 1);
    assert_eq!(synced.counts.chains_deleted, 3);
    let id = node.ruleset.find(Table::Filter, &Name::text("KUBE-SERVICES")).unwrap();
    let comment = Match::Comment("ns/a:p has no endpoints".into());
    assert!(node.ruleset.chain(id).rules()[0].rule().matches.contains(&comment));
}

/// Service `s{i}` with one endpoint, or without a slice.
fn numbered(view: &mut View, i: u8, ready: bool) {
    let name = format!("s{i:02}");
    let mut own = service(&name);
    own.spec.cluster_ips[0] = format!("10.96.1.{i}");
    view.apply_service(&own).unwrap();
    if ready {
        view.apply_slice(&slice(&name, &name, vec![endpoint(&format!("10.1.1.{i}"), "n1")])).unwrap();
    } else {
        view.delete_slice("ns", &name);
    }
}

#[test]
fn a_new_service_is_put_in_its_place() {
    let (mut view, mut node) = (two_services(), Machine::new(&config(36), Family::V4, Extent::Changed));
    (0..50).for_each(|i| numbered(&mut view, i, i != 25));
    view.drain();
    node.sync(&view, 0);
    numbered(&mut view, 25, true);
    view.drain();
    let synced = node.sync(&view, 1);
    // Out of filter, into nat; a chain and two rules for the Service, a chain and two rules for the endpoint.
    assert_eq!(synced.transaction.ops.len(), 8);
    let mut rebuilt = Machine::new(&config(36), Family::V4, Extent::Whole);
    rebuilt.sync(&view, 0);
    assert_eq!(listing(&node.ruleset), listing(&rebuilt.ruleset));
}

#[test]
fn after_many_changes_shared_chains_are_written_whole() {
    let (mut view, mut node) = (two_services(), Machine::new(&config(36), Family::V4, Extent::Changed));
    (0..100).for_each(|i| numbered(&mut view, i, i % 3 == 0));
    view.drain();
    node.sync(&view, 0);
    (0..100).for_each(|i| numbered(&mut view, i, i % 2 == 0));
    view.drain();
    let synced = node.sync(&view, 1);
    assert!(written(&synced.transaction).contains("KUBE-SERVICES"));
    assert!(!written(&synced.transaction).contains("KUBE-NODEPORTS"), "nothing changed there");
    // One more, so that places are looked up after a whole write.
    numbered(&mut view, 7, true);
    view.drain();
    node.sync(&view, 2);
    let mut rebuilt = Machine::new(&config(36), Family::V4, Extent::Whole);
    rebuilt.sync(&view, 0);
    assert_eq!(listing(&node.ruleset), listing(&rebuilt.ruleset));
}

#[test]
fn what_makes_a_sync_full() {
    let (view, mut node) = (two_services(), Machine::new(&config(36), Family::V4, Extent::Changed));
    node.sync(&view, 0);
    node.proxier.failed();
    assert!(node.sync(&view, 1).full, "after a failure");
    node.proxier.set_node(&NodeFacts { zone: Some("z2".into()), ..NodeFacts::default() });
    assert!(node.sync(&view, 2).full, "after a change of the zone");
    assert!(!node.sync(&view, 3).full);
    assert!(node.sync(&view, 3602).full, "an hour later");
    let mut flush = Transaction::new(Family::V4);
    flush.push(Table::Nat, Op::DeleteChain(Name::text("KUBE-PROXY-CANARY")));
    node.ruleset.apply(&flush).unwrap();
    assert!(node.sync(&view, 3603).full, "without a canary");
    assert!(!node.sync(&view, 3604).full);
}

#[test]
fn a_restarted_proxy_finds_the_chains_of_the_one_before() {
    let (mut view, mut node) = (two_services(), Machine::new(&config(36), Family::V4, Extent::Changed));
    node.sync(&view, 0);
    view.delete_service("ns", "a");
    view.drain();
    node.proxier = Machine::new(&config(36), Family::V4, Extent::Changed).proxier;
    assert_eq!(node.sync(&view, 1).counts.chains_deleted, 3);
    let mut fresh = Machine::new(&config(36), Family::V4, Extent::Changed);
    fresh.sync(&view, 0);
    assert_eq!(listing(&node.ruleset), listing(&fresh.ruleset));
}

/// A view in which Service `a` has `n` endpoints, and `b` two.
fn large_view(n: usize) -> View {
    let mut view = two_services();
    let endpoints = (0..n).map(|i| endpoint(&format!("10.1.{}.{}", 10 + i / 250, i % 250), "n1")).collect();
    view.apply_slice(&slice("a", "a", endpoints)).unwrap();
    view.drain();
    view
}

#[test]
fn above_a_thousand_endpoints_comments_go_and_stale_chains_stay_for_a_while() {
    let (mut view, mut node) = (large_view(998), Machine::new(&config(36), Family::V4, Extent::Changed));
    node.sync(&view, 0);
    let endpoints = (0..999).map(|i| endpoint(&format!("10.1.{}.{}", 20 + i / 250, i % 250), "n1")).collect();
    view.apply_slice(&slice("a", "a", endpoints)).unwrap();
    view.drain();
    assert_eq!(view.family(Family::V4).endpoints_known(), 1001);
    let synced = node.sync(&view, 1);
    assert_eq!(synced.counts.chains_deleted, 0);
    let commented = |name: &str| {
        let comments = |rule: &Rule| {
            rule.matches.iter().any(|test| matches!(test, Match::Comment(text) if text.contains(name)))
        };
        let rules = listing(&node.ruleset).into_iter().filter(|(_, chain, _)| chain.starts_with("KUBE-SVC-"));
        rules.flat_map(|(_, _, rules)| rules).filter(comments).count()
    };
    // Service b keeps its comments until it is written again; a keeps that of the masquerade rule alone.
    assert_eq!((commented("ns/a:p"), commented("ns/b:p ->")), (1, 2));
    assert_eq!(node.sync(&view, 30).counts.chains_deleted, 0);
    assert_eq!(node.sync(&view, 31).counts.chains_deleted, 998);
}

#[test]
fn kube_firewall_is_not_emptied_where_kubelet_shares_it() {
    let mut node = Machine::new(&config(36), Family::V6, Extent::Changed);
    let mut kubelet = Transaction::new(Family::V6);
    let name = Name::text("KUBE-FIREWALL");
    kubelet.push(Table::Filter, Op::Chain(name.clone()));
    kubelet.push(
        Table::Filter,
        Op::Append(name.clone(), Rule { matches: vec![], target: kdp_netfilter::Target::Drop }),
    );
    node.ruleset.apply(&kubelet).unwrap();
    node.sync(&two_services(), 0);
    let id = node.ruleset.find(Table::Filter, &name).unwrap();
    assert_eq!(node.ruleset.chain(id).rules().len(), 1);
}

proptest! {
    #[test]
    fn partial_syncs_lead_to_the_rules_of_a_rebuild(events in events(), minor in 30..=36u8, v6: bool) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let (config, profile) = (config(minor), Profile::of(minor).unwrap());
        let (mut view, mut world) = (View::new(profile), World::default());
        let mut nodes = [Extent::Changed, Extent::Whole].map(|extent| Machine::new(&config, family, extent));
        let sync = crate::generate::Event::Sync;
        for (now, event) in events.iter().chain([&sync]).enumerate() {
            world.apply(event, &mut view);
            if matches!(event, crate::generate::Event::Sync) {
                let [changed, whole] = nodes.each_mut().map(|node| node.sync(&view, now as u64));
                prop_assert_eq!(changed.counts, whole.counts);
                prop_assert_eq!(changed.counts.filter_rules, rules_of(&nodes[0].ruleset, Table::Filter));
                prop_assert_eq!(changed.counts.nat_rules, rules_of(&nodes[0].ruleset, Table::Nat));
                if !whole.full {
                    // Each step is a line; two headers and two COMMITs are none.
                    prop_assert_eq!(whole.counts.lines, whole.transaction.ops.len() + 4);
                }
            }
        }
        let mut rebuilt = Machine::new(&config, family, Extent::Whole);
        rebuilt.sync(&world.rebuild(profile), 0);
        prop_assert_eq!(listing(&nodes[0].ruleset), listing(&rebuilt.ruleset));
        prop_assert_eq!(listing(&nodes[1].ruleset), listing(&rebuilt.ruleset));
    }

    #[test]
    fn endpoints_are_reached_with_even_chances(n in 3..60u16) {
        let mut node = Machine::new(&config(36), Family::V4, Extent::Changed);
        node.sync(&large_view(usize::from(n)), 0);
        let chains = listing(&node.ruleset);
        let balanced = chains.iter().find(|(_, _, rules)| rules.len() == usize::from(n) + 1).map(|(_, _, rules)| rules);
        let mut left = 1.0;
        for rule in balanced.into_iter().flatten().skip(1) {
            let share = rule.matches.iter().find_map(|test| match test {
                Match::Statistic(kdp_netfilter::Statistic::Random(share)) => Some(f64::from(share.value) / f64::from(1u32 << 31)),
                _ => None,
            });
            prop_assert!((left * share.unwrap_or(1.0) * f64::from(n) - 1.0).abs() < 1e-6);
            left *= 1.0 - share.unwrap_or(1.0);
        }
    }
}
