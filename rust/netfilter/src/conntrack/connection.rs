//! One connection: two tuples, status bits, and what its protocol remembers.

use std::fmt;
use std::sync::Arc;

use kdp_packet::{Proto, Tuple};
use kdp_sim::Time;

use super::TimeoutPolicy;
use super::sctp::SctpFlow;
use super::tcp::TcpFlow;

/// Which way a packet of a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// As the first packet.
    Original,
    /// The other way.
    Reply,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn flip(self) -> Direction {
        match self {
            Direction::Original => Direction::Reply,
            Direction::Reply => Direction::Original,
        }
    }

    /// 0 for original, 1 for reply.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Status bits of a connection.
///
/// Source: Linux 6.18, `include/uapi/linux/netfilter/nf_conntrack_common.h` `enum ip_conntrack_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// It is the child of another connection.
    pub const EXPECTED: Status = Status(1);
    /// A packet in reply direction was accepted.
    pub const SEEN_REPLY: Status = Status(2);
    /// Worth keeping when the table is full.
    pub const ASSURED: Status = Status(4);
    /// In the table.
    pub const CONFIRMED: Status = Status(8);
    /// The source was changed.
    pub const SRC_NAT: Status = Status(16);
    /// The destination was changed.
    pub const DST_NAT: Status = Status(32);
    /// The source was decided, changed or not.
    pub const SRC_NAT_DONE: Status = Status(128);
    /// The destination was decided, changed or not.
    pub const DST_NAT_DONE: Status = Status(256);
    /// On its way out.
    pub const DYING: Status = Status(512);
    /// No packet refreshes its timeout.
    pub const FIXED_TIMEOUT: Status = Status(1024);
    /// It lost a clash and stands in the table by its reply tuple alone.
    pub const NAT_CLASH: Status = Status(4096);
    /// Either of the two changes.
    pub const NAT: Status = Status(16 | 32);

    /// Whether one of `bits` is set.
    pub const fn has(self, bits: Status) -> bool {
        self.0 & bits.0 != 0
    }

    /// Sets `bits`.
    pub const fn add(&mut self, bits: Status) {
        self.0 |= bits.0;
    }

    /// The names of the bits that are set, in the order of their values.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(u32, &str); 11] = [
            (2, "SEEN_REPLY"),
            (4, "ASSURED"),
            (8, "CONFIRMED"),
            (16, "SRC_NAT"),
            (32, "DST_NAT"),
            (128, "SRC_NAT_DONE"),
            (256, "DST_NAT_DONE"),
            (512, "DYING"),
            (1024, "FIXED_TIMEOUT"),
            (4096, "NAT_CLASH"),
            (8192, "HELPER"),
        ];
        NAMES.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }
}

/// The conntrack zone of a packet: which directions of a connection it separates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Zone of the original tuple.
    pub original: u16,
    /// Zone of the reply tuple.
    pub reply: u16,
}

impl From<u16> for Zone {
    /// Both directions in one zone (`CT --zone`).
    fn from(id: u16) -> Zone {
        Zone { original: id, reply: id }
    }
}

impl Zone {
    /// Only the original direction in the zone (`CT --zone-orig`).
    pub const fn original_only(id: u16) -> Zone {
        Zone { original: id, reply: 0 }
    }

    /// Only the reply direction in the zone (`CT --zone-reply`).
    pub const fn reply_only(id: u16) -> Zone {
        Zone { original: 0, reply: id }
    }

    /// The zone of one direction.
    pub const fn of(self, direction: Direction) -> u16 {
        match direction {
            Direction::Original => self.original,
            Direction::Reply => self.reply,
        }
    }
}

/// What a protocol's tracker remembers of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtoState {
    /// TCP.
    Tcp(TcpFlow),
    /// SCTP.
    Sctp(SctpFlow),
    /// UDP and UDP-Lite: from when on it is a stream.
    Udp {
        /// Two seconds after its first packet; `None` if that was not seen.
        stream_from: Option<Time>,
    },
    /// ICMP and `ICMPv6` queries.
    Icmp,
    /// GRE.
    Gre,
    /// Every other protocol.
    Generic,
}

impl ProtoState {
    /// The state's name as the conntrack tool prints it; `None` for protocols without states.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            ProtoState::Tcp(flow) => Some(flow.state.name()),
            ProtoState::Sctp(flow) => Some(flow.state.name()),
            ProtoState::Udp { .. } | ProtoState::Icmp | ProtoState::Gre | ProtoState::Generic => None,
        }
    }
}

/// Packets and bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets.
    pub bytes: u64,
}

/// A connection, in the table or not yet.
///
/// Before it is confirmed it is an owned value that nobody else sees; dropping it leaves no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The tuple of the first packet as it arrived.
    pub(crate) original: Tuple,
    /// The tuple that answers have: the inverse of what leaves the box.
    pub(crate) reply: Tuple,
    pub(crate) status: Status,
    pub(crate) mark: u32,
    /// Until it is confirmed: seconds from then on. Afterwards `deadline` counts.
    pub(crate) timeout: u32,
    pub(crate) deadline: Time,
    pub(crate) proto: ProtoState,
    pub(crate) counters: [Counter; 2],
    /// The device that masquerade chose the address of.
    pub(crate) masquerade: Option<u32>,
    /// Timeouts of its own.
    pub(crate) timeouts: Option<Arc<TimeoutPolicy>>,
}

impl Connection {
    /// The tuple of a direction.
    pub fn tuple(&self, direction: Direction) -> &Tuple {
        match direction {
            Direction::Original => &self.original,
            Direction::Reply => &self.reply,
        }
    }

    /// Its status bits.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Its protocol.
    pub fn proto(&self) -> Proto {
        self.original.proto
    }

    /// What the protocol's tracker remembers.
    pub fn proto_state(&self) -> &ProtoState {
        &self.proto
    }

    /// The connection mark.
    pub fn mark(&self) -> u32 {
        self.mark
    }

    /// Sets the connection mark (`CONNMARK`).
    pub fn set_mark(&mut self, mark: u32) {
        self.mark = mark;
    }

    /// Packets and bytes of a direction; zero unless `acct` is on.
    pub fn counter(&self, direction: Direction) -> Counter {
        self.counters[direction.index()]
    }

    /// The zone of each direction.
    pub fn zone(&self) -> Zone {
        Zone { original: self.original.zone, reply: self.reply.zone }
    }

    /// The device whose address masquerade took.
    pub fn masquerade_device(&self) -> Option<u32> {
        self.masquerade
    }

    pub(crate) fn count(&mut self, direction: Direction, bytes: u16) {
        let counter = &mut self.counters[direction.index()];
        counter.packets += 1;
        counter.bytes += u64::from(bytes);
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.original, self.reply)
    }
}
