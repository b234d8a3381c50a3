//! The honest evaluator: from rule to rule, as the kernel does.

use super::head::{HeadsOf, Packed};
use super::walk::Find;
use crate::{Chain, ChainId};

/// Looks at every head in turn.
pub(super) struct Scan;

impl<A: HeadsOf> Find<A> for Scan {
    #[inline]
    fn find(&mut self, _: ChainId, chain: &Chain, from: usize, packet: &Packed<A>) -> Option<usize> {
        let heads = A::of_chain(&chain.heads).get(from..)?;
        heads.iter().position(|head| head.passes(packet)).map(|skip| from + skip)
    }
}
