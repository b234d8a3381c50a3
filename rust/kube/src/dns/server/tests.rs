use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::size::truncate;
use super::*;

fn service(name: &str, ip: &str) -> Value {
    let ports = json!([{"name": "http", "port": 80, "protocol": "TCP"}]);
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"clusterIP": ip, "ports": ports}})
}

fn config(upstream: bool, fallthrough: &Value) -> (Config, Option<Upstream>) {
    let given = json!({
        "zone": "cluster.local", "otherZones": ["other.test"], "reverse": ["10.96.0.0/12", "ip6.arpa"],
        "pods": "insecure", "ttl": 30, "fallthrough": fallthrough, "zonal": true, "localIPs": ["10.244.0.2"],
    });
    let records = json!(["www.example. 60 IN A 192.0.2.1", "www.example. 60 IN AAAA 2001:db8::1"]);
    (Config::read(&given).unwrap(), upstream.then(|| Upstream::read(&records).unwrap()))
}

/// A cluster with a Service of each sort, and endpoints in a number that does not fit one message.
fn server(upstream: bool, fallthrough: &Value, endpoints: usize) -> Server {
    let (config, upstream) = config(upstream, fallthrough);
    let mut server = Server::new(config, upstream);
    server.add_namespace(&serde_json::from_value(json!({"metadata": {"name": "shop"}})).unwrap());
    for (name, ip) in [("web", "10.96.0.20"), ("db", "None"), ("void", "None"), ("bare", "")] {
        server.add_service(&serde_json::from_value(service(name, ip)).unwrap());
    }
    for (name, target) in
        [("out", "www.example"), ("in", "web.shop.svc.cluster.local"), ("loop", "loop2.shop.svc.other.test")]
    {
        let mut it = service(name, "");
        it["spec"] = json!({"type": "ExternalName", "externalName": target});
        server.add_service(&serde_json::from_value(it).unwrap());
    }
    let mut back = service("loop2", "");
    back["spec"] = json!({"type": "ExternalName", "externalName": "loop.shop.svc.cluster.local"});
    server.add_service(&serde_json::from_value(back).unwrap());
    let each = (0..endpoints).map(|at| json!({"addresses": [format!("10.244.{}.{}", at / 200, at % 200)]}));
    let slice = json!({
        "metadata": {"name": "s", "namespace": "shop", "labels": {"kubernetes.io/service-name": "db"}},
        "endpoints": each.collect::<Vec<_>>(), "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    });
    server.add_slice(&serde_json::from_value(slice).unwrap());
    server
}

fn ask(name: &str, rtype: &str) -> Question {
    let rtype = QueryType::parse(rtype);
    Question { name: name.to_owned(), rtype, is_udp: false, edns: None, is_internet: true }
}

/// The slow twin of the lengths: the message's bytes, written out.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    at: BTreeMap<String, usize>,
    compress: bool,
}

impl Writer {
    fn name(&mut self, name: &str, may_point: bool) {
        let mut rest = name.trim_end_matches('.');
        while !rest.is_empty() {
            if self.compress && may_point && self.at.contains_key(rest) {
                self.bytes.extend([0xc0, 0]);
                return;
            }
            if self.bytes.len() < 1 << 14 {
                self.at.entry(rest.to_owned()).or_insert(self.bytes.len());
            }
            let (label, left) = rest.split_once('.').unwrap_or((rest, ""));
            self.bytes.push(u8::try_from(label.len()).unwrap());
            self.bytes.extend(label.bytes());
            rest = left;
        }
        self.bytes.push(0);
    }

    fn record(&mut self, record: &ResourceRecord) {
        self.name(&record.owner, true);
        self.bytes.extend([0; 10]);
        match &record.data {
            RecordData::A(ip) => self.bytes.extend(ip.octets()),
            RecordData::Aaaa(ip) => self.bytes.extend(ip.octets()),
            RecordData::Cname(name) | RecordData::Ptr(name) | RecordData::Ns(name) => self.name(name, true),
            RecordData::Srv { target, .. } => {
                self.bytes.extend([0; 6]);
                self.name(target, false);
            }
            other => panic!("{other:?} is in no message of these tests"),
        }
    }
}

fn written(message: &Message, name: &str, compress: bool) -> usize {
    let mut writer = Writer { compress, bytes: vec![0; 12], ..Writer::default() };
    writer.name(name, true);
    writer.bytes.extend([0; 4]);
    for record in [&message.answers, &message.authority, &message.additional].into_iter().flatten() {
        writer.record(record);
    }
    writer.bytes.len() + if message.edns.is_some() { 11 } else { 0 }
}

fn names() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "web",
        "db",
        "void",
        "bare",
        "out",
        "in",
        "loop",
        "shop",
        "svc",
        "pod",
        "SVC",
        "_http",
        "_tcp",
        "_",
        "",
        "10-244-0-1",
        "fd00--1",
        "1",
        "10",
        "96",
        "pin",
        "prefer",
        "_zone",
        "dns",
        "ns",
        "dns-version",
        "a.b",
        "é",
    ]);
    let zone = prop::sample::select(vec![
        "cluster.local.",
        "CLUSTER.local.",
        "other.test.",
        "96.10.in-addr.arpa.",
        "ip6.arpa.",
        "www.example.",
        ".",
        "",
    ]);
    (prop::collection::vec(known, 0..7), zone)
        .prop_map(|(labels, zone)| labels.into_iter().chain([zone]).collect::<Vec<_>>().join("."))
}

