//! Any text is a ruleset of nftables, or an error whose code the crate lists; what was read and printed reads the same
//! again, and a survey of a text finds nothing if and only if the text loads.

#![no_main]

use kdp_netfilter::text::{Kind, support};
use kdp_netfilter::{CODES, nft};
use kdp_sim::Time;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let findings = support(Kind::Nft, input, "-");
    let printed = read_and_print(input);
    assert!(findings.is_empty() == printed.is_some(), "what is found and what is loaded differ: {findings:?}");
    let Some(printed) = printed else { return };
    let again = read_and_print(&printed);
    assert!(again.as_deref() == Some(&*printed), "printed, then read and printed:\n{printed}\n---\n{again:?}");
});

fn read_and_print(input: &str) -> Option<String> {
    let mut ruleset = nft::Ruleset::new();
    match nft::load(&mut ruleset, input, "-", Time::ZERO) {
        Ok(()) => Some(nft::print(&ruleset)),
        Err(error) => {
            assert!(CODES.contains(&error.code()), "the code {} is not listed", error.code());
            assert!(!error.to_string().is_empty(), "an error says nothing");
            None
        }
    }
}
