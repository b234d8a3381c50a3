//! The controllers over random clusters: what they leave is what a plain count of Pods says, and they come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kdp_sim::Time;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::legacy::LegacySettings;
use super::slices::{Problem, SliceSettings};
use super::{Controller, Op, Settings, Synced, Timestamp, Write, perform, words};
use crate::object::{EndpointSlice, Endpoints, Kind, KindName, Object, ObjectKey};
use crate::store::{Change, Cursor, Store};

/// A store with both controllers at work on it.
struct Cluster {
    store: Store,
    controller: Controller,
    seen: Cursor,
}

fn settings(max: usize) -> Settings {
    let slices = SliceSettings { endpoints_per_slice_max: max, ..SliceSettings::default() };
    Settings { slices: Some(slices), endpoints: Some(LegacySettings::default()), mirroring: None }
}

impl Cluster {
    fn new(max: usize) -> Cluster {
        Cluster { store: Store::new(), controller: Controller::new(settings(max)), seen: Cursor::default() }
    }

    fn put(&mut self, value: &Value) {
        let text = |field: &str| value[field].as_str().unwrap();
        let kind = Kind::read(&KindName::of("v1", text("kind")), "v1", value).unwrap();
        self.store.put(Object::new(kind));
        self.watch();
    }

    /// Only this change is seen of all that happened since.
    fn put_unseen(&mut self, value: &Value) {
        let kind = Kind::read(&KindName::Service, "v1", value).unwrap();
        let after = Some(Arc::new(Object::new(kind)));
        self.controller.apply(Time::ZERO, &Change { version: 0, before: None, after });
    }

    fn delete(&mut self, kind: KindName, name: &str) {
        let namespace = if kind == KindName::Node { "" } else { "d" };
        self.store.delete(&ObjectKey::new(kind, namespace, name));
        self.watch();
    }

    fn watch(&mut self) {
        for change in self.store.changes_since(self.seen).unwrap() {
            self.controller.apply(Time::ZERO, change);
        }
        self.seen = self.store.cursor();
    }

    fn sync(&mut self) -> Vec<Synced> {
        let store = &mut self.store;
        let synced = self.controller.drain(Time::ZERO, &mut |write| perform(store, write));
        self.watch();
        let refused = synced.iter().any(|synced| synced.problems.contains(&Problem::Refused));
        assert!(!refused, "who sees everything is not refused");
        synced
    }

    /// Takes along what a Service owned.
    fn collect(&mut self, service: &str) {
        let owned =
            self.slices().into_iter().filter(|slice| slice.meta.labels[words::SERVICE_NAME] == service);
        let owned: Vec<String> = owned.map(|slice| slice.meta.name.clone()).collect();
        for name in owned {
            self.delete(KindName::EndpointSlice, &name);
        }
    }

    fn slices(&self) -> Vec<&EndpointSlice> {
        self.store.all::<EndpointSlice>(None).collect()
    }
}

fn service(name: &str, app: u8, zonal: bool) -> Value {
    let distribution = zonal.then_some("PreferClose");
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "d", "uid": format!("u-{name}"), "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"selector": {"app": app.to_string()}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
            "trafficDistribution": distribution,
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web"}]}})
}

#[derive(Clone, Debug)]
struct PodState {
    app: u8,
    ip: u8,
    ready: bool,
    terminating: bool,
    phase: &'static str,
    port: u16,
    node: u8,
}

fn pod(name: &str, s: &PodState) -> Value {
    let ip = (s.ip > 0).then(|| format!("10.1.0.{}", s.ip));
    let ips: Vec<_> = ip.iter().map(|ip| json!({"ip": ip})).collect();
    let status = if s.ready { "True" } else { "False" };
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "d", "uid": format!("u-{name}"), "labels": {"app": s.app.to_string()},
            "deletionTimestamp": s.terminating.then_some("2024-01-01T00:00:00Z")},
        "spec": {"nodeName": format!("n{}", s.node),
            "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": s.port, "protocol": "TCP"}]}]},
        "status": {"phase": s.phase, "podIP": ip, "podIPs": ips, "conditions": [{"type": "Ready", "status": status}]}})
}

