//! Churn: things change while clients talk, and every figure is of packets that went through rules and connection tracking.
//!
//! An answer takes no virtual time; what takes time is what people wait for: events, syncs, programs, timeouts.

mod connection;
mod plan;
mod tally;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use kdp_kube::labels::Selector;
use kdp_kube::object::{KindName, ObjectKey, Pod, Service};
use kdp_netfilter::conntrack::Direction;
use kdp_packet::{Headers, Proto, parse_ip_lenient};
use kdp_sim::{Chance, EventQueue, Time};
use serde_json::{Value, json};

pub use plan::Plan;

use self::connection::{Answer, Ask, Connection, Sent};

use self::tally::Tally;
use crate::Error;
use crate::cluster::Cluster;
use crate::path::{Entry, Way};

/// The first source port of a client. Source: `net.ipv4.ip_local_port_range`.
const FIRST_PORT: u16 = 32_768;
/// The first wait for an answer to a SYN; each is twice the one before.
/// Source: include/net/tcp.h `TCP_TIMEOUT_INIT`, v6.12.
const SYN_WAIT: Duration = Duration::from_secs(1);
/// The first wait for an answer to data. Source: include/net/tcp.h `TCP_RTO_MIN`, v6.12.
const DATA_WAIT: Duration = Duration::from_millis(200);
/// A client of a closed loop that was refused waits so long before it begins anew.
const PAUSE: Duration = Duration::from_secs(1);

/// What happens next to whom.
#[derive(Clone, Debug)]
enum Next {
    /// A client of a kind of traffic opens its connection of that number.
    Open { traffic: usize, number: u64 },
    /// A connection sends.
    Send { connection: Box<Connection>, ask: Ask },
}

/// An experiment at work.
struct Experiment<'p> {
    plan: &'p Plan,
    /// Addresses of the targets, and of the clients, of each kind of traffic.
    targets: Vec<Vec<IpAddr>>,
    clients: Vec<Vec<IpAddr>>,
    next: EventQueue<Next>,
    /// Connections by client: they count its ports.
    opened_by: Vec<Vec<u64>>,
    tally: Tally,
    chance: Chance,
}

impl Cluster {
    /// Runs an experiment. JSON: counts by second and by cause, each cause with the first packet that shows it, connections
    /// by endpoint, rules walked, connections at the end whose endpoint is gone.
    pub fn churn(&mut self, plan: &Plan, mut go_on: impl FnMut() -> bool) -> Result<Value, Error> {
        self.start_workloads();
        let mut experiment = Experiment::of(self, plan)?;
        let until = Time(plan.until);
        let mut actions: Vec<_> = plan.actions.iter().collect();
        actions.sort_by_key(|timed| timed.at);
        let mut actions = actions.into_iter().peekable();
        self.watch.set([KindName::EndpointSlice, KindName::Endpoints].into());
        loop {
            let acts = actions.peek().map(|timed| Time(timed.at).max(self.now()));
            let sends = experiment.next.next_at();
            let Some(at) = [acts, sends].into_iter().flatten().min().filter(|at| *at <= until) else { break };
            self.advance(at)?;
            experiment.count_writes(self);
            if acts == Some(at) {
                let timed = actions.next().expect("it was peeked at");
                self.act(&timed.action)?;
                experiment.count_writes(self);
            } else if let Some((_, next)) = experiment.next.pop_due(at) {
                experiment.happen(self, next)?;
                if !go_on() {
                    break;
                }
            }
        }
        if self.now() < until {
            self.advance(until)?;
        }
        experiment.count_writes(self);
        self.watch.set([].into());
        let mut told = experiment.tally.to_value();
        told["stale_entries"] = self.stale_entries().into();
        told["nodes"] = json!(self.nodes.opened());
        Ok(told)
    }

