//! Packets as bytes: parse once, build, and carry a translation back into the bytes.

mod build;
mod checksum;
mod fragment;
mod mss;
mod parse;
mod patch;
mod sctp;
#[cfg(test)]
mod tests;

pub use build::{build, icmp_error, icmp_error_saying, leave_sum_to_device, tcp_reset};
pub use checksum::{internet_checksum, replace_word};
pub use fragment::{FragmentKey, Piece, cut, fragment, whole};
pub use mss::add_mss;
pub use parse::{Malformed, parse};
pub use patch::{PatchError, patch};

/// Where the transport header of a sound packet begins, and the transport protocol found there.
pub(crate) struct Layout {
    pub(crate) transport: usize,
    pub(crate) end: usize,
}
