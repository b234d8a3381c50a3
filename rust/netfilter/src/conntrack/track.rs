//! The way of a packet into the table: lookup, or a new connection; then its protocol's tracker.

use std::time::Duration;

use kdp_packet::{Headers, Proto, Tuple};
use kdp_sim::Time;

use super::connection::{Connection, Counter, Direction, ProtoState, Status, Zone};
use super::icmp::{self, IcmpClass};
use super::sctp::SctpFlow;
use super::settings::Settings;
use super::table::{Conntrack, EntryId};
use super::tcp::{self, TcpFlow};

/// The state of a packet whose connection is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketState {
    /// Original direction, no answer seen yet.
    New,
    /// An answer, or a packet after one.
    Established,
    /// An ICMP error about the connection.
    Related,
}

/// What tracking makes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracked {
    /// The first packet of a connection: original direction, state NEW. To be confirmed at the end of its way.
    New(Box<Connection>),
    /// A packet of, or about, a connection of the table.
    Known {
        /// The entry.
        id: EntryId,
        /// Which way the packet goes.
        direction: Direction,
        /// Its state.
        state: PacketState,
    },
    /// No connection is attached: the packet goes on, and is not translated.
    Invalid,
    /// The table is full: the packet is dropped before any rule.
    Full,
    /// Never tracked: `ICMPv6` neighbour and router discovery, listener reports.
    Untracked,
}

/// What a protocol's tracker says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to the connection.
    Accept,
    /// It does not.
    Invalid,
    /// It does, and is the last: the entry goes.
    Kill,
    /// It begins another connection: the entry goes, and the packet is looked at anew.
    Restart,
}

/// A verdict and what it changes outside of the protocol's own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) verdict: Verdict,
    /// The new timeout in seconds; `None` leaves it.
    pub(super) timeout: Option<u32>,
    pub(super) assured: bool,
}

impl Step {
    pub(super) const INVALID: Step = Step { verdict: Verdict::Invalid, timeout: None, assured: false };
    /// Passes, and changes nothing.
    pub(super) const IGNORE: Step = Step { verdict: Verdict::Accept, timeout: None, assured: false };

    pub(super) const fn accept(timeout: u32) -> Step {
        Step { verdict: Verdict::Accept, timeout: Some(timeout), assured: false }
    }
}

impl Conntrack {
    /// Tracks a packet as it comes in at PREROUTING (`at_prerouting`) or OUTPUT, defragmented.
    ///
    /// Source: Linux 6.18, `net/netfilter/nf_conntrack_core.c` `nf_conntrack_in`.
    pub fn track(
        &mut self,
        headers: &Headers,
        zone: impl Into<Zone>,
        at_prerouting: bool,
        now: Time,
    ) -> Tracked {
        self.expire(now);
        let tracked = self.attach(headers, zone.into(), at_prerouting, now);
        match tracked {
            Tracked::Invalid if self.is_icmp_fault(headers, at_prerouting) => self.stats.error += 1,
            Tracked::Invalid => self.stats.invalid += 1,
            Tracked::Full => self.stats.drop += 1,
            Tracked::New(_) | Tracked::Known { .. } | Tracked::Untracked => {}
        }
        tracked
    }

    /// Whether it is an ICMP message that is refused before any connection is looked for: counted apart.
    /// Source: Linux 6.18, `nf_conntrack_core.c` `nf_conntrack_handle_icmp`.
    fn is_icmp_fault(&self, headers: &Headers, at_prerouting: bool) -> bool {
        match icmp::classify(headers) {
            IcmpClass::Error | IcmpClass::Unknown => headers.fragment.offset == 0,
            IcmpClass::Query => !self.is_sound(headers, at_prerouting),
            IcmpClass::Discovery | IcmpClass::NotIcmp => false,
        }
    }

