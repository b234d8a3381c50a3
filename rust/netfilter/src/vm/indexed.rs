//! The quick evaluator: looks up which rules of a chain can match, and visits those alone, in order.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::head::{Exact, HeadsOf, Packed};
use super::walk::Find;
use crate::{Chain, ChainId};

/// Chains shorter than this are walked: a look at a few heads costs less than a lookup.
const RULES_MIN: usize = 8;

/// Indexes of the chains of one rule set, made when a chain is first walked and again when it changed.
#[derive(Clone, Debug)]
pub(crate) struct Indexes<A> {
    chains: Vec<Option<(u64, Index<A>)>>,
}

impl<A> Default for Indexes<A> {
    fn default() -> Indexes<A> {
        Indexes { chains: Vec::new() }
    }
}

/// The rules of a chain by the fields that must equal one value each.
#[derive(Clone, Debug)]
struct Index<A> {
    /// By which of the fields are given, see [`shape`].
    shapes: Vec<Shape<A>>,
}

/// Which fields are given, and the places of the rules by the values that they must have.
type Shape<A> = (u8, HashMap<Exact<A>, Vec<u32>, FixedState>);

impl<A: HeadsOf> Index<A> {
    fn new(chain: &Chain) -> Index<A> {
        let mut index = Index { shapes: Vec::new() };
        for (place, head) in A::of_chain(&chain.heads).iter().enumerate() {
            let exact = head.exact();
            let shape = shape(&exact);
            let at = index.shapes.iter().position(|(other, _)| *other == shape).unwrap_or_else(|| {
                index.shapes.push((shape, HashMap::default()));
                index.shapes.len() - 1
            });
            let place = u32::try_from(place).expect("fewer than 2^32 rules in a chain");
            index.shapes[at].1.entry(exact).or_default().push(place);
        }
        index
    }

    /// The first place, not before `from`, whose head passes.
    fn find(&self, chain: &Chain, from: usize, packet: &Packed<A>) -> Option<usize> {
        let heads = A::of_chain(&chain.heads);
        let from = u32::try_from(from).expect("fewer than 2^32 rules in a chain");
        let first = |(shape, places): &Shape<A>| {
            let places = places.get(&of_shape(*shape, packet))?;
            let behind = places.partition_point(|place| *place < from);
            places[behind..].iter().copied().find(|place| heads[*place as usize].passes(packet))
        };
        self.shapes.iter().filter_map(first).min().map(|place| place as usize)
    }
}

/// Which fields are given, as bits.
fn shape<A>(exact: &Exact<A>) -> u8 {
    u8::from(exact.dst.is_some())
        | u8::from(exact.src.is_some()) << 1
        | u8::from(exact.proto.is_some()) << 2
        | u8::from(exact.dport.is_some()) << 3
}

/// The packet's values of the fields that `shape` has.
fn of_shape<A: HeadsOf>(shape: u8, packet: &Packed<A>) -> Exact<A> {
    let has = |bit: u8| shape >> bit & 1 == 1;
    Exact {
        dst: has(0).then_some(packet.dst),
        src: has(1).then_some(packet.src),
        proto: has(2).then_some(packet.proto),
        dport: has(3).then_some(packet.dport),
    }
}

impl<A: HeadsOf> Find<A> for Indexes<A> {
    fn find(&mut self, id: ChainId, chain: &Chain, from: usize, packet: &Packed<A>) -> Option<usize> {
        if chain.rules().len() < RULES_MIN {
            let heads = A::of_chain(&chain.heads).get(from..)?;
            return heads.iter().position(|head| head.passes(packet)).map(|skip| from + skip);
        }
        if id.index() >= self.chains.len() {
            self.chains.resize_with(id.index() + 1, || None);
        }
        let kept = &mut self.chains[id.index()];
        if kept.as_ref().is_none_or(|(version, _)| *version != chain.version()) {
            *kept = Some((chain.version(), Index::new(chain)));
        }
        let (_, index) = kept.as_ref().expect("the index was just made");
        index.find(chain, from, packet)
    }
}
