//! Carries what translation and forwarding changed in [`Headers`] back into the bytes.
//!
//! Checksums are brought up to date by difference, as the kernel does: one that was wrong stays wrong.

use std::net::IpAddr;

use thiserror::Error;

use super::build::checksum_offset;
use super::checksum::replace_word;
use super::mss::mss_at;
use super::parse::{Malformed, locate, quoted_transport};
use super::sctp;
use crate::{Headers, Proto};

/// Why bytes could not be patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatchError {
    /// They are no packet.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The transport header is cut off, so a port cannot be changed in it.
    #[error("the transport header is cut off")]
    Truncated,
}

/// Makes `bytes` (a packet whose headers are `parse(bytes)`) say what `after` says: addresses, ports or ICMP id, TTL, type
/// of service, an MSS that was there before, and the quoted packet of an ICMP error.
pub fn patch(bytes: &mut [u8], after: &Headers) -> Result<(), PatchError> {
    let (before, layout) = locate(bytes)?;
    let end = layout.end;
    // A UDP packet without a checksum gets none, unless its headers say that it has one now.
    let summed = before.unsummed && !after.unsummed;
    let sum_at = if summed { Some(6) } else { transport_sum(before.proto, &bytes[layout.transport..end]) };
    let sum_at = sum_at.map(|at| layout.transport + at);
    let pseudo = sum_at.filter(|_| before.proto != Proto::ICMP);
    addresses(bytes, &before, after, pseudo);
    if let Some(quoted) = after.quoted.as_deref() {
        let outer = before.quoted.as_deref().ok_or(PatchError::Truncated)?;
        if quoted.tuple != outer.tuple {
            quoted_packet(&mut bytes[layout.transport..end], quoted)?;
        }
    } else {
        ports(bytes, &before, after, layout.transport, sum_at)?;
    }
    if before.proto == Proto::SCTP && before.tuple(0) != after.tuple(0) {
        sctp::seal(&mut bytes[layout.transport..end]);
    }
    if let Some(mss) = after.tcp.and_then(|tcp| tcp.options.mss)
        && before.tcp.and_then(|tcp| tcp.options.mss) != Some(mss)
    {
        let header = &bytes[layout.transport..end];
        let at = layout.transport + mss_at(header).ok_or(PatchError::Truncated)?;
        odd_word(bytes, at, layout.transport, mss, sum_at.expect("TCP has a checksum"));
    }
    ttl(bytes, after.ttl);
    tos(bytes, after.tos);
    Ok(())
}

/// Writes a word that may stand at an odd place behind `from`, where checksums count from.
fn odd_word(bytes: &mut [u8], at: usize, from: usize, value: u16, sum_at: usize) {
    let start = at - (at - from) % 2;
    let mut new = bytes[start..at].to_vec();
    new.extend(value.to_be_bytes());
    new.extend(bytes.get(at + 2).filter(|_| start != at));
    words(bytes, start, &new, &[sum_at]);
}

/// The second byte of an IPv4 header; in IPv6 it stands half in the first byte and half in the second.
fn tos(bytes: &mut [u8], tos: u8) {
    if bytes[0] >> 4 == 6 {
        bytes[0] = bytes[0] & 0xf0 | tos >> 4;
        bytes[1] = bytes[1] & 0x0f | tos << 4;
    } else if bytes[1] != tos {
        let first = bytes[0];
        words(bytes, 0, &[first, tos], &[10]);
    }
}

/// Where the transport checksum is, if there is one to keep: a UDP checksum of 0 means none.
fn transport_sum(proto: Proto, segment: &[u8]) -> Option<usize> {
    let at = checksum_offset(proto).filter(|at| at + 2 <= segment.len())?;
    let none = proto == Proto::UDP && segment[at..at + 2] == [0, 0];
    (!none).then_some(at)
}

fn addresses(bytes: &mut [u8], before: &Headers, after: &Headers, pseudo: Option<usize>) {
    let (src_at, dst_at, ip_sum) = if before.src.is_ipv4() { (12, 16, Some(10)) } else { (8, 24, None) };
    for (at, old, new) in [(src_at, before.src, after.src), (dst_at, before.dst, after.dst)] {
        if old != new {
            let sums: Vec<usize> = ip_sum.into_iter().chain(pseudo).collect();
            match new {
                IpAddr::V4(a) => words(bytes, at, &a.octets(), &sums),
                IpAddr::V6(a) => words(bytes, at, &a.octets(), &sums),
            }
        }
    }
}

