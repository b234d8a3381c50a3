//! The table: entries by id, and by both tuples of each.

use std::collections::VecDeque;
use std::ops::Deref;
use std::time::Duration;

use hashbrown::HashMap;
use kdp_packet::{Proto, Tuple};
use kdp_sim::{Chance, Time};
use smallvec::SmallVec;

use super::connection::{Connection, Direction, ProtoState, Status};
use super::expiry::Buckets;
use super::index::{Index, Key};
use super::settings::Settings;
use super::slots::{Place, Slots};
use super::steady::Steady;
use super::tcp::TcpState;
use super::wheel::Wheel;

/// An entry of the table. It never names another entry, even after its own is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryId {
    pub(super) slot: u32,
    sequence: u32,
}

/// What the table has counted, as `/proc/net/stat/nf_conntrack` and `conntrack -S` name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets that no entry was attached to.
    pub invalid: u64,
    /// ICMP messages that are wrong, of no known type, or about no connection.
    pub error: u64,
    /// Entries that could not be put in.
    pub insert_failed: u64,
    /// Packets dropped because of that, or because the table was full.
    pub drop: u64,
    /// Entries driven out of a full table.
    pub early_drop: u64,
    /// Clashes that were resolved.
    pub clash_resolve: u64,
}

/// The connections of one network namespace.
#[derive(Clone, Debug)]
pub struct Conntrack {
    pub(super) settings: Settings,
    pub(super) chance: Chance,
    pub(super) stats: Stats,
    /// Whole minutes at which a table that was too full is thinned out.
    pub(super) gc_at: Option<Time>,
    pub(super) buckets: Option<Buckets>,
    pub(super) index: Index,
    pub(super) slots: Slots,
    pub(super) wheel: Wheel,
    pub(super) steady: Steady,
    /// The latest moment that the table was told.
    pub(super) clock: Time,
    sequence: u32,
    live: u32,
    /// Connections whose source was changed, by their original source: what mappings are re-used from.
    sources: HashMap<Source, SmallVec<[u32; 2]>, foldhash::fast::FixedState>,
    graves: VecDeque<(Time, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Source {
    addr: std::net::IpAddr,
    port: u16,
    proto: Proto,
    zone: u16,
}

impl Source {
    fn of(tuple: &Tuple) -> Source {
        Source { addr: tuple.src, port: tuple.sport, proto: tuple.proto, zone: tuple.zone }
    }
}

/// An entry at a moment.
#[derive(Clone, Debug)]
pub struct EntryView {
    id: EntryId,
    connection: Connection,
    now: Time,
}

impl Deref for EntryView {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl EntryView {
    /// Its id.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The connection, as it was.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// How long it will live without another packet.
    pub fn remaining(&self) -> Duration {
        self.connection.deadline.since(self.now)
    }

    /// The state's name as the conntrack tool prints it.
    pub fn state_name(&self) -> Option<&'static str> {
        self.connection.proto.name()
    }
}

impl Conntrack {
    /// An empty table. `chance` gives the modelled bucket numbers of a full table.
    pub fn new(settings: Settings, chance: Chance) -> Conntrack {
        Conntrack {
            settings,
            chance: chance.at("conntrack"),
            stats: Stats::default(),
            gc_at: None,
            buckets: None,
            index: Index::default(),
            slots: Slots::default(),
            wheel: Wheel::default(),
            steady: Steady::default(),
            clock: Time::ZERO,
            sequence: 0,
            live: 0,
            sources: HashMap::default(),
            graves: VecDeque::new(),
        }
    }

    /// Its sysctls.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its sysctls, to be changed. A changed timeout counts from the next accepted packet of each connection.
    pub fn settings_mut(&mut self) -> &mut Settings {
        self.settle();
        self.forget_proofs();
        &mut self.settings
    }

    /// What it has counted.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Bytes that its connections take: the lines and the entries of the index, the connections themselves, and the wheel of
    /// timeouts. Room that was never used is not counted: the system has not given it yet.
    pub fn bytes(&self) -> usize {
        self.index.bytes() + self.slots.bytes() + self.wheel.bytes()
    }

    /// Cache lines that its index has.
    pub fn lines(&self) -> usize {
        self.index.lines()
    }

    /// An entry, if it lives at `now`. One that a packet just killed (a reset that answers a SYN) is still given until
    /// time moves on, so that the packet itself can be translated.
    pub fn get(&self, id: EntryId, now: Time) -> Option<EntryView> {
        debug_assert!(!self.waits(id.slot), "who looks at an entry settles before");
        let slot = self.slots.get(id.slot).filter(|slot| slot.sequence == id.sequence)?;
        let connection = match &slot.place {
            Place::Grave(connection) => (**connection).clone(),
            Place::Free => return None,
            Place::Short(_) | Place::Long(_) => {
                self.slots.deadline(id.slot).filter(|deadline| *deadline > now)?;
                self.slots.connection(id.slot)
            }
        };
        Some(EntryView { id, connection, now })
    }

    /// The entry that owns `tuple` at `now`, and in which direction.
    pub fn find(&mut self, tuple: &Tuple, now: Time) -> Option<(EntryView, Direction)> {
        let (id, direction) = self.standing(tuple)?;
        if self.waits(id.slot) {
            self.settle();
        }
        Some((self.get(id, now)?, direction))
    }

    /// All entries that live at `now`, in the order in which they were put in. Those that lost a clash are hidden, as the
    /// kernel's own listing hides them.
    pub fn entries(&mut self, now: Time) -> Vec<EntryView> {
        self.settle();
        let ids = self.ids().into_iter();
        ids.filter_map(|id| self.get(id, now)).filter(|entry| !entry.status.has(Status::NAT_CLASH)).collect()
    }

    /// How many entries there are at `now`.
    pub fn count(&mut self, now: Time) -> u32 {
        self.expire(now);
        self.purge(now);
        self.live
    }

    /// Sets the mark of an entry; `false` if it does not live at `now`.
    pub fn set_mark(&mut self, id: EntryId, mark: u32, now: Time) -> bool {
        let lives = self.lives(id, now);
        if lives {
            self.edit(id, |connection, _| connection.mark = mark);
        }
        lives
    }

    /// Sets how long an entry lives from `now` on (`conntrack -U --timeout`), until its next accepted packet.
    pub fn set_timeout(&mut self, id: EntryId, seconds: u32, now: Time) -> bool {
        let lives = self.lives(id, now);
        if lives {
            self.refresh(id, seconds, now);
        }
        lives
    }

    /// Closes a TCP connection whose packet was answered with a reset: state CLOSE and its timeout.
    /// Source: Linux `nf_ct_set_closing`.
    pub fn set_closing(&mut self, id: EntryId, now: Time) {
        if !self.stands(id) {
            return;
        }
        let closed = self.edit(id, |connection, _| {
            let ProtoState::Tcp(flow) = &mut connection.proto else { return false };
            flow.state = TcpState::Close;
            true
        });
        if closed {
            self.refresh(id, self.settings.tcp_timeout_close, now);
        }
    }

    /// Removes all entries.
    pub fn flush(&mut self) {
        for id in self.ids() {
            self.remove(id);
        }
    }

    /// Takes an entry out of the table. `false` if it is gone already.
    pub fn remove(&mut self, id: EntryId) -> bool {
        let removed = self.unlink(id).is_some();
        if removed {
            self.slots.release(id.slot);
        }
        removed
    }

    /// Takes an entry out but keeps it readable by its id until time moves on.
    pub(super) fn bury(&mut self, id: EntryId, now: Time) {
        if let Some(mut connection) = self.unlink(id) {
            connection.status.add(Status::DYING);
            self.slots.bury(id.slot, connection);
            self.graves.push_back((now, id.slot));
        }
    }

    /// Frees what was buried before `now`.
    pub(super) fn free_graves(&mut self, now: Time) {
        while self.graves.front().is_some_and(|(since, _)| *since < now) {
            let (_, slot) = self.graves.pop_front().expect("there is a first one");
            self.slots.release(slot);
        }
    }

    /// Puts a connection in, by both of its tuples or by the reply tuple alone. Its timeout starts now.
    pub(super) fn insert(&mut self, mut connection: Connection, reply_only: bool, now: Time) -> EntryId {
        connection.deadline = now + Duration::from_secs(connection.timeout.into());
        connection.status.add(Status::CONFIRMED);
        let (original, reply, status) = (connection.original, connection.reply, connection.status);
        self.make_way(&connection, reply_only);
        if self.rows_wait() && self.index.moves_at_insert() {
            self.settle();
        }
        self.sequence = self.sequence.checked_add(1).unwrap_or_else(|| self.slots.renumber() + 1);
        let deadline = connection.deadline;
        let slot = self.slots.insert(connection, self.sequence);
        if !reply_only {
            self.index.insert(Key::of(&original), false, slot);
        }
        if reply_only || reply != original {
            self.index.insert(Key::of(&reply), true, slot);
        }
        if status.has(Status::SRC_NAT) {
            self.sources.entry(Source::of(&original)).or_default().push(slot);
        }
        self.file(slot, deadline);
        self.live += 1;
        let id = EntryId { slot, sequence: self.sequence };
        if let Some(buckets) = &mut self.buckets {
            buckets.add(id, &self.slots.connection(slot), self.chance);
        }
        id
    }

    /// Frees the tuples that a connection is about to take. Who holds one and lives is a broken promise of the caller.
    fn make_way(&mut self, connection: &Connection, reply_only: bool) {
        for tuple in [&connection.original, &connection.reply].into_iter().skip(usize::from(reply_only)) {
            let Some((id, _)) = self.standing(tuple) else { continue };
            let dead = self.slots.deadline(id.slot).is_some_and(|deadline| deadline <= self.clock);
            assert!(dead, "no two live connections share a tuple: {connection}");
            self.remove(id);
        }
    }

    fn unlink(&mut self, id: EntryId) -> Option<Connection> {
        if !self.stands(id) {
            return None;
        }
        if self.waits(id.slot) {
            self.settle();
        }
        let [original, reply] =
            [Direction::Original, Direction::Reply].map(|direction| self.slots.tuple(id.slot, direction));
        self.index.remove(Key::of(&original), |entry| entry == id.slot);
        self.index.remove(Key::of(&reply), |entry| entry == id.slot);
        let connection = self.slots.take(id.slot);
        if connection.status.has(Status::SRC_NAT) {
            self.forget_source(&original, id.slot);
        }
        if let Some(buckets) = &mut self.buckets {
            buckets.take(id, &connection, self.chance);
        }
        self.live -= 1;
        Some(connection)
    }

    fn forget_source(&mut self, original: &Tuple, slot: u32) {
        let source = Source::of(original);
        if let Some(slots) = self.sources.get_mut(&source) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.sources.remove(&source);
            }
        }
    }

