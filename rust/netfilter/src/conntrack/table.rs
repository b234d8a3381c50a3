//! The table: entries by id, and by both tuples of each.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::time::Duration;

use hashbrown::HashMap;
use kdp_packet::{Proto, Tuple};
use kdp_sim::{Chance, EventQueue, Time};
use smallvec::SmallVec;

use super::connection::{Connection, Direction, ProtoState, Status};
use super::expiry::Buckets;
use super::settings::Settings;
use super::tcp::TcpState;

/// An entry of the table. It never names another entry, even after its own is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryId {
    slot: u32,
    generation: u32,
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
    keys: HashMap<Key, Node, foldhash::fast::FixedState>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    sequence: u64,
    live: u32,
    /// Connections whose source was changed, by their original source: what mappings are re-used from.
    sources: HashMap<Source, SmallVec<[u32; 2]>, foldhash::fast::FixedState>,
    deadlines: EventQueue<EntryId>,
    graves: VecDeque<(Time, u32)>,
}

/// A tuple that is hashed by its digest: one step instead of one for each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(Tuple);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.digest());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    slot: u32,
    direction: Direction,
}

#[derive(Clone, Debug)]
struct Slot {
    generation: u32,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Free,
    Live(Entry),
    /// Killed by the packet that is on its way: read by id until time moves on, found by nobody else.
    Grave(Entry),
}

#[derive(Clone, Debug)]
struct Entry {
    connection: Connection,
    sequence: u64,
    /// When the queue of deadlines will look at it.
    look_at: Time,
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
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    id: EntryId,
    connection: &'a Connection,
    now: Time,
}

