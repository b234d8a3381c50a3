//! Time per rule of the scan, per packet of the index, and per transaction: `scan [RULES]`, in a release build.
#![expect(clippy::disallowed_types, reason = "a measurement reads a clock")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::fmt::Write as _;
use std::time::Instant;

use kdp_netfilter::vm::{Effects, Engine, Frame, Locality, Run, Silent, Surroundings};
use kdp_netfilter::{AddrType, Hook, Name, Op, Ruleset, Table, Transaction, text};
use kdp_packet::{Family, Headers, Proto};
use kdp_sim::{Chance, Time};

struct Elsewhere;

impl Locality for Elsewhere {
    fn addr_type(&self, _: std::net::IpAddr) -> AddrType {
        AddrType::Unicast
    }
}

fn service(i: usize) -> std::net::IpAddr {
    std::net::Ipv4Addr::from(0x0a60_0000 + u32::try_from(i).expect("few services")).into()
}

/// KUBE-SERVICES with one rule for each service, as kube-proxy writes it.
fn rules(services: usize) -> Ruleset {
    let mut input = String::from("*nat\n:KUBE-SERVICES -\n:KUBE-SVC -\n-A OUTPUT -j KUBE-SERVICES\n");
    for i in 0..services {
        let comment = format!("-m comment --comment \"ns/svc-{i} cluster IP\"");
        let addr = service(i);
        let _ = writeln!(input, "-A KUBE-SERVICES {comment} -m tcp -p tcp -d {addr} --dport 80 -j KUBE-SVC");
    }
    input += "-A KUBE-SVC -p tcp -j DNAT --to-destination 10.1.0.1:8080\nCOMMIT\n";
    let mut ruleset = Ruleset::new(Family::V4);
    let started = Instant::now();
    text::load(&mut ruleset, &input, "generated", false).expect("the text is right");
    println!("load {services} rules: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    ruleset
}

fn measure(name: &str, engine: &mut Engine, ruleset: &Ruleset, services: usize, packets: usize) {
    let mut effects = Effects::new();
    let mut choose = Run(Chance::new(1).packet(0, Time::ZERO));
    let headers: Vec<Headers> = (0..packets)
        .map(|i| {
            Headers::plain(Proto::TCP, ([10, 0, 0, 2].into(), 40_000), (service(i * 7919 % services), 80))
        })
        .collect();
    let mut walked = 0;
    let mut pass = || {
        for headers in &headers {
            let mut around = Surroundings {
                locality: &Elsewhere,
                effects: &mut effects,
                choose: &mut choose,
                trace: &mut Silent,
            };
            let mut frame = Frame::new(headers);
            walked +=
                engine.evaluate(ruleset, Table::Nat, Hook::Output, &mut frame, &mut around).rules_walked;
        }
    };
    pass();
    let started = Instant::now();
    pass();
    let nanos = started.elapsed().as_nanos() as f64;
    let rules = walked as f64 / 2.0;
    println!(
        "{name}: {:.0} ns a packet, {:.0} rules a packet, {:.2} ns a rule",
        nanos / packets as f64,
        rules / packets as f64,
        nanos / rules
    );
}

fn main() {
    let services = std::env::args().nth(1).map_or(10_000, |n| n.parse().expect("a number of rules"));
    let mut ruleset = rules(services);
    measure("scan", &mut Engine::scan(), &ruleset, services, 2_000);
    measure("indexed", &mut Engine::indexed(), &ruleset, services, 100_000);
    let rule = ruleset.chain(ruleset.find(Table::Nat, &"KUBE-SVC".into()).expect("it is there")).rules()[0]
        .rule()
        .clone();
    let names: Vec<Name> = (0..1_000).map(|i| Name::hashed("KUBE-SEP-", format!("ns/svc-{i}"))).collect();
    let started = Instant::now();
    for name in &names {
        let mut transaction = Transaction::new(Family::V4);
        transaction.push(Table::Nat, Op::Chain(name.clone()));
        transaction.push(Table::Nat, Op::Append(name.clone(), rule.clone()));
        ruleset.apply(&transaction).expect("the transaction is right");
    }
    println!("apply a chain and a rule: {:.0} ns", started.elapsed().as_nanos() as f64 / names.len() as f64);
}
