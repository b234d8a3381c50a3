//! Any bytes are objects, or an error whose code the crate lists.

#![no_main]

use kdp_kube::load::{Source, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = load(&[Source { name: "-", bytes }]) {
        assert!(kdp_kube::CODES.contains(&error.code()), "the code {} is not listed", error.code());
        assert!(!error.to_string().is_empty(), "an error says nothing");
    }
});