impl Deref for EntryView<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> EntryView<'a> {
    /// Its id.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The connection, for as long as the table is borrowed.
    pub fn connection(&self) -> &'a Connection {
        self.connection
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
            keys: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            sequence: 0,
            live: 0,
            sources: HashMap::default(),
            deadlines: EventQueue::default(),
            graves: VecDeque::new(),
        }
    }

    /// Its sysctls.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its sysctls, to be changed. A changed timeout counts from the next accepted packet of each connection.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// What it has counted.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// An entry, if it lives at `now`. One that a packet just killed (a reset that answers a SYN) is still given until
    /// time moves on, so that the packet itself can be translated.
    pub fn get(&self, id: EntryId, now: Time) -> Option<EntryView<'_>> {
        let slot = self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        let connection = match &slot.place {
            Place::Live(entry) if entry.connection.deadline > now => &entry.connection,
            Place::Grave(entry) => &entry.connection,
            Place::Live(_) | Place::Free => return None,
        };
        Some(EntryView { id, connection, now })
    }

    /// The entry that owns `tuple` at `now`, and in which direction.
    pub fn find(&self, tuple: &Tuple, now: Time) -> Option<(EntryView<'_>, Direction)> {
        let node = *self.keys.get(&Key(*tuple))?;
        Some((self.get(self.id_of(node.slot), now)?, node.direction))
    }

    /// All entries that live at `now`, in the order in which they were put in. Those that lost a clash are hidden, as the
    /// kernel's own listing hides them.
    pub fn entries(&self, now: Time) -> Vec<EntryView<'_>> {
        let mut found: Vec<(u64, EntryView<'_>)> = Vec::with_capacity(self.live as usize);
        for (slot, generation, entry) in self.live_slots() {
            let hidden = entry.connection.status.has(Status::NAT_CLASH);
            if entry.connection.deadline > now && !hidden {
                let id = EntryId { slot, generation };
                found.push((entry.sequence, EntryView { id, connection: &entry.connection, now }));
            }
        }
        found.sort_unstable_by_key(|(sequence, _)| *sequence);
        found.into_iter().map(|(_, view)| view).collect()
    }

    /// How many entries there are at `now`.
    pub fn count(&mut self, now: Time) -> u32 {
        self.expire(now);
        self.live
    }

    /// Sets the mark of an entry; `false` if it does not live at `now`.
    pub fn set_mark(&mut self, id: EntryId, mark: u32, now: Time) -> bool {
        let found = self.live_mut(id).filter(|entry| entry.connection.deadline > now);
        found.map(|entry| entry.connection.mark = mark).is_some()
    }

    /// Sets how long an entry lives from `now` on (`conntrack -U --timeout`), until its next accepted packet.
    pub fn set_timeout(&mut self, id: EntryId, seconds: u32, now: Time) -> bool {
        let found = self.live_mut(id).filter(|entry| entry.connection.deadline > now);
        let lives = found.is_some();
        if lives {
            self.refresh(id, seconds, now);
        }
        lives
    }

    /// Closes a TCP connection whose packet was answered with a reset: state CLOSE and its timeout.
    /// Source: Linux `nf_ct_set_closing`.
    pub fn set_closing(&mut self, id: EntryId, now: Time) {
        let seconds = self.settings.tcp_timeout_close;
        let Some(entry) = self.live_mut(id) else { return };
        if let ProtoState::Tcp(flow) = &mut entry.connection.proto {
            flow.state = TcpState::Close;
            self.refresh(id, seconds, now);
        }
    }

    /// Removes all entries.
    pub fn flush(&mut self) {
        let all: Vec<EntryId> =
            self.live_slots().map(|(slot, generation, _)| EntryId { slot, generation }).collect();
        for id in all {
            self.remove(id);
        }
    }

    /// Takes an entry out of the table. `false` if it is gone already.
    pub fn remove(&mut self, id: EntryId) -> bool {
        let removed = self.unlink(id).is_some();
        if removed {
            self.release(id.slot);
        }
        removed
    }

    /// Takes an entry out but keeps it readable by its id until time moves on.
    pub(super) fn bury(&mut self, id: EntryId, now: Time) {
        if let Some(mut entry) = self.unlink(id) {
            entry.connection.status.add(Status::DYING);
            self.slots[id.slot as usize].place = Place::Grave(entry);
            self.graves.push_back((now, id.slot));
        }
    }

    /// Frees what was buried before `now`.
    pub(super) fn free_graves(&mut self, now: Time) {
        while self.graves.front().is_some_and(|(since, _)| *since < now) {
            let (_, slot) = self.graves.pop_front().expect("there is a first one");
            self.release(slot);
        }
    }

    /// Puts a connection in, by both of its tuples or by the reply tuple alone. Its timeout starts now.
    pub(super) fn insert(&mut self, mut connection: Connection, reply_only: bool, now: Time) -> EntryId {
        connection.deadline = now + Duration::from_secs(connection.timeout.into());
        connection.status.add(Status::CONFIRMED);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, place: Place::Free });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 entries")
        });
        let id = self.id_of(slot);
        if !reply_only {
            let taken =
                self.keys.insert(Key(connection.original), Node { slot, direction: Direction::Original });
            assert!(taken.is_none(), "no two live connections share a tuple: {connection}");
        }
        if reply_only || connection.reply != connection.original {
            let taken = self.keys.insert(Key(connection.reply), Node { slot, direction: Direction::Reply });
            assert!(taken.is_none(), "no two live connections share a tuple: {connection}");
        }
        if connection.status.has(Status::SRC_NAT) {
            self.sources.entry(Source::of(&connection.original)).or_default().push(slot);
        }
        if let Some(buckets) = &mut self.buckets {
            buckets.add(id, &connection, self.chance);
        }
        let look_at = connection.deadline;
        self.deadlines.push(look_at, id);
        self.sequence += 1;
        self.live += 1;
        self.slots[slot as usize].place = Place::Live(Entry { connection, sequence: self.sequence, look_at });
        id
    }

    fn unlink(&mut self, id: EntryId) -> Option<Entry> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        let entry = match std::mem::replace(&mut slot.place, Place::Free) {
            Place::Live(entry) => entry,
            other => {
                slot.place = other;
                return None;
            }
        };
        for tuple in [&entry.connection.original, &entry.connection.reply] {
            let key = Key(*tuple);
            if self.keys.get(&key).is_some_and(|node| node.slot == id.slot) {
                self.keys.remove(&key);
            }
        }
        let source = Source::of(&entry.connection.original);
        if let Some(slots) = self.sources.get_mut(&source) {
            slots.retain(|slot| *slot != id.slot);
            if slots.is_empty() {
                self.sources.remove(&source);
            }
        }
        if let Some(buckets) = &mut self.buckets {
            buckets.take(id, &entry.connection, self.chance);
        }
        self.live -= 1;
        Some(entry)
    }

    fn release(&mut self, slot: u32) {
        let place = &mut self.slots[slot as usize];
        place.place = Place::Free;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
    }

    /// Sets the timeout of a live entry, counted from `now`.
    pub(super) fn refresh(&mut self, id: EntryId, seconds: u32, now: Time) {
        let deadline = now + Duration::from_secs(seconds.into());
        let Some(entry) = self.live_mut(id) else { return };
        entry.connection.timeout = seconds;
        entry.connection.deadline = deadline;
        if deadline < entry.look_at {
            entry.look_at = deadline;
            self.deadlines.push(deadline, id);
        }
    }

    /// The next entry whose deadline has come, taken off the queue.
    pub(super) fn pop_expired(&mut self, now: Time) -> Option<EntryId> {
        while let Some((at, id)) = self.deadlines.pop_due(now) {
            let Some(entry) = self.live_mut(id).filter(|entry| entry.look_at == at) else { continue };
            if entry.connection.deadline <= now {
                return Some(id);
            }
            entry.look_at = entry.connection.deadline;
            let again = entry.look_at;
            self.deadlines.push(again, id);
        }
        None
    }

    pub(super) fn lookup(&self, tuple: &Tuple) -> Option<(EntryId, Direction)> {
        self.keys.get(&Key(*tuple)).map(|node| (self.id_of(node.slot), node.direction))
    }

    pub(super) fn connection(&self, id: EntryId) -> &Connection {
        let Place::Live(entry) = &self.slots[id.slot as usize].place else {
            unreachable!("an id that was just looked up names a live entry")
        };
        &entry.connection
    }

    pub(super) fn connection_mut(&mut self, id: EntryId) -> &mut Connection {
        &mut self.live_mut(id).expect("an id that was just looked up names a live entry").connection
    }

    /// The sysctls, and one connection to work on.
    pub(super) fn parts(&mut self, id: EntryId) -> (&Settings, &mut Connection) {
        let Place::Live(entry) = &mut self.slots[id.slot as usize].place else {
            unreachable!("an id that was just looked up names a live entry")
        };
        (&self.settings, &mut entry.connection)
    }

    /// Connections with a changed source that had the same original source as `tuple`, the latest first.
    pub(crate) fn same_source(&self, tuple: &Tuple) -> impl Iterator<Item = &Connection> {
        let slots = self.sources.get(&Source::of(tuple)).map_or(&[][..], |slots| slots);
        slots.iter().rev().map(|slot| self.connection(self.id_of(*slot)))
    }

    /// Ids of all live entries, in the order in which they were put in.
    pub(super) fn ids(&self) -> Vec<EntryId> {
        let mut all: Vec<(u64, EntryId)> = self
            .live_slots()
            .map(|(slot, generation, entry)| (entry.sequence, EntryId { slot, generation }))
            .collect();
        all.sort_unstable_by_key(|(sequence, _)| *sequence);
        all.into_iter().map(|(_, id)| id).collect()
    }

    pub(super) fn live(&self) -> u32 {
        self.live
    }

    fn id_of(&self, slot: u32) -> EntryId {
        EntryId { slot, generation: self.slots[slot as usize].generation }
    }

    fn live_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        match &mut slot.place {
            Place::Live(entry) => Some(entry),
            Place::Free | Place::Grave(_) => None,
        }
    }

    fn live_slots(&self) -> impl Iterator<Item = (u32, u32, &Entry)> {
        (0u32..).zip(&self.slots).filter_map(|(index, slot)| match &slot.place {
            Place::Live(entry) => Some((index, slot.generation, entry)),
            Place::Free | Place::Grave(_) => None,
        })
    }
}
