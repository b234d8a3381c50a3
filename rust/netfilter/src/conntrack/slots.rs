//! Entries by number, each in as little room as it needs.

use hashbrown::HashMap;
use kdp_packet::{Proto, Tuple};
use kdp_sim::Time;
use std::net::{IpAddr, Ipv4Addr};

use super::connection::{Connection, Counter, Direction, ProtoState, Status};
use super::tcp::TcpFlow;
use super::wheel::Tick;

/// The entries of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    all: Vec<Slot>,
    free: Vec<u32>,
    /// Marks and masquerades: hardly an entry has one.
    rare: HashMap<u32, Rare, foldhash::fast::FixedState>,
}

/// A place for an entry.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Which insertion it was: tells this entry from an earlier one in the same place, and is the order of listings.
    pub(super) sequence: u32,
    /// When it is to be looked at.
    pub(super) look_at: Tick,
    pub(super) place: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Free,
    /// TCP or UDP over IPv4 in zone 0, without counters and timeouts of its own.
    Short(Short),
    Long(Box<Connection>),
    /// Killed by the packet that is on its way: read by id until time moves on, found by nobody else.
    Grave(Box<Connection>),
}

/// A connection in half of its room.
#[derive(Clone, Debug)]
pub(super) struct Short {
    pub(super) deadline: Time,
    original: Ends,
    reply: Ends,
    status: u16,
    pub(super) flow: Flow,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    src: u32,
    dst: u32,
    sport: u16,
    dport: u16,
}

/// What the tracker remembers, and the protocol with it.
#[derive(Clone, Debug)]
pub(super) enum Flow {
    Tcp(TcpFlow),
    Udp(Option<Time>),
}

#[derive(Clone, Copy, Debug, Default)]
struct Rare {
    mark: u32,
    masquerade: Option<u32>,
}

/// Not one of the kernel's bits: slots of the entry may be steady.
const STEADY: u16 = 1 << 15;

impl Slots {
    /// Puts a connection into a free place; gives its number.
    pub(super) fn insert(&mut self, connection: Connection, sequence: u32) -> u32 {
        let at = self.free.pop().unwrap_or_else(|| {
            self.all.push(Slot { sequence: 0, look_at: 0, place: Place::Free });
            u32::try_from(self.all.len() - 1).expect("fewer than 2^32 entries")
        });
        self.all[at as usize].sequence = sequence;
        self.store(at, connection);
        at
    }

    /// The place of a number, if there is one.
    pub(super) fn get(&self, at: u32) -> Option<&Slot> {
        self.all.get(at as usize)
    }

    /// A live connection: its numbers are never those of free places.
    pub(super) fn connection(&self, at: u32) -> Connection {
        match &self.all[at as usize].place {
            Place::Short(short) => self.unpack(at, short),
            Place::Long(connection) => (**connection).clone(),
            Place::Free | Place::Grave(_) => unreachable!("the number of a live entry"),
        }
    }

    /// The tuple of one direction of a live connection.
    pub(super) fn tuple(&self, at: u32, direction: Direction) -> Tuple {
        match &self.all[at as usize].place {
            Place::Short(short) => short.tuple(direction),
            Place::Long(connection) => *connection.tuple(direction),
            Place::Free | Place::Grave(_) => unreachable!("the number of a live entry"),
        }
    }

    /// When a live connection ends if nothing comes; `None` if there is none.
    pub(super) fn deadline(&self, at: u32) -> Option<Time> {
        match &self.all.get(at as usize)?.place {
            Place::Short(short) => Some(short.deadline),
            Place::Long(connection) => Some(connection.deadline),
            Place::Free | Place::Grave(_) => None,
        }
    }

    /// Works on a live connection.
    pub(super) fn edit<R>(&mut self, at: u32, work: impl FnOnce(&mut Connection) -> R) -> R {
        if let Place::Long(connection) = &mut self.all[at as usize].place
            && connection.is_long()
        {
            let result = work(connection);
            if !connection.is_long() {
                let connection = (**connection).clone();
                self.store(at, connection);
            }
            return result;
        }
        let mut connection = self.connection(at);
        let steady = self.is_steady(at);
        let result = work(&mut connection);
        self.store(at, connection);
        self.set_steady(at, steady);
        result
    }

    pub(super) fn set_look_at(&mut self, at: u32, tick: Tick) {
        self.all[at as usize].look_at = tick;
    }

    /// The short form of a connection, to be worked on in place.
    /// Gives with it when it is to be looked at.
    pub(super) fn short_mut(&mut self, at: u32) -> Option<(&mut Short, Tick)> {
        let slot = &mut self.all[at as usize];
        match &mut slot.place {
            Place::Short(short) => Some((short, slot.look_at)),
            Place::Long(_) | Place::Free | Place::Grave(_) => None,
        }
    }

    /// The short form of a connection, if it has one.
    pub(super) fn short(&self, at: u32) -> Option<&Short> {
        match &self.all.get(at as usize)?.place {
            Place::Short(short) => Some(short),
            Place::Long(_) | Place::Free | Place::Grave(_) => None,
        }
    }

    /// Asks memory for an entry.
    #[inline]
    pub(super) fn prefetch(&self, at: u32) {
        super::index::prefetch(&self.all, at as usize);
        super::index::prefetch(&self.all, at as usize + 1);
    }

    /// Whether index slots of it may be steady.
    pub(super) fn is_steady(&self, at: u32) -> bool {
        matches!(&self.all[at as usize].place, Place::Short(short) if short.status & STEADY != 0)
    }

