//! Captures that cannot be read.

use thiserror::Error;

/// Why a capture cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// Bytes that are no pcap or pcapng file, or one that ends in the middle.
    #[error("{place}: {why}")]
    Malformed {
        /// Where: `the file's header`, `frame 7`.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// Frames of a kind that kdp does not take apart.
    #[error(
        "{place}: link type {found} is not modelled; these are: 1 (Ethernet), 12, 14, 101, 228, 229 (IP as it is), \
         113 and 276 (Linux cooked, of the device \"any\")"
    )]
    LinkType {
        /// Where.
        place: String,
        /// The number that libpcap gives the kind.
        found: u32,
    },
}

/// Every code that [`Error::code`] gives.
pub const CODES: &[&str] = &["capture-malformed", "capture-link-type-not-modelled"];

impl Error {
    /// The stable code, as docs/errors.md lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Malformed { .. } => "capture-malformed",
            Error::LinkType { .. } => "capture-link-type-not-modelled",
        }
    }
}
