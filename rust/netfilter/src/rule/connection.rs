//! What rules ask of the connection of a packet, and do to it.

use kdp_packet::{Cidr, Proto};

use super::{CtStates, PortRange, Test};
use crate::conntrack::{Direction, Status};

/// `-m conntrack` with more than states: every test that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConntrackTest {
    /// `--ctstate`.
    pub states: Option<Test<CtStates>>,
    /// `--ctproto`.
    pub proto: Option<Test<Proto>>,
    /// `--ctorigsrc`, `--ctorigdst`, `--ctreplsrc`, `--ctrepldst`.
    pub addrs: [Option<Test<Cidr>>; 4],
    /// `--ctorigsrcport`, `--ctorigdstport`, `--ctreplsrcport`, `--ctrepldstport`.
    pub ports: [Option<Test<PortRange>>; 4],
    /// `--ctstatus`: one of the bits must be set. Without bits (`NONE`) nothing passes.
    pub status: Option<Test<Status>>,
    /// `--ctexpire`: seconds that are left, both ends included.
    pub expire: Option<Test<(u32, u32)>>,
    /// `--ctdir`.
    pub direction: Option<Direction>,
}

/// `CONNMARK`: what becomes of the two marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnMark {
    /// `--set-xmark value/mask`: the connection's mark loses the bits of mask, then is xored with value.
    Set {
        /// Bits that are xored in.
        value: u32,
        /// Bits that are cleared first.
        mask: u32,
    },
    /// `--save-mark`: the packet's mark into the connection's.
    Save {
        /// Bits of the packet's mark that are taken.
        nfmask: u32,
        /// Bits of the connection's mark that are cleared first.
        ctmask: u32,
    },
    /// `--restore-mark`: the connection's mark into the packet's.
    Restore {
        /// Bits of the packet's mark that are cleared first.
        nfmask: u32,
        /// Bits of the connection's mark that are taken.
        ctmask: u32,
    },
}

impl ConnMark {
    /// What becomes of (the packet's mark, the connection's mark).
    ///
    /// Source: net/netfilter/xt_connmark.c `connmark_tg_shift`, v6.12.
    #[must_use]
    pub const fn of(self, packet: u32, connection: u32) -> (u32, u32) {
        match self {
            ConnMark::Set { value, mask } => (packet, connection & !mask ^ value),
            ConnMark::Save { nfmask, ctmask } => (packet, connection & !ctmask ^ packet & nfmask),
            ConnMark::Restore { nfmask, ctmask } => (packet & !nfmask ^ connection & ctmask, connection),
        }
    }
}

/// Which directions of a connection `CT --zone` puts into a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneSide {
    /// `--zone`: both.
    Both,
    /// `--zone-orig`.
    Original,
    /// `--zone-reply`.
    Reply,
}

/// `-m connbytes`: how much a connection carried so far. Without one it never passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnBytes {
    /// Whether the test is turned round.
    pub invert: bool,
    /// The least.
    pub first: u64,
    /// The most, `u64::MAX` unless given.
    pub last: u64,
    /// What is measured.
    pub measure: ConnMeasure,
    /// In which direction; `None` is both.
    pub direction: Option<Direction>,
}

/// What `-m connbytes` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnMeasure {
    /// Packets.
    Packets,
    /// Bytes of IP packets.
    Bytes,
    /// Bytes of the average packet.
    Average,
}
