//! What becomes of the rows of a steady slot: a row of a table that connections share.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_packet::Tuple;
use std::net::IpAddr;

use crate::conntrack::index::Tag;

/// What becomes of a row: where it goes, what is rewritten, and how many rules it walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(32))]
pub struct Action {
    pub(super) src: u32,
    pub(super) dst: u32,
    pub(super) sport: u16,
    pub(super) dport: u16,
    /// Bit 0: the destination is rewritten; bit 1: the source is.
    pub(super) rewrites: u8,
    pub(super) verdict: u8,
    pub(super) rules_walked: u32,
}

const DESTINATION: u8 = 1;
const SOURCE: u8 = 2;

impl Action {
    /// What became of an IPv4 packet that came with one tuple and left with another; `verdict` is the caller's code.
    /// `None` for IPv6.
    pub fn of(sent: &Tuple, left: &Tuple, verdict: u8, rules_walked: u32) -> Option<Action> {
        let (IpAddr::V4(src), IpAddr::V4(dst)) = (left.src, left.dst) else { return None };
        let mut action = Action { src: 0, dst: 0, sport: 0, dport: 0, rewrites: 0, verdict, rules_walked };
        if (sent.src, sent.sport) != (left.src, left.sport) {
            (action.src, action.sport) = (src.into(), left.sport);
            action.rewrites |= SOURCE;
        }
        if (sent.dst, sent.dport) != (left.dst, left.dport) {
            (action.dst, action.dport) = (dst.into(), left.dport);
            action.rewrites |= DESTINATION;
        }
        Some(action)
    }

    #[inline(always)]
    pub(super) fn source(&self, src: u32, sport: u16) -> (u32, u16) {
        let keep = u32::from(self.rewrites >> 1 & 1).wrapping_sub(1);
        chosen(keep, (src, sport), (self.src, self.sport))
    }

    #[inline(always)]
    pub(super) fn destination(&self, dst: u32, dport: u16) -> (u32, u16) {
        let keep = u32::from(self.rewrites & 1).wrapping_sub(1);
        chosen(keep, (dst, dport), (self.dst, self.dport))
    }
}

/// One of two ends by a mask: a branch on the direction of a row would be guessed wrong half of the time.
#[inline(always)]
fn chosen(keep: u32, old: (u32, u16), new: (u32, u16)) -> (u32, u16) {
    #[expect(clippy::cast_possible_truncation, reason = "both ports have 16 bits")]
    let port = (u32::from(old.1) & keep | u32::from(new.1) & !keep) as u16;
    (old.0 & keep | new.0 & !keep, port)
}

/// Actions by number. Numbers go on through [`Actions::forget`], so that a slot's old number says nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Actions {
    rows: Vec<Action>,
    numbers: HashMap<Action, u32, FixedState>,
    /// The number of the first row.
    first: u32,
}

/// Rows beside two for each connection: those of connections that are gone.
const SPARE: usize = 1 << 16;

impl Actions {
    /// The number of an action; `None` if there are too many, most of them of connections that are gone.
    pub(super) fn number(&mut self, action: Action, connections: u32) -> Option<u32> {
        if let Some(number) = self.numbers.get(&action) {
            return Some(*number);
        }
        if self.rows.len() > 2 * connections as usize + SPARE || self.next() + 1 >= Tag::ACTIONS {
            return None;
        }
        let number = self.next();
        self.rows.push(action);
        self.numbers.insert(action, number);
        Some(number)
    }

    /// The action of a slot that is steady.
    #[inline(always)]
    pub(super) fn of(&self, tag: Tag) -> Option<&Action> {
        if tag.0 & Tag::STEADY == 0 {
            return None;
        }
        self.rows.get(tag.action().wrapping_sub(self.first) as usize)
    }

    /// Forgets all. `true` if numbers begin anew, so that no slot may keep one.
    pub(super) fn forget(&mut self) -> bool {
        self.first = self.next();
        self.rows.clear();
        self.numbers.clear();
        let anew = self.first > Tag::ACTIONS / 2;
        if anew {
            self.first = 0;
        }
        anew
    }

    fn next(&self) -> u32 {
        self.first + u32::try_from(self.rows.len()).expect("no more actions than there are numbers")
    }
}
