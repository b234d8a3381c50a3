//! From [`Headers`] to bytes, and the answers that a host makes.

use std::net::IpAddr;

use super::checksum::{internet_checksum, pseudo_header, replace_word, transport_checksum};
use super::parse::{Malformed, locate};
use super::sctp;
use crate::{Fragment, Headers, Proto, Sctp, Tcp, TcpOptions, flags};

/// The bytes of a packet: IP header without options, transport header, `payload`. Lengths and checksums are right,
/// whatever `headers.length` says; ICMP errors take what they quote as `payload`.
pub fn build(headers: &Headers, payload: &[u8]) -> Vec<u8> {
    let mut segment = transport(headers, payload);
    let checksum = transport_checksum(headers.src, headers.dst, headers.proto, &segment);
    if let Some(at) = checksum_offset(headers.proto) {
        let checksum = if headers.proto == Proto::UDP && checksum == 0 { 0xffff } else { checksum };
        segment[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    }
    if headers.proto == Proto::SCTP {
        sctp::seal(&mut segment);
    }
    let mut bytes = ip(headers, segment.len());
    bytes.extend(segment);
    bytes
}

/// Where the checksum is in a transport header.
pub(crate) fn checksum_offset(proto: Proto) -> Option<usize> {
    match proto {
        Proto::TCP => Some(16),
        Proto::UDP => Some(6),
        Proto::ICMP | Proto::ICMPV6 => Some(2),
        _ => None,
    }
}

fn ip(headers: &Headers, segment_len: usize) -> Vec<u8> {
    let fits = |len: usize| u16::try_from(len).expect("an IP packet has at most 65535 bytes");
    match (headers.src, headers.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut bytes = vec![0x45, headers.tos];
            bytes.extend(fits(20 + segment_len).to_be_bytes());
            bytes.extend(headers.id.to_be_bytes());
            bytes.extend(fragment_word(headers.fragment).to_be_bytes());
            bytes.extend([headers.ttl, headers.proto.0, 0, 0]);
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
            let checksum = internet_checksum(&bytes);
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
            bytes
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut bytes = vec![0x60 | headers.tos >> 4, headers.tos << 4, 0, 0];
            bytes.extend(fits(segment_len).to_be_bytes());
            bytes.extend([headers.proto.0, headers.ttl]);
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
            bytes
        }
        _ => panic!("the addresses of a packet are of one family"),
    }
}

fn fragment_word(fragment: Fragment) -> u16 {
    u16::from(fragment.df) << 14 | u16::from(fragment.mf) << 13 | (fragment.offset / 8)
}

fn transport(headers: &Headers, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + payload.len());
    match headers.proto {
        Proto::ICMP | Proto::ICMPV6 => {
            bytes.extend(headers.dport.to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(headers.sport.to_be_bytes());
            bytes.extend([0, 0]);
        }
        Proto::TCP => tcp(&mut bytes, headers, headers.tcp.unwrap_or_default()),
        Proto::SCTP => {
            bytes.extend(headers.sport.to_be_bytes());
            bytes.extend(headers.dport.to_be_bytes());
            bytes.extend(sctp::build(headers.sctp.as_deref().unwrap_or(&Sctp::default())));
        }
        _ if headers.proto.has_ports() => {
            bytes.extend(headers.sport.to_be_bytes());
            bytes.extend(headers.dport.to_be_bytes());
            let len = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
            bytes.extend(len.to_be_bytes());
            bytes.extend([0, 0]);
        }
        _ => {}
    }
    bytes.extend(payload);
    bytes
}

fn tcp(bytes: &mut Vec<u8>, headers: &Headers, tcp: Tcp) {
    let options = tcp_options(tcp.options);
    bytes.extend(headers.sport.to_be_bytes());
    bytes.extend(headers.dport.to_be_bytes());
    bytes.extend(tcp.seq.to_be_bytes());
    bytes.extend(tcp.ack.to_be_bytes());
    let words = u8::try_from(5 + options.len() / 4).expect("TCP options have at most ten words");
    bytes.extend([words << 4, tcp.flags]);
    bytes.extend(tcp.window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(options);
}

fn tcp_options(options: TcpOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mss) = options.mss {
        bytes.extend([2, 4]);
        bytes.extend(mss.to_be_bytes());
    }
    if options.sack_permitted {
        bytes.extend([4, 2]);
    }
    if let Some(scale) = options.window_scale {
        bytes.extend([3, 3, scale]);
    }
    bytes.resize(bytes.len().next_multiple_of(4), 1);
    bytes
}

