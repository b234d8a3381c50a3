//! Whether a segment lies in the window, and what it says about both ends.
//!
//! Source: Linux 6.18, `nf_conntrack_proto_tcp.c` `tcp_init_sender`, `tcp_in_window`.

use super::super::connection::Direction;
use super::super::settings::Settings;
use super::segment::{Class, Segment, read_options};
use super::{Side, TcpFlow, TcpState, after, before};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    Accept,
    /// It passes, and nothing is learnt from it.
    Ignore,
    Invalid,
}

/// The numbers of a segment that the check uses, after the corrections for SACK, missing ACK and odd resets.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    seq: u32,
    ack: u32,
    sack: u32,
    end: u32,
}

/// A peer is given at least this window: what it offered may have been lost.
/// Source: `MAXACKWINDOW`.
const MAX_ACK_WINDOW: u32 = 66_000;

impl TcpFlow {
    pub(super) fn check_window(&mut self, segment: &Segment, settings: &Settings) -> Window {
        let [mine, peer] = [segment.direction.index(), segment.direction.flip().index()];
        let mut sack = segment.ack;
        if self.sides[peer].has(Side::SACK_PERMITTED) {
            sack = segment.options.sack_right_edge.filter(|edge| after(*edge, sack)).unwrap_or(sack);
        }
        if self.learn_first(segment, sack) {
            return Window::Accept;
        }
        let numbers = self.numbers(segment, sack);
        match self.judge(numbers, segment.direction) {
            Window::Accept => {}
            // A liberal end passes, but what is out of the window teaches nothing.
            _ if self.sides[mine].has(Side::BE_LIBERAL) || settings.tcp_be_liberal != 0 => {
                return Window::Accept;
            }
            refused => return refused,
        }
        self.learn(segment, numbers);
        if segment.class == Class::Ack {
            self.count_repeats(segment, numbers);
        }
        Window::Accept
    }

    /// Takes the first segment of a side as its beginning. `true` if nothing more is to be checked.
    fn learn_first(&mut self, segment: &Segment, sack: u32) -> bool {
        let [mine, peer] = [segment.direction.index(), segment.direction.flip().index()];
        let opening = matches!(self.state, TcpState::SynSent | TcpState::SynRecv);
        if self.sides[mine].max_window == 0 {
            if segment.has_syn() {
                self.begin_side(segment);
                return !segment.has_ack();
            }
            // Picked up in mid-stream: nothing is known of this side but this segment.
            let me = &mut self.sides[mine];
            me.end = segment.end;
            me.max_window = (segment.window << me.scale).max(1);
            me.max_end = segment.end.wrapping_add(me.max_window);
            let peer = &mut self.sides[peer];
            if peer.max_window == 0 {
                (peer.end, peer.max_end) = (sack, sack);
            } else if sack == peer.end.wrapping_add(1) {
                // A FIN, or a keep-alive's byte, that was not seen.
                peer.end = peer.end.wrapping_add(1);
            }
        } else if segment.has_syn() && after(segment.end, self.sides[mine].end) && opening {
            // SYN or SYN/ACK again, with other numbers.
            self.begin_side(segment);
            return segment.direction == Direction::Reply && !segment.has_ack();
        }
        false
    }

    fn begin_side(&mut self, segment: &Segment) {
        let [mine, peer] = [segment.direction.index(), segment.direction.flip().index()];
        let me = &mut self.sides[mine];
        (me.end, me.max_end) = (segment.end, segment.end);
        me.max_window = segment.window.max(1);
        read_options(me, &segment.options);
        // RFC 1323: scales count only if both ends sent one.
        let both = self.sides[mine].flags & self.sides[peer].flags & Side::WINDOW_SCALE != 0;
        if segment.direction == Direction::Reply && !both {
            (self.sides[mine].scale, self.sides[peer].scale) = (0, 0);
        }
    }

