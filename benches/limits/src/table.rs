//! The rival: the same decision from hashbrown, one row at a time.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::rows::{Out, QUERIES, Rows, SERVICES, endpoint};
use crate::stopwatch::{Figure, time};

/// What becomes of a packet.
#[derive(Clone, Copy)]
struct Rewrite {
    src: Option<(u32, u16)>,
    dst: Option<(u32, u16)>,
    rules: u32,
}

/// Tuples of both directions, each with its entry and its rewrite.
pub(crate) struct Table {
    map: HashMap<(u64, u64), (u32, u32), FixedState>,
    rewrites: Vec<Rewrite>,
    journal: Vec<u32>,
    out: Out,
}

impl Table {
    pub(crate) fn new(connections: u32) -> Table {
        let mut map = HashMap::with_capacity_and_hasher(2 * connections as usize, FixedState::default());
        let (there, back) = (Rows::all(connections), Rows::answers(connections));
        for number in 0..connections {
            map.insert(there.key(number as usize), (number, number % SERVICES));
            map.insert(back.key(number as usize), (number, SERVICES + number % SERVICES));
        }
        let to = (0..SERVICES).map(|service| Rewrite { src: None, dst: Some(endpoint(service)), rules: 4 });
        let from = (0..SERVICES).map(|service| Rewrite {
            src: Some((0x0a60_0000 + service, 80)),
            dst: None,
            rules: 4,
        });
        Table {
            map,
            rewrites: to.chain(from).collect(),
            journal: Vec::with_capacity(QUERIES),
            out: Out::new(QUERIES),
        }
    }

    /// Only looks each row up.
    pub(crate) fn probe(&self, rows: &Rows) -> Figure {
        time("hashbrown, probe", QUERIES, || {
            let hits = (0..QUERIES).filter(|row| self.map.contains_key(&rows.key(*row))).count();
            assert_eq!(hits, QUERIES, "a key is missing");
        })
    }

    /// Looks each row up, rewrites it, and notes its entry.
    pub(crate) fn decide(&mut self, rows: &Rows) -> Figure {
        self.journal.clear();
        let (columns, out) = (rows.columns(), self.out.columns());
        time("hashbrown, decided", QUERIES, || {
            for row in 0..QUERIES {
                let (entry, number) = self.map[&rows.key(row)];
                let rewrite = self.rewrites[number as usize];
                (out.src[row], out.sport[row]) =
                    rewrite.src.unwrap_or((columns.src[row], columns.sport[row]));
                (out.dst[row], out.dport[row]) =
                    rewrite.dst.unwrap_or((columns.dst[row], columns.dport[row]));
                out.verdict[row] = 0;
                out.rules_walked[row] = rewrite.rules;
                self.journal.push(entry);
            }
        })
    }

    /// Where the rows went.
    pub(crate) fn destinations(&self) -> &[u32] {
        &self.out.verdicts().dst
    }
}
