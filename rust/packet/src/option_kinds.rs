//! Which kinds of TCP options a header carries.

/// A set of kinds of TCP options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionKinds([u64; 4]);

impl OptionKinds {
    /// The kinds that a walk over the options of a TCP header meets.
    ///
    /// The end of the list (0) does not end the walk, and a length of 0 is taken for 1.
    /// Source: net/netfilter/xt_tcpudp.c, v6.12, `tcp_find_option`.
    pub fn of(options: &[u8]) -> OptionKinds {
        let mut kinds = OptionKinds::default();
        let mut at = 0;
        while let Some(kind) = options.get(at) {
            kinds.insert(*kind);
            let len =
                if *kind < 2 { 1 } else { options.get(at + 1).map_or(1, |len| usize::from(*len).max(1)) };
            at += len;
        }
        kinds
    }

    /// Whether `kind` is in it.
    pub fn contains(self, kind: u8) -> bool {
        self.0[usize::from(kind >> 6)] >> (kind & 63) & 1 == 1
    }

    /// Puts `kind` in.
    pub fn insert(&mut self, kind: u8) {
        self.0[usize::from(kind >> 6)] |= 1 << (kind & 63);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(options: &[u8]) -> Vec<u8> {
        let kinds = OptionKinds::of(options);
        (0..=255).filter(|kind| kinds.contains(*kind)).collect()
    }

    #[test]
    fn a_walk_goes_on_behind_the_end_of_the_list_and_over_lengths_of_zero() {
        assert_eq!(kinds(&[]), []);
        assert_eq!(kinds(&[2, 4, 5, 180, 1, 1, 4, 2]), [1, 2, 4]);
        assert_eq!(kinds(&[0, 254, 4, 9, 9, 4, 2, 0]), [0, 4, 254]);
        assert_eq!(kinds(&[7, 0, 3, 3]), [0, 3, 7], "a length of 0 moves by one byte");
        assert_eq!(kinds(&[3, 200, 8]), [3], "a length beyond the header ends the walk");
    }
}
