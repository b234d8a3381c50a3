//! From bytes to [`Headers`].

use std::net::IpAddr;

use thiserror::Error;

use super::Layout;
use super::checksum::{internet_checksum, pseudo_header, sum, transport_checksum};
use super::sctp;
use crate::{Family, Fragment, Gre, Headers, OptionKinds, Proto, Quoted, Tcp, TcpOptions, Tuple};

/// A packet that a host throws away before any hook sees it.
/// Source: Linux `ip_rcv_core`, `ip6_rcv_core`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Too short for its IP header, or a length that reaches beyond the packet.
    #[error("the IP header is cut short, or its length reaches beyond the packet")]
    Truncated,
    /// Neither version 4 nor 6, or a header length below 5 words.
    #[error("the IP version or header length is wrong")]
    Version,
    /// The IPv4 header checksum is wrong.
    #[error("the IPv4 header checksum is wrong")]
    Checksum,
}

/// Parses an IP packet. Bytes behind the IP length are padding and harmless.
pub fn parse(bytes: &[u8]) -> Result<Headers, Malformed> {
    Ok(locate(bytes)?.0)
}

/// Parses an IP packet, and says where its transport header is.
pub(crate) fn locate(bytes: &[u8]) -> Result<(Headers, Layout), Malformed> {
    let (mut headers, layout) = match bytes.first().ok_or(Malformed::Truncated)? >> 4 {
        4 => ipv4(bytes, true)?,
        6 => ipv6(bytes)?,
        _ => return Err(Malformed::Version),
    };
    if headers.fragment.offset == 0 {
        transport(&mut headers, &bytes[layout.transport..layout.end]);
    }
    Ok((headers, layout))
}

