//! Reading a capture.

use pcap_file::pcap::{PcapParser, RawPcapPacket};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgParser};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

use super::Frame;
use super::error::Error;
use super::link::Link;

/// The first four bytes of a pcapng file.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Blocks that hold a frame.
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Every frame of a capture, in the file's order.
pub fn read(bytes: &[u8]) -> Result<Vec<Frame>, Error> {
    if bytes.is_empty() {
        return Err(malformed("the file's header", "the file is empty"));
    }
    if bytes.starts_with(&SECTION) { next_generation(bytes) } else { classic(bytes) }
}

fn malformed(place: &str, why: &str) -> Error {
    Error::Malformed { place: place.to_owned(), why: why.to_owned() }
}

/// The library's error as one of ours.
fn refused(place: &str, error: &PcapError) -> Error {
    let why = match error {
        PcapError::IncompleteBuffer => "the file ends in the middle of it".to_owned(),
        PcapError::InvalidField(what) => (*what).to_owned(),
        other => other.to_string(),
    };
    malformed(place, &why)
}

fn link(place: &str, data_link: DataLink) -> Result<Link, Error> {
    let number = u32::from(data_link);
    Link::of(number).ok_or_else(|| Error::LinkType { place: place.to_owned(), found: number })
}

fn classic(bytes: &[u8]) -> Result<Vec<Frame>, Error> {
    let place = "the file's header";
    let (mut rest, parser) = PcapParser::new(bytes).map_err(|error| match error {
        PcapError::InvalidField(_) => malformed(place, "it is neither pcap nor pcapng"),
        error => refused(place, &error),
    })?;
    let header = parser.header();
    let link = link(place, header.datalink)?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let place = format!("frame {}", frames.len() + 1);
        let (behind, raw) = parser.next_raw_packet(rest).map_err(|error| refused(&place, &error))?;
        frames.push(classic_frame(&raw, header.ts_resolution, link, &place)?);
        rest = behind;
    }
    Ok(frames)
}

fn classic_frame(
    raw: &RawPcapPacket<'_>,
    resolution: TsResolution,
    link: Link,
    place: &str,
) -> Result<Frame, Error> {
    let (units, unit_ns) = match resolution {
        TsResolution::MicroSecond => (1_000_000, 1_000),
        TsResolution::NanoSecond => (1_000_000_000, 1),
    };
    if raw.ts_frac >= units {
        return Err(malformed(place, "its time has more than a second of fractions"));
    }
    Ok(Frame {
        time_ns: u64::from(raw.ts_sec) * 1_000_000_000 + u64::from(raw.ts_frac) * unit_ns,
        device: None,
        cut: raw.orig_len.saturating_sub(raw.incl_len),
        content: link.content(&raw.data),
    })
}

fn next_generation(bytes: &[u8]) -> Result<Vec<Frame>, Error> {
    let (mut rest, mut parser) =
        PcapNgParser::new(bytes).map_err(|error| refused("the file's header", &error))?;
    let (mut frames, mut number) = (Vec::new(), 1);
    while !rest.is_empty() {
        number += 1;
        let place = format!("block {number}");
        rest = if holds_a_frame(&parser, rest) {
            let (behind, block) = parser.next_block(rest).map_err(|error| refused(&place, &error))?;
            frames.extend(frame_of(&parser, &block, &place)?);
            behind
        } else {
            // Its length is enough to step over it; the parser looks at sections and interfaces by itself.
            parser.next_raw_block(rest).map_err(|error| refused(&place, &error))?.0
        };
    }
    Ok(frames)
}

/// Whether the block at the front of `bytes` is one with a frame.
fn holds_a_frame(parser: &PcapNgParser, bytes: &[u8]) -> bool {
    let Some(kind) = bytes.first_chunk() else { return false };
    let kind = match parser.section().endianness {
        Endianness::Big => u32::from_be_bytes(*kind),
        Endianness::Little => u32::from_le_bytes(*kind),
    };
    matches!(kind, OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
}

/// The frame that a block holds, if it holds one.
fn frame_of(parser: &PcapNgParser, block: &Block<'_>, place: &str) -> Result<Option<Frame>, Error> {
    let (interface, ticks, original, data): (u32, u128, u32, &[u8]) = match block {
        Block::EnhancedPacket(packet) => {
            // The library takes the file's ticks for nanoseconds, whatever the interface says that they are.
            (packet.interface_id, packet.timestamp.as_nanos(), packet.original_len, &packet.data)
        }
        Block::Packet(packet) => {
            (packet.interface_id.into(), packet.timestamp.into(), packet.original_len, &packet.data)
        }
        Block::SimplePacket(packet) => {
            let length = usize::try_from(packet.original_len).unwrap_or(usize::MAX);
            (0, 0, packet.original_len, &packet.data[..length.min(packet.data.len())])
        }
        _ => return Ok(None),
    };
    let described = usize::try_from(interface).ok().and_then(|at| parser.interfaces().get(at));
    let described =
        described.ok_or_else(|| malformed(place, &format!("there is no interface {interface} before it")))?;
    let held = u32::try_from(data.len()).unwrap_or(u32::MAX);
    Ok(Some(Frame {
        time_ns: time(described, ticks).ok_or_else(|| malformed(place, "its time is past the year 2554"))?,
        device: name(described),
        cut: original.saturating_sub(held),
        content: link(place, described.linktype)?.content(data),
    }))
}

fn name(interface: &InterfaceDescriptionBlock<'_>) -> Option<String> {
    interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
        _ => None,
    })
}

/// Nanoseconds since 1970. The interface says how long a tick is (microseconds if it does not) and what to add.
///
/// Source: draft-ietf-opsawg-pcapng, options if_tsresol and if_tsoffset: a power of ten, or of two where the first bit is set.
fn time(interface: &InterfaceDescriptionBlock<'_>, ticks: u128) -> Option<u64> {
    const SECOND_NS: u128 = 1_000_000_000;
    let (mut resolution, mut offset) = (6, 0);
    for option in &interface.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(given) => resolution = *given,
            InterfaceDescriptionOption::IfTsOffset(given) => offset = *given,
            _ => {}
        }
    }
    let exponent = u32::from(resolution & 0x7f);
    let in_a_second =
        if resolution & 0x80 == 0 { 10_u128.checked_pow(exponent) } else { 2_u128.checked_pow(exponent) };
    let nanos = match in_a_second {
        Some(ticks_a_second) => ticks.checked_mul(SECOND_NS)? / ticks_a_second,
        None => 0, // so many ticks a second that all that fit into the field are less than a nanosecond
    };
    u64::try_from(nanos.checked_add(u128::from(offset).checked_mul(SECOND_NS)?)?).ok()
}