    pub(super) fn set_steady(&mut self, at: u32, steady: bool) {
        if let Place::Short(short) = &mut self.all[at as usize].place {
            short.status = short.status & !STEADY | if steady { STEADY } else { 0 };
        }
    }

    /// Takes a live connection out; its place stays taken as a grave if it is `buried`.
    pub(super) fn take(&mut self, at: u32) -> Connection {
        let connection = self.connection(at);
        self.rare.remove(&at);
        self.all[at as usize].place = Place::Free;
        connection
    }

    /// Keeps a connection readable that was taken out.
    pub(super) fn bury(&mut self, at: u32, connection: Connection) {
        self.all[at as usize].place = Place::Grave(Box::new(connection));
    }

    /// Lets another entry have the place.
    pub(super) fn release(&mut self, at: u32) {
        self.all[at as usize].place = Place::Free;
        self.free.push(at);
    }

    /// Numbers and sequences of all live entries.
    pub(super) fn live(&self) -> impl Iterator<Item = (u32, u32)> {
        let live = |slot: &Slot| !matches!(slot.place, Place::Free | Place::Grave(_));
        (0u32..).zip(&self.all).filter(move |(_, slot)| live(slot)).map(|(at, slot)| (at, slot.sequence))
    }

    /// Numbers the entries anew, in their order; gives the last number.
    pub(super) fn renumber(&mut self) -> u32 {
        let mut order: Vec<(u32, u32)> = self.live().map(|(at, sequence)| (sequence, at)).collect();
        order.sort_unstable();
        for (sequence, (_, at)) in (1..).zip(&order) {
            self.all[*at as usize].sequence = sequence;
        }
        u32::try_from(order.len()).expect("fewer than 2^32 entries")
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.all.len() * size_of::<Slot>() + self.free.len() * size_of::<u32>()
    }

    fn store(&mut self, at: u32, connection: Connection) {
        let rare = Rare { mark: connection.mark, masquerade: connection.masquerade };
        let short = Short::of(&connection);
        if short.is_some() && (rare.mark != 0 || rare.masquerade.is_some()) {
            self.rare.insert(at, rare);
        } else if !self.rare.is_empty() {
            self.rare.remove(&at);
        }
        let place = short.map_or_else(|| Place::Long(Box::new(connection)), Place::Short);
        self.all[at as usize].place = place;
    }

    fn unpack(&self, at: u32, short: &Short) -> Connection {
        let rare = if self.rare.is_empty() { None } else { self.rare.get(&at) };
        let rare = rare.copied().unwrap_or_default();
        Connection {
            original: short.tuple(Direction::Original),
            reply: short.tuple(Direction::Reply),
            status: Status(u32::from(short.status & !STEADY)),
            mark: rare.mark,
            timeout: 0,
            deadline: short.deadline,
            proto: match &short.flow {
                Flow::Tcp(flow) => ProtoState::Tcp(flow.clone()),
                Flow::Udp(from) => ProtoState::Udp { stream_from: *from },
            },
            counters: [Counter::default(); 2],
            masquerade: rare.masquerade,
            timeouts: None,
        }
    }
}

impl Connection {
    /// Whether the short form has no room for it.
    fn is_long(&self) -> bool {
        let counted = self.counters.iter().any(|counter| counter.packets != 0);
        let odd = |tuple: &Tuple| tuple.zone != 0 || tuple.src.is_ipv6() || tuple.dst.is_ipv6();
        let proto = match &self.proto {
            ProtoState::Tcp(_) => self.original.proto != Proto::TCP,
            ProtoState::Udp { .. } => self.original.proto != Proto::UDP,
            ProtoState::Sctp(_) | ProtoState::Icmp | ProtoState::Gre | ProtoState::Generic => true,
        };
        counted || self.timeouts.is_some() || proto || odd(&self.original) || odd(&self.reply)
    }
}

impl Short {
    fn of(connection: &Connection) -> Option<Short> {
        if connection.is_long() {
            return None;
        }
        let flow = match &connection.proto {
            ProtoState::Tcp(flow) => Flow::Tcp(flow.clone()),
            ProtoState::Udp { stream_from } => Flow::Udp(*stream_from),
            ProtoState::Sctp(_) | ProtoState::Icmp | ProtoState::Gre | ProtoState::Generic => return None,
        };
        Some(Short {
            deadline: connection.deadline,
            original: Ends::of(&connection.original)?,
            reply: Ends::of(&connection.reply)?,
            status: u16::try_from(connection.status.0).expect("the bits that are modelled are below 2^15"),
            flow,
        })
    }

    fn tuple(&self, direction: Direction) -> Tuple {
        let Ends { src, dst, sport, dport } = match direction {
            Direction::Original => self.original,
            Direction::Reply => self.reply,
        };
        let proto = match self.flow {
            Flow::Tcp(_) => Proto::TCP,
            Flow::Udp(_) => Proto::UDP,
        };
        let addr = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
        Tuple { src: addr(src), dst: addr(dst), sport, dport, proto, zone: 0 }
    }

    /// Its status, as it stands.
    pub(super) fn status(&self) -> Status {
        Status(u32::from(self.status & !STEADY))
    }
}

impl Ends {
    fn of(tuple: &Tuple) -> Option<Ends> {
        let (IpAddr::V4(src), IpAddr::V4(dst)) = (tuple.src, tuple.dst) else { return None };
        Some(Ends { src: src.into(), dst: dst.into(), sport: tuple.sport, dport: tuple.dport })
    }
}
