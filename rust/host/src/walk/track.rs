//! Connection tracking on the way: looking a packet up, and putting its connection into the table.

use kdp_netfilter::CtState;
use kdp_netfilter::conntrack::{Confirmed, Direction, PacketState, Tracked};
use kdp_netfilter::vm::Choose;

use super::rules::ct_state;
use super::{Attached, Context, Passage, Stop};
use crate::fate::DropReason;
use crate::trace::{Note, Record};

impl<C: Choose, R: Record> Context<'_, C, R> {
    /// Conntrack looks at the packet, unless it was told not to, or has seen it: packets that come back by `lo`, answers of
    /// the box itself. Source: nf_conntrack_core.c `nf_conntrack_in`, v6.12.
    pub(super) fn track(&mut self, passage: &mut Passage, at_prerouting: bool) -> Result<(), Stop> {
        if matches!(passage.attached, Attached::Nothing | Attached::NothingYet) {
            let zone = passage.zone.unwrap_or_default();
            let tracked = self.host.conntrack.track(&passage.packet.headers, zone, at_prerouting, self.now);
            passage.attached = match tracked {
                Tracked::New(connection) => Attached::Fresh(connection),
                Tracked::Known { id, direction, state } => {
                    self.known = (state == PacketState::Established).then_some((id, direction));
                    Attached::Entry { id, direction, state }
                }
                Tracked::Invalid => Attached::Invalid,
                Tracked::Untracked => Attached::Untracked,
                Tracked::Full => return Err(DropReason::TableFull.into()),
            };
        }
        let note = self.tracked_note(&passage.attached);
        self.record.note(|| note);
        Ok(())
    }

    /// Notes the state of a packet that came this far.
    pub(super) fn note_passed(&mut self, passage: &Passage) {
        let Note::Tracked { state, .. } = self.tracked_note(&passage.attached) else {
            unreachable!("the note on tracking says what was tracked")
        };
        self.record.note(|| Note::Passed { state });
    }

    fn tracked_note(&self, attached: &Attached) -> Note {
        let (state, original, direction) = match attached {
            Attached::Nothing | Attached::NothingYet | Attached::Invalid => {
                (CtState::Invalid, None, Direction::Original)
            }
            Attached::Untracked => (CtState::Untracked, None, Direction::Original),
            Attached::Fresh(connection) => {
                (CtState::New, Some(*connection.tuple(Direction::Original)), Direction::Original)
            }
            Attached::Answer(connection, direction) => {
                (CtState::Related, Some(*connection.tuple(Direction::Original)), *direction)
            }
            Attached::Entry { id, direction, state } => {
                let entry = self.host.conntrack.get(*id, self.now);
                (ct_state(*state), entry.map(|entry| *entry.tuple(Direction::Original)), *direction)
            }
        };
        Note::Tracked { state, original, direction }
    }

    /// The end of POSTROUTING and INPUT: a new connection enters the table.
    pub(super) fn confirm(&mut self, passage: &mut Passage) -> Result<(), Stop> {
        let Attached::Fresh(_) = passage.attached else { return Ok(()) };
        let Attached::Fresh(connection) = std::mem::replace(&mut passage.attached, Attached::Nothing) else {
            unreachable!("it was just seen to be fresh")
        };
        let entry = |id, direction| Attached::Entry { id, direction, state: PacketState::New };
        passage.attached = match self.host.conntrack.confirm(connection, self.now) {
            Confirmed::Inserted(id) | Confirmed::ReplyOnly(id) => entry(id, Direction::Original),
            Confirmed::Merged { id, direction } => entry(id, direction),
            Confirmed::Dropped => return Err(DropReason::Clash.into()),
        };
        self.record.note(|| Note::Confirmed);
        Ok(())
    }
}
