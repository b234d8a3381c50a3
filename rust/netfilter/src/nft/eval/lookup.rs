//! Values of expressions, and what sets and maps give for them.

use super::Walker;
use super::hash;
use super::load::load;
use super::state::Meter;
use crate::nft::ruleset::Key;
use crate::nft::text::kinds;
use crate::nft::{CtField, Data, Element, Expr, Load, SetRef};
use crate::vm::{Choose, Frame, Locality};

use super::trace::Listen;

impl<L: Locality, C: Choose, T: Listen> Walker<'_, '_, L, C, T> {
    /// The values of an expression; `None` ends the rule.
    pub(super) fn values(&mut self, expr: &Expr, meter: &mut Meter, frame: &Frame<'_>) -> Option<Key> {
        let mut key = Key::new();
        self.push(expr, meter, frame, &mut key)?;
        Some(key)
    }

    fn push(&mut self, expr: &Expr, meter: &mut Meter, frame: &Frame<'_>, key: &mut Key) -> Option<()> {
        match expr {
            Expr::Load(Load::NumgenRandom { modulus, offset }) => {
                frame.varies.set(true);
                key.push(u128::from(self.around.choose.below(*modulus)) + u128::from(*offset));
            }
            Expr::Load(Load::NumgenInc { modulus, offset }) => {
                frame.varies.set(true);
                key.push(u128::from(self.around.state.turn(meter, *modulus)) + u128::from(*offset));
            }
            Expr::Load(Load::Jhash { of, modulus, seed, offset }) => {
                let values = self.values(of, meter, frame)?;
                // DEVIATION(nft-jhash-seed): a rule without a seed has the number of the rule for one.
                let seed = seed.unwrap_or_else(|| u32::try_from(meter.owner % 0xffff_fffb).unwrap_or(0));
                let hash = hash::jhash(&hash::bytes(&kinds(of), &values), seed);
                key.push(((u128::from(hash) * u128::from(*modulus)) >> 32) + u128::from(*offset));
            }
            Expr::Load(each) => {
                if !is_alike(each) {
                    frame.varies.set(true);
                }
                key.push(load(each, frame, self.around.locality)?);
            }
            Expr::Value(_, value) => key.push(*value),
            Expr::Bits { of, mask, xor } => {
                let value = self.values(of, meter, frame)?[0];
                key.push(value & u128::from(*mask) ^ u128::from(*xor));
            }
            Expr::Concat(parts) => {
                parts.iter().try_for_each(|part| self.push(part, meter, frame, key))?;
            }
            Expr::Map { key: of, map } => {
                let of = self.values(of, meter, frame)?;
                match self.mapped(&map.set, &of, frame)? {
                    Data::Values(spans) => key.extend(spans.iter().map(|span| span.first)),
                    Data::Verdict(_) => unreachable!("a verdict map is not asked for values"),
                }
            }
        }
        Some(())
    }

    /// Whether a set has the key.
    pub(super) fn contains(&self, set: &SetRef, key: &[u128], frame: &Frame<'_>) -> bool {
        match set {
            SetRef::Anonymous(elements) => find(elements, key).is_some(),
            SetRef::Named(name) => {
                let (number, content) = self.home.set_named(name).expect("a set that a rule asks is there");
                frame.varies.set(frame.varies.get() || !content.set.flags.constant);
                self.around.state.has(number, content, key, frame.now)
            }
        }
    }

    /// What a map gives for the key.
    pub(super) fn mapped(&self, set: &SetRef, key: &[u128], frame: &Frame<'_>) -> Option<Data> {
        match set {
            SetRef::Anonymous(elements) => find(elements, key)?.data.clone(),
            SetRef::Named(name) => {
                let (_, content) = self.home.set_named(name).expect("a map that a rule asks is there");
                frame.varies.set(frame.varies.get() || content.set.flags.timeout);
                let stored = content.elements.lookup(key).filter(|stored| stored.is_alive(frame.now))?;
                stored.element.data.clone()
            }
        }
    }
}

/// Whether the value is the same for every further segment of an established flow.
fn is_alike(load: &Load) -> bool {
    matches!(
        load,
        Load::Saddr(_)
            | Load::Daddr(_)
            | Load::Protocol(_)
            | Load::Sport(_)
            | Load::Dport(_)
            | Load::L4Proto
            | Load::NfProto
            | Load::Mark
            | Load::InDevice
            | Load::OutDevice
            | Load::FibSaddrType
            | Load::FibDaddrType
            | Load::Ct(
                CtField::State
                    | CtField::Status
                    | CtField::Mark
                    | CtField::Direction
                    | CtField::Saddr(..)
                    | CtField::Daddr(..)
                    | CtField::ProtoSrc(_)
                    | CtField::ProtoDst(_)
            )
    )
}

/// The element of a rule's own set. Where elements are numbered from 0, as `numgen` maps are, the first look finds it.
fn find<'e>(elements: &'e [Element], key: &[u128]) -> Option<&'e Element> {
    let holds = |each: &&Element| each.key.iter().zip(key).all(|(span, value)| span.contains(*value));
    let guess = usize::try_from(key[0]).ok().and_then(|place| elements.get(place)).filter(holds);
    guess.or_else(|| elements.iter().find(holds))
}
