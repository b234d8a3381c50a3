//! A batch of packets with complete headers, one after another through the box.
//!
//! What a row says is what enters: flags, sequence numbers and lengths are the sender's, right or wrong. The result equals that
//! of the same packets sent one by one.

use std::net::IpAddr;

use kdp_netfilter::vm::{Run, Step as RuleStep, Trace};
use kdp_netfilter::{CtState, Ruleset, nft};
use kdp_packet::{PacketColumns, PacketVerdicts, Tuple};
use kdp_sim::Time;

use crate::batch::row_verdict;
use crate::device::DeviceId;
use crate::fate::{Fate, Walk};
use crate::host::Host;
use crate::packet::Packet;
use crate::trace::{Note, Record};
use crate::{Error, topology};

/// The state number of a packet that ended before connection tracking saw it.
pub const STATE_UNSEEN: u8 = 255;

impl Host {
    /// Sends the rows through, in order. `go_on` is asked now and then; where it says no, the rest is not sent.
    pub fn send_packets(
        &mut self,
        rows: &PacketColumns<'_>,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<PacketVerdicts, Error> {
        const ROWS_BETWEEN_QUESTIONS: usize = 1024;
        let mut out = PacketVerdicts::default();
        for row in 0..rows.len() {
            if row % ROWS_BETWEEN_QUESTIONS == 0 && !go_on() {
                break;
            }
            let mut packet = Packet::of(rows.headers(row));
            packet.mark = rows.mark[row];
            let sent = packet.headers.tuple(0);
            let mut seen = FirstState(None);
            let walk = self.send_row(rows.device[row], packet, Time(rows.time_ns[row]), &mut seen)?;
            push(&mut out, &walk, &sent, &seen);
        }
        Ok(out)
    }

    fn send_row(
        &mut self,
        device: u32,
        packet: Packet,
        now: Time,
        seen: &mut FirstState,
    ) -> Result<Walk, Error> {
        if device == 0 {
            let mut run = Run(self.draw(&packet, now));
            return self.send_local_choosing(packet, now, &mut run, seen);
        }
        let device = topology::numbered(self, device)?;
        self.receive_recorded(device, packet, now, seen)
    }
}

/// Keeps the state in which connection tracking saw the packet, and nothing else. What the box answers comes later.
struct FirstState(Option<CtState>);

impl Trace for FirstState {
    const ON: bool = false;

    fn step(&mut self, _: &Ruleset, _: RuleStep) {}
}

impl nft::Listen for FirstState {
    const ON: bool = false;

    fn event(&mut self, _: impl FnOnce() -> nft::Event) {}
}

impl Record for FirstState {
    fn note(&mut self, make: impl FnOnce() -> Note) {
        if self.0.is_none()
            && let Note::Tracked { state, .. } | Note::Passed { state } = make()
        {
            self.0 = Some(state);
        }
    }
}

fn push(out: &mut PacketVerdicts, walk: &Walk, sent: &Tuple, seen: &FirstState) {
    let left = walk.fate.headers().map_or(*sent, |headers| headers.tuple(0));
    let bits = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => u32::from(addr),
        IpAddr::V6(addr) => unreachable!("an IPv4 row left with {addr}"),
    };
    let DeviceId(device) = match &walk.fate {
        Fate::Sent { device, .. } => *device,
        _ => DeviceId(0),
    };
    out.verdict.push(row_verdict(&walk.fate) as u8);
    out.device.push(device);
    out.src.push(bits(left.src));
    out.sport.push(left.sport);
    out.dst.push(bits(left.dst));
    out.dport.push(left.dport);
    out.state.push(seen.0.map_or(STATE_UNSEEN, number));
    out.rules_walked.push(u32::try_from(walk.rules_walked).unwrap_or(u32::MAX));
}

/// A state's place among all.
fn number(state: CtState) -> u8 {
    let place = CtState::ALL.iter().position(|(each, _)| *each == state);
    u8::try_from(place.expect("a state is one of all")).expect("there are few")
}
