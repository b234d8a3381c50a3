//! Any bytes are frames or an error; what is read can be written, and comes back the same.

#![no_main]

use kdp_packet::capture::{self, Content, Format, Leaving};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frames) = capture::read(bytes) else { return };
    let packets: Vec<(u64, &[u8])> = frames
        .iter()
        .filter_map(|frame| match &frame.content {
            Content::Ip { packet, .. } if packet.len() <= 65_535 && frame.time_ns < 1 << 62 => {
                Some((frame.time_ns, packet.as_slice()))
            }
            Content::Ip { .. } | Content::Other(_) => None,
        })
        .collect();
    let leaving: Vec<Leaving<'_>> =
        packets.iter().map(|(time_ns, packet)| Leaving { time_ns: *time_ns, device: "eth0", packet }).collect();
    for format in [Format::Pcap, Format::Pcapng] {
        if format == Format::Pcap && packets.iter().any(|(time_ns, _)| *time_ns >= 1_000_000_000 << 32) {
            continue; // its seconds have 32 bits
        }
        let again = capture::read(&capture::write(&leaving, format)).expect("what was written can be read");
        let times: Vec<u64> = again.iter().map(|frame| frame.time_ns).collect();
        assert!(times == packets.iter().map(|(time_ns, _)| *time_ns).collect::<Vec<_>>());
    }
});
