//! Translations as stories: what the kernel did with the same packets, and what must hold for any.

mod errors;
mod properties;
mod search;
mod sources;
mod targets;

use std::net::IpAddr;
use std::time::Duration;

use kdp_packet::{Headers, Proto, Tcp, flags};
use kdp_sim::{Chance, Time};

use super::{Manip, null_binding, setup, translate};
use crate::NatRange;
use crate::conntrack::{Confirmed, Connection, Conntrack, Direction, PacketState, Settings, Tracked};

type Rule = Box<dyn Fn(&Headers) -> Option<NatRange>>;

/// A router with at most one rule at each end.
struct Router {
    table: Conntrack,
    now: Time,
    dnat: Rule,
    snat: Rule,
    chance: Chance,
    state: Option<PacketState>,
}

fn router(
    dnat: impl Fn(&Headers) -> Option<NatRange> + 'static,
    snat: impl Fn(&Headers) -> Option<NatRange> + 'static,
) -> Router {
    Router {
        table: Conntrack::new(Settings::default(), Chance::new(1)),
        now: Time::ZERO,
        dnat: Box::new(dnat),
        snat: Box::new(snat),
        chance: Chance::new(7),
        state: None,
    }
}

impl Router {
    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// Forwards a packet; gives it as it leaves, or `None` if it was dropped. An INVALID one leaves as it came.
    fn forward(&mut self, mut packet: Headers) -> Option<Headers> {
        let tracked = self.table.track(&packet, 0, true, self.now);
        self.state = match &tracked {
            Tracked::New(_) => Some(PacketState::New),
            Tracked::Known { state, .. } => Some(*state),
            Tracked::Invalid | Tracked::Untracked | Tracked::Full => None,
        };
        match tracked {
            Tracked::New(connection) => self.first(*connection, packet),
            Tracked::Known { id, direction, .. } => {
                let connection = self.table.get(id, self.now).unwrap().connection().clone();
                for manip in [Manip::Dst, Manip::Src] {
                    translate(&connection, direction, manip, &mut packet).ok()?;
                }
                Some(packet)
            }
            Tracked::Full => None,
            Tracked::Invalid | Tracked::Untracked => Some(packet),
        }
    }

    fn first(&mut self, connection: Connection, mut packet: Headers) -> Option<Headers> {
        let connection = self.decide(connection, &mut packet);
        match self.table.confirm(Box::new(connection), self.now) {
            Confirmed::Dropped => None,
            Confirmed::Inserted(_) | Confirmed::Merged { .. } | Confirmed::ReplyOnly(_) => Some(packet),
        }
    }

    /// Takes a first packet through both NAT hooks.
    fn decide(&mut self, mut connection: Connection, packet: &mut Headers) -> Connection {
        let mut draw = self.chance.packet(connection.original.digest(), self.now);
        for manip in [Manip::Dst, Manip::Src] {
            let rule = if manip == Manip::Dst { &self.dnat } else { &self.snat };
            match rule(packet) {
                Some(range) => setup(&mut self.table, &mut connection, manip, &range, self.now, &mut draw),
                None => null_binding(&mut self.table, &mut connection, manip, self.now, &mut draw),
            }
            translate(&connection, Direction::Original, manip, packet).expect("no first packet is an error");
        }
        connection
    }

    /// A first packet that is held in PREROUTING.
    fn hold(&mut self, packet: &Headers) -> Connection {
        match self.table.track(packet, 0, true, self.now) {
            Tracked::New(connection) => *connection,
            other => panic!("{other:?}"),
        }
    }
}

fn no_rule(_: &Headers) -> Option<NatRange> {
    None
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn udp(src: &str, sport: u16, dst: &str, dport: u16) -> Headers {
    Headers::plain(Proto::UDP, (ip(src), sport), (ip(dst), dport))
}

fn tcp(src: &str, sport: u16, dst: &str, dport: u16, bits: u8, seq: u32, ack: u32) -> Headers {
    let tcp = Tcp { flags: bits, seq, ack, window: 65_535, ..Tcp::default() };
    Headers { tcp: Some(tcp), ..Headers::plain(Proto::TCP, (ip(src), sport), (ip(dst), dport)) }
}

fn syn(src: &str, sport: u16, dst: &str, dport: u16, seq: u32) -> Headers {
    tcp(src, sport, dst, dport, flags::SYN, seq, 0)
}

fn echo(src: &str, dst: &str, id: u16) -> Headers {
    Headers::plain(Proto::ICMP, (ip(src), id), (ip(dst), 8 << 8))
}

/// The answer to a packet as it left, with the same transport but for the flags and numbers of TCP.
fn answer(packet: &Headers, bits: u8, seq: u32, ack: u32) -> Headers {
    let tuple = packet.tuple(0).inverse().unwrap();
    let mut answer = Headers::plain(tuple.proto, (tuple.src, tuple.sport), (tuple.dst, tuple.dport));
    answer.tcp = packet.tcp.map(|_| Tcp { flags: bits, seq, ack, window: 65_535, ..Tcp::default() });
    answer
}

fn ports(first: u16, last: u16) -> crate::PortRange {
    crate::PortRange { first, last }
}
