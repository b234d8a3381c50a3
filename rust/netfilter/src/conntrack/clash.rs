//! Confirming a connection, and the clash of two that took the same tuple.

use kdp_packet::Proto;
use kdp_sim::Time;

use super::connection::{Connection, Direction, Status};
use super::table::{Conntrack, EntryId};

/// What became of a connection at the end of its first packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It is in the table.
    Inserted(EntryId),
    /// Another packet of the same flow was faster: this one belongs to its entry.
    Merged {
        /// The entry that won.
        id: EntryId,
        /// Which way the packet goes in it.
        direction: Direction,
    },
    /// Its original tuple was taken: it is in the table by its reply tuple alone, for one second.
    ReplyOnly(EntryId),
    /// A tuple was taken, and nothing helps: the packet is dropped.
    Dropped,
}

impl Conntrack {
    /// Puts a connection into the table, at the end of POSTROUTING or INPUT. Its timeout starts now.
    ///
    /// Source: Linux 6.18, `nf_conntrack_core.c` `__nf_conntrack_confirm`, `nf_ct_resolve_clash`.
    pub fn confirm(&mut self, connection: Box<Connection>, now: Time) -> Confirmed {
        self.expire(now);
        let original = self.lookup(&connection.original);
        let reply = self.lookup(&connection.reply);
        let Some((winner, _)) = original.or(reply) else {
            return Confirmed::Inserted(self.insert(*connection, false, now));
        };
        let proto = connection.proto();
        // Source: `allow_clash` is set for UDP and UDP-Lite alone (nf_conntrack_proto_udp.c).
        if proto == Proto::UDP || proto == Proto::UDPLITE {
            if let Some(direction) = direction_in(&self.connection(winner), &connection) {
                return self.merge(winner, direction, &connection);
            }
            if reply.is_none() {
                return self.insert_reply_only(*connection, now);
            }
        }
        self.stats.drop += 1;
        self.stats.insert_failed += 1;
        Confirmed::Dropped
    }

    fn merge(&mut self, id: EntryId, direction: Direction, loser: &Connection) -> Confirmed {
        self.stats.clash_resolve += 1;
        let counter = loser.counter(Direction::Original);
        self.edit(id, |winner, _| {
            winner.counters[direction.index()].packets += counter.packets;
            winner.counters[direction.index()].bytes += counter.bytes;
        });
        Confirmed::Merged { id, direction }
    }

    fn insert_reply_only(&mut self, mut connection: Connection, now: Time) -> Confirmed {
        self.stats.clash_resolve += 1;
        connection.status.add(Status::FIXED_TIMEOUT);
        connection.status.add(Status::NAT_CLASH);
        connection.timeout = 1;
        Confirmed::ReplyOnly(self.insert(connection, true, now))
    }
}

/// Which way the loser's packet goes in the winner, if both are one flow.
fn direction_in(winner: &Connection, loser: &Connection) -> Option<Direction> {
    let tuples = (&loser.original, &loser.reply);
    if (&winner.original, &winner.reply) == tuples {
        return Some(Direction::Original);
    }
    ((&winner.reply, &winner.original) == tuples).then_some(Direction::Reply)
}
