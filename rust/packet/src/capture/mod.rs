//! Captured packets: pcap and pcapng files, and the IP packets in their frames.
//!
//! A capture says when a frame was seen, and by which device if it is a pcapng file. What is around the IP packet (Ethernet with
//! VLAN tags, Linux cooked headers) is taken off; what comes behind it (Ethernet's padding) too.

mod error;
mod link;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use error::{CODES, Error};
pub use link::Content;
pub use read::read;
pub use write::{Format, Leaving, write};

/// One frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was seen: nanoseconds since 1970.
    pub time_ns: u64,
    /// The device that saw it, where the file names it.
    pub device: Option<String>,
    /// Bytes that the capture left away behind the frame's end (`snaplen`).
    pub cut: u32,
    /// What is in it.
    pub content: Content,
}
