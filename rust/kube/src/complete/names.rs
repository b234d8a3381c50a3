//! Names as controllers make them, from digests instead of chance.

use std::fmt::Write;

/// The letters of made names: no vowels, no digits that look like letters.
/// Source: `k8s.io/apimachinery/pkg/util/rand`.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The value of `pod-template-hash`: a 32-bit digest in decimal, each digit turned into a letter of the alphabet.
/// Source: Kubernetes `ComputeHash` and `SafeEncodeString`; the text digested here is the template's JSON, not Go's dump of it.
pub(crate) fn template_hash(template: &str) -> String {
    let decimal = (digest(template) & 0xffff_ffff).to_string();
    decimal.bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

/// Five letters, as behind a `generateName`; another `ordinal` gives others.
pub(crate) fn suffix(owner: &str, ordinal: u64) -> String {
    let mut left = digest(&format!("{owner}#{ordinal}"));
    let mut letters = String::new();
    for _ in 0..5 {
        let letter = usize::try_from(left % 27).expect("below 27");
        letters.push(char::from(ALPHABET[letter]));
        left /= 27;
    }
    letters
}

/// A unique id for a text, in the form of a UUID of version 4.
pub fn uid(text: &str) -> String {
    let (high, low) = (digest(text), digest(&format!("{text}#uid")));
    let mut out = String::with_capacity(36);
    let _ = write!(
        out,
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | low >> 48 & 0x3fff,
        low & 0xffff_ffff_ffff
    );
    out
}

/// FNV-1a, 64 bits, mixed once more so that short texts that differ little differ in every bit.
fn digest(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ fnv >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> 33
}
