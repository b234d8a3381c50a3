//! SCTP: states by chunks, and verification tags.
//!
//! Source: Linux 6.18, `net/netfilter/nf_conntrack_proto_sctp.c`; RFC 9260, 8.4 and 8.5.

use kdp_packet::{Sctp, SctpChunk};

use super::connection::Direction;
use super::settings::Settings;
use super::track::{Step, Verdict};

/// State of an SCTP association as conntrack sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SctpState {
    /// Nothing seen yet.
    #[default]
    None,
    /// INIT seen, or it is over.
    Closed,
    /// INIT ACK seen.
    CookieWait,
    /// COOKIE ECHO seen.
    CookieEchoed,
    /// Open.
    Established,
    /// The opener sent SHUTDOWN.
    ShutdownSent,
    /// The other side did.
    ShutdownRecd,
    /// SHUTDOWN ACK seen.
    ShutdownAckSent,
    /// A HEARTBEAT opened it: another path of an association.
    HeartbeatSent,
}

use SctpState::{
    Closed, CookieEchoed, CookieWait, Established, HeartbeatSent, ShutdownAckSent, ShutdownRecd, ShutdownSent,
};

impl SctpState {
    /// All, in the order of the table's columns.
    pub const ALL: [SctpState; 9] = [
        SctpState::None,
        Closed,
        CookieWait,
        CookieEchoed,
        Established,
        ShutdownSent,
        ShutdownRecd,
        ShutdownAckSent,
        HeartbeatSent,
    ];

    /// The name that the conntrack tool prints.
    pub const fn name(self) -> &'static str {
        match self {
            SctpState::None => "NONE",
            Closed => "CLOSED",
            CookieWait => "COOKIE_WAIT",
            CookieEchoed => "COOKIE_ECHOED",
            Established => "ESTABLISHED",
            ShutdownSent => "SHUTDOWN_SENT",
            ShutdownRecd => "SHUTDOWN_RECD",
            ShutdownAckSent => "SHUTDOWN_ACK_SENT",
            HeartbeatSent => "HEARTBEAT_SENT",
        }
    }

    /// Whether it is being closed in order: such entries go first when the table is too full.
    pub(super) const fn is_shutting_down(self) -> bool {
        matches!(self, ShutdownSent | ShutdownRecd | ShutdownAckSent)
    }

    const fn timeout(self, settings: &Settings) -> u32 {
        match self {
            SctpState::None | Closed => settings.sctp_timeout_closed,
            CookieWait => settings.sctp_timeout_cookie_wait,
            CookieEchoed => settings.sctp_timeout_cookie_echoed,
            Established => settings.sctp_timeout_established,
            ShutdownSent => settings.sctp_timeout_shutdown_sent,
            ShutdownRecd => settings.sctp_timeout_shutdown_recd,
            ShutdownAckSent => settings.sctp_timeout_shutdown_ack_sent,
            HeartbeatSent => settings.sctp_timeout_heartbeat_sent,
        }
    }
}

/// Chunk types (RFC 9260, 3.2).
pub mod chunk {
    /// Payload.
    pub const DATA: u8 = 0;
    /// Opens an association.
    pub const INIT: u8 = 1;
    /// Answers INIT.
    pub const INIT_ACK: u8 = 2;
    /// A question whether the peer lives.
    pub const HEARTBEAT: u8 = 4;
    /// Its answer.
    pub const HEARTBEAT_ACK: u8 = 5;
    /// Ends it at once.
    pub const ABORT: u8 = 6;
    /// Ends it in order.
    pub const SHUTDOWN: u8 = 7;
    /// Answers SHUTDOWN.
    pub const SHUTDOWN_ACK: u8 = 8;
    /// Reports an error.
    pub const ERROR: u8 = 9;
    /// Carries the cookie back.
    pub const COOKIE_ECHO: u8 = 10;
    /// The association stands.
    pub const COOKIE_ACK: u8 = 11;
    /// The last chunk.
    pub const SHUTDOWN_COMPLETE: u8 = 14;
}

/// The T bit: the tag is the peer's own, because there was no association.
const FLAG_T: u8 = 1;

/// What is remembered of an SCTP association.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SctpFlow {
    /// Its state.
    pub state: SctpState,
    /// The verification tag that packets of each direction carry; 0 if unknown.
    pub tags: [u32; 2],
    /// Which directions have sent an INIT.
    inits: [bool; 2],
    /// A HEARTBEAT with another tag came in this direction: the association may have been restarted.
    odd_heartbeat: Option<Direction>,
}

/// What a chunk's tag says.
enum Tag {
    Good,
    /// It passes, but neither moves the state nor refreshes.
    Ignore,
    Bad,
}

impl SctpFlow {
    /// An association of which nothing is known but its state.
    pub fn in_state(state: SctpState) -> SctpFlow {
        SctpFlow { state, ..SctpFlow::default() }
    }

