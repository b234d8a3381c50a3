//! The answers that a box makes: ICMP errors and resets.

use std::net::IpAddr;

use kdp_netfilter::RejectWith;
use kdp_netfilter::conntrack::{Direction, PacketState};
use kdp_netfilter::vm::Choose;
use kdp_packet::{Headers, Proto, wire};

use super::{Attached, Context, Passage, Stop};
use crate::Error;
use crate::device::DeviceId;
use crate::fate::{AnswerReason, Fate, SendError};
use crate::packet::Packet;
use crate::route::RouteKind;
use crate::trace::Record;

impl<C: Choose, R: Record> Context<'_, C, R> {
    /// Ends a packet's walk with an answer to its sender. The answer walks from OUTPUT on, attached to the packet's
    /// connection, so that it is translated as the connection's replies are.
    ///
    /// Source: nf_reject_ipv4.c, nf_conntrack_core.c `nf_conntrack_attach`, v6.12.
    pub(super) fn answer(&mut self, passage: &mut Passage, why: AnswerReason) -> Result<Stop, Stop> {
        let local = passage.input.is_none();
        let Some(packet) = self.make_answer(passage, why)? else {
            // Without an answer a REJECT is a drop, of which a local sender is told (`nf_hook_slow`: EPERM).
            let fate = if local {
                Fate::SendError(SendError::NotPermitted)
            } else {
                Fate::Answered { why, answer: None }
            };
            return Ok(fate.into());
        };
        let attached = attach_answer(passage);
        let answer = Passage { packet, input: None, output: None, mark: 0, zone: None, attached };
        let walked = self.rules_walked;
        let fate = match self.send_out(answer) {
            Ok(fate) => fate,
            Err(Stop::Fate(fate)) => *fate,
            Err(Stop::Error(error)) => return Err(error.into()),
            Err(Stop::Queue) => unreachable!("a hook holds what a rule hands to a queue"),
        };
        self.rules_walked = walked;
        if local && !matches!(fate, Fate::Sent { .. } | Fate::Delivered(_)) {
            return Ok(Fate::SendError(SendError::NotPermitted).into());
        }
        Ok(Fate::Answered { why, answer: Some(Box::new(fate)) }.into())
    }

    fn make_answer(&mut self, passage: &Passage, why: AnswerReason) -> Result<Option<Packet>, Error> {
        let offending = &passage.packet.headers;
        // Nobody answers what went to many. Source: `__icmp_send`, `nf_send_reset`, `icmp6_send`, v6.12.
        let limited = matches!(offending.dst, IpAddr::V4(dst) if dst.is_broadcast());
        if limited || offending.dst.is_multicast() || self.host.devices.is_broadcast(offending.dst) {
            return Ok(None);
        }
        if let AnswerReason::Reject(RejectWith::TcpReset) = why {
            let reset = offending.answerable.then(|| wire::tcp_reset(offending)).flatten();
            if reset.is_some()
                && let Attached::Entry { id, .. } = passage.attached
            {
                self.host.conntrack.set_closing(id, self.now);
            }
            let made = if offending.src.is_ipv4() { Packet::unsummed } else { Packet::of };
            return Ok(reset.map(made));
        }
        let rejects = matches!(why, AnswerReason::Reject(_));
        if !deserves_error(offending) || rejects && !offending.answerable {
            return Ok(None);
        }
        if passage.packet.records() {
            return Err(Error::NotModelled {
                what: "an ICMP error about a packet that records its route or times",
            });
        }
        if is_limited(why) && offending.src.is_ipv4() {
            self.host.route_errors.told(offending.src, self.now);
        }
        let Some(from) = self.error_source(offending, passage.input)? else { return Ok(None) };
        let quoted = passage.packet.bytes()?;
        let v4 = offending.src.is_ipv4();
        let bytes = match why {
            AnswerReason::Reject(RejectWith::Unreachable(code)) => {
                wire::icmp_error(from, offending.src, (if v4 { 3 } else { 1 }, code), &quoted)
            }
            AnswerReason::NoRoute(kind, code) => wire::icmp_error(from, offending.src, (kind, code), &quoted),
            AnswerReason::TimeExceeded => {
                wire::icmp_error(from, offending.src, (if v4 { 11 } else { 3 }, 0), &quoted)
            }
            AnswerReason::BadHeader(at) => {
                wire::icmp_error_saying(from, offending.src, (12, 0), u32::from(at) << 24, &quoted)
            }
            AnswerReason::TooBig(mtu) => {
                let kind = if v4 { (3, 4) } else { (2, 0) };
                wire::icmp_error_saying(from, offending.src, kind, mtu, &quoted)
            }
            AnswerReason::Reject(RejectWith::TcpReset) => unreachable!("answered above"),
        };
        Ok(Some(Packet::parse(bytes).expect("an error that was just built parses")))
    }

    /// The address that an ICMP error comes from: the destination if it is the box's own, the box's own sender, else an
    /// address of the device back to the sender, in IPv6 of the device that the packet came in by. `None` where no way leads
    /// back.
    /// Source: net/ipv4/icmp.c `__icmp_send`, net/ipv6/icmp.c `icmp6_send`, v6.12.
    fn error_source(&self, offending: &Headers, input: Option<DeviceId>) -> Result<Option<IpAddr>, Error> {
        for own in [offending.dst, offending.src] {
            if self.host.devices.is_local(own) {
                return Ok(Some(own));
            }
        }
        let Some(RouteKind::Unicast { device, via }) = self.host.routes.lookup(offending.src) else {
            return Ok(None);
        };
        let device = input.filter(|_| offending.src.is_ipv6()).unwrap_or(device);
        let next_hop = via.unwrap_or(offending.src);
        match self.host.devices.source_for(device, next_hop, offending.src) {
            Some(from) => Ok(Some(from)),
            None => Err(Error::NotModelled { what: "an ICMP error from a box without an address" }),
        }
    }
}

