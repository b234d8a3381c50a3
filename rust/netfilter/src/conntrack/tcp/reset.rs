//! Which resets count.

use super::super::settings::Settings;
use super::segment::{Class, Segment};
use super::{Context, Side, TcpFlow, TcpState, before};

/// What a reset does to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// The state becomes CLOSE; `checked` says whether the window is still to be checked.
    Close { checked: bool },
    /// The state stays, the timeout becomes that of CLOSE: it may be forged.
    Doubt { checked: bool },
    /// It is refused.
    Invalid,
}

impl TcpFlow {
    /// Source: Linux 6.18, `nf_conntrack_proto_tcp.c` `nf_conntrack_tcp_packet`, case `TCP_CONNTRACK_CLOSE`; RFC 5961, 3.2.
    pub(super) fn judge_reset(&self, segment: &Segment, context: Context, settings: &Settings) -> Reset {
        if self.state.is_closing() {
            return Reset::Close { checked: false };
        }
        let peer = &self.sides[segment.direction.flip().index()];
        let last = &self.last;
        let mut doubt = false;
        if peer.has(Side::MAX_ACK) && last.class != Class::Syn {
            let established = self.state == TcpState::Established && context.assured;
            let follows_own_ack =
                last.class == Class::Ack && last.direction == segment.direction && segment.seq == last.end;
            if segment.seq == 0 && !established {
                return Reset::Close { checked: true };
            }
            if before(segment.seq, peer.max_ack) && settings.tcp_ignore_invalid_rst == 0 {
                return Reset::Invalid;
            }
            if !established || segment.seq == peer.max_ack || follows_own_ack {
                return Reset::Close { checked: true };
            }
            doubt = true;
        }
        let checked = !self.answers_the_last(segment, context);
        if doubt { Reset::Doubt { checked } } else { Reset::Close { checked } }
    }

    /// Whether the reset answers a segment that was only noted, so that the window knows nothing of it.
    fn answers_the_last(&self, segment: &Segment, context: Context) -> bool {
        let last = &self.last;
        let ignored_syn =
            context.seen_reply && last.class == Class::Syn && last.direction != segment.direction;
        let stray_ack = !context.assured && last.class == Class::Ack;
        let challenge = self.state == TcpState::SynSent
            && last.class == Class::Ack
            && last.direction == super::Direction::Reply
            && segment.seq == last.ack;
        (ignored_syn || stray_ack) && segment.ack == last.end || challenge
    }
}