    /// An association by its first packet; `None` if it cannot be one.
    /// Source: `sctp_new`; of packets out of the blue only some are followed (RFC 9260, 8.4).
    pub(super) fn open(packet: &Sctp, settings: &Settings) -> Option<(SctpFlow, Step)> {
        const NEVER: [u8; 3] = [chunk::ABORT, chunk::SHUTDOWN_COMPLETE, chunk::COOKIE_ACK];
        if !is_well_formed(packet) || packet.chunks.iter().any(|chunk| NEVER.contains(&chunk.kind)) {
            return None;
        }
        let mut flow = SctpFlow::default();
        for part in &packet.chunks {
            if next(Direction::Original, SctpState::None, part.kind)? == SctpState::None {
                return None;
            }
            match part.kind {
                chunk::INIT if packet.tag != 0 => return None,
                chunk::INIT => flow.tags[1] = part.init_tag,
                chunk::HEARTBEAT => flow.tags[0] = packet.tag,
                // A SHUTDOWN ACK out of the blue is answered with a SHUTDOWN COMPLETE of the same tag.
                _ => flow.tags[1] = packet.tag,
            }
        }
        let step = flow.run(packet, Direction::Original, false, settings);
        (step.verdict == Verdict::Accept).then_some((flow, step))
    }

    /// The next packet of an association.
    pub(super) fn step(&mut self, packet: &Sctp, direction: Direction, settings: &Settings) -> Step {
        if !is_well_formed(packet) {
            return Step::INVALID;
        }
        self.run(packet, direction, true, settings)
    }

    /// Source: `nf_conntrack_sctp_packet`.
    fn run(&mut self, packet: &Sctp, direction: Direction, confirmed: bool, settings: &Settings) -> Step {
        let own = packet.chunks.iter().any(|part| checks_its_own_tag(part.kind));
        if !own && packet.tag != self.tags[direction.index()] {
            return Step::INVALID;
        }
        let mut ignore = false;
        let mut assured = false;
        for &part in &packet.chunks {
            match self.check_tag(packet, part, direction, ignore) {
                Tag::Good => {}
                Tag::Ignore => {
                    ignore = true;
                    continue;
                }
                Tag::Bad => return Step::INVALID,
            }
            let old = self.state;
            let Some(new) = next(direction, old, part.kind) else { return Step::INVALID };
            if !self.note_tags(part, direction) {
                return Step::INVALID;
            }
            // An INIT again does not keep the entry, nor its translation, alive.
            ignore |= part.kind == chunk::INIT && confirmed && [old, new] == [Closed, Closed];
            assured |= old != new && new == Established;
            self.state = new;
        }
        let timeout = (!ignore).then(|| self.state.timeout(settings));
        Step { verdict: Verdict::Accept, timeout, assured }
    }

    /// The tag of a chunk with a rule of its own (RFC 9260, 8.5.1).
    fn check_tag(&mut self, packet: &Sctp, part: SctpChunk, direction: Direction, ignoring: bool) -> Tag {
        let [mine, peer] = [direction.index(), direction.flip().index()];
        let known = self.tags[mine];
        let good = match part.kind {
            chunk::INIT => packet.tag == 0,
            chunk::ABORT | chunk::SHUTDOWN_COMPLETE => {
                packet.tag == self.tags[if part.flags & FLAG_T == 0 { mine } else { peer }]
            }
            chunk::COOKIE_ECHO => packet.tag == known,
            chunk::HEARTBEAT | chunk::HEARTBEAT_ACK if known == 0 => {
                self.tags[mine] = packet.tag;
                true
            }
            chunk::HEARTBEAT | chunk::HEARTBEAT_ACK if known == packet.tag => {
                self.odd_heartbeat = None;
                true
            }
            chunk::HEARTBEAT | chunk::HEARTBEAT_ACK => {
                let alone = !ignoring && packet.chunks.iter().all(|other| other.kind != chunk::DATA);
                return self.odd_tag(packet.tag, part.kind, direction, alone);
            }
            _ => true,
        };
        if good { Tag::Good } else { Tag::Bad }
    }

    /// A HEARTBEAT with another tag passes once; if it is answered, the association has been restarted.
    fn odd_tag(&mut self, tag: u32, kind: u8, direction: Direction, alone: bool) -> Tag {
        if !alone {
            return Tag::Bad;
        }
        if kind == chunk::HEARTBEAT {
            self.odd_heartbeat = Some(direction);
            return Tag::Ignore;
        }
        if self.odd_heartbeat != Some(direction.flip()) {
            return Tag::Bad;
        }
        self.odd_heartbeat = None;
        self.tags[direction.index()] = tag;
        self.tags[direction.flip().index()] = 0;
        Tag::Good
    }

