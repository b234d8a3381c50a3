//! The maximum segment size option of a SYN, in its bytes.

use super::checksum::replace_word;
use super::parse::{Malformed, locate};
use crate::Proto;

/// Puts the option behind the header of a TCP segment that has none; the packet grows by four bytes.
///
/// Source: Linux `tcpmss_mangle_packet` (net/netfilter/xt_TCPMSS.c), v6.12: in front of other options.
pub fn add_mss(bytes: &mut Vec<u8>, mss: u16) -> Result<(), Malformed> {
    let (headers, layout) = locate(bytes)?;
    if headers.proto != Proto::TCP || layout.transport + 20 > layout.end {
        return Err(Malformed::Truncated);
    }
    let (at, length) = (layout.transport, layout.end - layout.transport);
    let [high, low] = mss.to_be_bytes();
    bytes.splice(at + 20..at + 20, [2, 4, high, low]);
    let old = word(bytes, at + 12);
    let new = old + (1 << 12);
    bytes[at + 12..at + 14].copy_from_slice(&new.to_be_bytes());
    let length = u16::try_from(length).map_err(|_| Malformed::Truncated)?;
    for (old, new) in [(old, new), (length, length + 4), (0, 0x0204), (0, mss)] {
        replace(bytes, at + 16, old, new);
    }
    let (length_at, sum_at) = if headers.src.is_ipv4() { (2, Some(10)) } else { (4, None) };
    let old = word(bytes, length_at);
    bytes[length_at..length_at + 2].copy_from_slice(&(old + 4).to_be_bytes());
    if let Some(sum_at) = sum_at {
        replace(bytes, sum_at, old, old + 4);
    }
    Ok(())
}

/// Where the value of the option is in a TCP header, if it has one.
pub(super) fn mss_at(header: &[u8]) -> Option<usize> {
    let mut at = 20;
    loop {
        match *header.get(at..)? {
            [0, ..] | [] => return None,
            [1, ..] => at += 1,
            [2, 4, _, _, ..] => return Some(at + 2),
            [_, length, ..] if length >= 2 => at += usize::from(length),
            _ => return None,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn replace(bytes: &mut [u8], sum_at: usize, old: u16, new: u16) {
    let sum = replace_word(word(bytes, sum_at), old, new);
    bytes[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
}
