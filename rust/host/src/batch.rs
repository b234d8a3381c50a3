//! The walk of columns: one flow after another, in order.
//!
//! A row means "the next segment that a well-behaved end sends on this 5-tuple": SYN where there is no entry, a SYN again while
//! it is not answered, SYN/ACK from the other side, ACK that completes the handshake, then small data segments.

use std::net::{IpAddr, Ipv4Addr};

use kdp_packet::{FlowColumns, Headers, Proto, Tuple, Verdicts};
use kdp_sim::Time;

use crate::device::{DeviceId, LOOPBACK};
use crate::fate::{Fate, Walk};
use crate::host::Host;
use crate::packet::Packet;
use crate::segment::next_segment;
use crate::{AnswerReason, Error, SendError};

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RowVerdict {
    /// It left by a device.
    Forwarded = 0,
    /// The node itself received it.
    Delivered = 1,
    /// It is gone.
    Dropped = 2,
    /// It is gone, and its sender was told.
    Rejected = 3,
    /// There is no way to where it goes.
    NoRoute = 4,
    /// Nobody can say: it hangs on a test that asks for what is not known.
    Unknown = 5,
}

/// A batch on its way through one box.
pub struct Batch<'a> {
    host: &'a mut Host,
    now: Time,
}

impl<'a> Batch<'a> {
    /// A batch at a moment.
    pub fn new(host: &'a mut Host, now: Time) -> Batch<'a> {
        Batch { host, now }
    }

    /// Sends the rows through, in order. `go_on` is asked now and then; where it says no, the rest is not sent.
    pub fn send(
        &mut self,
        rows: &FlowColumns<'_>,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Verdicts, Error> {
        const ROWS_BETWEEN_QUESTIONS: usize = 1024;
        let mut out = Verdicts::with_capacity(rows.len());
        for row in 0..rows.len() {
            if row % ROWS_BETWEEN_QUESTIONS == 0 && !go_on() {
                break;
            }
            let headers = self.next_segment(rows, row);
            let sent = headers.tuple(0);
            let walk = self.walk(headers)?;
            push(&mut out, &walk, &sent);
        }
        Ok(out)
    }

    fn walk(&mut self, headers: Headers) -> Result<Walk, Error> {
        let device = self.device_of(headers.src);
        let packet = Packet::of(headers);
        match device {
            None => self.host.send_local(packet, self.now),
            Some(device) => self.host.receive(device, packet, self.now),
        }
    }

    /// The device that packets from `src` come in by: the one back to it. `None` for the box itself.
    fn device_of(&self, src: IpAddr) -> Option<DeviceId> {
        self.host.way_in(src).unwrap_or(Some(LOOPBACK))
    }

    /// The segment that a well-behaved end sends next.
    fn next_segment(&self, rows: &FlowColumns<'_>, row: usize) -> Headers {
        let addr = |bits: u32| IpAddr::V4(Ipv4Addr::from(bits));
        let src = (addr(rows.src[row]), rows.sport[row]);
        let mut headers = Headers::plain(rows.proto_of(row), src, (addr(rows.dst[row]), rows.dport[row]));
        if headers.proto == Proto::TCP {
            let entry = self.host.conntrack.find(&headers.tuple(0), self.now);
            next_segment(&mut headers, entry);
        }
        headers
    }
}

/// What a packet's end is called in a row.
pub(crate) fn row_verdict(fate: &Fate) -> RowVerdict {
    match fate {
        Fate::Sent { .. } => RowVerdict::Forwarded,
        Fate::Delivered(_) => RowVerdict::Delivered,
        Fate::Dropped(_) | Fate::Queued(_) | Fate::SendError(SendError::NotPermitted) => RowVerdict::Dropped,
        Fate::Answered { why: AnswerReason::NoRoute(..), .. } | Fate::SendError(_) => RowVerdict::NoRoute,
        Fate::Answered { .. } => RowVerdict::Rejected,
        Fate::Unknown { .. } => RowVerdict::Unknown,
    }
}

fn push(out: &mut Verdicts, walk: &Walk, sent: &Tuple) {
    let verdict = row_verdict(&walk.fate);
    let left = walk.fate.headers().map_or(*sent, |headers| headers.tuple(0));
    let bits = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => u32::from(addr),
        IpAddr::V6(addr) => unreachable!("an IPv4 row left with {addr}"),
    };
    out.verdict.push(verdict as u8);
    out.src.push(bits(left.src));
    out.sport.push(left.sport);
    out.dst.push(bits(left.dst));
    out.dport.push(left.dport);
    out.rules_walked.push(u32::try_from(walk.rules_walked).unwrap_or(u32::MAX));
}
