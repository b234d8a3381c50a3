//! One connection: its packets, and what becomes of each.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_host::{Fate, Packet};
use kdp_kube::object::{KindName, ObjectKey, Pod};
use kdp_netfilter::vm::{Run, Silent};
use kdp_packet::{Headers, Proto, Tcp, flags};
use kdp_sim::Time;

use crate::Error;
use crate::cluster::Cluster;
use crate::path::{End, Entry, Path, Way, carry};
use crate::world::walk_box;

/// A connection of an experiment.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) traffic: usize,
    pub(super) target: usize,
    pub(super) proto: Proto,
    pub(super) from: (IpAddr, u16),
    pub(super) to: (IpAddr, u16),
    pub(super) ends: Time,
    /// Since when the client waits for an answer.
    pub(super) waits: Option<Time>,
    pub(super) tries: u32,
    /// The uid of the Pod that it is with; empty until it is open.
    pub(super) pod: Box<str>,
    /// Bytes sent by the client, and by the server.
    pub(super) sent: (u32, u32),
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// What was asked for, from this Pod.
    Answered { uid: Box<str>, name: String, terminating: bool },
    /// A reset, or an ICMP error: the client knows at once.
    Refused { cause: &'static str },
    /// Nothing.
    Silence { cause: &'static str },
}

/// What a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A SYN, or the first datagram.
    Open,
    /// A request.
    Data,
    /// A FIN.
    Close,
}

/// A packet's fate, for the count and for whoever asks why.
pub(super) struct Sent {
    pub(super) answer: Answer,
    pub(super) rules_walked: u64,
    pub(super) packets: u64,
    /// The packet where its way ended, and the node.
    pub(super) end: (Option<Headers>, Arc<str>),
}

impl Cluster {
    /// Sends one thing and waits for what comes back; that takes no virtual time.
    pub(super) fn ask(&mut self, connection: &Connection, entry: &Entry, ask: Ask) -> Result<Sent, Error> {
        let request = connection.request(ask);
        let path = self.go(entry.clone(), request.clone())?;
        let mut sent = Sent {
            answer: Answer::Silence { cause: "dropped" },
            rules_walked: path.rules_walked,
            packets: 1,
            end: (None, path.nodes.last().cloned().unwrap_or_else(|| entry.node.clone())),
        };
        match path.end {
            End::Pod { pod, packet } => {
                let key = ObjectKey::new(KindName::Pod, &pod.namespace, &pod.name);
                sent.end.0 = Some(packet.headers.clone());
                let back = Entry { node: pod.node, way: Way::Bridge };
                self.reply(connection, &request, &packet.headers, (&key, back), ask, &mut sent)?;
            }
            End::Node { packet, .. } => {
                sent.end.0 = Some(packet.headers);
                sent.answer = Answer::Refused { cause: "node-does-not-listen" };
            }
            End::Stopped { fate: Fate::Answered { .. } | Fate::SendError(_), .. } => {
                sent.answer = Answer::Refused { cause: "rejected" };
            }
            End::Stopped { .. } => {}
            End::Nobody { packet, .. } | End::World { packet } => {
                sent.end.0 = Some(packet.headers);
                sent.answer = Answer::Silence { cause: "dead-address" };
            }
            End::Lost { .. } => sent.answer = Answer::Silence { cause: "lost-node" },
        }
        Ok(sent)
    }

    /// What the Pod that got the packet does, and whether the client gets it.
    fn reply(
        &mut self,
        connection: &Connection,
        request: &Headers,
        got: &Headers,
        (key, back): (&ObjectKey, Entry),
        ask: Ask,
        sent: &mut Sent,
    ) -> Result<(), Error> {
        let answer = self.program(connection, key, ask);
        let reset = matches!(answer, Answer::Refused { .. });
        let reply = connection.reply(request, got, ask, reset);
        if let Some(reply) = reply {
            sent.packets += 1;
            let path = self.go(back, reply)?;
            sent.rules_walked += path.rules_walked;
            let home =
                matches!(&path.end, End::Pod { packet, .. } if packet.headers.dst == connection.from.0);
            if !home {
                sent.answer = Answer::Silence { cause: "answer-lost" };
                return Ok(());
            }
        }
        if connection.proto == Proto::TCP && !reset {
            self.acknowledge(connection, ask, sent)?;
        }
        sent.answer = answer;
        Ok(())
    }

