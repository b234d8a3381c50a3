//! TCP: the exact machine of one connection, as a function of its state and a segment.
//!
//! Source: Linux 6.18, `net/netfilter/nf_conntrack_proto_tcp.c`; G. van Rooij, "Real stateful TCP packet filtering in IP
//! Filter", 2001 (the window check). Every rule was checked against recordings of that kernel.

mod machine;
mod reset;
mod segment;
mod state;
mod window;

pub mod replay;

use std::time::Duration;

use super::connection::Direction;
use segment::Class;

pub use state::TcpState;

#[cfg(test)]
mod tests;

/// What is remembered of a TCP connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpFlow {
    /// Its state.
    pub state: TcpState,
    /// The two ends, by direction.
    pub sides: [Side; 2],
    last: Last,
    /// How often the last segment came again. Eight bits, as in the kernel.
    repeats: u8,
}

impl TcpFlow {
    /// A connection of which nothing is known but its state.
    pub fn in_state(state: TcpState) -> TcpFlow {
        TcpFlow { state, ..TcpFlow::default() }
    }
}

/// One end of a connection: what it has sent and may send. All in sequence numbers, modulo 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Behind the last byte sent.
    pub end: u32,
    /// Behind the last byte that the other end has room for.
    pub max_end: u32,
    /// The largest window it offered.
    pub max_window: u32,
    /// The highest acknowledgment it sent, if [`Side::MAX_ACK`] is set.
    pub max_ack: u32,
    /// Window scale.
    pub scale: u8,
    /// Bits: see the constants.
    pub flags: u8,
}

impl Side {
    /// It sent a window scale.
    pub const WINDOW_SCALE: u8 = 0x01;
    /// It permits selective acknowledgments.
    pub const SACK_PERMITTED: u8 = 0x02;
    /// It closed first.
    pub const CLOSE_INIT: u8 = 0x04;
    /// Its window is not checked.
    pub const BE_LIBERAL: u8 = 0x08;
    /// It sent data that were not acknowledged.
    pub const UNACKNOWLEDGED: u8 = 0x10;
    /// `max_ack` is known.
    pub const MAX_ACK: u8 = 0x20;

    fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }
}

/// What is noted of the segment before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    class: Class,
    direction: Direction,
    seq: u32,
    ack: u32,
    end: u32,
    /// As it stood in the header.
    window: u16,
    /// Of an ignored SYN of the original direction: its scale, 0 if it had none.
    scale: u8,
    /// Of the same: the flags its options mean.
    flags: u8,
    /// An ignored SYN in `LAST_ACK` will be answered with a challenge ACK.
    challenge: bool,
    /// Both ends sent a SYN.
    simultaneous: bool,
}

impl Default for Last {
    fn default() -> Last {
        Last {
            class: Class::None,
            direction: Direction::Original,
            seq: 0,
            ack: 0,
            end: 0,
            window: 0,
            scale: 0,
            flags: 0,
            challenge: false,
            simultaneous: false,
        }
    }
}

/// What the machine must know of the connection around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) direction: Direction,
    pub(super) seen_reply: bool,
    pub(super) assured: bool,
    /// How long the entry would live without this segment.
    pub(super) remaining: Duration,
}

/// Whether `a` comes before `b`.
const fn before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) >= 1 << 31
}

/// Whether `a` comes after `b`.
const fn after(a: u32, b: u32) -> bool {
    before(b, a)
}
