//! The Internet checksum, whole and by difference.

use std::net::IpAddr;

use crate::Proto;

/// The ones' complement sum of `bytes`, folded but not complemented; an odd last byte is the high half of a word.
/// Source: RFC 1071.
pub(crate) fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    fold(words.fold(0u64, |total, word| total + u64::from(word)))
}

#[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits before")]
fn fold(mut total: u64) -> u32 {
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u32
}

/// The Internet checksum of `bytes`.
#[expect(clippy::cast_possible_truncation, reason = "a folded sum has 16 bits")]
pub fn internet_checksum(bytes: &[u8]) -> u16 {
    !(sum(bytes) as u16)
}

/// The sum of the pseudo header of TCP, UDP and `ICMPv6`.
/// Source: RFC 793 section 3.1, RFC 8200 section 8.1.
pub(crate) fn pseudo_header(src: IpAddr, dst: IpAddr, proto: Proto, len: usize) -> u32 {
    let addr = |addr: IpAddr| match addr {
        IpAddr::V4(a) => sum(&a.octets()),
        IpAddr::V6(a) => sum(&a.octets()),
    };
    fold(u64::from(addr(src)) + u64::from(addr(dst)) + u64::from(proto.0) + len as u64)
}

/// The checksum of a transport segment under its pseudo header.
#[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits")]
pub(crate) fn transport_checksum(src: IpAddr, dst: IpAddr, proto: Proto, segment: &[u8]) -> u16 {
    let pseudo = if proto == Proto::ICMP { 0 } else { pseudo_header(src, dst, proto, segment.len()) };
    !(fold(u64::from(pseudo) + u64::from(sum(segment))) as u16)
}

/// The checksum after one 16-bit word under it went from `old` to `new`.
/// Source: RFC 1624, equation 3. A wrong checksum stays wrong by the same amount, as in the kernel.
#[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits")]
pub fn replace_word(checksum: u16, old: u16, new: u16) -> u16 {
    !(fold(u64::from(!checksum) + u64::from(!old) + u64::from(new)) as u16)
}
