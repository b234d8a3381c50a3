//! A segment as the machine reads it.

use kdp_packet::{Tcp, TcpOptions, flags};

use super::super::connection::Direction;
use super::Side;

/// The row of the state table that a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Syn,
    SynAck,
    Fin,
    Ack,
    Rst,
    None,
}

impl Class {
    /// `None` if its flags make no sense together.
    /// Source: `tcp_valid_flags`, `get_conntrack_index`.
    pub(super) const fn of(bits: u8) -> Option<Class> {
        const RST_ACK: u8 = flags::RST | flags::ACK;
        const SYN_ACK: u8 = flags::SYN | flags::ACK;
        const SYN_URG: u8 = flags::SYN | flags::URG;
        const FIN_ACK: u8 = flags::FIN | flags::ACK;
        const FIN_ACK_URG: u8 = FIN_ACK | flags::URG;
        const ACK_URG: u8 = flags::ACK | flags::URG;
        Some(match bits & !(flags::PSH | flags::ECE | flags::CWR) {
            flags::SYN | SYN_URG => Class::Syn,
            SYN_ACK => Class::SynAck,
            flags::RST | RST_ACK => Class::Rst,
            FIN_ACK | FIN_ACK_URG => Class::Fin,
            flags::ACK | ACK_URG => Class::Ack,
            _ => return None,
        })
    }
}

/// A segment with what follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) class: Class,
    pub(super) direction: Direction,
    bits: u8,
    pub(super) seq: u32,
    pub(super) ack: u32,
    /// Behind its last byte; SYN and FIN count as one each.
    pub(super) end: u32,
    /// As it stands in the header.
    pub(super) window: u32,
    pub(super) options: TcpOptions,
}

impl Segment {
    pub(super) fn of(tcp: &Tcp, direction: Direction) -> Option<Segment> {
        let one = |bit: u8| u32::from(tcp.flags & bit != 0);
        let taken = tcp.data_len.wrapping_add(one(flags::SYN)).wrapping_add(one(flags::FIN));
        Some(Segment {
            class: Class::of(tcp.flags)?,
            direction,
            bits: tcp.flags,
            seq: tcp.seq,
            ack: tcp.ack,
            end: tcp.seq.wrapping_add(taken),
            window: tcp.window.into(),
            options: tcp.options,
        })
    }

    /// The window as its header says it.
    pub(super) fn header_window(&self) -> u16 {
        u16::try_from(self.window).expect("a header's window has 16 bits")
    }

    pub(super) const fn has_ack(&self) -> bool {
        self.bits & flags::ACK != 0
    }

    pub(super) const fn has_syn(&self) -> bool {
        self.bits & flags::SYN != 0
    }

    pub(super) const fn has_rst(&self) -> bool {
        self.bits & flags::RST != 0
    }
}

/// Reads a SYN's options into a side. A header with options replaces what was known, one without leaves it.
/// Source: `tcp_options` (a scale above 14 counts as 14).
pub(super) fn read_options(side: &mut Side, options: &TcpOptions) {
    if !options.present {
        return;
    }
    side.scale = 0;
    side.flags &= Side::BE_LIBERAL;
    if options.sack_permitted {
        side.flags |= Side::SACK_PERMITTED;
    }
    if let Some(scale) = options.window_scale {
        side.scale = scale.min(14);
        side.flags |= Side::WINDOW_SCALE;
    }
}
