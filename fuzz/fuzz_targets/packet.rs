//! Any bytes are a packet or a `Malformed`, and a packet that nothing changed keeps its bytes.

#![no_main]

use kdp_packet::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut packet = bytes.to_vec();
    seal(&mut packet);
    let Ok(headers) = wire::parse(&packet) else { return };
    let mut same = packet.clone();
    if wire::patch(&mut same, &headers).is_ok() {
        assert!(same == packet, "a patch without a change changed the packet");
    }
});

/// Puts the right checksum into an IPv4 header, which chance would find once in 65,536 times.
fn seal(packet: &mut [u8]) {
    let Some(first) = packet.first().copied().filter(|first| first >> 4 == 4) else { return };
    let length = usize::from(first & 15) * 4;
    if length >= 20 && length <= packet.len() {
        packet[10..12].fill(0);
        let sum = wire::internet_checksum(&packet[..length]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}
