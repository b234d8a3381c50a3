//! SCTP: its chunks, and the CRC that covers the whole packet.

use crate::{Sctp, SctpChunk};

/// CRC-32C, reflected polynomial. Source: RFC 9260 appendix A.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

/// Where the checksum is.
const CHECKSUM: usize = 8;

/// The checksum of a packet, as if its own field were zero.
fn checksum(segment: &[u8]) -> [u8; 4] {
    let blank = |(at, byte): (usize, &u8)| if (CHECKSUM..CHECKSUM + 4).contains(&at) { 0 } else { *byte };
    let step = |crc: u32, byte: u8| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8;
    (!segment.iter().enumerate().map(blank).fold(u32::MAX, step)).to_le_bytes()
}

/// Whether the checksum of a packet with a whole header is right.
pub(crate) fn is_right(segment: &[u8]) -> bool {
    segment.len() >= 12 && segment[CHECKSUM..CHECKSUM + 4] == checksum(segment)
}

/// Computes the checksum anew.
pub(crate) fn seal(segment: &mut [u8]) {
    if segment.len() >= 12 {
        let crc = checksum(segment);
        segment[CHECKSUM..CHECKSUM + 4].copy_from_slice(&crc);
    }
}

/// Reads tag and chunks; a chunk that is cut short ends the list.
pub(crate) fn parse(segment: &[u8]) -> Option<Sctp> {
    let long = |bytes: &[u8]| bytes.first_chunk().map(|four| u32::from_be_bytes(*four));
    let tag = long(segment.get(4..)?)?;
    let mut sctp = Sctp { tag, chunks: Vec::new() };
    let mut rest = segment.get(12..)?;
    while let [kind, chunk_flags, high, low, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([high, low]));
        let init = matches!(kind, 1 | 2);
        let init_tag = rest.get(4..).and_then(long).filter(|_| init).unwrap_or(0);
        sctp.chunks.push(SctpChunk { kind, flags: chunk_flags, init_tag });
        let Some(next) = rest.get(len.next_multiple_of(4)..).filter(|_| len >= 4) else { break };
        rest = next;
    }
    Some(sctp)
}

/// The header and chunks of a packet, as long as the fields that [`Sctp`] has.
pub(crate) fn build(sctp: &Sctp) -> Vec<u8> {
    let mut bytes = sctp.tag.to_be_bytes().to_vec();
    bytes.extend([0; 4]);
    for chunk in &sctp.chunks {
        let init = matches!(chunk.kind, 1 | 2);
        bytes.extend([chunk.kind, chunk.flags, 0, if init { 20 } else { 4 }]);
        if init {
            bytes.extend(chunk.init_tag.to_be_bytes());
            bytes.extend([0; 12]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_castagnolis() {
        let step = |crc: u32, byte: u8| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8;
        assert_eq!(!b"123456789".iter().copied().fold(u32::MAX, step), 0xe306_9283);
    }

    #[test]
    fn chunks_read_back() {
        let chunks =
            vec![SctpChunk { kind: 1, flags: 0, init_tag: 7 }, SctpChunk { kind: 6, flags: 1, init_tag: 0 }];
        let sctp = Sctp { tag: 9, chunks };
        let mut segment = vec![0, 1, 0, 2];
        segment.extend(build(&sctp));
        seal(&mut segment);
        assert!(is_right(&segment));
        assert_eq!(parse(&segment), Some(sctp));
    }
}
