//! Any text is a rule set, or an error whose code the crate lists; what was read and printed reads the same again.

#![no_main]

use kdp_netfilter::{CODES, Error, Ruleset, text};
use kdp_packet::Family;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    for family in [Family::V4, Family::V6] {
        let Some(printed) = read_and_print(input, family) else { continue };
        let again = read_and_print(&printed, family);
        assert!(again.as_deref() == Some(&*printed), "printed, then read and printed:\n{printed}\n---\n{again:?}");
    }
});

fn read_and_print(input: &str, family: Family) -> Option<String> {
    let mut ruleset = Ruleset::new(family);
    match text::load(&mut ruleset, input, "-", false) {
        Ok(_) => Some(text::print(&ruleset)),
        Err(error) => {
            check(&error);
            None
        }
    }
}

fn check(error: &Error) {
    assert!(CODES.contains(&error.code()), "the code {} is not listed", error.code());
    assert!(!error.to_string().is_empty(), "an error says nothing");
}
