//! A packet at one table of one hook.

use kdp_netfilter::conntrack::{Connection, Direction, PacketState, Status};
use kdp_netfilter::vm::{Choose, Frame, Seen, Surroundings, Verdict, Walk as RuleWalk};
use kdp_netfilter::{CtState, CtStates, Hook, Table};

use super::{Attached, Context, Passage, Stop};
use crate::fate::{AnswerReason, DropReason};
use crate::host::Host;
use crate::trace::Record;

impl<C: Choose, R: Record> Context<'_, C, R> {
    /// Walks the rules of a table that accepts, drops or rejects.
    pub(super) fn rules(&mut self, table: Table, hook: Hook, passage: &mut Passage) -> Result<(), Stop> {
        // Hardly a box has this table.
        let family = passage.packet.headers.family();
        if table == Table::Security && !self.host.ruleset(family).is_listed(table) {
            return Ok(());
        }
        let verdict = self.evaluate(table, hook, passage);
        self.decided(verdict, passage)
    }

    /// What a chain that does not translate comes to.
    pub(super) fn decided(&mut self, verdict: Verdict, passage: &mut Passage) -> Result<(), Stop> {
        match verdict {
            Verdict::Queue { .. } if self.host.holds => Err(Stop::Queue),
            Verdict::Unknown => Err(self.unknown()),
            Verdict::Accept | Verdict::Queue { bypass: true } => Ok(()),
            Verdict::Drop | Verdict::Queue { bypass: false } => Err(dropped(passage)),
            Verdict::Reject(with) => Err(self.answer(passage, AnswerReason::Reject(with))?),
            Verdict::Dnat(_) | Verdict::Snat(_) | Verdict::Masquerade(_) | Verdict::Redirect(_) => {
                unreachable!("only nat chains have rules that translate: loading refuses others")
            }
        }
    }

    /// What a table of iptables says.
    pub(super) fn evaluate(&mut self, table: Table, hook: Hook, passage: &mut Passage) -> Verdict {
        let family = passage.packet.headers.family();
        self.framed(hook, passage, |frame, host, choose, trace| {
            let (ruleset, engine, effects, locality) = host.rules_and_state(family);
            let mut around = Surroundings { locality: &locality, effects, choose, trace };
            engine.evaluate(ruleset, table, hook, frame, &mut around)
        })
    }

    /// Has rules look at the packet, and does to it what they did.
    pub(super) fn framed(
        &mut self,
        hook: Hook,
        passage: &mut Passage,
        look: impl FnOnce(&mut Frame<'_>, &mut Host, &mut C, &mut R) -> RuleWalk,
    ) -> Verdict {
        let (ct, connection) = (self.states(&passage.attached), self.seen(&passage.attached));
        let (input, output) = self.device_names(hook, passage);
        let mut frame = Frame {
            in_device: input.as_deref(),
            out_device: output.as_deref(),
            mark: passage.mark,
            ct,
            connection,
            zone: passage.zone,
            own: passage.input.is_none(),
            now: self.now,
            ..Frame::new(&passage.packet.headers)
        };
        let walk = look(&mut frame, self.host, self.choose, self.record);
        self.varies |= !frame.is_alike();
        let Frame { notrack, mark, zone, edits, timeouts, connection: after, headers, unknown, .. } = frame;
        self.varies |= unknown.is_some();
        self.because = unknown;
        let rewritten = headers.into_rewritten();
        (passage.mark, passage.zone) = (mark, zone);
        if let Some(headers) = rewritten {
            passage.packet.headers = *headers;
        }
        edits.apply(&mut passage.packet.headers);
        if let Some(seen) = after.filter(|_| after != connection) {
            self.varies = true;
            self.set_connection_mark(&mut passage.attached, seen.mark);
        }
        if let (Some(policy), Attached::Fresh(connection)) = (timeouts, &mut passage.attached) {
            connection.set_timeouts(&policy, self.host.conntrack.settings());
        }
        self.rules_walked += walk.rules_walked;
        if notrack && matches!(passage.attached, Attached::Nothing) {
            passage.attached = Attached::Untracked;
        }
        walk.verdict
    }

    /// Ends the packet's way at a test whose answer nobody knows.
    pub(super) fn unknown(&mut self) -> Stop {
        let because = self.because.take().expect("a rule set that cannot say names the test");
        crate::Fate::Unknown { because }.into()
    }

    /// What rules see of the packet's connection.
    fn seen(&self, attached: &Attached) -> Option<Seen> {
        let of = |connection: &Connection, direction: Direction, remaining: u32| Seen {
            original: *connection.tuple(Direction::Original),
            reply: *connection.tuple(Direction::Reply),
            direction,
            status: connection.status(),
            mark: connection.mark(),
            remaining,
            counters: [Direction::Original, Direction::Reply].map(|way| connection.counter(way)),
        };
        match attached {
            Attached::Nothing | Attached::NothingYet | Attached::Invalid | Attached::Untracked => None,
            Attached::Fresh(connection) => Some(of(connection, Direction::Original, 0)),
            Attached::Answer(connection, direction) => Some(of(connection, *direction, 0)),
            Attached::Entry { id, direction, .. } => {
                let entry = self.host.conntrack.get(*id, self.now)?;
                let left = u32::try_from(entry.remaining().as_secs()).unwrap_or(u32::MAX);
                Some(of(entry.connection(), *direction, left))
            }
        }
    }

    fn set_connection_mark(&mut self, attached: &mut Attached, mark: u32) {
        match attached {
            Attached::Fresh(connection) | Attached::Answer(connection, _) => connection.set_mark(mark),
            Attached::Entry { id, .. } => {
                self.host.conntrack.set_mark(*id, mark, self.now);
            }
            Attached::Nothing | Attached::NothingYet | Attached::Invalid | Attached::Untracked => {}
        }
    }

    /// Names of the devices that rules see at `hook`: the one it came in by until routing and in FORWARD, the one it leaves by
    /// from FORWARD on, in OUTPUT by its first route. Source: `struct nf_hook_state` as ip_input.c, ip_forward.c and ip_output.c
    /// fill it: another route within a hook does not change it.
    fn device_names(
        &self,
        hook: Hook,
        passage: &Passage,
    ) -> (Option<std::sync::Arc<str>>, Option<std::sync::Arc<str>>) {
        let input = passage.input.filter(|_| !matches!(hook, Hook::Output | Hook::Postrouting));
        let output = self.left_by.filter(|_| !matches!(hook, Hook::Prerouting | Hook::Input));
        let name = |id| self.host.devices.get(id).name.clone();
        (input.map(name), output.map(name))
    }

    /// The states that `--ctstate` tests: the packet's own, and the virtual ones of its connection.
    pub(super) fn states(&self, attached: &Attached) -> CtStates {
        let (state, status) = match attached {
            Attached::Nothing | Attached::NothingYet | Attached::Invalid => {
                return CtStates::of(&[CtState::Invalid]);
            }
            Attached::Untracked => return CtStates::of(&[CtState::Untracked]),
            Attached::Fresh(connection) => (CtState::New, connection.status()),
            Attached::Answer(connection, _) => (CtState::Related, connection.status()),
            Attached::Entry { id, state, .. } => {
                let status = self.host.conntrack.get(*id, self.now).map(|entry| entry.status());
                (ct_state(*state), status.unwrap_or_default())
            }
        };
        let mut states = CtStates::of(&[state]);
        for (bit, virtual_state) in [(Status::SRC_NAT, CtState::Snat), (Status::DST_NAT, CtState::Dnat)] {
            if status.has(bit) {
                states = states.with(virtual_state);
            }
        }
        states
    }
}

/// The word that `--ctstate` has for it.
pub(super) fn ct_state(state: PacketState) -> CtState {
    match state {
        PacketState::New => CtState::New,
        PacketState::Established => CtState::Established,
        PacketState::Related => CtState::Related,
    }
}

/// A local sender is told when its packet is dropped in OUTPUT; nobody else is.
pub(super) fn dropped(passage: &Passage) -> Stop {
    if passage.input.is_none() {
        return crate::Fate::SendError(crate::SendError::NotPermitted).into();
    }
    DropReason::Rule.into()
}
