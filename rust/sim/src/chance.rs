//! Seeded chance without a state.
//!
//! A draw is a pure function of the seed and of what is drawn for: node, original tuple, virtual time, ordinal within the
//! packet. So the size of a batch, the order of threads and the platform change nothing.

use crate::Time;

/// A seed, mixed with the place that draws from it (a node, say).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    key: u64,
}

impl Chance {
    /// The chance of a run.
    pub const fn new(seed: u64) -> Chance {
        Chance { key: mix(seed ^ 0x9e37_79b9_7f4a_7c15) }
    }

    /// The chance of a place within the run: a node's name, a purpose.
    #[must_use]
    pub fn at(self, place: &str) -> Chance {
        let key = place.bytes().fold(self.key, |key, byte| mix(key ^ u64::from(byte)));
        Chance { key: mix(key ^ place.len() as u64) }
    }

    /// The draws of one packet: what it is (a digest of its original tuple) and when.
    pub fn packet(self, digest: u64, now: Time) -> Draw {
        Draw { key: mix(mix(self.key ^ digest) ^ now.as_nanos()), ordinal: 0 }
    }
}

/// The draws of one packet, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    key: u64,
    ordinal: u64,
}

impl Draw {
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.ordinal += 1;
        mix(self.key.wrapping_add(self.ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The next number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a draw needs something to draw from");
        (((self.next_u64() >> 32) * u64::from(bound)) >> 32) as u32
    }
}

/// A full-avalanche mix of 64 bits.
/// Source: the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_everything_it_is_drawn_for() {
        let of = |seed, place, digest, now| Chance::new(seed).at(place).packet(digest, Time(now)).next_u64();
        let base = of(1, "n1", 7, 0);
        assert_eq!(base, of(1, "n1", 7, 0));
        for other in [of(2, "n1", 7, 0), of(1, "n2", 7, 0), of(1, "n1", 8, 0), of(1, "n1", 7, 1)] {
            assert_ne!(base, other);
        }
        let mut draw = Chance::new(1).at("n1").packet(7, Time(0));
        assert_ne!(draw.next_u64(), draw.next_u64());
    }

    #[test]
    fn draws_below_a_bound_are_even() {
        let mut counts = [0u32; 3];
        for digest in 0..30_000 {
            counts[Chance::new(1).packet(digest, Time(0)).below(3) as usize] += 1;
        }
        assert!(counts.iter().all(|n| (9_700..10_300).contains(n)), "{counts:?}");
    }
}
