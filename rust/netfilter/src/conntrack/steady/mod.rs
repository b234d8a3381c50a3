//! Steady connections: what becomes of their next segments is known, and their state can wait.
//!
//! A slot of the index is *steady* once a whole walk has shown that every further segment of a well-behaved end goes the same
//! way: its connection is assured and established with both windows known (or a stream of UDP), such a segment changes only
//! clocks and window edges, and no rule on its way asked for anything that differs from segment to segment. A row that finds
//! such a slot is decided by the slot's action, and noted in a journal. The journal is settled, in order, by the exact machine,
//! before anybody looks at the connection, and before a timeout could tell the difference.

#![allow(
    clippy::inline_always,
    reason = "parts of one loop, which is compiled whole for each instruction set"
)]

mod action;
mod decide;
mod journal;

pub use action::Action;
pub use decide::Ahead;

use kdp_sim::Time;

use self::action::Actions;
use self::journal::Journal;
use super::connection::{Connection, Direction, Status};
use super::index::Key;
use super::slots::{Flow, Short};
use super::table::{Conntrack, EntryId};
use super::tcp::{Side, TcpFlow, TcpState};
use super::wheel::Wheel;

/// What is known of steady slots, and what waits to be settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Steady {
    actions: Actions,
    journal: Journal,
}

impl Conntrack {
    /// Says that every later segment of an entry in a direction comes to `action`, as far as rules and routes decide. Whether
    /// the connection's own state allows it is seen here.
    pub fn prove(&mut self, id: EntryId, direction: Direction, action: Action, now: Time) {
        let provable = self.settings.acct == 0
            && self.stands(id)
            && self.slots.short(id.slot).is_some_and(Short::is_steady);
        let lasts =
            self.slots.deadline(id.slot).is_some_and(|deadline| Wheel::tick(deadline) > Wheel::tick(now));
        if !provable || !lasts {
            return;
        }
        let key = Key::of(&self.slots.tuple(id.slot, direction));
        let Some(place) = self.index.find(key, |entry| entry == id.slot) else { return };
        let Some(number) = self.steady.actions.number(action, self.live()) else {
            return self.forget_proofs();
        };
        self.index.set_tag(place, self.index.tag(place).steady(number));
        self.slots.set_steady(id.slot, true);
    }

    /// Rules, routes or devices have changed: nothing is known any longer of what becomes of a segment.
    pub fn forget_proofs(&mut self) {
        if self.steady.actions.forget() {
            self.settle();
            self.index.clear_steady();
        }
    }

    /// An entry is no longer steady in either direction.
    pub(super) fn unprove(&mut self, slot: u32) {
        for direction in [Direction::Original, Direction::Reply] {
            let key = Key::of(&self.slots.tuple(slot, direction));
            if let Some(place) = self.index.find(key, |entry| entry == slot) {
                self.index.set_tag(place, self.index.tag(place).unsteady());
            }
        }
        self.slots.set_steady(slot, false);
    }

    /// Work on a steady entry: with its state up to date, and steady afterwards only if nothing has changed that was relied on.
    pub(super) fn edit_steady<R>(&mut self, id: EntryId, work: impl FnOnce(&mut Connection) -> R) -> R {
        self.settle();
        let relied_on = |connection: &Connection| (connection.status, connection.mark, connection.masquerade);
        let mut changed = false;
        let result = self.slots.edit(id.slot, |connection| {
            let before = relied_on(connection);
            let result = work(connection);
            changed = before != relied_on(connection);
            result
        });
        let lasts = |short: &Short| short.is_steady() && Wheel::tick(short.deadline) >= self.wheel.next();
        if changed || !self.slots.short(id.slot).is_some_and(lasts) {
            self.unprove(id.slot);
        }
        result
    }
}

impl Short {
    /// Whether segments of well-behaved ends leave all but clocks and window edges as they are.
    fn is_steady(&self) -> bool {
        let status = self.status();
        let settled = status.has(Status::ASSURED) && status.has(Status::SEEN_REPLY);
        let fixed = status.has(Status(Status::FIXED_TIMEOUT.0 | Status::NAT_CLASH.0 | Status::DYING.0));
        settled
            && !fixed
            && match &self.flow {
                Flow::Tcp(flow) => flow.is_steady(),
                Flow::Udp(_) => true,
            }
    }
}

impl TcpFlow {
    /// Established, and every end has sent within the room that the other gave: the next segments of both are within it too.
    fn is_steady(&self) -> bool {
        let known = |side: &Side| {
            side.max_window != 0 && side.max_window < 1 << 30 && side.max_end.wrapping_sub(side.end) < 1 << 30
        };
        self.state == TcpState::Established && self.sides.iter().all(known)
    }
}
