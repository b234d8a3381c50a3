//! The end of entries: timeouts, and what happens when the table is full.

use std::time::Duration;

use hashbrown::HashMap;
use kdp_packet::Tuple;
use kdp_sim::{Chance, Time};
use smallvec::SmallVec;

use super::connection::{Connection, ProtoState, Status};
use super::table::{Conntrack, EntryId};
use super::wheel::Wheel;

impl Conntrack {
    /// Removes what has run out by `now`.
    ///
    /// No need to call it for the truth of an answer: expired entries are never seen. It only frees their room, and leaves
    /// those that ran out within this very second for later.
    pub fn expire(&mut self, now: Time) {
        self.clock = now;
        self.settle_if_due(now);
        self.free_graves(now);
        if let Some(at) = self.gc_at.filter(|at| *at <= now) {
            self.purge(at);
            self.clock = now;
            self.gc_at = None;
            self.thin_out();
        }
        self.turn(now);
    }

    /// Removes what has run out by `now` to the last one.
    pub(super) fn purge(&mut self, now: Time) {
        self.clock = now;
        self.turn(now);
        let dead = |slot: &&u32| self.slots.deadline(**slot).is_some_and(|deadline| deadline <= now);
        let over: Vec<u32> = self.wheel.soon().iter().filter(dead).copied().collect();
        for slot in over {
            self.remove(self.id_of(slot));
        }
    }

    /// Turns the wheel to `now`. Who ends within this second is looked at again in the next.
    fn turn(&mut self, now: Time) {
        let tick = Wheel::tick(now);
        while let Some((at, slots)) = self.wheel.pop(tick) {
            for slot in slots {
                if self.slots.get(slot).is_some_and(|entry| entry.look_at == at) {
                    self.look_at(slot, now);
                }
            }
        }
    }

    /// Removes an entry that has run out; files others again. One that ends within this second is not steady any longer: the
    /// wheel knows no finer times.
    fn look_at(&mut self, slot: u32, now: Time) {
        if self.waits(slot) {
            self.settle();
        }
        let Some(deadline) = self.slots.deadline(slot) else { return };
        if deadline <= now {
            self.remove(self.id_of(slot));
            return;
        }
        if Wheel::tick(deadline) == Wheel::tick(now) && self.slots.is_steady(slot) {
            self.unprove(slot);
        }
        self.file(slot, deadline);
    }

    /// Files an entry under its deadline.
    pub(super) fn file(&mut self, slot: u32, deadline: Time) {
        let at = self.wheel.file(slot, Wheel::tick(deadline));
        self.slots.set_look_at(slot, at);
    }

    /// Files an entry again if it ends before it would be looked at.
    pub(super) fn file_if_sooner(&mut self, slot: u32, deadline: Time) {
        if self.slots.get(slot).is_some_and(|entry| Wheel::tick(deadline) < entry.look_at) {
            self.file(slot, deadline);
        }
    }

    /// Whether one more connection has room. In a full table the bucket of its original tuple and the seven behind it are
    /// looked at; in the first with entries that are not assured, all of those go.
    ///
    /// Source: Linux 6.18, `nf_conntrack_core.c` `__nf_conntrack_alloc`, `early_drop` (`NF_CT_EVICTION_RANGE` is 8).
    /// DEVIATION(ct-bucket-number): the kernel's bucket is a keyed hash that differs from boot to boot; here it is a
    /// function of the seed and the tuple.
    /// DEVIATION(ct-count-unconfirmed): connections that are not confirmed yet do not count against the maximum.
    pub(super) fn make_room(&mut self, original: &Tuple, now: Time) -> bool {
        let max = self.settings.max;
        if max == 0 || self.live() < max {
            return true;
        }
        self.purge(now);
        if self.live() < max || self.early_drop(original) {
            return true;
        }
        self.gc_at.get_or_insert(next_pass(now));
        false
    }

    fn early_drop(&mut self, original: &Tuple) -> bool {
        let size = self.settings.buckets.max(1);
        self.index_buckets(size);
        let first = bucket_of(original, size, self.chance);
        for offset in 0..EVICTION_RANGE {
            let bucket = (first + offset) % size;
            let entries = self.buckets.as_ref().map(|buckets| buckets.of(bucket)).unwrap_or_default();
            let victims: SmallVec<[EntryId; 4]> =
                entries.into_iter().filter(|id| !self.connection(*id).status.has(Status::ASSURED)).collect();
            let dropped = victims.into_iter().filter(|id| self.remove(*id)).count();
            if dropped > 0 {
                self.stats.early_drop += dropped as u64;
                return true;
            }
        }
        false
    }

    /// The index of buckets is made when the table is full for the first time: most never are.
    fn index_buckets(&mut self, size: u32) {
        if self.buckets.as_ref().is_some_and(|buckets| buckets.size == size) {
            return;
        }
        let mut buckets = Buckets { size, entries: HashMap::default() };
        for id in self.ids() {
            buckets.add(id, &self.connection(id), self.chance);
        }
        self.buckets = Some(buckets);
    }

    /// Source: Linux 6.18, `nf_conntrack_core.c` `gc_worker` after a failed early drop, `tcp_can_early_drop`.
    fn thin_out(&mut self) {
        let enough = self.settings.max / 100 * 95;
        if enough == 0 || self.live() < enough {
            return;
        }
        for id in self.ids() {
            if can_go(&self.connection(id)) {
                self.remove(id);
            }
        }
    }
}

/// Entries by modelled bucket, each in the buckets of both of its tuples.
#[derive(Clone, Debug)]
pub(super) struct Buckets {
    size: u32,
    entries: HashMap<u32, SmallVec<[EntryId; 2]>, foldhash::fast::FixedState>,
}

impl Buckets {
    pub(super) fn add(&mut self, id: EntryId, connection: &Connection, chance: Chance) {
        for tuple in [&connection.original, &connection.reply] {
            self.entries.entry(bucket_of(tuple, self.size, chance)).or_default().push(id);
        }
    }

    pub(super) fn take(&mut self, id: EntryId, connection: &Connection, chance: Chance) {
        for tuple in [&connection.original, &connection.reply] {
            let bucket = bucket_of(tuple, self.size, chance);
            if let Some(entries) = self.entries.get_mut(&bucket) {
                entries.retain(|other| *other != id);
                if entries.is_empty() {
                    self.entries.remove(&bucket);
                }
            }
        }
    }

    fn of(&self, bucket: u32) -> SmallVec<[EntryId; 2]> {
        self.entries.get(&bucket).cloned().unwrap_or_default()
    }
}

fn bucket_of(tuple: &Tuple, size: u32, chance: Chance) -> u32 {
    chance.packet(tuple.digest(), Time::ZERO).below(size)
}

fn can_go(connection: &Connection) -> bool {
    let closing = match &connection.proto {
        ProtoState::Tcp(flow) => flow.state.is_closing(),
        ProtoState::Sctp(flow) => flow.state.is_shutting_down(),
        ProtoState::Udp { .. } | ProtoState::Icmp | ProtoState::Gre | ProtoState::Generic => false,
    };
    closing || !connection.status.has(Status::ASSURED)
}

const EVICTION_RANGE: u32 = 8;

/// DEVIATION(ct-gc-moment): the kernel's next pass comes within a minute, by a period that adapts; here it comes at the
/// next whole minute of virtual time.
fn next_pass(now: Time) -> Time {
    let minute = Duration::from_secs(60);
    Time::from_secs(now.as_nanos() / 60_000_000_000 * 60) + minute
}