    /// Connections on the nodes that go to an address that no Pod and no node has.
    fn stale_entries(&mut self) -> u64 {
        let now = self.now();
        let mut stale = 0;
        for name in self.nodes.opened() {
            for entry in self.nodes.get(&name).host.conntrack.entries(now) {
                let connection = entry.connection();
                let (asked, answers) =
                    (connection.tuple(Direction::Original), connection.tuple(Direction::Reply));
                let directory = &self.world.directory;
                let gone =
                    directory.resident(answers.src).is_none() && directory.node_of(answers.src).is_none();
                stale += u64::from(asked.dst != answers.src && gone);
            }
        }
        stale
    }
}

impl<'p> Experiment<'p> {
    fn of(cluster: &Cluster, plan: &'p Plan) -> Result<Experiment<'p>, Error> {
        let mut experiment = Experiment {
            plan,
            targets: Vec::new(),
            clients: Vec::new(),
            next: EventQueue::default(),
            opened_by: Vec::new(),
            tally: Tally::default(),
            chance: Chance::new(cluster.seed()).at("traffic"),
        };
        for (at, traffic) in plan.traffic.iter().enumerate() {
            let targets: Result<_, _> = traffic.to.iter().map(|target| service_ip(cluster, target)).collect();
            let clients: Result<Vec<_>, _> =
                traffic.from.iter().map(|client| pod_ip(cluster, client)).collect();
            experiment.targets.push(targets?);
            experiment.clients.push(clients?);
            experiment.opened_by.push(vec![0; traffic.from.len()]);
            let begin = Time(traffic.begin).max(cluster.now());
            for number in 0..u64::from(traffic.clients.unwrap_or(1)) {
                experiment.next.push(begin, Next::Open { traffic: at, number });
            }
        }
        Ok(experiment)
    }

    fn happen(&mut self, cluster: &mut Cluster, next: Next) -> Result<(), Error> {
        if self.plan.rebuild {
            for node in cluster.nodes.opened() {
                cluster.proxy_restart(&node)?;
            }
        }
        match next {
            Next::Open { traffic, number } => self.open(cluster, traffic, number),
            Next::Send { connection, ask } => self.send(cluster, *connection, ask),
        }
    }

    fn open(&mut self, cluster: &mut Cluster, at: usize, number: u64) -> Result<(), Error> {
        let (traffic, now) = (&self.plan.traffic[at], cluster.now());
        if let Some(rate) = traffic.rate {
            let begin = Time(traffic.begin);
            #[expect(clippy::cast_precision_loss, reason = "a number of connections below 2^53")]
            let spacing = Duration::from_secs_f64((number + 1) as f64 / rate);
            self.next.push(begin + spacing, Next::Open { traffic: at, number: number + 1 });
        }
        let mut draw = self.chance.packet(number << 8 | at as u64, now);
        let pick = |draw: &mut kdp_sim::Draw, len: usize| {
            draw.below(u32::try_from(len).unwrap_or(u32::MAX)) as usize
        };
        let target = pick(&mut draw, traffic.to.len());
        let client = pick(&mut draw, traffic.from.len());
        let count = &mut self.opened_by[at][client];
        let port =
            FIRST_PORT + u16::try_from(*count % u64::from(traffic.ports)).expect("ports are below 2^16");
        *count += 1;
        let connection = Connection {
            traffic: at,
            target,
            proto: if traffic.protocol == "tcp" { Proto::TCP } else { Proto::UDP },
            from: (self.clients[at][client], port),
            to: (self.targets[at][target], traffic.to[target].port),
            ends: now + Duration::from_nanos(traffic.hold),
            waits: None,
            tries: 0,
            pod: "".into(),
            sent: (0, 0),
        };
        self.send(cluster, connection, Ask::Open)
    }

    fn send(&mut self, cluster: &mut Cluster, connection: Connection, ask: Ask) -> Result<(), Error> {
        let now = cluster.now();
        let Some(home) = cluster.world.directory.resident(connection.from.0).map(|pod| pod.node.clone())
        else {
            return Ok(()); // The client itself is gone: nobody sees what becomes of its connection.
        };
        let entry = Entry { node: home, way: Way::Bridge };
        let sent = cluster.ask(&connection, &entry, ask)?;
        self.tally.add("packets", sent.packets, now);
        self.tally.add("rules_walked", sent.rules_walked, now);
        if ask == Ask::Open {
            self.tally.walked(sent.rules_walked);
        }
        match sent.answer.clone() {
            Answer::Answered { uid, name, terminating } => {
                self.answered(cluster, connection, ask, &sent, (uid, name, terminating));
            }
            Answer::Refused { cause } => self.refused(now, &connection, ask, &sent, cause),
            Answer::Silence { cause } => self.silence(now, connection, ask, &sent, cause),
        }
        Ok(())
    }

    fn answered(
        &mut self,
        cluster: &Cluster,
        mut connection: Connection,
        ask: Ask,
        sent: &Sent,
        (uid, name, terminating): (Box<str>, String, bool),
    ) {
        let now = cluster.now();
        if let Some(since) = connection.waits.take() {
            self.blackholed(since, now);
        }
        connection.tries = 0;
        if ask == Ask::Open {
            self.tally.add("opened", 1, now);
            self.tally.served(&name);
            if terminating {
                self.tally.add("terminating", 1, now);
                self.tally.blame("terminating", || show(now, &connection, sent, &name));
            }
            if !self.is_endpoint(cluster, &connection, &name) {
                self.tally.add("wrong", 1, now);
                self.tally.blame("wrong-pod", || show(now, &connection, sent, &name));
            }
        } else if ask == Ask::Close {
            self.tally.add("closed", 1, now);
            self.again(&connection, now, Duration::ZERO);
            return;
        } else {
            connection.sent = (connection.sent.0 + 1, connection.sent.1 + 1);
        }
        self.tally.add("answered", 1, now);
        connection.pod = uid;
        self.go_on(connection, now);
    }

    /// The next request, or the end.
    fn go_on(&mut self, connection: Connection, now: Time) {
        let traffic = &self.plan.traffic[connection.traffic];
        let at = now + Duration::from_nanos(traffic.interval);
        let (at, ask) =
            if at < connection.ends { (at, Ask::Data) } else { (connection.ends.max(now), Ask::Close) };
        self.next.push(at, Next::Send { connection: Box::new(connection), ask });
    }

    fn refused(&mut self, now: Time, connection: &Connection, ask: Ask, sent: &Sent, cause: &'static str) {
        if let Some(since) = connection.waits {
            self.blackholed(since, now);
        }
        self.tally.blame(cause, || show(now, connection, sent, ""));
        match ask {
            Ask::Open => self.tally.add("refused", 1, now),
            Ask::Data => self.tally.add("reset", 1, now),
            Ask::Close => self.tally.add("closed", 1, now),
        }
        self.again(connection, now, PAUSE);
    }

    /// TCP tries again, each time after twice the wait; a datagram is lost, and the next one comes at its time.
    fn silence(&mut self, now: Time, mut connection: Connection, ask: Ask, sent: &Sent, cause: &'static str) {
        self.tally.add("unanswered", 1, now);
        self.tally.blame(cause, || show(now, &connection, sent, ""));
        let since = *connection.waits.get_or_insert(now);
        let traffic = &self.plan.traffic[connection.traffic];
        if ask == Ask::Close {
            self.blackholed(since, now);
            self.tally.add("closed", 1, now);
            self.again(&connection, now, Duration::ZERO);
            return;
        }
        if connection.proto != Proto::TCP {
            if now >= connection.ends {
                self.blackholed(since, now);
                self.again(&connection, now, Duration::ZERO);
            } else {
                let at = now + Duration::from_nanos(traffic.interval);
                self.next.push(at, Next::Send { connection: Box::new(connection), ask });
            }
            return;
        }
        let first = if ask == Ask::Open { SYN_WAIT } else { DATA_WAIT };
        let again = now + first * 2u32.pow(connection.tries.min(20));
        let gives_up = since + Duration::from_nanos(traffic.timeout);
        connection.tries += 1;
        if again >= gives_up {
            self.blackholed(since, gives_up);
            self.tally.add(if ask == Ask::Open { "timed_out" } else { "broken" }, 1, gives_up);
            self.again(&connection, gives_up, Duration::ZERO);
            return;
        }
        self.next.push(again, Next::Send { connection: Box::new(connection), ask });
    }

    fn blackholed(&mut self, since: Time, until: Time) {
        let nanos = u64::try_from((until - since).as_nanos()).unwrap_or(u64::MAX);
        self.tally.add("blackholed_ns", nanos, since);
    }

    /// A client of a closed loop begins anew.
    fn again(&mut self, connection: &Connection, now: Time, pause: Duration) {
        let at = connection.traffic;
        if self.plan.traffic[at].clients.is_some() {
            let number = self.opened_by[at].iter().sum();
            let pause = pause.max(Duration::from_nanos(1));
            self.next.push(now + pause, Next::Open { traffic: at, number });
        }
    }

    /// Whether the Service that was asked for selects the Pod that answered.
    fn is_endpoint(&self, cluster: &Cluster, connection: &Connection, pod: &str) -> bool {
        let target = &self.plan.traffic[connection.traffic].to[connection.target];
        let service = cluster.store().find::<Service>(&target.namespace, &target.name);
        let Some((namespace, name)) = pod.split_once('/') else { return false };
        let Some(pod) = cluster.store().find::<Pod>(namespace, name) else { return false };
        let selector = service.and_then(|service| Selector::from_map(service.spec.selector.as_ref()));
        // Without a selector, endpoints are whatever somebody wrote.
        service.is_some()
            && selector
                .is_none_or(|selector| namespace == target.namespace && selector.matches(&pod.meta.labels))
    }

    fn count_writes(&mut self, cluster: &mut Cluster) {
        for (at, change) in cluster.watch.take() {
            let bytes = change.after.as_ref().map_or(0, |object| object.json_len() as u64);
            let slice = change.object().key().kind == KindName::EndpointSlice;
            let (writes, sum) =
                if slice { ("slice_writes", "slice_bytes") } else { ("endpoints_writes", "endpoints_bytes") };
            self.tally.add(writes, 1, at);
            self.tally.add(sum, bytes, at);
        }
    }
}

fn service_ip(cluster: &Cluster, target: &plan::Target) -> Result<IpAddr, Error> {
    let key = ObjectKey::new(KindName::Service, &target.namespace, &target.name);
    let service = cluster.store().require(&key)?.get::<Service>().expect("the key says so");
    parse_ip_lenient(&service.spec.cluster_ip).ok_or_else(|| Error::Action {
        why: format!("{key} .spec.clusterIP: {:?} is no address to send to", service.spec.cluster_ip),
    })
}

fn pod_ip(cluster: &Cluster, client: &plan::Client) -> Result<IpAddr, Error> {
    let key = ObjectKey::new(KindName::Pod, &client.namespace, &client.name);
    let pod = cluster.store().require(&key)?.get::<Pod>().expect("the key says so");
    let ip = pod.addresses().next().and_then(parse_ip_lenient);
    ip.filter(|_| !pod.spec.host_network)
        .ok_or_else(|| Error::Action { why: format!("{key}: it has no address of its own to send from") })
}

/// A packet as evidence.
fn show(now: Time, connection: &Connection, sent: &Sent, pod: &str) -> Value {
    let ends = |(addr, port): (IpAddr, u16)| format!("{addr}:{port}");
    let arrived = |headers: &Headers| ends((headers.dst, headers.dport));
    json!({
        "at": now.as_nanos(), "protocol": connection.proto.to_string(), "from": ends(connection.from),
        "to": ends(connection.to), "arrived": sent.end.0.as_ref().map(arrived), "node": &*sent.end.1, "pod": pod,
    })
}
