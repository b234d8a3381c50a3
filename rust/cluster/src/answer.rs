//! One connection, request and reply: the seven steps of a trace.

use std::net::IpAddr;

use kdp_host::{Packet, Step, Steps};
use kdp_kube::object::{Pod, Service};
use kdp_netfilter::vm::Run;
use kdp_packet::{Family, Headers, Proto, Tcp, Tuple, flags, parse_ip_lenient};
use kdp_sim::Chance;
use serde_json::{Value, json};

use crate::Error;
use crate::client::Client;
use crate::cluster::Cluster;
use crate::path::{End, Entry, Path, Way, carry};
use crate::question::Question;
use crate::steps;
use crate::world::{World, walk_box};

/// A trace being written.
struct Writing {
    steps: Vec<Value>,
    verdict: &'static str,
    reason: Option<String>,
}

/// A path and what happened on it, node by node.
struct Told {
    path: Path,
    events: Vec<Value>,
    /// Where in `events` the first translation of the destination is behind.
    decided: usize,
    /// The packet right behind that.
    chosen: Option<Tuple>,
}

impl Cluster {
    /// Opens one connection and tells all of it: JSON of kind Trace.
    pub fn connect(&mut self, question: &Question) -> Result<Value, Error> {
        let client = Client::asking(&self.world, question)?;
        let mut writing = Writing { steps: Vec::new(), verdict: "delivered", reason: None };
        let mut trace = json!({
            "apiVersion": "kdp.dev/v1alpha1", "kind": "Trace", "seed": self.seed(),
            "from": client.shown, "to": question.target(),
            "protocol": question.proto.to_string(), "endpoint": null, "service": null,
            "request": null, "delivered": null, "answer": null, "reply": null,
        });
        if let Some(target) = self.resolve_steps(question, &client, &mut writing) {
            self.travel(question, &client, target, &mut writing, &mut trace)?;
        }
        trace["verdict"] = writing.verdict.into();
        trace["reason"] = json!(writing.reason);
        trace["steps"] = Value::Array(writing.steps);
        Ok(trace)
    }

    /// Steps 1 and 2: the name and its answer.
    fn resolve_steps(&self, question: &Question, client: &Client, writing: &mut Writing) -> Option<IpAddr> {
        if let Some(addr) = parse_ip_lenient(&question.host) {
            writing.step(1, "the client has an address, no name to ask for", None, &[]);
            writing.step(2, "nothing to answer", None, &[]);
            return Some(addr);
        }
        let looked_up = self.look_up(&question.host, client);
        let asks = if client.pod.is_some() {
            "the client asks for the name"
        } else {
            "the client asks its own DNS servers"
        };
        writing.step(1, asks, None, &looked_up.queries);
        let wanted = looked_up.addrs.iter().copied().find(|addr| client.addr(Family::of(*addr)).is_some());
        let title = match (&wanted, looked_up.addrs.is_empty()) {
            (Some(addr), _) => format!("DNS answers {addr}"),
            (None, true) => "DNS has no such name".to_owned(),
            (None, false) => "DNS has no address of the client's family".to_owned(),
        };
        writing.step(2, &title, None, &[]);
        if wanted.is_none() {
            (writing.verdict, writing.reason) = ("name-not-found", Some(looked_up.why));
        }
        wanted
    }

    /// Steps 3 to 7: the packet and its answer.
    fn travel(
        &mut self,
        question: &Question,
        client: &Client,
        target: IpAddr,
        writing: &mut Writing,
        trace: &mut Value,
    ) -> Result<(), Error> {
        let request = self.request(question, client, target)?;
        trace["request"] = steps::ends(&request);
        trace["service"] = self.service_of(target, question.port, question.proto);
        writing.sends(&request);
        let Some(entry) = client.entry.clone() else {
            (writing.verdict, writing.reason) = ("no-route", Some(outside_reason(target)));
            return Ok(());
        };
        let told = self.tell(entry, request.clone())?;
        writing.goes(&request, &told);
        self.conclude(client, &request, told, writing, trace)
    }

