//! Elements: made of a text, or of a packet.

use std::sync::Arc;

use kdp_packet::{Cidr, Family, Proto};
use smallvec::SmallVec;

use super::kind::Dim;
use crate::text::protocol_name;
use crate::vm::Frame;

/// A part of an element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// An address or a network.
    Net(Cidr),
    /// A protocol's number and a port; of ICMP its type and code.
    Port(u8, u16),
    /// A port of a `bitmap:port`.
    Bare(u16),
    /// A device.
    Device(Arc<str>),
    /// A set, of a `list:set`.
    Set(Arc<str>),
}

/// An element: one part for each dimension of its set.
pub(super) type Key = SmallVec<[Part; 3]>;

/// The name of the set that an element of a `list:set` is.
pub(super) fn member(key: &Key) -> &str {
    let [Part::Set(name)] = key.as_slice() else { panic!("elements of a list of sets are sets") };
    name
}

/// Echo requests and replies: the messages of ICMP that a set may name.
const ECHOES: [(Proto, u16, &str); 4] = [
    (Proto::ICMP, 8 << 8, "echo-request"),
    (Proto::ICMP, 0, "echo-reply"),
    (Proto::ICMPV6, 128 << 8, "echo-request"),
    (Proto::ICMPV6, 129 << 8, "echo-reply"),
];

/// The message of ICMP called `text`: by name, or as type and code.
pub(super) fn echo(proto: Proto, text: &str) -> Option<u16> {
    let spelled = |number: u16| format!("{}/{}", number >> 8, number & 0xff);
    let found =
        ECHOES.iter().find(|(of, number, name)| *of == proto && (*name == text || spelled(*number) == text));
    found.map(|(_, number, _)| *number)
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Net(net) if net.is_host() => write!(f, "{}", net.addr()),
            Part::Net(net) => write!(f, "{net}"),
            Part::Port(proto, number) => {
                let proto = Proto(*proto);
                let echo = ECHOES.iter().find(|(of, code, _)| *of == proto && code == number);
                match echo {
                    Some((_, _, name)) => write!(f, "{}:{name}", protocol_name(proto)),
                    None => write!(f, "{}:{number}", protocol_name(proto)),
                }
            }
            Part::Bare(port) => write!(f, "{port}"),
            Part::Device(name) | Part::Set(name) => f.write_str(name),
        }
    }
}

/// A part of the element that a packet is; `None` where it has no such part, and is in no set.
pub(super) fn part(dim: Dim, source: bool, frame: &Frame<'_>) -> Option<Part> {
    let headers = &*frame.headers;
    match dim {
        Dim::Ip | Dim::Net => Some(Part::Net(Cidr::host(if source { headers.src } else { headers.dst }))),
        Dim::Port => {
            let (proto, port) = port(source, frame)?;
            Some(Part::Port(proto.0, port))
        }
        Dim::Device => {
            let device = if source { frame.in_device } else { frame.out_device };
            device.map(|name| Part::Device(name.into()))
        }
    }
}

/// Protocol and port. A later fragment of a protocol with ports has none.
/// Source: net/netfilter/ipset/ip_set_getport.c `get_port`, `ip_set_get_ip4_port`, `ip_set_get_ip6_port`, v6.12.
pub(super) fn port(source: bool, frame: &Frame<'_>) -> Option<(Proto, u16)> {
    const UDPLITE: Proto = Proto(136);
    let headers = &*frame.headers;
    let is_v6 = Family::of(headers.src) == Family::V6;
    let message = matches!(headers.proto, Proto::ICMP | Proto::ICMPV6);
    let has_ports = matches!(headers.proto, Proto::TCP | Proto::UDP | Proto::SCTP | UDPLITE);
    if headers.fragment.offset > 0 && (is_v6 || message || has_ports) {
        return None;
    }
    if message {
        let (kind, code) = headers.icmp()?;
        return Some((headers.proto, u16::from(kind) << 8 | u16::from(code)));
    }
    let port = if source { headers.sport } else { headers.dport };
    Some((headers.proto, if has_ports { port } else { 0 }))
}
