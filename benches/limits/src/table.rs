//! The rival: a connection's tuple looked up in hashbrown, one at a time.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_sim::{Chance, Time};

use crate::stopwatch::{Figure, time};

const QUERIES: usize = 1 << 18;

/// Source, destination, ports and protocol of an IPv4 connection, in 16 bytes.
type Key = (u32, u32, u32, u32);

/// A table of connections, and the keys that are asked for.
pub(crate) struct Table {
    map: HashMap<Key, u32, FixedState>,
    asked: Vec<Key>,
}

impl Table {
    pub(crate) fn new(entries: usize) -> Table {
        let bound = u32::try_from(entries).expect("fewer entries than 2^32");
        let mut draw = Chance::new(2).at("limits").packet(0, Time(0));
        let mut map = HashMap::with_capacity_and_hasher(entries, FixedState::default());
        map.extend((0..bound).map(|i| (key(i), i)));
        Table { map, asked: (0..QUERIES).map(|_| key(draw.below(bound))).collect() }
    }

    /// Looks each key up; every one is there.
    pub(crate) fn look_up_all(&self) -> Figure {
        time("hashbrown, 16-byte key, hit", QUERIES, || {
            let hits = self.asked.iter().filter(|key| self.map.contains_key(*key)).count();
            assert_eq!(hits, QUERIES, "a key is missing");
            hits
        })
    }
}

/// The tuple of connection `i`: a Pod's address and port, to one of 10,000 cluster IPs.
fn key(i: u32) -> Key {
    (0x0a00_0000 + i, 0x0a60_0000 + i % 10_000, 40_000 * 65_536 + 80, 6)
}
