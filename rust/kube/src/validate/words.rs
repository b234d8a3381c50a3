//! Grammars of names and numbers.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation`.

/// What a label of a DNS name must be.
pub const LABEL: &str = "must be at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";
/// What a DNS name must be.
pub const SUBDOMAIN: &str =
    "must be at most 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit";
/// What a port's name must be.
pub const PORT_NAME: &str = "must be at most 15 of a-z, 0-9 and single '-', with a letter, beginning and ending with a letter or digit";

/// Whether a text is a label of a DNS name (RFC 1123).
pub fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether a text is a DNS name in lower case (RFC 1123): labels joined by dots, 253 at most.
pub fn is_subdomain(text: &str) -> bool {
    let part_is = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part_is)
}

/// Whether a text is a port's name (RFC 6335).
pub fn is_port_name(text: &str) -> bool {
    is_label(text) && text.len() <= 15 && !text.contains("--") && text.bytes().any(|b| b.is_ascii_lowercase())
}