fn node(number: u8) -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("n{number}"), "labels": {"topology.kubernetes.io/zone": format!("z{number}")}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

#[derive(Clone, Debug)]
enum Step {
    Service(u8, u8, bool),
    NoService(u8),
    Pod(u8, PodState),
    NoPod(u8),
    Sync,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let phase = prop_oneof![8 => Just("Running"), 1 => Just("Failed"), 1 => Just("Pending")];
    let port = prop_oneof![Just(8080), Just(9090)];
    let state = (0..2u8, 0..40u8, any::<bool>(), prop::bool::weighted(0.1), phase, port, 0..3u8);
    let state = state.prop_map(|(app, ip, ready, terminating, phase, port, node)| PodState {
        app,
        ip,
        ready,
        terminating,
        phase,
        port,
        node,
    });
    let step = prop_oneof![
        1 => (0..2u8, 0..2u8, any::<bool>()).prop_map(|(s, app, zonal)| Step::Service(s, app, zonal)),
        1 => (0..2u8).prop_map(Step::NoService),
        12 => (0..24u8, state).prop_map(|(name, state)| Step::Pod(name, state)),
        3 => (0..24u8).prop_map(Step::NoPod),
        4 => Just(Step::Sync),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a Service should have: address, Pod, port, ready.
type Wanted = BTreeSet<(String, String, i32, bool)>;

/// The plain count: every Pod is looked at, nothing is remembered.
fn count(pods: &BTreeMap<u8, PodState>, app: u8) -> Wanted {
    let listed = pods.iter().filter(|(_, p)| p.app == app && p.ip > 0 && p.phase != "Failed");
    let entry = |(name, p): (&u8, &PodState)| {
        (format!("10.1.0.{}", p.ip), format!("p{name:02}"), i32::from(p.port), p.ready && !p.terminating)
    };
    listed.map(entry).collect()
}

fn found(slices: &[&EndpointSlice], service: &str) -> Vec<(String, String, i32, bool)> {
    let of_service = slices.iter().filter(|s| s.meta.labels[words::SERVICE_NAME] == service);
    let entries = of_service.flat_map(|slice| {
        slice.endpoints.iter().map(|e| {
            let port = slice.ports[0].port.unwrap();
            let pod = e.target_ref.as_ref().unwrap().name.clone();
            (e.addresses[0].clone(), pod, port, e.conditions.ready.unwrap())
        })
    });
    entries.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn slices_hold_what_is_wanted_and_a_second_sync_writes_nothing(steps in steps(), max in 1..6usize) {
        let mut cluster = Cluster::new(max);
        for number in 0..3 {
            cluster.put(&node(number));
        }
        let (mut services, mut pods) = (BTreeMap::new(), BTreeMap::new());
        for step in steps.into_iter().chain([Step::Sync]) {
            match step {
                Step::Service(s, app, zonal) => {
                    cluster.put(&service(&format!("s{s}"), app, zonal));
                    services.insert(s, app);
                }
                Step::NoService(s) => {
                    cluster.delete(KindName::Service, &format!("s{s}"));
                    cluster.collect(&format!("s{s}"));
                    services.remove(&s);
                }
                Step::Pod(name, state) => {
                    cluster.put(&pod(&format!("p{name:02}"), &state));
                    pods.insert(name, state);
                }
                Step::NoPod(name) => {
                    cluster.delete(KindName::Pod, &format!("p{name:02}"));
                    pods.remove(&name);
                }
                Step::Sync => check(&mut cluster, &services, &pods, max)?,
            }
        }
    }
}

type Checked = Result<(), TestCaseError>;

fn check(
    cluster: &mut Cluster,
    services: &BTreeMap<u8, u8>,
    pods: &BTreeMap<u8, PodState>,
    max: usize,
) -> Checked {
    cluster.sync();
    let slices = cluster.slices();
    prop_assert!(slices.iter().all(|slice| slice.endpoints.len() <= max));
    for (service, app) in services {
        let service = format!("s{service}");
        let have = found(&slices, &service);
        let wanted = count(pods, *app);
        prop_assert_eq!(have.len(), wanted.len(), "no endpoint is listed twice");
        prop_assert_eq!(have.into_iter().collect::<Wanted>(), wanted.clone());
        let living = wanted.into_iter().filter(|(_, pod, ..)| !pods[&pod[1..].parse().unwrap()].terminating);
        let endpoints = cluster.store.find::<Endpoints>("d", &service).unwrap();
        prop_assert_eq!(legacy(endpoints), living.collect::<Wanted>());
    }
    let left = slices.iter().map(|slice| slice.meta.labels[words::SERVICE_NAME].clone());
    let named: BTreeSet<String> = services.keys().map(|service| format!("s{service}")).collect();
    prop_assert_eq!(left.collect::<BTreeSet<_>>(), named);
    let mut restarted = Controller::rebuild(settings(max), &cluster.store);
    let writes = restarted.drain(Time::ZERO, &mut |_| None).into_iter().flat_map(|synced| synced.writes);
    prop_assert_eq!(writes.collect::<Vec<_>>(), vec![], "a restart writes nothing");
    Ok(())
}

fn legacy(endpoints: &Endpoints) -> Wanted {
    let entries = endpoints.subsets.iter().flat_map(|subset| {
        let ready = subset.addresses.iter().map(|a| (a, true));
        let addresses = ready.chain(subset.not_ready_addresses.iter().map(|a| (a, false)));
        let port = subset.ports[0].port.unwrap();
        addresses
            .map(move |(a, ready)| (a.ip.clone(), a.target_ref.as_ref().unwrap().name.clone(), port, ready))
    });
    entries.collect()
}

fn running(ip: u8) -> PodState {
    PodState { app: 0, ip, ready: true, terminating: false, phase: "Running", port: 8080, node: 0 }
}

fn ops(synced: &[Synced], kind: &KindName) -> Vec<Op> {
    let writes = synced.iter().flat_map(|synced| &synced.writes);
    writes.filter(|(_, key)| key.kind == *kind).map(|(op, _)| *op).collect()
}

#[test]
fn a_service_finds_its_pods_and_follows_them() {
    let mut cluster = Cluster::new(100);
    cluster.put(&node(0));
    cluster.put(&service("s0", 0, false));
    assert_eq!(ops(&cluster.sync(), &KindName::EndpointSlice), [Op::Create], "a placeholder");
    cluster.put(&pod("p00", &running(1)));
    assert_eq!(
        ops(&cluster.sync(), &KindName::EndpointSlice),
        [Op::Update],
        "the placeholder's name is used again"
    );
    cluster.put(&pod("p00", &PodState { ready: false, ..running(1) }));
    let synced = cluster.sync();
    assert_eq!(ops(&synced, &KindName::EndpointSlice), [Op::Update]);
    assert_eq!(ops(&synced, &KindName::Endpoints), [Op::Update]);
    cluster.put(&pod("p00", &PodState { ready: false, phase: "Pending", ..running(1) }));
    assert_eq!(cluster.controller.queued(), BTreeSet::new(), "a phase alone concerns nobody");
}

#[test]
fn a_missing_node_fails_the_sync_until_it_is_there() {
    let mut cluster = Cluster::new(100);
    cluster.put(&service("s0", 0, true));
    cluster.put(&pod("p00", &running(1)));
    let synced = cluster.sync();
    let missing = Problem::NodeMissing { pod: "p00".into(), node: "n0".into() };
    assert_eq!(synced[0].problems, [missing]);
    cluster.put(&node(0));
    assert_eq!(cluster.sync(), [], "a late Node alone queues nothing");
    cluster.controller.hurry();
    cluster.sync();
    let slices = cluster.slices();
    assert_eq!(slices[0].endpoints[0].hints.as_ref().unwrap().for_zones[0].name, "z0");
}

#[test]
fn own_writes_that_are_not_seen_yet_hold_a_sync_up() {
    let mut cluster = Cluster::new(100);
    cluster.put(&service("s0", 0, false));
    let store = &mut cluster.store;
    cluster.controller.drain(Time::ZERO, &mut |write| perform(store, write));
    // The watch lags: the slice that was made is not in view.
    cluster.put_unseen(&service("s0", 0, true));
    let store = &mut cluster.store;
    let synced = cluster.controller.drain(Time::ZERO, &mut |write| perform(store, write));
    let problems: Vec<_> = synced.iter().map(|synced| synced.problems.as_slice()).collect();
    assert_eq!(problems, [[Problem::Stale], [Problem::Refused]], "slices, then Endpoints");
    cluster.watch();
    cluster.controller.hurry();
    assert!(cluster.sync().iter().all(|synced| synced.problems.is_empty()));
}

#[test]
fn endpoints_over_capacity_are_cut_and_marked() {
    let pods: Vec<crate::object::Pod> = (0..1_005u16)
        .map(|i| {
            let state = PodState { ready: i < 1_001, ..running(1) };
            let mut value = pod(&format!("p{i:04}"), &state);
            let ip = format!("10.2.{}.{}", i / 256, i % 256);
            value["status"]["podIPs"] = json!([{"ip": ip}]);
            serde_json::from_value(value).unwrap()
        })
        .collect();
    let pods: Vec<_> = pods.iter().collect();
    let service = serde_json::from_value(service("s0", 0, false)).unwrap();
    let sync = |existing: Option<&Endpoints>, pods: &[&crate::object::Pod]| {
        super::legacy::reconcile(&service, pods, existing, None, &LegacySettings::default())
    };
    let Some(Write { op: Op::Create, object: Kind::Endpoints(cut) }) = sync(None, &pods) else { panic!() };
    assert_eq!(cut.subsets[0].addresses.len(), 1_000);
    assert_eq!(cut.subsets[0].not_ready_addresses.len(), 0);
    assert_eq!(cut.meta.annotations[words::OVER_CAPACITY], "truncated");
    assert_eq!(sync(Some(&cut), &pods).unwrap().op, Op::Update, "over capacity every sync writes");
    let Some(Write { object: Kind::Endpoints(back), .. }) = sync(Some(&cut), &pods[..7]) else { panic!() };
    assert!(!back.meta.annotations.contains_key(words::OVER_CAPACITY));
    assert_eq!(sync(Some(&back), &pods[..7]), None);
}

#[test]
fn trigger_times_are_the_earliest_news() {
    let mut times = super::TriggerTimes::default();
    let service = serde_json::from_value(service("s0", 0, false)).unwrap();
    let at = |name: &str, time: &str| {
        let mut value = pod(name, &running(1));
        value["status"]["conditions"][0]["lastTransitionTime"] = time.into();
        serde_json::from_value::<crate::object::Pod>(value).unwrap()
    };
    let (a, b) = (at("a", "2024-01-01T00:00:05Z"), at("b", "2024-01-01T00:00:03.5Z"));
    let text = |time: Option<Timestamp>| time.map(|t| t.to_string());
    assert_eq!(
        text(times.observe(&service, &[&a])),
        Some("2024-01-01T00:00:00Z".into()),
        "the Service's creation"
    );
    assert_eq!(text(times.observe(&service, &[&a, &b])), Some("2024-01-01T00:00:03.5Z".into()));
    assert_eq!(times.observe(&service, &[&b]), None, "a Pod that goes brings no time");
}
