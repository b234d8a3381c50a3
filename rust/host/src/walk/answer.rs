//! The answers that a box makes: ICMP errors and resets.

use std::net::IpAddr;

use kdp_netfilter::RejectWith;
use kdp_netfilter::conntrack::PacketState;
use kdp_netfilter::vm::Choose;
use kdp_packet::{Headers, Proto, wire};

use super::{Attached, Context, Passage, Stop};
use crate::Error;
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
        let Some(packet) = self.make_answer(passage, why)? else {
            // Without an answer a REJECT is a drop, of which a local sender is told (`nf_hook_slow`: EPERM).
            let local = passage.input.is_none();
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
            let reset = offending.sound.then(|| wire::tcp_reset(offending)).flatten();
            if reset.is_some()
                && let Attached::Entry { id, .. } = passage.attached
            {
                self.host.conntrack.set_closing(id, self.now);
            }
            return Ok(reset.map(Packet::of));
        }
        if !deserves_error(offending) {
            return Ok(None);
        }
        if passage.packet.records() {
            return Err(Error::NotModelled {
                what: "an ICMP error about a packet that records its route or times",
            });
        }
        let from = self.error_source(offending)?;
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

    /// The address that an ICMP error comes from: the destination if it is the box's own, else an address of the device back
    /// to the sender. Source: net/ipv4/icmp.c `__icmp_send`, v6.12.
    fn error_source(&self, offending: &Headers) -> Result<IpAddr, Error> {
        if self.host.devices.is_local(offending.dst) {
            return Ok(offending.dst);
        }
        let no_address = Error::NotModelled { what: "an ICMP error from a device without an address" };
        let Some(RouteKind::Unicast { device, via }) = self.host.routes.lookup(offending.src) else {
            return Err(no_address);
        };
        self.host.devices.source_for(device, via.unwrap_or(offending.src)).ok_or(no_address)
    }
}

/// No error about an error, about a later fragment, or to an address that is nobody's.
/// Source: RFC 1122 section 3.2.2; `__icmp_send`, `icmp6_send`; nf_reject_ipv4.c `nf_send_unreach` wants a right checksum, and
/// a 16-bit one where it knows none: protocols without it get no answer.
fn deserves_error(offending: &Headers) -> bool {
    let error = offending.quoted.is_some()
        || offending.icmp().is_some_and(|(kind, _)| match offending.proto {
            Proto::ICMP => !matches!(kind, 0 | 8 | 13..=18),
            _ => kind < 128,
        });
    let nobody = offending.src.is_unspecified() || offending.src.is_multicast();
    !error && !nobody && offending.sound && offending.fragment.offset == 0
}

/// The answer is of the other direction, and RELATED.
fn attach_answer(passage: &mut Passage) -> Attached {
    match std::mem::replace(&mut passage.attached, Attached::Invalid) {
        Attached::Fresh(connection) => Attached::Answer(connection),
        Attached::Entry { id, direction, .. } => {
            Attached::Entry { id, direction: direction.flip(), state: PacketState::Related }
        }
        _ => Attached::Nothing,
    }
}
