//! Network address translation: what a new connection is translated to, and the rewriting of packets.
//!
//! Only the first packet of a connection consults rules. [`setup`] then changes its reply tuple; every later packet is
//! rewritten from the two tuples alone ([`translate`]), whatever the rules say by then.
//!
//! Source: Linux 6.18, `net/netfilter/nf_nat_core.c`, `nf_nat_proto.c`, `nf_nat_masquerade.c`.

mod jhash;
mod masquerade;
mod ports;
mod select;
mod setup;
mod translate;

use kdp_sim::Draw;

pub use masquerade::masquerade;
pub use setup::{is_done, null_binding, setup};
pub use translate::{Untranslatable, translate};

#[cfg(test)]
mod tests;

/// Which end of a packet is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manip {
    /// The source: POSTROUTING and INPUT.
    Src,
    /// The destination: PREROUTING and OUTPUT.
    Dst,
}

impl Manip {
    /// The other end.
    #[must_use]
    pub const fn flip(self) -> Manip {
        match self {
            Manip::Src => Manip::Dst,
            Manip::Dst => Manip::Src,
        }
    }
}

/// Where random ports come from.
pub trait PortDraw {
    /// A number below `bound`, which is not zero.
    fn below(&mut self, bound: u32) -> u32;
}

impl PortDraw for Draw {
    fn below(&mut self, bound: u32) -> u32 {
        Draw::below(self, bound)
    }
}
