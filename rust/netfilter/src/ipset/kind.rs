//! Types of sets, and the parts that their elements have.

use kdp_packet::Cidr;

/// What a part of an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dim {
    /// One address.
    Ip,
    /// A network: the longest prefix that is in the set counts.
    Net,
    /// A protocol and a port.
    Port,
    /// A device.
    Device,
}

/// A type, with what limits its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `hash:…`.
    Hash { name: &'static str, dims: &'static [Dim] },
    /// `bitmap:ip`: addresses from the first to the last.
    BitmapIp(Cidr, Cidr),
    /// `bitmap:port`: ports from the first to the last, of TCP and UDP.
    BitmapPort(u16, u16),
    /// `list:set`.
    List,
}

impl Kind {
    /// The types `hash:…`.
    pub(super) const HASHES: [(&'static str, &'static [Dim]); 7] = [
        ("hash:ip", &[Dim::Ip]),
        ("hash:net", &[Dim::Net]),
        ("hash:ip,port", &[Dim::Ip, Dim::Port]),
        ("hash:net,port", &[Dim::Net, Dim::Port]),
        ("hash:net,iface", &[Dim::Net, Dim::Device]),
        ("hash:ip,port,ip", &[Dim::Ip, Dim::Port, Dim::Ip]),
        ("hash:ip,port,net", &[Dim::Ip, Dim::Port, Dim::Net]),
    ];

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Kind::List)
    }

    /// The parts of an element, of a type whose elements have several kinds of them.
    pub(super) fn dims(&self) -> &'static [Dim] {
        match self {
            Kind::Hash { dims, .. } => dims,
            Kind::BitmapIp(..) => &[Dim::Ip],
            Kind::BitmapPort(..) => &[Dim::Port],
            Kind::List => &[],
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Kind::Hash { name, .. } => name,
            Kind::BitmapIp(..) => "bitmap:ip",
            Kind::BitmapPort(..) => "bitmap:port",
            Kind::List => "list:set",
        }
    }
}