    /// Sets the timeout of a live entry, counted from `now`.
    pub(super) fn refresh(&mut self, id: EntryId, seconds: u32, now: Time) {
        let deadline = now + Duration::from_secs(seconds.into());
        if !self.stands(id) {
            return;
        }
        self.edit(id, |connection, _| {
            connection.timeout = seconds;
            connection.deadline = deadline;
        });
        self.file_if_sooner(id.slot, deadline);
    }

    /// Who holds a tuple, alive or not.
    fn standing(&self, tuple: &Tuple) -> Option<(EntryId, Direction)> {
        let place = self.index.find(Key::of(tuple), |slot| {
            [Direction::Original, Direction::Reply].iter().any(|way| self.slots.tuple(slot, *way) == *tuple)
        })?;
        let reply = self.index.tag(place).0 & super::index::Tag::REPLY != 0;
        let direction = if reply { Direction::Reply } else { Direction::Original };
        Some((self.id_of(self.index.entry(place)), direction))
    }

    /// Who holds a tuple, and lives.
    pub(super) fn lookup(&self, tuple: &Tuple) -> Option<(EntryId, Direction)> {
        let alive = |id: &EntryId| self.slots.deadline(id.slot).is_some_and(|deadline| deadline > self.clock);
        self.standing(tuple).filter(|(id, _)| alive(id))
    }

