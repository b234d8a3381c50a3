//! The limit that memory sets: reads of random cache lines that do not depend on each other.

use kdp_sim::{Chance, Time};

use crate::stopwatch::{Figure, time};

const QUERIES: usize = 1 << 18;

/// One cache line, as large and as aligned as on x86-64.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u64; 8]);

/// As many lines as a table of so many entries would touch, and the order in which they are read.
pub(crate) struct Lines {
    lines: Vec<Line>,
    order: Vec<u32>,
}

impl Lines {
    pub(crate) fn new(entries: usize) -> Lines {
        let bound = u32::try_from(entries).expect("fewer entries than 2^32");
        let mut draw = Chance::new(1).at("limits").packet(0, Time(0));
        let order = (0..QUERIES).map(|_| draw.below(bound)).collect();
        Lines { lines: (0..u64::from(bound)).map(|i| Line([i; 8])).collect(), order }
    }

    /// Reads a line for each query; the sum proves that each was the right one.
    pub(crate) fn read_all(&self) -> Figure {
        let wanted: u64 = self.order.iter().map(|&i| u64::from(i)).sum();
        time("random cache line, read", QUERIES, || {
            let sum: u64 = self.order.iter().map(|&i| self.lines[i as usize].0[7]).sum();
            assert_eq!(sum, wanted, "a read gave another line");
            sum
        })
    }
}