    /// What comes of the request; if somebody has it, the answer and its way back.
    fn conclude(
        &mut self,
        client: &Client,
        request: &Headers,
        told: Told,
        writing: &mut Writing,
        trace: &mut Value,
    ) -> Result<(), Error> {
        let endpoint = told.path.end.endpoint();
        let (packet, entry) = match told.path.end {
            End::Pod { pod, packet } => (packet, Entry { node: pod.node, way: Way::Bridge }),
            End::Node { node, packet } if !self.listens(&node, &packet.headers) => {
                (writing.verdict, writing.reason) = ("unknown", Some(nobody_listens(&node, &packet.headers)));
                trace["delivered"] = steps::ends(&packet.headers);
                return Ok(());
            }
            End::Node { node, packet } => (packet, Entry { node, way: Way::Local }),
            end => {
                (writing.verdict, writing.reason) = unfinished(&self.world, &end);
                return Ok(());
            }
        };
        trace["delivered"] = steps::ends(&packet.headers);
        trace["endpoint"] = endpoint;
        let answer = answer_to(&packet.headers, request);
        trace["answer"] = steps::ends(&answer);
        writing.step(6, &format!("{}:{} answers", answer.src, answer.sport), Some(&entry.node), &[]);
        writing.last()["after"] = steps::ends(&answer);
        let back = self.tell(entry, answer.clone())?;
        writing.returns(&self.world, client, &answer, &back, trace);
        self.complete_handshake(client, request, &back)
    }

    /// Whether a Pod in the node's own network declares the port. What else runs on a node no object says.
    fn listens(&self, node: &str, headers: &Headers) -> bool {
        let declares = |pod: &Pod| {
            let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
            ports.any(|port| {
                port.container_port == headers.dport && Proto::parse(&port.protocol) == Some(headers.proto)
            })
        };
        let mut pods = self.world.store.all::<Pod>(None);
        pods.any(|pod| pod.spec.host_network && pod.spec.node_name == node && declares(pod))
    }

    /// The client's ACK, so that the connection stands as a real one would.
    fn complete_handshake(&mut self, client: &Client, request: &Headers, back: &Told) -> Result<(), Error> {
        let (Some(entry), Some(tcp)) = (client.entry.clone(), request.tcp) else { return Ok(()) };
        let Some(reply) = reached(back).and_then(|headers| headers.tcp) else { return Ok(()) };
        let mut ack = request.clone();
        let (seq, number) = (tcp.seq.wrapping_add(1), reply.seq.wrapping_add(1));
        ack.tcp = Some(Tcp { flags: flags::ACK, seq, ack: number, ..tcp });
        self.tell(entry, ack).map(|_| ())
    }

    /// Carries a packet over nodes and keeps what happens.
    fn tell(&mut self, entry: Entry, headers: Headers) -> Result<Told, Error> {
        let family = headers.family();
        let (world, nodes) = (&self.world, &mut self.nodes);
        let (mut events, mut decided, mut chosen) = (Vec::new(), 0, None);
        let path = carry(&world.directory, entry, Packet::of(headers), &mut |at, packet| {
            let mut steps = Steps::default();
            let node = nodes.open(world, &at.node)?;
            let (device, uplink) = (node.device(at.way), node.uplink());
            let mut run = Run(node.host.draw(&packet, world.now));
            let done = walk_box(&mut node.host, device, packet, world.now, &mut run, &mut steps)?;
            for step in &steps.0 {
                events.extend(steps::event(&at.node, family, step));
                if let (Step::Note(kdp_host::Note::Translated { from, to }), None) = (step, chosen)
                    && (from.dst, from.dport) != (to.dst, to.dport)
                {
                    (decided, chosen) = (events.len(), Some(*to));
                }
            }
            Ok((done, uplink))
        })?;
        if let End::Stopped { node, fate } = &path.end {
            events.push(steps::stopped(node, fate).2);
        }
        Ok(Told { path, events, decided, chosen })
    }

    /// The first packet of the connection.
    pub(crate) fn request(
        &mut self,
        question: &Question,
        client: &Client,
        target: IpAddr,
    ) -> Result<Headers, Error> {
        let family = Family::of(target);
        let own = client.addr(family).ok_or_else(|| Error::Family {
            what: format!("to {target}"),
            why: format!("the client has no {} address", family.as_str()),
        })?;
        let src = self.source_address(client, own, target);
        let sport = question.sport.unwrap_or_else(|| self.client_port(src));
        let mut headers = Headers::plain(question.proto, (src, sport), (target, question.port));
        if let Some(tcp) = &mut headers.tcp {
            tcp.flags = flags::SYN;
            tcp.seq = 1;
        }
        Ok(headers)
    }

