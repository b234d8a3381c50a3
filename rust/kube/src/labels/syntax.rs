//! What a label key and a label value may look like.
//!
//! Source: Kubernetes API documentation, "Labels and Selectors: Syntax and character set", and apimachinery's
//! validation of qualified names (2026-07).

const NAME_MAX: usize = 63;
const PREFIX_MAX: usize = 253;

/// Checks `[prefix/]name`.
///
/// # Errors
/// The rule that is broken, as a phrase.
pub fn validate_key(key: &str) -> Result<(), &'static str> {
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => return Err("at most one '/' is allowed"),
        Some((prefix, name)) => {
            validate_prefix(prefix)?;
            name
        }
    };
    if name.is_empty() {
        return Err("the name part must not be empty");
    }
    validate_value(name)
}

/// Checks a label value: empty, or 1 to 63 bytes of `[-A-Za-z0-9_.]` that begin and end alphanumeric.
///
/// # Errors
/// The rule that is broken, as a phrase.
pub fn validate_value(value: &str) -> Result<(), &'static str> {
    let bytes = value.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return Ok(()) };
    if bytes.len() > NAME_MAX {
        return Err("at most 63 bytes are allowed");
    }
    if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b)) {
        return Err("only letters, digits, '-', '_' and '.' of ASCII are allowed");
    }
    if !first.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() {
        return Err("it must begin and end with a letter or a digit");
    }
    Ok(())
}

/// A DNS-1123 subdomain. Its labels have no length limit of their own.
fn validate_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.is_empty() {
        return Err("the prefix before '/' must not be empty");
    }
    if prefix.len() > PREFIX_MAX {
        return Err("the prefix may have at most 253 bytes");
    }
    if prefix.split('.').all(is_dns_label) {
        return Ok(());
    }
    Err("the prefix must be a lower-case DNS subdomain")
}

fn is_dns_label(label: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = label.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}
