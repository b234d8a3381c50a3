//! `-m set`: whether a packet is in a set of ipset.

use std::sync::Arc;

use smallvec::SmallVec;

/// For each part of a set's elements, whether it is taken from the packet's source.
pub type SetSides = SmallVec<[bool; 4]>;

/// `-m set --match-set SET src,dst`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetTest {
    /// The set's name.
    pub set: Arc<str>,
    /// Which side each part is taken from; at most [`SetTest::SIDES_MAX`].
    pub sides: SetSides,
    /// `!`: the result turned round.
    pub invert: bool,
}

impl SetTest {
    /// Source: include/uapi/linux/netfilter/ipset/ip_set.h, `IPSET_DIM_MAX`.
    pub const SIDES_MAX: usize = 6;
}