    /// A process on a node that sends to one of the node's own addresses sends from that address.
    /// Source: net/ipv4/route.c `ip_route_output_key_hash_rcu`, v6.12.
    fn source_address(&self, client: &Client, own: IpAddr, target: IpAddr) -> IpAddr {
        let local = client.entry.as_ref().filter(|entry| entry.way == Way::Local);
        let here = local.and_then(|entry| self.world.directory.place(&entry.node));
        match here {
            Some(place) if target.is_loopback() || place.addrs.contains(&target) => target,
            _ => own,
        }
    }

    /// A port as a client's kernel draws one. Source: `net.ipv4.ip_local_port_range`, 32768 to 60999.
    fn client_port(&mut self, src: IpAddr) -> u16 {
        const FIRST: u16 = 32_768;
        const LAST: u16 = 60_999;
        self.connections += 1;
        let chance = Chance::new(self.seed()).at("client").at(&src.to_string());
        let mut draw = chance.packet(self.connections, self.world.now);
        FIRST + u16::try_from(draw.below(u32::from(LAST - FIRST) + 1)).expect("a draw stays below its bound")
    }

    fn service_of(&self, addr: IpAddr, port: u16, proto: Proto) -> Value {
        let text = addr.to_string();
        let same_proto = |name: &str| Proto::parse(name) == Some(proto);
        let found = self.world.store.all::<Service>(None).find_map(|service| {
            let ips = service.spec.cluster_ips.iter().chain([&service.spec.cluster_ip]);
            let by_ip = ips.chain(&service.spec.external_ips).any(|ip| *ip == text);
            let ports = &mut service.spec.ports.iter().filter(|each| same_proto(&each.protocol));
            ports
                .find(|each| if by_ip { each.port == port } else { each.node_port == Some(port) })
                .filter(|_| by_ip || self.world.directory.node_of(addr).is_some())
                .map(|each| {
                    json!({
                        "namespace": service.meta.namespace, "name": service.meta.name, "port": each.port,
                    })
                })
        });
        found.unwrap_or(Value::Null)
    }
}

impl Writing {
    fn step(&mut self, step: u8, title: &str, node: Option<&str>, events: &[Value]) {
        self.steps.push(json!({
            "step": step, "title": title, "node": node, "before": null, "after": null, "events": events,
        }));
    }

    fn last(&mut self) -> &mut Value {
        self.steps.last_mut().expect("a step was just written")
    }

    fn sends(&mut self, request: &Headers) {
        let what = if request.proto == Proto::TCP { "a SYN" } else { "a datagram" };
        self.step(3, &format!("the client sends {what} to {}:{}", request.dst, request.dport), None, &[]);
        self.last()["after"] = steps::ends(request);
    }

    /// Steps 4 and 5, cut where the destination was decided.
    fn goes(&mut self, request: &Headers, told: &Told) {
        let (first, rest) = told.events.split_at(told.decided);
        let node = told.path.nodes.first().map(AsRef::as_ref);
        let title = match &told.chosen {
            Some(to) => format!("the node's rules choose {}:{}", to.dst, to.dport),
            None => "no rule translates it".to_owned(),
        };
        self.step(4, &title, node, first);
        let behind = told.chosen.as_ref().map_or_else(|| steps::ends(request), steps::tuple);
        self.last()["before"] = steps::ends(request);
        self.last()["after"] = behind.clone();
        let (title, after) = arrival(&told.path.end);
        self.step(5, &title, told.path.nodes.last().map(AsRef::as_ref), rest);
        self.last()["before"] = behind;
        self.last()["after"] = after;
    }