/// The ICMP (ICMPv6) error of type and code `kind` that a host at `from` sends to `to` about `offending`.
///
/// Source: Linux `__icmp_send` (net/ipv4/icmp.c: at most 576 bytes in all, the offending packet's type of service with the
/// precedence of internetwork control), `icmp6_send` (at most 1280).
pub fn icmp_error(from: IpAddr, to: IpAddr, kind: (u8, u8), offending: &[u8]) -> Vec<u8> {
    let v4 = from.is_ipv4();
    let (proto, room) = if v4 { (Proto::ICMP, 576 - 28) } else { (Proto::ICMPV6, 1280 - 48) };
    let mut headers = Headers::plain(proto, (from, 0), (to, u16::from_be_bytes([kind.0, kind.1])));
    headers.fragment.df = false;
    headers.tos = if v4 { offending[1] & 0x1e | 0xc0 } else { 0 };
    build(&headers, &offending[..offending.len().min(room)])
}

/// The same with the 32 bits behind the checksum: the MTU of the next link, or where the problem is.
pub fn icmp_error_saying(from: IpAddr, to: IpAddr, kind: (u8, u8), says: u32, offending: &[u8]) -> Vec<u8> {
    let mut bytes = icmp_error(from, to, kind, offending);
    let at = if from.is_ipv4() { 20 } else { 40 };
    let word = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let [a, b, c, d] = says.to_be_bytes();
    for (place, new) in [(at + 4, [a, b]), (at + 6, [c, d])] {
        let sum = replace_word(word(&bytes, at + 2), word(&bytes, place), u16::from_be_bytes(new));
        bytes[place..place + 2].copy_from_slice(&new);
        bytes[at + 2..at + 4].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// Makes a TCP segment one whose checksum is left to the device: in its place stands the sum of the pseudo header alone.
/// Source: Linux `nf_reject_ip_tcphdr_put` (net/ipv4/netfilter/nf_reject_ipv4.c), v6.12, `CHECKSUM_PARTIAL`.
pub fn leave_sum_to_device(bytes: &mut [u8]) -> Result<(), Malformed> {
    let (headers, layout) = locate(bytes)?;
    let length = layout.end - layout.transport;
    let pseudo = pseudo_header(headers.src, headers.dst, headers.proto, length);
    let at = layout.transport + 16;
    if headers.proto != Proto::TCP || at + 2 > layout.end {
        return Err(Malformed::Truncated);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a folded sum has 16 bits")]
    bytes[at..at + 2].copy_from_slice(&(pseudo as u16).to_be_bytes());
    Ok(())
}

/// The reset that `REJECT --reject-with tcp-reset` answers a segment with; `None` for a reset.
///
/// Source: Linux `nf_reject_ip_tcphdr_put` and `nf_send_reset` (net/ipv4/netfilter/nf_reject_ipv4.c): an ACK is answered
/// by its own number, anything else by an RST|ACK of all that it carried; ID 0, DF, TTL 64.
pub fn tcp_reset(offending: &Headers) -> Option<Headers> {
    let tcp = offending.tcp.filter(|tcp| tcp.flags & flags::RST == 0)?;
    let mut reset =
        Headers::plain(Proto::TCP, (offending.dst, offending.dport), (offending.src, offending.sport));
    let carried =
        tcp.data_len + u32::from(tcp.flags & flags::SYN != 0) + u32::from(tcp.flags & flags::FIN != 0);
    reset.tcp = Some(if tcp.flags & flags::ACK != 0 {
        Tcp { flags: flags::RST, seq: tcp.ack, ..Tcp::default() }
    } else {
        Tcp { flags: flags::RST | flags::ACK, ack: tcp.seq.wrapping_add(carried), ..Tcp::default() }
    });
    Some(reset)
}