/// Whether `icmp_ratelimit` is asked: not for what path MTU discovery needs.
/// Source: `icmpv4_mask_allow` (net/ipv4/icmp.c), v6.12. What routing refuses is told by its own count first.
fn is_limited(why: AnswerReason) -> bool {
    match why {
        AnswerReason::Reject(RejectWith::Unreachable(_))
        | AnswerReason::TimeExceeded
        | AnswerReason::BadHeader(_) => true,
        AnswerReason::Reject(RejectWith::TcpReset) | AnswerReason::TooBig(_) | AnswerReason::NoRoute(..) => {
            false
        }
    }
}

/// No error about an error, about a later fragment, or to an address that is nobody's.
/// Source: RFC 1122 section 3.2.2; `__icmp_send`, `icmp6_send`.
fn deserves_error(offending: &Headers) -> bool {
    let error = offending.quoted.is_some()
        || offending.icmp().is_some_and(|(kind, _)| match offending.proto {
            Proto::ICMP => !matches!(kind, 0 | 8 | 13..=18),
            _ => kind < 128,
        });
    let nobody = offending.src.is_unspecified() || offending.src.is_multicast();
    !error && !nobody && offending.fragment.offset == 0
}

/// The answer is of the other direction, and RELATED.
fn attach_answer(passage: &mut Passage) -> Attached {
    match std::mem::replace(&mut passage.attached, Attached::Invalid) {
        Attached::Fresh(connection) => Attached::Answer(connection, Direction::Reply),
        Attached::Answer(connection, direction) => Attached::Answer(connection, direction.flip()),
        Attached::Entry { id, direction, .. } => {
            Attached::Entry { id, direction: direction.flip(), state: PacketState::Related }
        }
        // Source: `nf_ct_attach`, v6.12: what is not tracked leaves no connection, but a trace that `CT --notrack` heeds.
        Attached::Untracked | Attached::NothingYet => Attached::NothingYet,
        Attached::Nothing | Attached::Invalid => Attached::Nothing,
    }
}