fn blank(src: IpAddr, dst: IpAddr, proto: Proto) -> Headers {
    Headers {
        length: 0,
        ttl: 0,
        fragment: Fragment::default(),
        tcp: None,
        ..Headers::plain(proto, (src, 0), (dst, 0))
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// `whole`: the packet itself, whose checksum and length must be right; not so for one that an error quotes.
fn ipv4(bytes: &[u8], whole: bool) -> Result<(Headers, Layout), Malformed> {
    if bytes.len() < 20 {
        return Err(Malformed::Truncated);
    }
    let (header_len, total) = (usize::from(bytes[0] & 15) * 4, usize::from(word(bytes, 2)));
    if header_len < 20 {
        return Err(Malformed::Version);
    }
    if bytes.len() < header_len || (whole && (total < header_len || total > bytes.len())) {
        return Err(Malformed::Truncated);
    }
    if whole && internet_checksum(&bytes[..header_len]) != 0 {
        return Err(Malformed::Checksum);
    }
    let addr = |at: usize| IpAddr::from([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut headers = blank(addr(12), addr(16), Proto(bytes[9]));
    (headers.tos, headers.length, headers.id, headers.ttl) =
        (bytes[1], word(bytes, 2), word(bytes, 4), bytes[8]);
    let frag = word(bytes, 6);
    headers.fragment =
        Fragment { df: frag & 0x4000 != 0, mf: frag & 0x2000 != 0, offset: (frag & 0x1fff) * 8 };
    Ok((headers, Layout { transport: header_len, end: total.clamp(header_len, bytes.len()) }))
}

fn ipv6(bytes: &[u8]) -> Result<(Headers, Layout), Malformed> {
    if bytes.len() < 40 {
        return Err(Malformed::Truncated);
    }
    let end = 40 + usize::from(word(bytes, 4));
    if end > bytes.len() {
        return Err(Malformed::Truncated);
    }
    let addr = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).expect("sixteen bytes"));
    let mut headers = blank(addr(8), addr(24), Proto(bytes[6]));
    #[expect(clippy::cast_possible_truncation, reason = "the traffic class is eight bits of the first word")]
    let tos = (word(bytes, 0) >> 4) as u8;
    (headers.tos, headers.ttl) = (tos, bytes[7]);
    headers.length = word(bytes, 4).saturating_add(40);
    let transport = skip_extensions(&mut headers, &bytes[..end]);
    Ok((headers, Layout { transport, end }))
}

/// Walks IPv6 extension headers; where they end, the transport begins. Where one is cut off there is none.
/// Source: RFC 8200 section 4, RFC 4302 section 2.2; Linux `ipv6_skip_exthdr`.
fn skip_extensions(headers: &mut Headers, bytes: &[u8]) -> usize {
    let mut at = 40;
    while matches!(headers.proto.0, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION) {
        let kind = headers.proto.0;
        let needed = if kind == FRAGMENT { 8 } else { 2 };
        if at + needed > bytes.len() {
            headers.proto = NO_NEXT_HEADER;
            break;
        }
        headers.proto = Proto(bytes[at]);
        let length = usize::from(bytes[at + 1]);
        match kind {
            FRAGMENT => {
                let frag = word(bytes, at + 2);
                headers.fragment = Fragment { df: false, mf: frag & 1 != 0, offset: frag & !7 };
                at += 8;
                if headers.fragment.offset != 0 {
                    break;
                }
            }
            AUTHENTICATION => at += (length + 2) * 4,
            _ => at += (length + 1) * 8,
        }
    }
    at.min(bytes.len())
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const NO_NEXT_HEADER: Proto = Proto(59);

/// Reads the transport header. What is cut short or has a wrong checksum is not sound.
fn transport(headers: &mut Headers, segment: &[u8]) {
    let (src, dst, proto) = (headers.src, headers.dst, headers.proto);
    let checked = |segment: &[u8]| transport_checksum(src, dst, proto, segment) == 0;
    headers.whole = match proto {
        Proto::TCP => tcp(headers, segment),
        Proto::UDP => udp(headers, segment),
        Proto::UDPLITE => udplite(headers, segment),
        Proto::GRE => gre(headers, segment),
        Proto::ICMP | Proto::ICMPV6 => icmp(headers, segment),
        Proto::SCTP => {
            headers.sctp = sctp::parse(segment).map(Box::new);
            ports(headers, segment) && segment.len() >= 12
        }
        _ if proto.has_ports() => ports(headers, segment) && segment.len() >= 8,
        _ => true,
    };
    headers.unsummed = headers.whole && proto == Proto::UDP && word(segment, 6) == 0;
    headers.sound = headers.whole
        && match proto {
            Proto::TCP | Proto::ICMP | Proto::ICMPV6 => checked(segment),
            Proto::UDP => headers.unsummed || checked(segment),
            Proto::UDPLITE => udplite_is_right(headers, segment),
            Proto::SCTP => sctp::is_right(segment),
            _ => true,
        };
    headers.answerable = is_answerable(headers, segment);
}

/// Whether a `REJECT` answers: where the protocol may do without a checksum over all, or has one of its own, it does; any
/// other must have the Internet checksum over all that the packet carries, whatever its own header says.
///
/// Source: Linux `nf_reject_verify_csum` (net/netfilter/nf_reject.h), `nf_ip_checksum`, `nf_ip6_checksum`
/// (net/netfilter/utils.c), `reject6_csum_ok` (net/ipv6/netfilter/nf_reject_ipv6.c), v6.18.
fn is_answerable(headers: &Headers, segment: &[u8]) -> bool {
    let (src, dst, proto) = (headers.src, headers.dst, headers.proto);
    match proto {
        Proto::UDP if segment.len() >= 8 && word(segment, 6) == 0 => true,
        Proto::GRE | Proto::UDPLITE | Proto::SCTP | ESP | AH => true,
        _ if src.is_ipv6() && segment.is_empty() => false,
        _ if src.is_ipv6() || matches!(proto, Proto::TCP | Proto::UDP) => {
            transport_checksum(src, dst, proto, segment) == 0
        }
        _ => matches!(sum(segment), 0 | 0xffff),
    }
}

const ESP: Proto = Proto(50);
const AH: Proto = Proto(51);

/// Source: RFC 3828 section 3.1; Linux `udplite_error` (net/netfilter/nf_conntrack_proto_udp.c), v6.12: a checksum is a
/// must, and covers as many bytes as the header says, all of them for 0.
fn udplite_is_right(headers: &Headers, segment: &[u8]) -> bool {
    let covered = match usize::from(word(segment, 4)) {
        0 => segment.len(),
        some => some,
    };
    let pseudo = pseudo_header(headers.src, headers.dst, headers.proto, segment.len());
    let total = sum(&segment[..covered]) + pseudo;
    matches!((total & 0xffff) + (total >> 16), 0xffff)
}

fn ports(headers: &mut Headers, segment: &[u8]) -> bool {
    let there = segment.len() >= 4;
    headers.portless = !there;
    if there {
        (headers.sport, headers.dport) = (word(segment, 0), word(segment, 2));
    }
    there
}

fn tcp(headers: &mut Headers, segment: &[u8]) -> bool {
    if !ports(headers, segment) || segment.len() < 20 {
        return false;
    }
    let header_len = usize::from(segment[12] >> 4) * 4;
    let whole = header_len >= 20 && header_len <= segment.len();
    let options = if whole { tcp_options(&segment[20..header_len]) } else { TcpOptions::default() };
    headers.tcp = Some(Tcp {
        flags: segment[13],
        seq: long(segment, 4),
        ack: long(segment, 8),
        window: word(segment, 14),
        data_len: u32::try_from(segment.len().saturating_sub(header_len)).unwrap_or(u32::MAX),
        options,
    });
    whole
}

/// Source: RFC 9293 section 3.2 (kinds 0 to 2), RFC 7323 (3), RFC 2018 (4, 5).
fn tcp_options(mut bytes: &[u8]) -> TcpOptions {
    let kinds = OptionKinds::of(bytes);
    let mut options = TcpOptions { present: !bytes.is_empty(), kinds, ..TcpOptions::default() };
    while let [kind, rest @ ..] = bytes {
        match kind {
            0 => break,
            1 => bytes = rest,
            _ => {
                let len = rest.first().map_or(0, |len| usize::from(*len));
                if len < 2 || len > bytes.len() {
                    break;
                }
                tcp_option(&mut options, *kind, &bytes[2..len]);
                bytes = &bytes[len..];
            }
        }
    }
    options
}

fn tcp_option(options: &mut TcpOptions, kind: u8, value: &[u8]) {
    match (kind, value.len()) {
        (2, 2) => options.mss = Some(word(value, 0)),
        (3, 1) => options.window_scale = Some(value[0]),
        (4, 0) => options.sack_permitted = true,
        (5, len) if len >= 8 && len % 8 == 0 => {
            let edges = value.chunks(8).map(|block| long(block, 4));
            options.sack_right_edge = edges.reduce(|a, b| if b.wrapping_sub(a) < 1 << 31 { b } else { a });
        }
        _ => {}
    }
}

fn udp(headers: &mut Headers, segment: &[u8]) -> bool {
    ports(headers, segment)
        && segment.len() >= 8
        && (8..=segment.len()).contains(&usize::from(word(segment, 4)))
}

/// The third field says how many bytes the checksum covers: all for 0, else the header at least.
fn udplite(headers: &mut Headers, segment: &[u8]) -> bool {
    ports(headers, segment)
        && segment.len() >= 8
        && matches!(usize::from(word(segment, 4)), covered if covered == 0 || (8..=segment.len()).contains(&covered))
        && word(segment, 6) != 0
}

/// Version 1 carries PPP and has a call id; of others connection tracking reads nothing.
/// Source: Linux `gre_pkt_to_tuple` (net/netfilter/nf_conntrack_proto_gre.c), v6.12; RFC 2637 section 4.1.
fn gre(headers: &mut Headers, segment: &[u8]) -> bool {
    const PPP: u16 = 0x880b;
    if segment.len() < 4 {
        return true;
    }
    let version = segment[1] & 7;
    headers.gre = Some(Gre { version, length: u16::try_from(segment.len()).unwrap_or(u16::MAX) });
    if version == 1 && segment.len() >= 8 {
        headers.dport = word(segment, 6);
    }
    version != 1 || segment.len() < 8 || word(segment, 2) == PPP
}

fn icmp(headers: &mut Headers, segment: &[u8]) -> bool {
    if segment.len() < 8 {
        return false;
    }
    headers.dport = word(segment, 0);
    let kind = segment[0];
    if is_icmp_error(headers.proto, kind) {
        headers.quoted = quoted(headers.family(), &segment[8..]).map(Box::new);
    } else {
        headers.sport = word(segment, 4);
    }
    true
}

/// Source: Linux `icmp_is_err` and nf_conntrack_proto_icmpv6.c: every `ICMPv6` type below 128 is an error.
pub(crate) fn is_icmp_error(proto: Proto, kind: u8) -> bool {
    if proto == Proto::ICMP { matches!(kind, 3 | 4 | 5 | 11 | 12) } else { kind < 128 }
}

/// The packet inside an ICMP error, as far as it is quoted; `None` where not even its tuple is.
fn quoted(family: Family, bytes: &[u8]) -> Option<Quoted> {
    let (mut headers, layout) = match family {
        Family::V4 => ipv4(bytes, false).ok()?,
        Family::V6 => quoted_ipv6(bytes)?,
    };
    if headers.fragment.offset != 0 {
        return None;
    }
    let segment = &bytes[layout.transport.min(bytes.len())..];
    if headers.proto.is_icmp() {
        if segment.len() < 8 {
            return None;
        }
        (headers.sport, headers.dport) = (word(segment, 4), word(segment, 0));
    } else if headers.proto.has_ports() && !ports(&mut headers, segment)
        || headers.proto == Proto::GRE && !gre(&mut headers, segment)
    {
        return None;
    }
    let Headers { src, dst, sport, dport, proto, .. } = headers;
    let tuple = Tuple { src, dst, sport, dport, proto, zone: 0 };
    Some(Quoted { tuple, transport_len: u16::try_from(segment.len()).unwrap_or(u16::MAX) })
}

/// Where the transport header of a quoted IPv6 packet begins.
pub(super) fn quoted_transport(bytes: &[u8]) -> usize {
    quoted_ipv6(bytes).map_or(40, |(_, layout)| layout.transport)
}

/// An IPv6 packet whose end may be cut off.
fn quoted_ipv6(bytes: &[u8]) -> Option<(Headers, Layout)> {
    let mut whole = bytes.to_vec();
    let room = u16::try_from(bytes.len().checked_sub(40)?).ok()?;
    whole[4..6].copy_from_slice(&room.to_be_bytes());
    ipv6(&whole).ok()
}
