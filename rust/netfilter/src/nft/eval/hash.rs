//! `jhash`: a number from values, the same for the same seed on every boot.
//!
//! Source: net/netfilter/nft_hash.c, v6.12, `nft_jhash_eval`; <https://burtleburtle.net/bob/c/lookup3.c> (public domain),
//! `hashlittle`, as include/linux/jhash.h has it.

use crate::nft::Type;

/// Values as they lie in the kernel's registers: in the byte order of the wire, or of the host. Several stand each at a
/// place divisible by four.
pub(super) fn bytes(kinds: &[Type], values: &[u128]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, value) in kinds.iter().zip(values) {
        let wire = value.to_be_bytes();
        match kind {
            Type::Ipv4Addr => bytes.extend_from_slice(&wire[12..]),
            Type::Ipv6Addr | Type::IfName => bytes.extend_from_slice(&wire),
            Type::InetService => bytes.extend_from_slice(&wire[14..]),
            Type::InetProto
            | Type::IcmpType
            | Type::Icmpv6Type
            | Type::TcpFlag
            | Type::Dscp
            | Type::CtDir => {
                bytes.push(wire[15]);
            }
            Type::Mark
            | Type::CtState
            | Type::CtStatus
            | Type::FibAddrType
            | Type::NfProto
            | Type::Time
            | Type::Integer => bytes.extend(wire[12..].iter().rev()),
        }
        if kinds.len() > 1 {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    }
    bytes
}

/// The hash of some bytes.
pub(super) fn jhash(mut bytes: &[u8], seed: u32) -> u32 {
    let length = u32::try_from(bytes.len()).expect("a key is short");
    let mut state = [0xdead_beef_u32.wrapping_add(length).wrapping_add(seed); 3];
    while bytes.len() > 12 {
        add(&mut state, &bytes[..12]);
        mix(&mut state);
        bytes = &bytes[12..];
    }
    if !bytes.is_empty() {
        add(&mut state, bytes);
        finish(&mut state);
    }
    state[2]
}

fn add(state: &mut [u32; 3], bytes: &[u8]) {
    let mut padded = [0; 12];
    padded[..bytes.len()].copy_from_slice(bytes);
    for (word, four) in state.iter_mut().zip(padded.chunks_exact(4)) {
        *word = word.wrapping_add(u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    }
}

fn mix([a, b, c]: &mut [u32; 3]) {
    for (turn_a, turn_b, turn_c) in [(4, 6, 8), (16, 19, 4)] {
        *a = a.wrapping_sub(*c) ^ c.rotate_left(turn_a);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(turn_b);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(turn_c);
        *b = b.wrapping_add(*a);
    }
}

fn finish([a, b, c]: &mut [u32; 3]) {
    let fold = |x: u32, y: u32, turn| (x ^ y).wrapping_sub(y.rotate_left(turn));
    *c = fold(*c, *b, 14);
    *a = fold(*a, *c, 11);
    *b = fold(*b, *a, 25);
    *c = fold(*c, *b, 16);
    *a = fold(*a, *c, 4);
    *b = fold(*b, *a, 14);
    *c = fold(*c, *b, 24);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: the self-test of lookup3.c, `driver5`; its seed is counted in as the kernel's is.
    #[test]
    fn the_hash_is_lookup3s() {
        assert_eq!(jhash(b"", 0), 0xdead_beef);
        assert_eq!(jhash(b"", 0xdead_beef), 0xbd5b_7dde);
        assert_eq!(jhash(b"Four score and seven years ago", 0), 0x1777_0551);
        assert_eq!(jhash(b"Four score and seven years ago", 1), 0xcd62_8161);
    }
}