proptest! {
    #[test]
    fn whether_a_name_exists_is_one_for_all_types(name in names(), upstream: bool, all: bool) {
        let server = server(upstream, &if all { json!([]) } else { Value::Null }, 3);
        let asked = |rtype: &str| server.answer(&ask(&name, rtype));
        let rcode = asked("A").rcode;
        for rtype in ["AAAA", "SRV", "MX", "CNAME", "HTTPS", "ANY"] {
            prop_assert_eq!(asked(rtype).rcode, rcode, "{} {}", name, rtype);
        }
        let text = asked("TXT").rcode;
        prop_assert!(text == rcode || rcode == ResponseCode::NoError || name.starts_with("dns-version."));
        for rtype in ["SOA", "PTR", "NS", "AXFR"] {
            asked(rtype);
        }
    }

    #[test]
    fn a_cut_message_fits_and_could_not_hold_one_more(
        endpoints in 1_usize..120, size in 0_u16..5000, edns: bool, rtype in prop::sample::select(vec!["A", "SRV"]),
        name in prop::sample::select(vec!["db.shop.svc.cluster.local.", "DB.Shop.svc.cluster.local."]),
    ) {
        let server = server(false, &Value::Null, endpoints);
        let mut question = ask(name, rtype);
        question.edns = edns.then_some(Edns { size, wants_dnssec: false, version: 0 });
        let whole = server.answer(&question);
        question.is_udp = true;
        let cut = server.answer(&question);
        let limit = if edns { usize::from(size).max(512) } else { 512 };
        let fits = |message: &Message| {
            written(message, name, true) <= limit || written(message, name, false) <= limit
        };
        prop_assert!(!whole.tc && fits(&cut));
        prop_assert_eq!(cut.tc, !fits(&whole));
        if cut.tc {
            let mut more = cut.clone();
            let (a, b) = (cut.answers.len(), cut.additional.len());
            if a < whole.answers.len() {
                prop_assert_eq!(b, 0, "Additional goes first");
                more.answers.push(whole.answers[a].clone());
            } else {
                more.additional.push(whole.additional[b].clone());
            }
            prop_assert!(!fits(&more));
        }
    }
}

#[test]
fn a_loop_through_two_zones_ends() {
    let message = server(false, &Value::Null, 1).answer(&ask("loop.shop.svc.cluster.local.", "A"));
    assert!(!message.answers.is_empty() && message.answers.len() < 32);
}

#[test]
fn a_message_that_fits_stays_whole() {
    let mut message = server(false, &Value::Null, 1).answer(&ask("web.shop.svc.cluster.local.", "A"));
    let before = message.clone();
    truncate(&mut message, "web.shop.svc.cluster.local.", 0);
    assert_eq!(message, before);
    assert_eq!(message.answers[0].to_string(), "web.shop.svc.cluster.local. 30 IN A 10.96.0.20");
}

#[test]
fn networks_are_cut_to_zones() {
    let zones = config(false, &Value::Null).0.zones;
    assert_eq!(zones.len(), 2 + 16 + 1);
    assert_eq!(zones[2], "96.10.in-addr.arpa.");
    assert_eq!(zones[17], "111.10.in-addr.arpa.");
    let wrong = json!({"zone": "cluster.local", "labels": "a in ("});
    assert_eq!(Config::read(&wrong).unwrap_err().code(), "case-invalid");
}
