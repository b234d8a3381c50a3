//! Elements of sets and maps.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_packet::{Cidr, Family, Proto};
use kdp_sim::Time;
use smallvec::SmallVec;

use super::Verdict;

/// Values from `first` to `last`, both included; most have one value.
///
/// Every value is a number: an address its bits, a port or protocol its number, a device's name its sixteen bytes with the first
/// one highest, so that the beginning of a name (`pod*`) is a span too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first value.
    pub first: u128,
    /// The last, not below the first.
    pub last: u128,
}

impl Span {
    /// One value.
    pub const fn one(value: u128) -> Span {
        Span { first: value, last: value }
    }

    /// One address.
    pub fn addr(addr: IpAddr) -> Span {
        Span::one(number_of(addr))
    }

    /// The addresses of a network.
    pub fn cidr(cidr: Cidr) -> Span {
        let first = number_of(cidr.addr());
        let host_bits = u32::from(Family::of(cidr.addr()).bits() - cidr.prefix_len());
        Span { first, last: first | 1u128.checked_shl(host_bits).map_or(u128::MAX, |above| above - 1) }
    }

    /// One port.
    pub fn port(port: u16) -> Span {
        Span::one(port.into())
    }

    /// One protocol.
    pub fn proto(proto: Proto) -> Span {
        Span::one(proto.0.into())
    }

    /// One device by its name.
    pub fn device(name: &str) -> Span {
        Span::one(device_number(name))
    }

    /// All devices whose names begin so.
    pub fn devices(beginning: &str) -> Span {
        let first = device_number(beginning);
        let free = 128 - 8 * u32::try_from(beginning.len().min(16)).unwrap_or(16);
        Span { first, last: first | 1u128.checked_shl(free).map_or(u128::MAX, |above| above - 1) }
    }

    /// Whether `value` lies in it.
    pub const fn contains(self, value: u128) -> bool {
        self.first <= value && value <= self.last
    }

    /// Whether it has one value.
    pub const fn is_one(self) -> bool {
        self.first == self.last
    }
}

/// The bits of an address.
pub(super) fn number_of(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => u32::from(addr).into(),
        IpAddr::V6(addr) => addr.into(),
    }
}

/// The bytes of a device's name, the first one highest. Source: include/uapi/linux/if.h, IFNAMSIZ is 16.
pub(super) fn device_number(name: &str) -> u128 {
    let mut bytes = [0; 16];
    for (byte, letter) in bytes.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    u128::from_be_bytes(bytes)
}

/// The parts of a key or of a map's data.
pub type Spans = SmallVec<[Span; 4]>;

/// An element of a set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The parts of its key, in order.
    pub key: Spans,
    /// How long it lives; `None`: as the set says.
    pub timeout: Option<Time>,
    /// Its comment.
    pub comment: Option<Arc<str>>,
    /// What a map gives for it.
    pub data: Option<Data>,
}

impl Element {
    /// An element of a set.
    pub fn new(key: &[Span]) -> Element {
        Element { key: Spans::from_slice(key), timeout: None, comment: None, data: None }
    }

    /// An element of a verdict map.
    pub fn to_verdict(key: &[Span], verdict: Verdict) -> Element {
        Element { data: Some(Data::Verdict(verdict)), ..Element::new(key) }
    }

    /// An element of a map.
    pub fn to_values(key: &[Span], values: &[Span]) -> Element {
        Element { data: Some(Data::Values(Spans::from_slice(values))), ..Element::new(key) }
    }

    /// The same with a comment.
    #[must_use]
    pub fn with_comment(self, comment: impl Into<Arc<str>>) -> Element {
        Element { comment: Some(comment.into()), ..self }
    }
}

/// What a map gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A verdict.
    Verdict(Verdict),
    /// Values.
    Values(Spans),
}
