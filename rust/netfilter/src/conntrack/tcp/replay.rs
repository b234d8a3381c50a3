//! The machine run alone, over rows of segments: what conformance cases and experiments use.

use kdp_packet::Tcp;
use std::time::Duration;

use super::super::connection::Direction;
use super::super::settings::Settings;
use super::super::track::{PacketState, Verdict};
use super::{Context, TcpFlow, TcpState};

/// A segment, and which of the two ends sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// 0 or 1.
    pub sender: u8,
    /// The segment.
    pub segment: Tcp,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The packet's state; `None` for INVALID.
    pub packet: Option<PacketState>,
    /// The entry afterwards; `None` if there is none.
    pub entry: Option<Entry>,
}

/// The entry after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its state.
    pub state: TcpState,
    /// Whether it is another than before the segment.
    pub replaced: bool,
    /// The end that is its original direction.
    pub original: u8,
    /// An answer was seen.
    pub seen_reply: bool,
    /// It is assured.
    pub assured: bool,
    /// Its timeout in seconds.
    pub timeout: u32,
    /// The flags of both sides, original first (`Side`'s constants).
    pub flags: [u8; 2],
    /// The window scales of both sides.
    pub scales: [u8; 2],
}

#[derive(Clone, Debug)]
struct Run {
    flow: TcpFlow,
    original: u8,
    seen_reply: bool,
    assured: bool,
    timeout: u32,
    replaced: bool,
}

/// Runs one connection's segments, in order, from no entry on.
///
/// `reset_timeout` is written into the entry before each segment: so a row shows whether the segment refreshed it.
pub fn replay(rows: &[Row], settings: &Settings, reset_timeout: Option<u32>) -> Vec<Outcome> {
    let mut run: Option<Run> = None;
    rows.iter().map(|row| one(&mut run, row, settings, reset_timeout)).collect()
}

fn one(run: &mut Option<Run>, row: &Row, settings: &Settings, reset_timeout: Option<u32>) -> Outcome {
    if let Some(run) = run.as_mut() {
        run.replaced = false;
        run.timeout = reset_timeout.unwrap_or(run.timeout);
    }
    let packet = segment(run, row, settings);
    let entry = run.as_ref().map(|run| Entry {
        state: run.flow.state,
        replaced: run.replaced,
        original: run.original,
        seen_reply: run.seen_reply,
        assured: run.assured,
        timeout: run.timeout,
        flags: run.flow.sides.map(|side| side.flags),
        scales: run.flow.sides.map(|side| side.scale),
    });
    Outcome { packet, entry }
}

fn segment(slot: &mut Option<Run>, row: &Row, settings: &Settings) -> Option<PacketState> {
    let Some(run) = slot.as_mut() else {
        let (flow, step) = TcpFlow::open(&row.segment, settings)?;
        let timeout = step.timeout.unwrap_or(0);
        *slot = Some(Run {
            flow,
            original: row.sender,
            seen_reply: false,
            assured: false,
            timeout,
            replaced: false,
        });
        return Some(PacketState::New);
    };
    let direction = if row.sender == run.original { Direction::Original } else { Direction::Reply };
    let context = Context {
        direction,
        seen_reply: run.seen_reply,
        assured: run.assured,
        remaining: Duration::from_secs(run.timeout.into()),
    };
    let step = run.flow.step(&row.segment, context, settings);
    run.timeout = step.timeout.unwrap_or(run.timeout);
    run.assured |= step.assured;
    let answered = run.seen_reply;
    let state = match direction {
        Direction::Original if !answered => PacketState::New,
        Direction::Original | Direction::Reply => PacketState::Established,
    };
    match step.verdict {
        Verdict::Invalid => None,
        Verdict::Accept => {
            run.seen_reply |= direction == Direction::Reply;
            Some(state)
        }
        Verdict::Kill => {
            *slot = None;
            Some(state)
        }
        Verdict::Restart => {
            *slot = None;
            let packet = segment(slot, row, settings);
            if let Some(run) = slot.as_mut() {
                run.replaced = true;
            }
            packet
        }
    }
}