    /// Notes the tags that INIT and INIT ACK announce; `false` if they contradict what is known.
    fn note_tags(&mut self, part: SctpChunk, direction: Direction) -> bool {
        let [mine, peer] = [direction.index(), direction.flip().index()];
        match part.kind {
            chunk::INIT => {
                if self.inits == [true, true] {
                    self.inits[peer] = false;
                }
                self.inits[mine] = true;
            }
            chunk::INIT_ACK => {
                let known = self.tags[peer];
                let contradicts = !self.inits[peer] && known != 0 || self.inits == [true, true];
                if contradicts && known != part.init_tag {
                    return false;
                }
            }
            _ => return true,
        }
        self.tags[peer] = part.init_tag;
        true
    }
}

/// Source: `do_basic_checks`: COOKIE ECHO and COOKIE ACK come first; INIT, INIT ACK and SHUTDOWN COMPLETE alone.
fn is_well_formed(packet: &Sctp) -> bool {
    let first = |kind| matches!(kind, chunk::COOKIE_ACK | chunk::COOKIE_ECHO);
    let alone = |kind| matches!(kind, chunk::INIT | chunk::INIT_ACK | chunk::SHUTDOWN_COMPLETE);
    let kinds = || packet.chunks.iter().map(|part| part.kind);
    kinds().next().is_some()
        && !kinds().skip(1).any(first)
        && (packet.chunks.len() == 1 || !kinds().any(alone))
}

const fn checks_its_own_tag(kind: u8) -> bool {
    matches!(
        kind,
        chunk::INIT
            | chunk::SHUTDOWN_COMPLETE
            | chunk::COOKIE_ECHO
            | chunk::ABORT
            | chunk::SHUTDOWN_ACK
            | chunk::HEARTBEAT
            | chunk::HEARTBEAT_ACK
    )
}

/// The state after a chunk; `None` if it is invalid there. Chunks without a row (DATA, SACK…) leave it.
fn next(direction: Direction, state: SctpState, kind: u8) -> Option<SctpState> {
    const ROWS: [u8; 11] = [
        chunk::INIT,
        chunk::INIT_ACK,
        chunk::ABORT,
        chunk::SHUTDOWN,
        chunk::SHUTDOWN_ACK,
        chunk::ERROR,
        chunk::COOKIE_ECHO,
        chunk::COOKIE_ACK,
        chunk::SHUTDOWN_COMPLETE,
        chunk::HEARTBEAT,
        chunk::HEARTBEAT_ACK,
    ];
    let Some(row) = ROWS.iter().position(|known| *known == kind) else { return Some(state) };
    let table = if direction == Direction::Original { &ORIGINAL } else { &REPLY };
    table[row][state as usize]
}

const IV: Option<SctpState> = None;
const CL: Option<SctpState> = Some(Closed);
const CW: Option<SctpState> = Some(CookieWait);
const CE: Option<SctpState> = Some(CookieEchoed);
const ES: Option<SctpState> = Some(Established);
const SS: Option<SctpState> = Some(ShutdownSent);
const SR: Option<SctpState> = Some(ShutdownRecd);
const SA: Option<SctpState> = Some(ShutdownAckSent);
const HS: Option<SctpState> = Some(HeartbeatSent);

/// Rows as in `next`, columns as in [`SctpState::ALL`].
#[rustfmt::skip]
const ORIGINAL: [[Option<SctpState>; 9]; 11] = [
    [CL, CL, CW, CE, ES, CL, CL, SA, CW],
    [CL, CL, CW, CE, ES, SS, SR, SA, CL],
    [CL, CL, CL, CL, CL, CL, CL, CL, CL],
    [CL, CL, CW, CE, SS, SS, SR, SA, CL],
    [SA, CL, CW, CE, ES, SA, SA, SA, SA],
    [CL, CL, CW, CE, ES, SS, SR, SA, CL],
    [CL, CL, CE, CE, ES, SS, SR, SA, CL],
    [CL, CL, CW, ES, ES, SS, SR, SA, CL],
    [CL, CL, CW, CE, ES, SS, SR, CL, CL],
    [HS, CL, CW, CE, ES, SS, SR, SA, HS],
    [CL, CL, CW, CE, ES, SS, SR, SA, HS],
];

#[rustfmt::skip]
const REPLY: [[Option<SctpState>; 9]; 11] = [
    [IV, CL, CW, CE, ES, SS, SR, SA, IV],
    [IV, CW, CW, CE, ES, SS, SR, SA, IV],
    [IV, CL, CL, CL, CL, CL, CL, CL, IV],
    [IV, CL, CW, CE, SR, SS, SR, SA, IV],
    [IV, CL, CW, CE, ES, SA, SA, SA, IV],
    [IV, CL, CW, CL, ES, SS, SR, SA, IV],
    [IV, CL, CE, CE, ES, SS, SR, SA, IV],
    [IV, CL, CW, ES, ES, SS, SR, SA, IV],
    [IV, CL, CW, CE, ES, SS, SR, CL, IV],
    [IV, CL, CW, CE, ES, SS, SR, SA, HS],
    [IV, CL, CW, CE, ES, SS, SR, SA, ES],
];

#[cfg(test)]
mod tests;