    /// Step 7.
    fn returns(&mut self, world: &World, client: &Client, answer: &Headers, back: &Told, trace: &mut Value) {
        let home =
            reached(back).filter(|_| client.is_outside() || !matches!(back.path.end, End::World { .. }));
        let title = match home {
            Some(reply) => format!("the client gets the answer from {}:{}", reply.src, reply.sport),
            None => "the answer does not come back".to_owned(),
        };
        self.step(7, &title, back.path.nodes.last().map(AsRef::as_ref), &back.events);
        self.last()["before"] = steps::ends(answer);
        if let Some(reply) = home {
            self.last()["after"] = steps::ends(reply);
            trace["reply"] = steps::ends(reply);
        } else {
            let (verdict, reason) = unfinished(world, &back.path.end);
            self.verdict = verdict;
            self.reason = reason.map(|reason| format!("the answer does not come back: {reason}"));
        }
    }
}

/// The packet where the path ended, if it arrived anywhere.
fn reached(told: &Told) -> Option<&Headers> {
    match &told.path.end {
        End::Pod { packet, .. } | End::Node { packet, .. } | End::World { packet } => Some(&packet.headers),
        End::Nobody { .. } | End::Lost { .. } | End::Stopped { .. } => None,
    }
}

/// The title of step 5, and the packet as it arrived.
fn arrival(end: &End) -> (String, Value) {
    match end {
        End::Pod { pod, packet } => {
            (format!("delivered to Pod {}/{}", pod.namespace, pod.name), steps::ends(&packet.headers))
        }
        End::Node { node, packet } => {
            (format!("delivered to a process on node {node}"), steps::ends(&packet.headers))
        }
        End::World { packet } => ("it leaves the cluster".to_owned(), steps::ends(&packet.headers)),
        End::Nobody { packet, .. } => {
            (format!("nobody has {}", packet.headers.dst), steps::ends(&packet.headers))
        }
        End::Lost { node } => (format!("it is lost with node {node}"), Value::Null),
        End::Stopped { node, fate } => {
            (format!("it ends at node {node}: {}", steps::stopped(node, fate).1), Value::Null)
        }
    }
}

/// Verdict and reason of a path on which nobody got the packet.
pub(crate) fn unfinished(world: &World, end: &End) -> (&'static str, Option<String>) {
    match end {
        End::Stopped { node, fate } => {
            let (verdict, reason, _) = steps::stopped(node, fate);
            (verdict, Some(format!("at node {node}: {reason}")))
        }
        End::World { packet } => ("no-route", Some(beyond(world, &packet.headers))),
        End::Lost { node } => ("no-route", Some(format!("node {node} is lost: its network is gone"))),
        End::Nobody { node, packet } => {
            let why = format!("no Pod on node {node} has the address {}", packet.headers.dst);
            ("no-route", Some(why))
        }
        End::Pod { .. } | End::Node { .. } => ("delivered", None),
    }
}

/// Why a packet that left the cluster reaches nobody that kdp knows.
fn beyond(world: &World, headers: &Headers) -> String {
    let addr = headers.dst.to_string();
    let is_its =
        |service: &&Service| service.spec.cluster_ip == addr || service.spec.cluster_ips.contains(&addr);
    match world.store.all::<Service>(None).find(|service| is_its(service)) {
        Some(service) => format!(
            "no rule translates {} {addr}:{}: Service {}/{} has no such port, and the packet leaves as it is",
            headers.proto, headers.dport, service.meta.namespace, service.meta.name
        ),
        None => format!("{addr} is not in the cluster: what happens there is not modelled"),
    }
}

fn nobody_listens(node: &str, headers: &Headers) -> String {
    format!(
        "node {node} itself gets it, no rule leads on, and no Pod of its network declares {} port {}: what else \
         listens there no object says (if nothing does, the connection is refused)",
        headers.proto, headers.dport
    )
}

fn outside_reason(target: IpAddr) -> String {
    format!("nothing outside of the cluster has a route to {target}: say by which node it comes in (via)")
}

/// What a listening end answers: SYN/ACK, or a datagram.
fn answer_to(received: &Headers, request: &Headers) -> Headers {
    let end = |addr, port| (addr, port);
    let mut answer =
        Headers::plain(received.proto, end(received.dst, received.dport), end(received.src, received.sport));
    if let (Some(tcp), Some(asked)) = (&mut answer.tcp, request.tcp) {
        (tcp.flags, tcp.seq, tcp.ack) = (flags::SYN | flags::ACK, 1, asked.seq.wrapping_add(1));
    }
    answer
}