    fn numbers(&self, segment: &Segment, sack: u32) -> Numbers {
        let [me, peer] =
            [&self.sides[segment.direction.index()], &self.sides[segment.direction.flip().index()]];
        let mut numbers = Numbers { seq: segment.seq, ack: segment.ack, sack, end: segment.end };
        // Some stacks set the ACK bit of a reset and leave the number zero.
        if !segment.has_ack() || segment.has_rst() && segment.ack == 0 {
            (numbers.ack, numbers.sack) = (peer.end, peer.end);
        }
        // A reset that answers a SYN has no number of its own.
        if segment.has_rst() && segment.seq == 0 && self.state == TcpState::SynSent {
            (numbers.seq, numbers.end) = (me.end, me.end);
        }
        numbers
    }

    /// The four bounds: (I) within the peer's room, (III) acknowledges what was sent, (II) not too old, (IV) does not
    /// acknowledge what is too old.
    fn judge(&mut self, numbers: Numbers, direction: Direction) -> Window {
        let peer = self.sides[direction.flip().index()];
        let me = &mut self.sides[direction.index()];
        let Numbers { seq, sack, end, .. } = numbers;
        let room = me.max_window.max(MAX_ACK_WINDOW);
        let not_old =
            peer.max_window == 0 || after(end, me.end.wrapping_sub(peer.max_window).wrapping_sub(1));
        let ack_not_old = after(sack, peer.end.wrapping_sub(room).wrapping_sub(1));
        let ack_not_ahead = before(sack, peer.end.wrapping_add(1));
        if !before(seq, me.max_end.wrapping_add(1)) {
            let over = end.wrapping_sub(me.max_end).wrapping_add(1);
            let overshot =
                peer.max_window != 0 && not_old && ack_not_old && over <= peer.max_window && ack_not_ahead;
            if !overshot {
                return Window::Invalid;
            }
            // It overshoots by less than a window: an acknowledgment may have been missed.
            me.end = end;
            me.flags |= Side::UNACKNOWLEDGED;
            return Window::Ignore;
        }
        if !ack_not_ahead {
            return Window::Invalid;
        }
        if not_old && ack_not_old { Window::Accept } else { Window::Ignore }
    }

    fn learn(&mut self, segment: &Segment, numbers: Numbers) {
        let Numbers { ack, sack, end, .. } = numbers;
        let [original, reply] = &mut self.sides;
        let (me, peer) = match segment.direction {
            Direction::Original => (original, reply),
            Direction::Reply => (reply, original),
        };
        // The window of a SYN is never scaled.
        let window = if segment.has_syn() { segment.window } else { segment.window << me.scale };
        me.max_window = me.max_window.max(window.wrapping_add(sack.wrapping_sub(ack)));
        if after(end, me.end) {
            me.end = end;
            me.flags |= Side::UNACKNOWLEDGED;
        }
        if segment.has_ack() && (!me.has(Side::MAX_ACK) || after(ack, me.max_ack)) {
            me.max_ack = ack;
            me.flags |= Side::MAX_ACK;
        }
        if peer.max_window != 0 && after(end, me.max_end) {
            peer.max_window = peer.max_window.wrapping_add(end.wrapping_sub(me.max_end));
        }
        let edge = sack.wrapping_add(window);
        if after(edge, peer.max_end.wrapping_sub(1)) {
            peer.max_end = edge.wrapping_add(u32::from(window == 0));
        }
        if ack == peer.end {
            peer.flags &= !Side::UNACKNOWLEDGED;
        }
    }

    fn count_repeats(&mut self, segment: &Segment, numbers: Numbers) {
        let last = &mut self.last;
        let seen = (last.direction, last.seq, last.ack, last.end, last.window);
        let now = (segment.direction, numbers.seq, numbers.ack, numbers.end, segment.header_window());
        if seen == now {
            self.repeats = self.repeats.wrapping_add(1);
        } else {
            (last.direction, last.seq, last.ack, last.end, last.window) = now;
            self.repeats = 0;
        }
    }
}
