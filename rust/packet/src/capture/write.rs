//! Writing a capture.

use std::borrow::Cow;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, Endianness, TsResolution};

/// The file's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// pcap with nanoseconds. It does not say which device a packet left by.
    Pcap,
    /// pcapng, with an interface for each device.
    Pcapng,
}

/// A packet to be written.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// When: nanoseconds since 1970.
    pub time_ns: u64,
    /// By which device.
    pub device: &'a str,
    /// The IP packet.
    pub packet: &'a [u8],
}

/// Seconds have 32 bits.
const PCAP_LAST_NS: u64 = u32::MAX as u64 * 1_000_000_000 + 999_999_999;

/// As long as an IP packet can be.
const SNAPLEN: u32 = 65_575;

/// A capture of IP packets without a link's frames (link type 101), in the order given. Times past the year 2106, which pcap
/// has no room for, become the last that it has; pcapng has room.
pub fn write(packets: &[Leaving<'_>], format: Format) -> Vec<u8> {
    match format {
        Format::Pcap => classic(packets),
        Format::Pcapng => next_generation(packets),
    }
}

const INTO_MEMORY: &str = "nothing stops a write into memory";

fn classic(packets: &[Leaving<'_>]) -> Vec<u8> {
    let header = PcapHeader {
        snaplen: SNAPLEN,
        datalink: DataLink::RAW,
        ts_resolution: TsResolution::NanoSecond,
        endianness: Endianness::Little,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).expect(INTO_MEMORY);
    for leaving in packets {
        let time = Duration::from_nanos(leaving.time_ns.min(PCAP_LAST_NS));
        writer.write_packet(&PcapPacket::new(time, length(leaving), leaving.packet)).expect(INTO_MEMORY);
    }
    writer.into_writer()
}

fn next_generation(packets: &[Leaving<'_>]) -> Vec<u8> {
    const NANOSECONDS: u8 = 9;
    let mut devices: Vec<&str> = Vec::new();
    let mut writer = PcapNgWriter::with_endianness(Vec::new(), Endianness::Little).expect(INTO_MEMORY);
    for leaving in packets {
        let known = devices.iter().position(|device| *device == leaving.device);
        let place = known.unwrap_or_else(|| {
            let options = vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(leaving.device)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ];
            let block = InterfaceDescriptionBlock { linktype: DataLink::RAW, snaplen: SNAPLEN, options };
            writer.write_pcapng_block(block).expect(INTO_MEMORY);
            devices.push(leaving.device);
            devices.len() - 1
        });
        let block = EnhancedPacketBlock {
            interface_id: u32::try_from(place).expect("fewer than 2^32 devices"),
            timestamp: Duration::from_nanos(leaving.time_ns),
            original_len: length(leaving),
            data: Cow::Borrowed(leaving.packet),
            options: Vec::new(),
        };
        writer.write_pcapng_block(block).expect(INTO_MEMORY);
    }
    writer.into_inner()
}

fn length(leaving: &Leaving<'_>) -> u32 {
    u32::try_from(leaving.packet.len()).expect("a packet is shorter than 2^32 bytes")
}
