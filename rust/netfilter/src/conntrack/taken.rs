//! What NAT asks of the table: whether a tuple is taken, and who may be driven out of it.

use kdp_packet::Tuple;
use kdp_sim::Time;

use super::connection::{Connection, Direction, ProtoState, Status};
use super::table::{Conntrack, EntryId};
use super::tcp::TcpState;

impl Conntrack {
    /// Whether the answers to packets that leave with `tuple` would be another connection's.
    ///
    /// A connection with the same original tuple does not count: it is the same flow, of which two packets are on their way.
    /// Source: Linux 6.18, `nf_nat_used_tuple`, `nf_conntrack_tuple_taken`.
    pub(crate) fn is_taken(&self, tuple: &Tuple, connection: &Connection, now: Time) -> bool {
        self.owner_of_answers(tuple, connection).is_some_and(|(id, _)| {
            let owner = self.connection(id);
            owner.deadline > now && owner.original != connection.original
        })
    }

    /// Removes a closed TCP connection that owns the answers to `tuple`, if its translated client is behind the new one's
    /// SYN. `true` if the tuple is free then.
    ///
    /// Source: Linux 6.18, `nf_nat_core.c` `nf_nat_used_tuple_harder`, `nf_nat_may_kill`, `nf_seq_has_advanced`.
    pub(crate) fn evict_closed(&mut self, tuple: &Tuple, connection: &Connection, now: Time) -> bool {
        let Some((id, direction)) = self.owner_of_answers(tuple, connection) else { return true };
        let owner = self.connection(id);
        let (ProtoState::Tcp(old), ProtoState::Tcp(new)) = (&owner.proto, &connection.proto) else {
            return false;
        };
        let may_go = direction == Direction::Reply
            && old.state >= TcpState::TimeWait
            && owner.status.has(Status::SRC_NAT)
            && !owner.status.has(Status::FIXED_TIMEOUT);
        let distance = new.sides[0].end.wrapping_sub(old.sides[0].end);
        let advanced = distance != 0 && distance < 1 << 31;
        (owner.deadline <= now || may_go && advanced) && self.remove(id)
    }

    /// Removes the connections that `which` means; gives how many.
    pub(crate) fn remove_where(&mut self, which: impl Fn(&Connection) -> bool) -> usize {
        let ids: Vec<EntryId> = self.ids().into_iter().filter(|id| which(&self.connection(*id))).collect();
        ids.into_iter().filter(|id| self.remove(*id)).count()
    }

    fn owner_of_answers(&self, tuple: &Tuple, connection: &Connection) -> Option<(EntryId, Direction)> {
        let zone = connection.zone();
        let answer = Tuple { zone: zone.reply, ..tuple.inverse()? };
        self.lookup(&answer).filter(|(_, direction)| zone.of(*direction) == zone.reply)
    }
}