    pub(super) fn connection(&self, id: EntryId) -> Connection {
        self.slots.connection(id.slot)
    }

    /// Works on a connection that stands in the table, with the sysctls at hand.
    pub(super) fn edit<R>(&mut self, id: EntryId, work: impl FnOnce(&mut Connection, &Settings) -> R) -> R {
        if self.slots.is_steady(id.slot) {
            let settings = self.settings.clone();
            return self.edit_steady(id, |connection| work(connection, &settings));
        }
        let settings = &self.settings;
        self.slots.edit(id.slot, |connection| work(connection, settings))
    }

    /// Whether rows may wait that would change the entry.
    pub(super) fn waits(&self, slot: u32) -> bool {
        self.rows_wait() && self.slots.is_steady(slot)
    }

    /// Connections with a changed source that had the same original source as `tuple`, the latest first.
    pub(crate) fn same_source(&self, tuple: &Tuple) -> impl Iterator<Item = Connection> {
        let slots = self.sources.get(&Source::of(tuple)).map_or(&[][..], |slots| slots);
        let connections = slots.iter().rev().map(|slot| self.slots.connection(*slot));
        connections.filter(|connection| connection.deadline > self.clock)
    }

    /// Ids of all entries, in the order in which they were put in.
    pub(super) fn ids(&self) -> Vec<EntryId> {
        let mut all: Vec<EntryId> =
            self.slots.live().map(|(slot, sequence)| EntryId { slot, sequence }).collect();
        all.sort_unstable_by_key(|id| id.sequence);
        all
    }

    pub(super) fn live(&self) -> u32 {
        self.live
    }

    pub(super) fn id_of(&self, slot: u32) -> EntryId {
        let sequence = self.slots.get(slot).map_or(0, |slot| slot.sequence);
        EntryId { slot, sequence }
    }

    fn lives(&self, id: EntryId, now: Time) -> bool {
        self.stands(id) && self.slots.deadline(id.slot).is_some_and(|deadline| deadline > now)
    }

    /// Whether the entry is in the table, alive or not yet removed.
    pub(super) fn stands(&self, id: EntryId) -> bool {
        let slot = self.slots.get(id.slot).filter(|slot| slot.sequence == id.sequence);
        slot.is_some_and(|slot| matches!(slot.place, Place::Short(_) | Place::Long(_)))
    }
}
