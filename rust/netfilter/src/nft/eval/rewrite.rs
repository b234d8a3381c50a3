//! What `set` statements write.

use super::Then;
use super::load::load;
use super::perform::address;
use crate::nft::Settable;
use crate::vm::{Frame, Locality};

/// Writes a value; a packet without the field ends the rule.
///
/// Source: net/netfilter/nft_meta.c, nft_ct.c, nft_payload.c, v6.12, the `_set_eval` functions.
pub(super) fn set(target: Settable, value: u128, frame: &mut Frame<'_>, locality: &impl Locality) -> Then {
    let low = u32::try_from(value & u128::from(u32::MAX)).expect("32 bits were kept");
    match target {
        Settable::Mark => frame.mark = low,
        Settable::CtMark => {
            if let Some(seen) = &mut frame.connection {
                seen.mark = low;
            }
        }
        field => {
            if load(&field.load(), frame, locality).is_none() {
                return Then::Unmet;
            }
            write(field, value, frame);
        }
    }
    Then::Next
}

fn write(field: Settable, value: u128, frame: &mut Frame<'_>) {
    let byte = u8::try_from(value & 0xff).expect("8 bits were kept");
    let port = u16::try_from(value & 0xffff).expect("16 bits were kept");
    match field {
        Settable::Dscp(_) => {
            let tos = frame.edits.tos.unwrap_or(frame.headers.tos);
            frame.edits.tos = Some(tos & 3 | byte << 2);
        }
        Settable::Ttl(_) => frame.edits.ttl = Some(byte),
        Settable::Saddr(family) => frame.headers.rewrite().src = address(family, value),
        Settable::Daddr(family) => frame.headers.rewrite().dst = address(family, value),
        Settable::Sport(_) | Settable::Dport(_) => {
            let headers = frame.headers.rewrite();
            *(if matches!(field, Settable::Sport(_)) { &mut headers.sport } else { &mut headers.dport }) =
                port;
            // A checksum of 0 means none; the kernel brings it up to date like another, and it is wrong then.
            headers.sound &= !headers.unsummed;
            headers.unsummed = false;
        }
        Settable::Mark | Settable::CtMark => unreachable!("no field of a header"),
    }
}
