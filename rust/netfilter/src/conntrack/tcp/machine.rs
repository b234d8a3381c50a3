//! The machine: table, exceptions, window, timeout.
//!
//! Source: Linux 6.18, `nf_conntrack_proto_tcp.c` `tcp_new`, `nf_conntrack_tcp_packet`.

use std::time::Duration;

use kdp_packet::Tcp;

use super::super::connection::Direction;
use super::super::settings::Settings;
use super::super::track::{Step, Verdict};
use super::reset::Reset;
use super::segment::{Class, Segment, read_options};
use super::state::{Next, next};
use super::window::Window;
use super::{Context, Side, TcpFlow, TcpState};

/// Where a segment leads, before the window is checked.
enum Plan {
    /// It is decided.
    Done(Step),
    /// From a state to another one, after the check if there is one.
    Go { old: TcpState, new: TcpState, check: bool },
}

impl TcpFlow {
    /// A connection by its first segment: a SYN, or with `tcp_loose` an ACK in mid-stream. `None` if it is neither.
    pub(in super::super) fn open(tcp: &Tcp, settings: &Settings) -> Option<(TcpFlow, Step)> {
        let segment = Segment::of(tcp, Direction::Original)?;
        let mut flow = TcpFlow::default();
        let side = &mut flow.sides[0];
        side.end = segment.end;
        side.max_window = segment.window.max(1);
        match next(Direction::Original, segment.class, TcpState::None) {
            Next::To(TcpState::SynSent) => {
                side.max_end = segment.end;
                read_options(side, &segment.options);
            }
            Next::To(_) if settings.tcp_loose != 0 => {
                side.max_end = segment.end.wrapping_add(side.max_window);
                // The options of its SYNs are not known: be generous to both ends.
                for side in &mut flow.sides {
                    side.flags = Side::SACK_PERMITTED | Side::BE_LIBERAL;
                }
            }
            Next::To(_) | Next::Ignore | Next::Invalid => return None,
        }
        let context = Context {
            direction: Direction::Original,
            seen_reply: false,
            assured: false,
            remaining: Duration::ZERO,
        };
        let step = flow.run(&segment, context, settings);
        (step.verdict == Verdict::Accept).then_some((flow, step))
    }

    /// The next segment of a connection.
    pub(in super::super) fn step(&mut self, tcp: &Tcp, context: Context, settings: &Settings) -> Step {
        match Segment::of(tcp, context.direction) {
            Some(segment) => self.run(&segment, context, settings),
            None => Step::INVALID,
        }
    }

    fn run(&mut self, segment: &Segment, context: Context, settings: &Settings) -> Step {
        let (old, new, check) = match self.plan(segment, context, settings) {
            Plan::Done(step) => return step,
            Plan::Go { old, new, check } => (old, new, check),
        };
        if check {
            match self.check_window(segment, settings) {
                Window::Accept => {}
                Window::Ignore => return Step::IGNORE,
                Window::Invalid => return self.note_invalid(segment, context, settings),
            }
        }
        self.last.class = segment.class;
        self.last.direction = segment.direction;
        self.state = new;
        if old != new && new == TcpState::FinWait {
            self.sides[segment.direction.index()].flags |= Side::CLOSE_INIT;
        }
        self.conclude(segment, context, old, settings)
    }

    fn plan(&mut self, segment: &Segment, context: Context, settings: &Settings) -> Plan {
        let old = self.state;
        let go = |new| Plan::Go { old, new, check: true };
        match next(segment.direction, segment.class, old) {
            Next::Invalid => Plan::Done(Step::INVALID),
            Next::Ignore => self.ignore(segment),
            Next::To(TcpState::SynSent) if matches!(old, TcpState::TimeWait | TcpState::Close) => {
                if self.may_reopen(segment) {
                    Plan::Done(Step { verdict: Verdict::Restart, ..Step::IGNORE })
                } else {
                    self.ignore(segment)
                }
            }
            Next::To(TcpState::TimeWait) if self.is_challenged(segment) => {
                self.last.challenge = false;
                Plan::Done(Step::IGNORE)
            }
            Next::To(TcpState::SynSent2) => {
                self.last.simultaneous = true;
                go(TcpState::SynSent2)
            }
            Next::To(TcpState::SynRecv)
                if segment.direction == Direction::Reply
                    && segment.class == Class::Ack
                    && self.last.simultaneous =>
            {
                go(TcpState::Established)
            }
            Next::To(TcpState::Close) if segment.class == Class::Rst => {
                match self.judge_reset(segment, context, settings) {
                    Reset::Close { checked } => Plan::Go { old, new: TcpState::Close, check: checked },
                    Reset::Doubt { checked } => Plan::Go { old, new: old, check: checked },
                    Reset::Invalid => Plan::Done(Step::INVALID),
                }
            }
            Next::To(new) => go(new),
        }
    }