    fn attach(&mut self, headers: &Headers, zone: Zone, at_prerouting: bool, now: Time) -> Tracked {
        if headers.fragment.offset != 0 || headers.proto == NO_NEXT_HEADER && headers.src.is_ipv6() {
            return Tracked::Invalid;
        }
        let sound = self.is_sound(headers, at_prerouting);
        match icmp::classify(headers) {
            IcmpClass::Error => return if sound { self.related(headers, zone) } else { Tracked::Invalid },
            IcmpClass::Discovery => return Tracked::Untracked,
            IcmpClass::Unknown => return Tracked::Invalid,
            IcmpClass::Query if !sound => return Tracked::Invalid,
            IcmpClass::Query | IcmpClass::NotIcmp => {}
        }
        loop {
            let Some((id, direction)) = self.find_zoned(headers, zone) else {
                return self.create(headers, zone, sound, now);
            };
            let step = if sound { self.step(id, direction, headers, now) } else { Step::INVALID };
            match step.verdict {
                Verdict::Restart => {
                    self.remove(id);
                }
                Verdict::Invalid => {
                    self.apply(id, step, now);
                    return Tracked::Invalid;
                }
                Verdict::Accept | Verdict::Kill => return self.accept(id, direction, headers, step, now),
            }
        }
    }

    /// Whether the trackers would look at the transport header at all.
    ///
    /// Outside of PREROUTING, and with `checksum` off, a wrong checksum passes; a header that is cut short never does.
    /// Source: `tcp_error`, `udp_error`, `nf_conntrack_icmp_error`, `sctp_error`, v6.12: lengths first, then the checksum.
    fn is_sound(&self, headers: &Headers, at_prerouting: bool) -> bool {
        headers.whole && (headers.sound || !at_prerouting || self.settings.checksum == 0)
    }

    /// Looks a packet up in the zone of either direction.
    /// Source: Linux `resolve_normal_ct`: the original direction's zone first, then the reply's if it is another.
    pub(super) fn find_zoned(&mut self, headers: &Headers, zone: Zone) -> Option<(EntryId, Direction)> {
        self.find_tuple(&headers.tuple(0), zone)
    }

    pub(super) fn find_tuple(&mut self, tuple: &Tuple, zone: Zone) -> Option<(EntryId, Direction)> {
        let zones =
            if zone.original == zone.reply { &[zone.original][..] } else { &[zone.original, zone.reply] };
        let found = zones.iter().find_map(|id| {
            self.lookup(&Tuple { zone: *id, ..*tuple }).filter(|(_, direction)| zone.of(*direction) == *id)
        })?;
        if self.waits(found.0.slot) {
            self.settle();
        }
        Some(found)
    }

    /// Source: Linux `init_conntrack`: a tuple without an inverse is refused before room is asked for, what the tracker
    /// refuses afterwards.
    fn create(&mut self, headers: &Headers, zone: Zone, sound: bool, now: Time) -> Tracked {
        let original = headers.tuple(zone.original);
        let Some(reply) = original.inverse() else { return Tracked::Invalid };
        if !self.make_room(&original, now) {
            return Tracked::Full;
        }
        if !sound {
            return Tracked::Invalid;
        }
        let Some((proto, step)) = self.open(headers, now) else { return Tracked::Invalid };
        let mut connection = Connection {
            original,
            reply: Tuple { zone: zone.reply, ..reply },
            status: Status::default(),
            mark: 0,
            timeout: step.timeout.unwrap_or(0),
            deadline: Time::ZERO,
            proto,
            counters: [Counter::default(); 2],
            masquerade: None,
            timeouts: None,
        };
        if self.settings.acct != 0 {
            connection.count(Direction::Original, headers.length);
        }
        Tracked::New(Box::new(connection))
    }

    /// What the first packet of a connection makes its tracker remember; `None` if it cannot be a first packet.
    fn open(&self, headers: &Headers, now: Time) -> Option<(ProtoState, Step)> {
        let settings = &self.settings;
        Some(match headers.proto {
            Proto::TCP => {
                let (flow, step) = TcpFlow::open(&headers.tcp?, settings)?;
                (ProtoState::Tcp(flow), step)
            }
            Proto::SCTP => {
                let (flow, step) = SctpFlow::open(headers.sctp.as_deref()?, settings)?;
                (ProtoState::Sctp(flow), step)
            }
            Proto::UDP | Proto::UDPLITE => (
                ProtoState::Udp { stream_from: Some(now + STREAM_AFTER) },
                Step::accept(settings.udp_timeout),
            ),
            Proto::ICMP | Proto::ICMPV6 => {
                icmp::opens(headers).then_some(())?;
                (ProtoState::Icmp, Step::accept(icmp::timeout(headers.proto, settings)))
            }
            Proto::GRE => (ProtoState::Gre, Step::accept(settings.gre_timeout)),
            _ => (ProtoState::Generic, Step::accept(settings.generic_timeout)),
        })
    }

