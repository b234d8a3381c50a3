//! What a tuple is in the index: 96 bits and a class, compared in one go.

use std::net::IpAddr;

use kdp_packet::{Proto, Tuple};

/// A tuple as a slot holds it.
///
/// IPv4 in zone 0 is held whole: it is *narrow*. Of every other tuple there is a fingerprint, and whoever finds one looks at
/// the tuple itself: it is *wide*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Source address in the low half, destination address in the high one.
    pub(crate) addrs: u64,
    /// Source port in bits 0..16, destination port in 16..32, class in 32..35.
    pub(crate) rest: u64,
}

/// The bits of [`Key::rest`] that a slot is compared by.
pub(super) const REST: u64 = 0x7_ffff_ffff;

/// No key: what a free slot holds.
pub(super) const FREE: u64 = 0;
const TCP: u8 = 1;
const UDP: u8 = 2;
const ICMP: u8 = 3;
const SCTP: u8 = 4;
const WIDE: u8 = 5;

/// The class of every protocol number, of a narrow tuple.
const CLASSES: [u8; 256] = {
    let mut classes = [WIDE; 256];
    classes[Proto::TCP.0 as usize] = TCP;
    classes[Proto::UDP.0 as usize] = UDP;
    classes[Proto::ICMP.0 as usize] = ICMP;
    classes[Proto::SCTP.0 as usize] = SCTP;
    classes
};

impl Key {
    /// The key of a tuple.
    pub(crate) fn of(tuple: &Tuple) -> Key {
        match (tuple.src, tuple.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) if tuple.zone == 0 => {
                let key = Key::narrow(src.into(), dst.into(), tuple.sport, tuple.dport, tuple.proto.0);
                if key.is_wide() { Key::wide(tuple) } else { key }
            }
            _ => Key::wide(tuple),
        }
    }

    /// The key of an IPv4 tuple in zone 0. One whose protocol has no class of its own is wide, and has no key by this way.
    #[inline(always)]
    pub(crate) fn narrow(src: u32, dst: u32, sport: u16, dport: u16, proto: u8) -> Key {
        Key {
            addrs: u64::from(src) | u64::from(dst) << 32,
            rest: u64::from(sport) | u64::from(dport) << 16 | u64::from(CLASSES[usize::from(proto)]) << 32,
        }
    }

    /// Whether it is a fingerprint.
    #[inline(always)]
    pub(crate) fn is_wide(self) -> bool {
        self.rest >> 32 == u64::from(WIDE)
    }

    fn wide(tuple: &Tuple) -> Key {
        let digest = tuple.digest();
        Key { addrs: digest, rest: fold(digest, SECOND) & 0xffff_ffff | u64::from(WIDE) << 32 }
    }

    /// Where it is to be looked for, as a fraction of 2^64.
    #[inline(always)]
    pub(crate) fn hash(self) -> u64 {
        fold(fold(self.addrs ^ FIRST, self.rest ^ SECOND), THIRD)
    }
}

/// Where else, once the first line had no room.
#[inline(always)]
pub(super) fn second(hash: u64) -> u64 {
    hash.wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(32)
}

const FIRST: u64 = 0xa076_1d64_78bd_642f;
const SECOND: u64 = 0xe703_7ed1_a0b4_28db;
const THIRD: u64 = 0x8ebc_6af0_9c88_c6e3;

/// Both halves of a product, folded: two rounds leave no more keys outside of their first line than chance does.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are folded in")]
    {
        product as u64 ^ (product >> 64) as u64
    }
}
