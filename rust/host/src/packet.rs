//! A packet on its way: its headers, and its bytes where they came in.

use kdp_packet::{Headers, wire};

use crate::Error;

/// A packet. Rules and NAT change the headers; the bytes, if there are any, follow at the end of the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Its headers, as they are now.
    pub headers: Headers,
    bytes: Option<Vec<u8>>,
}

impl Packet {
    /// A packet of which only the headers matter.
    pub fn of(headers: Headers) -> Packet {
        Packet { headers, bytes: None }
    }

    /// A packet as it came in. `None` for one that a host throws away before any hook.
    pub fn parse(bytes: Vec<u8>) -> Option<Packet> {
        Some(Packet { headers: wire::parse(&bytes).ok()?, bytes: Some(bytes) })
    }

    /// Its bytes, brought up to date with the headers. A packet without bytes is built, without payload.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let Some(bytes) = &self.bytes else { return Ok(wire::build(&self.headers, &[])) };
        let mut bytes = bytes.clone();
        wire::patch(&mut bytes, &self.headers)?;
        Ok(bytes)
    }

    /// Whether it came in as bytes.
    pub fn has_bytes(&self) -> bool {
        self.bytes.is_some()
    }
}