fn ports(
    bytes: &mut [u8],
    before: &Headers,
    after: &Headers,
    transport: usize,
    sum_at: Option<usize>,
) -> Result<(), PatchError> {
    let places: [(usize, u16, u16); 2] = if before.proto.is_icmp() {
        [(4, before.sport, after.sport), (0, before.dport, after.dport)]
    } else {
        [(0, before.sport, after.sport), (2, before.dport, after.dport)]
    };
    for (at, old, new) in places {
        if old != new {
            if transport + at + 2 > bytes.len() {
                return Err(PatchError::Truncated);
            }
            words(bytes, transport + at, &new.to_be_bytes(), sum_at.as_slice());
        }
    }
    Ok(())
}

/// Translates the packet inside an ICMP error, and brings the error's own checksum up to date.
///
/// Source: Linux `nf_nat_icmp_reply_translation`: the inner transport checksum is updated where it is quoted, and the
/// outer ICMP checksum is computed anew.
fn quoted_packet(icmp: &mut [u8], after: &crate::Quoted) -> Result<(), PatchError> {
    let before = icmp.to_vec();
    let inner = &mut icmp[8..];
    let v4 = after.tuple.src.is_ipv4();
    let header_len = if v4 { usize::from(inner[0] & 15) * 4 } else { quoted_transport(inner) };
    let mut old = Headers::plain(after.tuple.proto, (address(inner, v4, 0), 0), (address(inner, v4, 1), 0));
    let mut new = old.clone();
    (new.src, new.dst) = (after.tuple.src, after.tuple.dst);
    let segment = inner.get(header_len..).ok_or(PatchError::Truncated)?;
    let sum_at = transport_sum(old.proto, segment).map(|at| header_len + at);
    if segment.len() >= 8 {
        let word = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
        (old.sport, old.dport) = if old.proto.is_icmp() { (word(4), word(0)) } else { (word(0), word(2)) };
        (new.sport, new.dport) = (after.tuple.sport, after.tuple.dport);
    }
    addresses(inner, &old, &new, sum_at.filter(|_| old.proto != Proto::ICMP));
    ports(inner, &old, &new, header_len, sum_at)?;
    refresh_sum(icmp, &before, 2);
    Ok(())
}

fn address(packet: &[u8], v4: bool, which: usize) -> IpAddr {
    if v4 {
        let at = 12 + 4 * which;
        IpAddr::from([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
    } else {
        let at = 8 + 16 * which;
        IpAddr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).expect("sixteen bytes"))
    }
}

/// Updates the checksum at `sum_at` for every word in which `bytes` differs from `before`.
fn refresh_sum(bytes: &mut [u8], before: &[u8], sum_at: usize) {
    let word =
        |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes.get(at + 1).copied().unwrap_or(0)]);
    let mut checksum = word(before, sum_at);
    for at in (0..bytes.len()).step_by(2).filter(|at| *at != sum_at) {
        let (old, new) = (word(before, at), word(bytes, at));
        if old != new {
            checksum = replace_word(checksum, old, new);
        }
    }
    bytes[sum_at..sum_at + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn ttl(bytes: &mut [u8], ttl: u8) {
    if bytes[0] >> 4 == 6 {
        bytes[7] = ttl;
    } else if bytes[8] != ttl {
        let protocol = bytes[9];
        words(bytes, 8, &[ttl, protocol], &[10]);
    }
}

/// Writes `new` (an even number of bytes) at `at`, and updates each checksum in `sums` for it.
fn words(bytes: &mut [u8], at: usize, new: &[u8], sums: &[usize]) {
    for (i, pair) in new.chunks_exact(2).enumerate() {
        let at = at + 2 * i;
        let (old, new) =
            (u16::from_be_bytes([bytes[at], bytes[at + 1]]), u16::from_be_bytes([pair[0], pair[1]]));
        bytes[at..at + 2].copy_from_slice(pair);
        for &sum in sums {
            let checksum = replace_word(u16::from_be_bytes([bytes[sum], bytes[sum + 1]]), old, new);
            bytes[sum..sum + 2].copy_from_slice(&checksum.to_be_bytes());
        }
    }
}
