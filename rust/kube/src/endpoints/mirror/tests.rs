//! Mirroring as stories, and against a plain count.

use std::collections::BTreeSet;

use kdp_sim::Time;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::endpoints::{Controller, Settings, perform};
use crate::object::{KindName, Object, ObjectKey};
use crate::store::{Cursor, Store};

/// A store with the three controllers at work on it.
struct Cluster {
    store: Store,
    controller: Controller,
    seen: Cursor,
}

impl Cluster {
    fn new() -> Cluster {
        let controller = Controller::new(Settings::default());
        Cluster { store: Store::new(), controller, seen: Cursor::default() }
    }

    /// One Service without a selector and its Endpoints.
    fn with(service: &Value, endpoints: &Value) -> Cluster {
        let mut cluster = Cluster::new();
        cluster.put(service);
        cluster.put(endpoints);
        cluster.settle();
        cluster
    }

    fn put(&mut self, value: &Value) {
        let name = KindName::of(value["apiVersion"].as_str().unwrap(), value["kind"].as_str().unwrap());
        let kind = Kind::read(&name, "v1", value).unwrap();
        self.store.put(Object::new(kind));
    }

    fn delete(&mut self, kind: KindName, name: &str) {
        self.store.delete(&ObjectKey::new(kind, "d", name));
    }

    /// Lets the controllers see and sync until they rest. The writes.
    fn settle(&mut self) -> Vec<Op> {
        let mut writes = Vec::new();
        loop {
            for change in self.store.changes_since(self.seen).unwrap() {
                self.controller.apply(Time::ZERO, change);
            }
            self.seen = self.store.cursor();
            if self.controller.next_at() != Some(Time::ZERO) {
                return writes;
            }
            let store = &mut self.store;
            let synced = self.controller.drain(Time::ZERO, &mut |write| perform(store, write));
            writes.extend(synced.into_iter().flat_map(|s| s.writes).map(|(op, _)| op));
        }
    }

    fn slices(&self) -> Vec<&EndpointSlice> {
        self.store.all::<EndpointSlice>(None).collect()
    }
}

fn service(selector: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "d", "uid": "s"},
        "spec": {"clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"], "selector": selector, "ports": [{"port": 5432}]}})
}

fn endpoints(meta: &Value, subsets: &Value) -> Value {
    let mut value = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db", "namespace": "d", "uid": "e"},
        "subsets": subsets});
    for (key, field) in meta.as_object().unwrap() {
        value["metadata"][key] = field.clone();
    }
    value
}

fn subset(ready: &[&str], not_ready: &[&str]) -> Value {
    let list = |ips: &[&str]| ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>();
    json!({"addresses": list(ready), "notReadyAddresses": list(not_ready),
        "ports": [{"name": "pg", "port": 5432, "protocol": "TCP"}]})
}

fn addresses(slice: &EndpointSlice) -> Vec<(&str, Option<bool>)> {
    slice.endpoints.iter().map(|e| (e.addresses[0].as_str(), e.conditions.ready)).collect()
}

#[test]
fn endpoints_without_selector_get_a_slice_a_family() {
    let meta = json!({"labels": {"team": "a"}, "annotations": {
        "note": "x", words::TRIGGER_TIME: "2024-01-01T00:00:00Z", words::LAST_APPLIED: "{}"}});
    let subsets = json!([subset(&["192.0.2.1", "2001:DB8::1"], &["192.0.2.2"])]);
    let cluster = Cluster::with(&service(&Value::Null), &endpoints(&meta, &subsets));
    let [v4, v6] = cluster.slices()[..] else { panic!("{:?}", cluster.slices()) };
    assert_eq!((v4.address_type.as_str(), v6.address_type.as_str()), ("IPv4", "IPv6"));
    assert_eq!(addresses(v4), [("192.0.2.1", Some(true)), ("192.0.2.2", Some(false))]);
    assert_eq!(addresses(v6), [("2001:db8::1", Some(true))], "printed canonically");
    let conditions = v4.endpoints[0].conditions.clone();
    assert_eq!((conditions.serving, conditions.terminating), (None, None));
    let labels: Vec<_> = v4.meta.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let managed = (words::MANAGED_BY, words::MIRRORING_CONTROLLER);
    assert_eq!(labels, [managed, (words::SERVICE_NAME, "db"), ("team", "a")]);
    assert_eq!(v4.meta.annotations.iter().collect::<Vec<_>>(), [(&"note".to_owned(), &"x".to_owned())]);
    let owner = &v4.meta.owner_references[0];
    assert_eq!((owner.kind.as_str(), owner.uid.as_str(), owner.controller), ("Endpoints", "e", Some(true)));
    assert_eq!(v4.ports[0].port, Some(5432));
}

#[test]
fn a_change_rewrites_the_slice_and_the_same_again_does_not() {
    let one = json!([subset(&["192.0.2.1"], &[])]);
    let mut cluster = Cluster::with(&service(&Value::Null), &endpoints(&json!({}), &one));
    cluster.put(&endpoints(&json!({}), &one));
    assert_eq!(cluster.settle(), []);
    cluster.put(&endpoints(&json!({}), &json!([subset(&[], &["192.0.2.1"])])));
    assert_eq!(cluster.settle(), [Op::Update], "readiness");
    cluster.put(&endpoints(&json!({"labels": {"a": "b"}}), &json!([subset(&[], &["192.0.2.1"])])));
    assert_eq!(cluster.settle(), [Op::Update], "labels");
    let mut other = subset(&[], &["192.0.2.1"]);
    other["ports"][0]["port"] = 5433.into();
    cluster.put(&endpoints(&json!({"labels": {"a": "b"}}), &json!([other])));
    assert_eq!(cluster.settle(), [Op::Update], "other ports use the old slice's name");
    cluster.put(&endpoints(&json!({"labels": {"a": "b"}}), &json!([])));
    assert_eq!(cluster.settle(), [Op::Delete], "no placeholder");
}

