//! A packet on its way: its headers, and its bytes where they came in.

use std::net::Ipv4Addr;

use kdp_packet::{Headers, wire};

use crate::Error;
use crate::fragments::{self, Pieces};
use crate::options::{self, Worked};

/// A packet. Rules and NAT change the headers; the bytes, if there are any, follow at the end of the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Its headers, as they are now.
    pub headers: Headers,
    /// Its mark when it enters: what a driver or the sending process (`SO_MARK`) gave it.
    pub mark: u32,
    bytes: Option<Vec<u8>>,
    /// How it came in pieces.
    pub(crate) pieces: Option<Pieces>,
    /// Whether its checksum is left to the device that it leaves by; it has none when it is delivered here.
    is_unsummed: bool,
}

impl Packet {
    /// A packet of which only the headers matter.
    pub fn of(headers: Headers) -> Packet {
        Packet { headers, mark: 0, bytes: None, pieces: None, is_unsummed: false }
    }

    /// A segment that the box itself makes, and whose checksum it leaves to the device.
    pub(crate) fn unsummed(headers: Headers) -> Packet {
        Packet { is_unsummed: true, ..Packet::of(headers) }
    }

    /// A packet as it came in. `None` for one that a host throws away before any hook.
    pub fn parse(bytes: Vec<u8>) -> Option<Packet> {
        let headers = wire::parse(&bytes).ok()?;
        Some(Packet { headers, mark: 0, bytes: Some(bytes), pieces: None, is_unsummed: false })
    }

    /// Its bytes, brought up to date with the headers. A packet without bytes is built, without payload.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let Some(bytes) = &self.bytes else { return self.built() };
        let mut bytes = bytes.clone();
        if let Some(mss) = self.headers.tcp.and_then(|tcp| tcp.options.mss)
            && wire::parse(&bytes).is_ok_and(|before| before.tcp.is_some_and(|tcp| tcp.options.mss.is_none()))
        {
            wire::add_mss(&mut bytes, mss).map_err(wire::PatchError::from)?;
        }
        wire::patch(&mut bytes, &self.headers)?;
        Ok(bytes)
    }

    fn built(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = wire::build(&self.headers, &[]);
        if self.is_unsummed {
            wire::leave_sum_to_device(&mut bytes).map_err(wire::PatchError::from)?;
        }
        Ok(bytes)
    }

    /// Its bytes as they leave by a device that carries packets of `mtu` bytes: in fragments if it came in fragments, or if
    /// it is longer and may be cut.
    pub(crate) fn leaving(&self, mtu: u32) -> Result<Vec<Vec<u8>>, Error> {
        let bytes = if self.is_unsummed { wire::build(&self.headers, &[]) } else { self.bytes()? };
        let mtu = usize::try_from(mtu).unwrap_or(usize::MAX);
        Ok(match &self.pieces {
            Some(pieces) if pieces.largest <= mtu => pieces.cut(&bytes),
            _ if bytes.len() > mtu && bytes[0] >> 4 == 4 => {
                fragments::cut_at(&bytes, usize::from(bytes[0] & 15) * 4, mtu, 0)
            }
            _ => vec![bytes],
        })
    }

    /// Whether its IPv6 hop-by-hop options, which every router reads, reach beyond it.
    /// Source: Linux `ipv6_parse_hopopts` (net/ipv6/exthdrs.c), v6.12.
    pub(crate) fn has_broken_hop_by_hop(&self) -> bool {
        let Some(bytes) = self.bytes.as_deref().filter(|bytes| bytes[0] >> 4 == 6 && bytes[6] == 0) else {
            return false;
        };
        bytes.len() < 48 || 48 + usize::from(bytes[41]) * 8 > bytes.len()
    }

    /// The fragment that it is, if it is one and its bytes are there.
    pub(crate) fn fragment(&self) -> Option<wire::Piece> {
        wire::fragment(self.bytes.as_deref()?).ok().flatten()
    }

    /// Works on the options of its IPv4 header, if it has any.
    pub(crate) fn work_on_options(&mut self, own: Ipv4Addr, midnight: u32) -> Worked {
        let Some(bytes) = &mut self.bytes else { return Worked::Passed };
        let header_len = usize::from(bytes[0] & 15) * 4;
        if bytes[0] >> 4 != 4 || header_len == 20 {
            return Worked::Passed;
        }
        let worked = options::work(&mut bytes[20..header_len], own, midnight);
        bytes[10..12].fill(0);
        let sum = wire::internet_checksum(&bytes[..header_len]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        worked
    }

    /// Whether its IPv4 header has options.
    pub(crate) fn has_options(&self) -> bool {
        self.bytes.as_deref().is_some_and(|bytes| bytes[0] >> 4 == 4 && bytes[0] & 15 > 5)
    }

    /// Whether it records its route or its times.
    pub(crate) fn records(&self) -> bool {
        let options = self.bytes.as_deref().filter(|_| self.has_options());
        options.is_some_and(|bytes| options::records(&bytes[20..usize::from(bytes[0] & 15) * 4]))
    }
}
