//! The linear chain: one rule for each Service port, tested one after another, against one hash lookup.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_sim::{Chance, Time};

use crate::stopwatch::{Figure, time};

const QUERIES: usize = 1 << 10;

/// What a rule of `KUBE-SERVICES` tests: destination, protocol, destination port.
type Test = (u32, u8, u16);

/// A chain of one rule for each Service, and new connections to them.
pub(crate) struct Chain {
    rules: Vec<Test>,
    by_test: HashMap<Test, usize, FixedState>,
    packets: Vec<(Test, usize)>,
}

impl Chain {
    pub(crate) fn new(services: usize) -> Chain {
        let bound = u32::try_from(services).expect("fewer Services than 2^32");
        let mut draw = Chance::new(3).at("limits").packet(0, Time(0));
        let rules: Vec<Test> = (0..bound).map(|i| (0x0a60_0000 + i, 6, 80)).collect();
        let by_test = rules.iter().copied().zip(0..).collect();
        let pick = |i: u32| (rules[i as usize], i as usize);
        let packets = (0..QUERIES).map(|_| pick(draw.below(bound))).collect();
        Chain { rules, by_test, packets }
    }

    /// Walks the chain for each packet, as the kernel walks it: from the top.
    pub(crate) fn walk_all(&self) -> Figure {
        time("linear chain, new connection", QUERIES, || {
            self.packets.iter().for_each(|(packet, position)| {
                let found = self.rules.iter().position(|rule| rule == packet);
                assert_eq!(found, Some(*position), "the walk ended at another rule");
            });
        })
    }

    /// Finds the same rules by hash.
    pub(crate) fn look_up_all(&self) -> Figure {
        time("hash lookup, new connection", QUERIES, || {
            self.packets.iter().for_each(|(packet, position)| {
                assert_eq!(self.by_test.get(packet), Some(position), "the lookup gave another rule");
            });
        })
    }
}
