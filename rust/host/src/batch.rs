//! The walk of columns: one flow after another, in order.
//!
//! A row means "the next segment that a well-behaved end sends on this 5-tuple": SYN where there is no entry, a SYN again while
//! it is not answered, SYN/ACK from the other side, ACK that completes the handshake, then small data segments.
//!
//! Rows of steady connections are decided by the conntrack table alone; every other row walks, and its walk may prove that the
//! following ones need not.

use std::net::{IpAddr, Ipv4Addr};

use kdp_netfilter::conntrack::{Action, next_segment};
use kdp_packet::{FlowColumns, Headers, Proto, Tuple, VerdictColumns, Verdicts};
use kdp_sim::Time;

use crate::device::{DeviceId, LOOPBACK};
use crate::fate::{Fate, Walk};
use crate::host::Host;
use crate::packet::Packet;
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
    /// Rows that walked.
    walked: usize,
    proves: bool,
}

/// Rows for which room is made at once, and after which it is asked whether to go on.
const CHUNK: usize = 4096;

impl<'a> Batch<'a> {
    /// A batch at a moment.
    pub fn new(host: &'a mut Host, now: Time) -> Batch<'a> {
        Batch { host, now, walked: 0, proves: true }
    }

    /// A batch whose rows prove nothing: the slow twin.
    #[must_use]
    pub fn without_proofs(self) -> Batch<'a> {
        Batch { proves: false, ..self }
    }

    /// Sends the rows through, in order. `go_on` is asked now and then; where it says no, the rest is not sent.
    pub fn send(&mut self, rows: &FlowColumns<'_>, go_on: impl FnMut() -> bool) -> Result<Verdicts, Error> {
        let mut out = Verdicts::zeroed(rows.len());
        let sent = self.send_into(rows, &mut out.columns(), go_on)?;
        out.truncate(sent);
        Ok(out)
    }

    /// The same, into columns that are as long as the rows; gives how many rows were sent.
    pub fn send_into(
        &mut self,
        rows: &FlowColumns<'_>,
        out: &mut VerdictColumns<'_>,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<usize, Error> {
        self.host.check_proofs();
        let mut from = 0;
        while from < rows.len() {
            if from > 0 && !go_on() {
                break;
            }
            let end = rows.len().min(from + CHUNK);
            let sent = self.send_chunk(rows, (from, end), out);
            self.host.conntrack.end_rows();
            sent?;
            from = end;
        }
        Ok(from)
    }

    /// How many rows were not decided by the table alone.
    pub fn walked(&self) -> usize {
        self.walked
    }

    fn send_chunk(
        &mut self,
        rows: &FlowColumns<'_>,
        (from, end): (usize, usize),
        out: &mut VerdictColumns<'_>,
    ) -> Result<(), Error> {
        let mut ahead = self.host.conntrack.begin_rows(from, end, self.now);
        while let Some(row) = self.host.conntrack.decide(rows, &mut ahead, out) {
            self.walked += 1;
            let headers = self.next_segment(rows, row);
            let sent = headers.tuple(0);
            let walk = self.walk(headers)?;
            let (verdict, left) = outcome(&walk, &sent);
            self.prove(&walk, verdict, &sent, &left);
            write(out, row, verdict, &left, walk.rules_walked);
        }
        Ok(())
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
    fn next_segment(&mut self, rows: &FlowColumns<'_>, row: usize) -> Headers {
        let addr = |bits: u32| IpAddr::V4(Ipv4Addr::from(bits));
        let src = (addr(rows.src[row]), rows.sport[row]);
        let mut headers = Headers::plain(rows.proto_of(row), src, (addr(rows.dst[row]), rows.dport[row]));
        if headers.proto == Proto::TCP {
            let entry = self.host.conntrack.find(&headers.tuple(0), self.now);
            next_segment(&mut headers, entry.as_ref().map(|(entry, way)| (entry.connection(), *way)));
        }
        headers
    }

    /// Tells connection tracking that further segments go the same way, if they do.
    fn prove(&mut self, walk: &Walk, verdict: RowVerdict, sent: &Tuple, left: &Tuple) {
        let went_on = self.proves && matches!(verdict, RowVerdict::Forwarded | RowVerdict::Delivered);
        let Some((id, direction)) = walk.alike.filter(|_| went_on && !self.host.effects.counts()) else {
            return;
        };
        let rules = u32::try_from(walk.rules_walked).unwrap_or(u32::MAX);
        if let Some(action) = Action::of(sent, left, verdict as u8, rules) {
            self.host.conntrack.prove(id, direction, action, self.now);
        }
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

/// What became of a row, and the tuple that it left with.
fn outcome(walk: &Walk, sent: &Tuple) -> (RowVerdict, Tuple) {
    (row_verdict(&walk.fate), walk.fate.headers().map_or(*sent, |headers| headers.tuple(0)))
}

fn write(out: &mut VerdictColumns<'_>, row: usize, verdict: RowVerdict, left: &Tuple, rules_walked: u64) {
    let bits = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => u32::from(addr),
        IpAddr::V6(addr) => unreachable!("an IPv4 row left with {addr}"),
    };
    out.verdict[row] = verdict as u8;
    (out.src[row], out.sport[row]) = (bits(left.src), left.sport);
    (out.dst[row], out.dport[row]) = (bits(left.dst), left.dport);
    out.rules_walked[row] = u32::try_from(rules_walked).unwrap_or(u32::MAX);
}
