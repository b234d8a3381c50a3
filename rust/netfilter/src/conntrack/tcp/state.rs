//! The states, and the table that leads from one to the next.

use super::super::connection::Direction;
use super::super::settings::Settings;
use super::segment::Class;

/// State of a TCP connection as conntrack sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpState {
    /// Nothing seen yet.
    #[default]
    None,
    /// SYN seen.
    SynSent,
    /// SYN and SYN/ACK seen.
    SynRecv,
    /// Open.
    Established,
    /// A FIN seen.
    FinWait,
    /// It was acknowledged.
    CloseWait,
    /// FINs of both ends seen.
    LastAck,
    /// Closed, waiting for stragglers.
    TimeWait,
    /// Reset.
    Close,
    /// SYNs of both ends seen.
    SynSent2,
}

use TcpState::{Close, CloseWait, Established, FinWait, LastAck, SynRecv, SynSent, SynSent2, TimeWait};

impl TcpState {
    /// All, in the order of the table's columns.
    pub const ALL: [TcpState; 10] = [
        TcpState::None,
        SynSent,
        SynRecv,
        Established,
        FinWait,
        CloseWait,
        LastAck,
        TimeWait,
        Close,
        SynSent2,
    ];

    /// The name that the conntrack tool prints.
    pub const fn name(self) -> &'static str {
        match self {
            TcpState::None => "NONE",
            SynSent => "SYN_SENT",
            SynRecv => "SYN_RECV",
            Established => "ESTABLISHED",
            FinWait => "FIN_WAIT",
            CloseWait => "CLOSE_WAIT",
            LastAck => "LAST_ACK",
            TimeWait => "TIME_WAIT",
            Close => "CLOSE",
            SynSent2 => "SYN_SENT2",
        }
    }

    /// Whether an end has closed or reset it.
    pub const fn is_closing(self) -> bool {
        matches!(self, FinWait | CloseWait | LastAck | TimeWait | Close)
    }

    /// The state's timeout in seconds.
    pub(super) const fn timeout(self, settings: &Settings) -> u32 {
        match self {
            // No sysctl: a constant of the kernel.
            TcpState::None | SynSent2 => 120,
            SynSent => settings.tcp_timeout_syn_sent,
            SynRecv => settings.tcp_timeout_syn_recv,
            Established => settings.tcp_timeout_established,
            FinWait => settings.tcp_timeout_fin_wait,
            CloseWait => settings.tcp_timeout_close_wait,
            LastAck => settings.tcp_timeout_last_ack,
            TimeWait => settings.tcp_timeout_time_wait,
            Close => settings.tcp_timeout_close,
        }
    }
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    To(TcpState),
    /// The segment passes and is only noted.
    Ignore,
    Invalid,
}

/// The table: `tcp_conntracks` of the kernel.
pub(super) const fn next(direction: Direction, class: Class, state: TcpState) -> Next {
    let rows = match direction {
        Direction::Original => &ORIGINAL,
        Direction::Reply => &REPLY,
    };
    rows[class as usize][state as usize]
}

const IV: Next = Next::Invalid;
const IG: Next = Next::Ignore;
const SS: Next = Next::To(SynSent);
const SR: Next = Next::To(SynRecv);
const ES: Next = Next::To(Established);
const FW: Next = Next::To(FinWait);
const CW: Next = Next::To(CloseWait);
const LA: Next = Next::To(LastAck);
const TW: Next = Next::To(TimeWait);
const CL: Next = Next::To(Close);
const S2: Next = Next::To(SynSent2);

/// Rows: syn, synack, fin, ack, rst, none. Columns: [`TcpState::ALL`].
#[rustfmt::skip]
const ORIGINAL: [[Next; 10]; 6] = [
    [SS, SS, IG, IG, IG, IG, IG, SS, SS, S2],
    [IV, IV, SR, IV, IV, IV, IV, IV, IV, SR],
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
    [ES, IV, ES, ES, CW, CW, TW, TW, CL, IV],
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
    [IV; 10],
];

#[rustfmt::skip]
const REPLY: [[Next; 10]; 6] = [
    [IV, S2, IV, IV, IV, IV, IV, SS, IV, S2],
    [IV, SR, IG, IG, IG, IG, IG, IG, IG, SR],
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
    [IV, IG, SR, ES, CW, CW, TW, TW, CL, IG],
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
    [IV; 10],
];