    /// Whether a SYN may begin anew on a closed connection: it was closed in order, or the sender itself reset it.
    fn may_reopen(&self, segment: &Segment) -> bool {
        let closed = self.sides.iter().any(|side| side.has(Side::CLOSE_INIT));
        closed || self.last.direction == segment.direction && self.last.class == Class::Rst
    }

    /// Whether an ACK only answers a SYN that came in `LAST_ACK` (RFC 5961, 4).
    fn is_challenged(&self, segment: &Segment) -> bool {
        self.state == TcpState::LastAck
            && segment.class == Class::Ack
            && self.last.direction != segment.direction
            && self.last.class == Class::Syn
            && self.last.challenge
    }

    /// Lets a segment pass and notes it: the ends may know more than was seen here.
    fn ignore(&mut self, segment: &Segment) -> Plan {
        let answers = segment.class == Class::SynAck
            && self.last.class == Class::Syn
            && self.last.direction != segment.direction
            && segment.ack == self.last.end;
        if answers {
            self.resynchronise(segment.direction);
            return Plan::Go { old: TcpState::SynSent, new: TcpState::SynRecv, check: true };
        }
        let old = self.state;
        let last = &mut self.last;
        last.class = segment.class;
        last.direction = segment.direction;
        last.seq = segment.seq;
        last.end = segment.end;
        last.window = segment.header_window();
        if segment.class == Class::Syn && segment.direction == Direction::Original {
            let mut side = Side::default();
            read_options(&mut side, &segment.options);
            last.flags = side.flags;
            last.scale = side.scale;
            last.challenge = old == TcpState::LastAck;
            last.simultaneous = false;
        }
        if old == TcpState::SynSent && segment.class == Class::Ack && segment.direction == Direction::Reply {
            last.ack = segment.ack;
        }
        Plan::Done(Step::IGNORE)
    }

    /// A SYN that had been ignored is answered: the ends have begun anew. Its side is taken from the notes, the
    /// answering one starts empty.
    fn resynchronise(&mut self, answering: Direction) {
        let last = &mut self.last;
        self.sides[answering.flip().index()] = Side {
            end: last.end,
            max_end: last.end,
            max_window: u32::from(last.window).max(1),
            scale: last.scale,
            flags: last.flags,
            ..self.sides[answering.flip().index()]
        };
        last.challenge = false;
        let side = &mut self.sides[answering.index()];
        *side = Side { flags: side.flags & Side::BE_LIBERAL, ..Side::default() };
    }

    fn conclude(&self, segment: &Segment, context: Context, old: TcpState, settings: &Settings) -> Step {
        let timeout = self.timeout(segment, settings);
        if !context.seen_reply {
            // A reset is all the answer there is: there never was a connection.
            if segment.has_rst() {
                return Step { verdict: Verdict::Kill, ..Step::IGNORE };
            }
            // A SYN again does not keep the entry, nor its translation, alive.
            if segment.class == Class::Syn && old == TcpState::SynSent {
                return Step::IGNORE;
            }
            if self.state == TcpState::Established {
                return Step::accept(timeout.min(settings.tcp_timeout_unacknowledged));
            }
            return Step::accept(timeout);
        }
        let opened = matches!(old, TcpState::SynRecv | TcpState::Established);
        let assured = !context.assured && opened && self.state == TcpState::Established;
        Step { assured, ..Step::accept(timeout) }
    }

    fn timeout(&self, segment: &Segment, settings: &Settings) -> u32 {
        let of_state = self.state.timeout(settings);
        let unacknowledged = self.sides.iter().any(|side| side.has(Side::UNACKNOWLEDGED));
        if u32::from(self.repeats) >= settings.tcp_max_retrans && of_state > settings.tcp_timeout_max_retrans
        {
            settings.tcp_timeout_max_retrans
        } else if segment.class == Class::Rst {
            settings.tcp_timeout_close
        } else if unacknowledged && of_state > settings.tcp_timeout_unacknowledged {
            settings.tcp_timeout_unacknowledged
        } else if self.last.window == 0 && of_state > settings.tcp_timeout_max_retrans {
            settings.tcp_timeout_max_retrans
        } else {
            of_state
        }
    }

    /// A FIN or reset out of the window is noted; the second, from the other end, shortens a long life.
    /// Source: `nf_tcp_handle_invalid`.
    fn note_invalid(&mut self, segment: &Segment, context: Context, settings: &Settings) -> Step {
        if !context.assured || !matches!(segment.class, Class::Rst | Class::Fin) {
            return Step::INVALID;
        }
        let last = &mut self.last;
        if last.direction == segment.direction || !matches!(last.class, Class::Rst | Class::Fin) {
            last.class = segment.class;
            last.direction = segment.direction;
            return Step::INVALID;
        }
        let unacknowledged = settings.tcp_timeout_unacknowledged;
        let long = context.remaining >= Duration::from_secs(120)
            && context.remaining > Duration::from_secs(unacknowledged.into());
        Step { timeout: long.then_some(unacknowledged), ..Step::INVALID }
    }
}