#[test]
fn what_is_not_mirrored_is_cleaned_up() {
    let subsets = json!([subset(&["192.0.2.1"], &[])]);
    let skip = json!({"labels": {words::SKIP_MIRROR: "true"}});
    let lock = json!({"annotations": {words::LEADER_ELECTION: "{}"}});
    for meta in [&skip, &lock] {
        let mut cluster = Cluster::with(&service(&Value::Null), &endpoints(&json!({}), &subsets));
        cluster.put(&endpoints(meta, &subsets));
        assert_eq!(cluster.settle(), [Op::Delete]);
        assert_eq!(Cluster::with(&service(&Value::Null), &endpoints(meta, &subsets)).slices().len(), 0);
    }
    let mut cluster = Cluster::with(&service(&Value::Null), &endpoints(&json!({}), &subsets));
    cluster.delete(KindName::Endpoints, "db");
    assert_eq!(cluster.settle(), [Op::Delete], "Endpoints gone");
    let mut cluster = Cluster::with(&service(&Value::Null), &endpoints(&json!({}), &subsets));
    cluster.put(&service(&json!({"app": "db"})));
    cluster.settle();
    let managers: Vec<_> =
        cluster.slices().iter().map(|s| s.meta.labels[words::MANAGED_BY].clone()).collect();
    assert_eq!(managers, [words::SLICE_CONTROLLER], "a selector hands over to the other controller");
}

#[test]
fn too_many_and_invalid_addresses_are_left_out_and_said() {
    let ips: Vec<String> = (0..1_005).map(|i| format!("10.1.{}.{}", i / 250, i % 250)).collect();
    let mut ready: Vec<&str> = ips.iter().take(10).map(String::as_str).collect();
    ready.push("not-an-ip");
    let not_ready: Vec<&str> = ips.iter().skip(10).map(String::as_str).collect();
    let value = endpoints(&json!({}), &json!([subset(&ready, &not_ready)]));
    let endpoints: Endpoints = serde_json::from_value(value).unwrap();
    let outcome = reconcile(&endpoints, &[], &MirrorSettings::default());
    let [Write { op: Op::Create, object: Kind::EndpointSlice(slice) }] = &outcome.writes[..] else {
        panic!()
    };
    assert_eq!(slice.endpoints.len(), 1_000);
    assert_eq!(addresses(slice).iter().filter(|(_, ready)| *ready == Some(true)).count(), 10);
    let events: Vec<String> = outcome.events.iter().map(ToString::to_string).collect();
    assert_eq!(
        events,
        [
            "Warning/InvalidIPAddress: Skipped 1 invalid IP addresses when mirroring to EndpointSlices",
            "Warning/TooManyAddressesToMirror: A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 6 addresses were skipped"
        ]
    );
}

/// What mirroring must come to, by looking at every address.
fn count(value: &Value) -> BTreeSet<(String, i64, bool)> {
    let mut wanted = BTreeSet::new();
    for subset in value.as_array().unwrap() {
        for port in subset["ports"].as_array().unwrap() {
            for (list, ready) in [("addresses", true), ("notReadyAddresses", false)] {
                for address in subset[list].as_array().unwrap() {
                    let ip = address["ip"].as_str().unwrap().to_owned();
                    wanted.insert((ip, port["port"].as_i64().unwrap(), ready));
                }
            }
        }
    }
    // Not ready in one subset is not ready.
    let without: Vec<_> = wanted.iter().filter(|(_, _, ready)| !ready).cloned().collect();
    for (ip, port, _) in without {
        wanted.remove(&(ip, port, true));
    }
    wanted
}

fn found(slices: &[&EndpointSlice]) -> BTreeSet<(String, i64, bool)> {
    let each = slices.iter().flat_map(|slice| {
        slice.endpoints.iter().flat_map(|e| {
            let entry = |p: &crate::object::EndpointPort| {
                (e.addresses[0].clone(), i64::from(p.port.unwrap()), e.conditions.ready.unwrap())
            };
            slice.ports.iter().map(entry)
        })
    });
    each.collect()
}

proptest! {
    #[test]
    fn slices_say_what_endpoints_say(steps in prop::collection::vec(
        prop::collection::vec((1..4i64, prop::collection::vec((0..6u8, any::<bool>()), 0..5)), 0..3), 1..8)) {
        let mut cluster = Cluster::new();
        cluster.put(&service(&Value::Null));
        for step in steps {
            let subset = |(port, list): &(i64, Vec<(u8, bool)>)| {
                let of = |wanted: bool| list.iter().filter(|(_, ready)| *ready == wanted)
                    .map(|(ip, _)| json!({"ip": format!("10.0.0.{ip}")})).collect::<Vec<_>>();
                json!({"addresses": of(true), "notReadyAddresses": of(false),
                    "ports": [{"port": port, "protocol": "TCP"}]})
            };
            let subsets: Value = step.iter().map(subset).collect();
            cluster.put(&endpoints(&json!({}), &subsets));
            cluster.settle();
            prop_assert_eq!(found(&cluster.slices()), count(&subsets));
            let mut restarted = Controller::rebuild(Settings::default(), &cluster.store);
            let writes: Vec<_> = restarted.drain(Time::ZERO, &mut |_| None).into_iter().flat_map(|s| s.writes).collect();
            prop_assert_eq!(writes, vec![], "a restart writes nothing");
        }
    }
}
