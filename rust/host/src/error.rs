//! What a box cannot do.

use kdp_packet::wire::PatchError;
use thiserror::Error;

/// An error of the host crate.
#[derive(Debug, Error)]
pub enum Error {
    /// Something that a packet asks for and that kdp does not do yet.
    #[error("{what} is not modelled")]
    NotModelled {
        /// What it is.
        what: &'static str,
    },
    /// A device that is not there.
    #[error("device {found:?} is not there; devices: {}", .devices.join(", "))]
    Device {
        /// What was given.
        found: String,
        /// What there is.
        devices: Vec<String>,
    },
    /// A topology that is not one.
    #[error("topology: {why}")]
    Topology {
        /// What is wrong.
        why: String,
    },
    /// Bytes that could not follow the headers.
    #[error("the packet cannot be rewritten: {0}")]
    Patch(#[from] PatchError),
}

/// Every code that [`Error::code`] gives.
pub const CODES: &[&str] = &["packet-not-modelled", "device-unknown", "topology-invalid", "packet-malformed"];

impl Error {
    /// The stable code, as docs/errors.md lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotModelled { .. } => "packet-not-modelled",
            Error::Device { .. } => "device-unknown",
            Error::Topology { .. } => "topology-invalid",
            Error::Patch(_) => "packet-malformed",
        }
    }
}
