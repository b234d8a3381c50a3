//! Established flows through one box: what kdp itself takes.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use kdp_host::{Batch, Device, Host, RouteKind};
use kdp_netfilter::conntrack::Settings;
use kdp_netfilter::text;
use kdp_packet::{Cidr, Family};
use kdp_sim::{Chance, Time};

use crate::rows::{Out, QUERIES, Rows, SERVICES, endpoint};
use crate::stopwatch::{Figure, time};

/// A box with a table of established connections.
pub(crate) struct Flows {
    host: Host,
    now: Time,
    out: Out,
}

impl Flows {
    /// Connections that have exchanged packets for three seconds, through the whole walk.
    pub(crate) fn new(connections: u32) -> Flows {
        let settings = Settings { max: 0, ..Settings::default() };
        let mut flows = Flows { host: host(settings), now: Time::ZERO, out: Out::new(QUERIES) };
        let (there, back) = (Rows::all(connections), Rows::answers(connections));
        for _ in 0..3 {
            flows.send_all(&there);
            flows.send_all(&back);
            flows.now = flows.now + Duration::from_millis(2_500);
        }
        flows.host.conntrack.settle();
        flows
    }

    pub(crate) fn table_bytes(&self) -> usize {
        self.host.conntrack.bytes()
    }

    /// Lines that the table has.
    pub(crate) fn lines(&self) -> usize {
        self.host.conntrack.lines()
    }

    /// Rows are decided: rewritten, with a verdict, and noted.
    pub(crate) fn decide(&mut self, rows: &Rows) -> Figure {
        self.now = self.now + Duration::from_millis(1);
        let mut batch = Batch::new(&mut self.host, self.now);
        let (columns, mut out) = (rows.columns(), self.out.columns());
        let figure = time("flows, decided", QUERIES, || {
            batch.send_into(&columns, &mut out, || true).expect("every row is modelled");
        });
        assert_eq!(batch.walked(), 0, "every row is of a steady connection");
        figure
    }

    /// What was noted is settled by the exact machine.
    pub(crate) fn settle(&mut self) -> Figure {
        time("flows, settled", QUERIES, || self.host.conntrack.settle())
    }

    /// Where the rows went.
    pub(crate) fn destinations(&self) -> &[u32] {
        &self.out.verdicts().dst
    }

    fn send_all(&mut self, rows: &Rows) {
        let mut out = Out::new(rows.len());
        Batch::new(&mut self.host, self.now)
            .send_into(&rows.columns(), &mut out.columns(), || true)
            .expect("every row is modelled");
        assert!(out.verdicts().verdict.iter().all(|verdict| *verdict == 0), "every packet is forwarded");
    }
}

/// A node as kube-proxy leaves it, with one endpoint a Service.
fn host(settings: Settings) -> Host {
    let mut host = Host::new("n1", settings, Chance::new(1));
    for (name, net) in [("cni0", "10.0.0.0/11"), ("eth0", "0.0.0.0/0")] {
        let device = host.devices.add(Device::new(name, &[]));
        host.routes.add(Cidr::parse(net).expect("a network"), RouteKind::Unicast { device, via: None });
    }
    host.apply(&text::parse(&rules(), "iptables", Family::V4, false).expect("rules that are known"))
        .expect("rules that fit");
    host
}

fn rules() -> String {
    let mut nat = String::new();
    for service in 0..SERVICES {
        let from = Ipv4Addr::from(0x0a60_0000 + service);
        let (to, port) = endpoint(service);
        let to = Ipv4Addr::from(to);
        for proto in ["tcp", "udp"] {
            let _ = writeln!(
                nat,
                "-A KUBE-SERVICES -d {from}/32 -p {proto} -m {proto} --dport 80 -j DNAT --to-destination {to}:{port}"
            );
        }
    }
    format!(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n{nat}COMMIT\n\
        *filter\n:FORWARD ACCEPT [0:0]\n:KUBE-FORWARD - [0:0]\n-A FORWARD -j KUBE-FORWARD\n\
        -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n\
        -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n"
    )
}
