//! Any bytes are a packet or a `Malformed`, and a packet that nothing changed keeps its bytes.

#![no_main]

use kdp_packet::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(headers) = wire::parse(bytes) else { return };
    let mut same = bytes.to_vec();
    if wire::patch(&mut same, &headers).is_ok() {
        assert!(same == bytes, "a patch without a change changed the packet");
    }
});