    /// Runs the tracker of a known connection over a packet.
    fn step(&mut self, id: EntryId, direction: Direction, headers: &Headers, now: Time) -> Step {
        self.edit(id, |connection, settings| connection.step(direction, headers, settings, now))
    }

    fn accept(
        &mut self,
        id: EntryId,
        direction: Direction,
        headers: &Headers,
        step: Step,
        now: Time,
    ) -> Tracked {
        let answered = self.edit(id, |connection, settings| {
            let answered = connection.status.has(Status::SEEN_REPLY);
            // What a tracker only ignores is not counted: Linux counts where it refreshes.
            if settings.acct != 0 && (step.timeout.is_some() || step.verdict == Verdict::Kill) {
                connection.count(direction, headers.length);
            }
            if direction == Direction::Reply {
                connection.status.add(Status::SEEN_REPLY);
            }
            answered
        });
        let state = match direction {
            Direction::Original if !answered => PacketState::New,
            Direction::Original | Direction::Reply => PacketState::Established,
        };
        self.apply(id, step, now);
        if step.verdict == Verdict::Kill {
            self.bury(id, now);
        }
        Tracked::Known { id, direction, state }
    }

    fn apply(&mut self, id: EntryId, step: Step, now: Time) {
        let deadline = self.edit(id, |connection, _| {
            connection.settle(step, now);
            connection.deadline
        });
        self.file_if_sooner(id.slot, deadline);
    }
}

impl Connection {
    /// Runs its tracker over a packet.
    pub(super) fn step(
        &mut self,
        direction: Direction,
        headers: &Headers,
        settings: &Settings,
        now: Time,
    ) -> Step {
        let own = self.timeouts.as_ref().map(|policy| policy.over(settings));
        let settings = own.as_ref().unwrap_or(settings);
        let status = self.status;
        let seen_reply = status.has(Status::SEEN_REPLY);
        match &mut self.proto {
            ProtoState::Tcp(flow) => {
                let Some(segment) = &headers.tcp else { return Step::INVALID };
                let context = tcp::Context {
                    direction,
                    seen_reply,
                    assured: status.has(Status::ASSURED),
                    remaining: self.deadline.since(now),
                };
                flow.step(segment, context, settings)
            }
            ProtoState::Sctp(flow) => {
                let Some(packet) = headers.sctp.as_deref() else { return Step::INVALID };
                flow.step(packet, direction, settings)
            }
            ProtoState::Udp { stream_from } => {
                // Source: Linux `nf_conntrack_udp_packet`: a stream is still in use two seconds after it began. An entry
                // that lost a clash never becomes assured.
                let stream = seen_reply && stream_from.is_none_or(|from| now > from);
                let timeout = if stream { settings.udp_timeout_stream } else { settings.udp_timeout };
                Step { assured: stream && !status.has(Status::NAT_CLASH), ..Step::accept(timeout) }
            }
            ProtoState::Icmp => Step::accept(icmp::timeout(headers.proto, settings)),
            ProtoState::Gre => {
                let timeout = if seen_reply { settings.gre_timeout_stream } else { settings.gre_timeout };
                Step { assured: seen_reply, ..Step::accept(timeout) }
            }
            ProtoState::Generic => Step::accept(settings.generic_timeout),
        }
    }

    /// Takes over what a step changes outside of the protocol's own state.
    fn settle(&mut self, step: Step, now: Time) {
        if step.assured {
            self.status.add(Status::ASSURED);
        }
        let fixed = self.status.has(Status::FIXED_TIMEOUT);
        if let Some(seconds) = step.timeout.filter(|_| !fixed) {
            self.deadline = now + Duration::from_secs(seconds.into());
        }
    }
}

const NO_NEXT_HEADER: Proto = Proto(59);

/// Source: Linux `nf_conntrack_udp_packet`, `2 * HZ`.
const STREAM_AFTER: Duration = Duration::from_secs(2);