    /// The client's last word of a handshake, or of a farewell: only with it do trackers know how things stand.
    fn acknowledge(&mut self, connection: &Connection, ask: Ask, sent: &mut Sent) -> Result<(), Error> {
        let (own, peer) = connection.sent;
        let ack = match ask {
            Ask::Open => connection.segment(flags::ACK, 1, 1, 0),
            Ask::Data => return Ok(()),
            Ask::Close => connection.segment(flags::ACK, 2 + own, 2 + peer, 0),
        };
        let home = self.world.directory.resident(connection.from.0).map(|pod| pod.node.clone());
        if let Some(node) = home {
            sent.packets += 1;
            self.go(Entry { node, way: Way::Bridge }, ack)?;
        }
        Ok(())
    }

    /// Whether the program of a Pod answers: its listener takes new connections until SIGTERM and a little longer, its
    /// connections live until it ends.
    fn program(&self, connection: &Connection, key: &ObjectKey, ask: Ask) -> Answer {
        let Some(pod) = self.store().find::<Pod>(&key.namespace, &key.name) else {
            return Answer::Silence { cause: "dead-address" };
        };
        if ask != Ask::Open && connection.proto == Proto::TCP && *pod.meta.uid != *connection.pod {
            return Answer::Refused { cause: "another-pod-has-the-address" };
        }
        if pod.is_terminal() || pod.status.phase != "Running" {
            return Answer::Refused { cause: "program-has-ended" };
        }
        let takes = ask != Ask::Open || self.takes_connections(key);
        if !takes {
            return Answer::Refused { cause: "listener-is-closed" };
        }
        Answer::Answered {
            uid: pod.meta.uid.as_str().into(),
            name: format!("{}/{}", pod.meta.namespace, pod.meta.name),
            terminating: pod.meta.is_terminating(),
        }
    }

    fn takes_connections(&self, key: &ObjectKey) -> bool {
        let closed = self.workloads.as_ref().and_then(|workloads| workloads.listener_closes_at(key));
        closed.is_none_or(|at| self.world.now < at)
    }

    fn go(&mut self, entry: Entry, headers: Headers) -> Result<Path, Error> {
        let (world, nodes) = (&self.world, &mut self.nodes);
        carry(&world.directory, entry, Packet::of(headers), &mut |at, packet| {
            let node = nodes.open(world, &at.node)?;
            let (device, uplink) = (node.device(at.way), node.uplink());
            let mut run = Run(node.host.draw(&packet, world.now));
            let done = walk_box(&mut node.host, device, packet, world.now, &mut run, &mut Silent)?;
            Ok((done, uplink))
        })
    }
}

impl Connection {
    fn request(&self, ask: Ask) -> Headers {
        if self.proto != Proto::TCP {
            return Headers::plain(self.proto, self.from, self.to);
        }
        let (own, peer) = self.sent;
        match ask {
            Ask::Open => self.segment(flags::SYN, 0, 0, 0),
            Ask::Data => self.segment(flags::ACK | flags::PSH, 1 + own, 1 + peer, 1),
            Ask::Close => self.segment(flags::ACK | flags::FIN, 1 + own, 1 + peer, 0),
        }
    }

    fn segment(&self, bits: u8, seq: u32, ack: u32, data_len: u32) -> Headers {
        let mut headers = Headers::plain(self.proto, self.from, self.to);
        let window = u16::MAX;
        headers.tcp = Some(Tcp { flags: bits, seq, ack, window, data_len, ..Tcp::default() });
        headers.length += u16::try_from(data_len).unwrap_or(0);
        headers
    }

    /// The answer as the server sends it; `None` where silence is the answer (an ICMP error is not sent here).
    fn reply(&self, request: &Headers, got: &Headers, ask: Ask, reset: bool) -> Option<Headers> {
        let mut reply = Headers::plain(self.proto, (got.dst, got.dport), (got.src, got.sport));
        let Some(asked) = request.tcp else { return (!reset).then_some(reply) };
        let (_, peer) = self.sent;
        let next = asked.seq + asked.data_len + u32::from(asked.flags & (flags::SYN | flags::FIN) != 0);
        let (bits, seq, data_len) = match ask {
            _ if reset => (flags::RST | flags::ACK, if ask == Ask::Open { 0 } else { 1 + peer }, 0),
            Ask::Open => (flags::SYN | flags::ACK, 0, 0),
            Ask::Data => (flags::ACK | flags::PSH, 1 + peer, 1),
            Ask::Close => (flags::ACK | flags::FIN, 1 + peer, 0),
        };
        let window = u16::MAX;
        reply.tcp = Some(Tcp { flags: bits, seq, ack: next, window, data_len, ..Tcp::default() });
        reply.length += u16::try_from(data_len).unwrap_or(0);
        Some(reply)
    }
}
