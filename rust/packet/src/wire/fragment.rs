//! Fragments: what each carries, and how a whole packet is cut into them.

use std::net::IpAddr;

use super::checksum::internet_checksum;
use super::parse::Malformed;
use crate::Proto;

/// What tells the fragments of one packet from those of others. Source: RFC 791 section 3.2, RFC 8200 section 4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FragmentKey {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Identification.
    pub id: u32,
    /// Protocol; 0 in IPv6, where it does not count.
    pub proto: Proto,
}

/// One fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which packet it belongs to.
    pub key: FragmentKey,
    /// Where its payload begins in the packet's, in bytes.
    pub offset: usize,
    /// Whether others follow behind it.
    pub more: bool,
    /// IPv4's "do not fragment".
    pub df: bool,
    /// Its headers, as the whole packet has them: without a fragment header.
    pub header: Vec<u8>,
    /// What it carries.
    pub payload: Vec<u8>,
    /// Its size as it came, headers included.
    pub size: usize,
}

/// Reads a fragment; `None` for a packet that is whole. An IPv6 fragment that is the only one (RFC 6946) is a fragment too.
pub fn fragment(bytes: &[u8]) -> Result<Option<Piece>, Malformed> {
    match bytes.first().ok_or(Malformed::Truncated)? >> 4 {
        4 => v4(bytes),
        6 => Ok(v6(bytes)),
        _ => Err(Malformed::Version),
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn v4(bytes: &[u8]) -> Result<Option<Piece>, Malformed> {
    let headers = super::parse(bytes)?;
    if !headers.fragment.mf && headers.fragment.offset == 0 {
        return Ok(None);
    }
    let (header_len, end) = (usize::from(bytes[0] & 15) * 4, usize::from(headers.length));
    let mut header = bytes[..header_len].to_vec();
    header[6..8].fill(0);
    Ok(Some(Piece {
        key: FragmentKey { src: headers.src, dst: headers.dst, id: headers.id.into(), proto: headers.proto },
        offset: headers.fragment.offset.into(),
        more: headers.fragment.mf,
        df: headers.fragment.df,
        header,
        payload: bytes[header_len..end].to_vec(),
        size: end,
    }))
}

/// Where the fragment header is, and the byte before it that says so.
fn fragment_header(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut at, mut kind_at) = (40, 6);
    loop {
        match bytes.get(kind_at)? {
            44 => return (at + 8 <= bytes.len()).then_some((at, kind_at)),
            0 | 43 | 60 => (kind_at, at) = (at, at + (usize::from(*bytes.get(at + 1)?) + 1) * 8),
            _ => return None,
        }
    }
}

fn v6(bytes: &[u8]) -> Option<Piece> {
    let (at, kind_at) = fragment_header(bytes)?;
    let headers = super::parse(bytes).ok()?;
    let end = 40 + usize::from(word(bytes, 4));
    if at + 8 > end {
        return None;
    }
    let place = word(bytes, at + 2);
    let mut header = bytes[..at].to_vec();
    header[kind_at] = bytes[at];
    let id = u32::from_be_bytes([bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7]]);
    Some(Piece {
        key: FragmentKey { src: headers.src, dst: headers.dst, id, proto: Proto(0) },
        offset: usize::from(place & !7),
        more: place & 1 == 1,
        df: false,
        header,
        payload: bytes[at + 8..end].to_vec(),
        size: end,
    })
}

/// The whole packet of a first fragment's headers and all that was carried; `None` above 65535 bytes.
pub fn whole(header: &[u8], payload: &[u8], df: bool) -> Option<Vec<u8>> {
    let mut bytes = [header, payload].concat();
    if header[0] >> 4 == 6 {
        let length = u16::try_from(bytes.len() - 40).ok()?;
        bytes[4..6].copy_from_slice(&length.to_be_bytes());
    } else {
        let length = u16::try_from(bytes.len()).ok()?;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[6] = if df { 0x40 } else { 0 };
        seal(&mut bytes, header.len());
    }
    Some(bytes)
}

fn seal(bytes: &mut [u8], header_len: usize) {
    bytes[10..12].fill(0);
    let sum = internet_checksum(&bytes[..header_len]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Cuts a whole packet: `sizes` are the bytes that each fragment carries, all but the last multiples of eight. `id` is the
/// identification of IPv6 fragments, which whole packets do not have.
///
/// Source: Linux `ip_do_fragment`, `ip_options_fragment`, `ip6_fragment`, v6.12: options without the copied bit stand in the
/// first fragment alone, padding in their place in others; IPv6 extension headers of a whole packet stand in all.
pub fn cut(bytes: &[u8], header_len: usize, sizes: &[usize], id: u32) -> Vec<Vec<u8>> {
    let mut offset = 0;
    let one = |size: &usize| {
        let payload = &bytes[header_len + offset..header_len + offset + size];
        let more = header_len + offset + size < bytes.len();
        let made = if bytes[0] >> 4 == 6 {
            cut_v6(&bytes[..header_len], payload, offset, more, id)
        } else {
            cut_v4(&bytes[..header_len], payload, offset, more)
        };
        offset += size;
        made
    };
    sizes.iter().map(one).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "fragments are shorter than the packet, which has 65535 bytes at most"
)]
fn cut_v4(header: &[u8], payload: &[u8], offset: usize, more: bool) -> Vec<u8> {
    let mut made = [header, payload].concat();
    let length = made.len() as u16;
    made[2..4].copy_from_slice(&length.to_be_bytes());
    let place = (offset / 8) as u16 | u16::from(more) << 13;
    made[6..8].copy_from_slice(&place.to_be_bytes());
    if offset > 0 {
        pad_options(&mut made[20..header.len()]);
    }
    seal(&mut made, header.len());
    made
}

fn pad_options(mut options: &mut [u8]) {
    while let [kind, rest @ ..] = &*options {
        let length = match (kind, rest.first()) {
            (0, _) => return,
            (1, _) => 1,
            (_, Some(length)) if (2..=options.len()).contains(&usize::from(*length)) => usize::from(*length),
            _ => return,
        };
        if *kind & 0x80 == 0 {
            options[..length].fill(1);
        }
        options = &mut options[length..];
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "fragments are shorter than the packet, which has 65535 bytes at most"
)]
fn cut_v6(header: &[u8], payload: &[u8], offset: usize, more: bool, id: u32) -> Vec<u8> {
    let mut kind_at = 6;
    let mut at = 40;
    while at < header.len() {
        (kind_at, at) = (at, at + (usize::from(header[at + 1]) + 1) * 8);
    }
    let mut made = header.to_vec();
    let kind = std::mem::replace(&mut made[kind_at], 44);
    made.extend([kind, 0]);
    made.extend((offset as u16 | u16::from(more)).to_be_bytes());
    made.extend(id.to_be_bytes());
    made.extend(payload);
    let length = (made.len() - 40) as u16;
    made[4..6].copy_from_slice(&length.to_be_bytes());
    made
}
