//! Names of chains and of lists, made when somebody reads them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

/// The name of a chain or of a `recent` list.
///
/// Most are plain text. A *hashed* name is a prefix and a digest of a seed text, as kube-proxy's `KUBE-SVC-…`: a hundred
/// thousand of them take longer to hash than a rebuild may take, so the text is made on first use.
#[derive(Clone)]
pub struct Name(Kind);

#[derive(Clone)]
enum Kind {
    Text(Arc<str>),
    Hashed(Arc<Hashed>),
}

struct Hashed {
    prefix: &'static str,
    seed: Box<str>,
    text: OnceLock<Box<str>>,
}

impl Name {
    /// A name as it stands.
    pub fn text(text: impl Into<Arc<str>>) -> Name {
        Name(Kind::Text(text.into()))
    }

    /// `prefix`, then the first 16 characters of the base32 (RFC 4648) of the SHA-256 of `seed`.
    pub fn hashed(prefix: &'static str, seed: impl Into<Box<str>>) -> Name {
        Name(Kind::Hashed(Arc::new(Hashed { prefix, seed: seed.into(), text: OnceLock::new() })))
    }

    /// The text, made now if nobody asked before.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Text(text) => text,
            Kind::Hashed(hashed) => {
                hashed.text.get_or_init(|| format!("{}{}", hashed.prefix, digest(&hashed.seed)).into())
            }
        }
    }

    /// Prefix and seed of a hashed name: its identity without making its text.
    pub fn recipe(&self) -> Option<(&'static str, &str)> {
        match &self.0 {
            Kind::Text(_) => None,
            Kind::Hashed(hashed) => Some((hashed.prefix, &hashed.seed)),
        }
    }
}

/// The first 16 characters of base32(sha256(seed)): ten bytes of the digest.
/// Source: kube-proxy, `portProtoHash`.
fn digest(seed: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bytes = Sha256::digest(seed.as_bytes());
    let bits = bytes[..10].iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    (0..16).rev().map(|i| char::from(ALPHABET[(bits >> (5 * i) & 31) as usize])).collect()
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        match (self.recipe(), other.recipe()) {
            (Some(a), Some(b)) => a == b,
            _ => self.as_str() == other.as_str(),
        }
    }
}

impl Eq for Name {}

impl Hash for Name {
    /// By text, so that a name read from a file finds a hashed one. Makes the text.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name::text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_names_are_kube_proxys() {
        let name = |prefix, seed: &str| Name::hashed(prefix, seed).to_string();
        assert_eq!(name("KUBE-SVC-", "ns1/svc1:p80tcp"), "KUBE-SVC-XPGD46QRK7WJZT7O");
        assert_eq!(name("KUBE-SVC-", "ns1/svc1tcp"), "KUBE-SVC-AQI2S6QIMU7PVVRP");
        assert_eq!(name("KUBE-SEP-", "ns1/svc1:p80tcp10.180.0.1:80"), "KUBE-SEP-SXIVWICOYRO3J4NJ");
    }

    #[test]
    fn a_text_equals_the_hashed_name_it_spells() {
        assert_eq!(Name::hashed("KUBE-SVC-", "ns1/svc1tcp"), Name::text("KUBE-SVC-AQI2S6QIMU7PVVRP"));
        assert_ne!(Name::hashed("KUBE-SVC-", "a"), Name::hashed("KUBE-SVL-", "a"));
    }
}
