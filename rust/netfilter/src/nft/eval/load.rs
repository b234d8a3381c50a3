//! What rules read of a packet. `None` ends the rule: the packet does not have it.

use std::net::IpAddr;

use kdp_packet::{Family, Headers, Proto};

use crate::CtState;
use crate::conntrack::{Counter, Direction};
use crate::nft::element::{device_number, number_of};
use crate::nft::{CtField, Load, Transport};
use crate::vm::{Frame, Locality, Seen};

/// The value, for everything but numbers that are drawn or counted.
pub(super) fn load(load: &Load, frame: &Frame<'_>, locality: &impl Locality) -> Option<u128> {
    let headers = &*frame.headers;
    let tos = frame.edits.tos.unwrap_or(headers.tos);
    Some(match load {
        Load::Saddr(family) => number_of(of(headers, *family)?.src),
        Load::Daddr(family) => number_of(of(headers, *family)?.dst),
        Load::Protocol(family) => of(headers, *family)?.proto.0.into(),
        Load::IpLength => of(headers, Family::V4)?.length.into(),
        Load::Ttl(family) => frame.edits.ttl.unwrap_or(of(headers, *family)?.ttl).into(),
        Load::Dscp(family) => {
            of(headers, *family)?;
            (tos >> 2).into()
        }
        Load::Sport(transport) => with_ports(headers, *transport)?.sport.into(),
        Load::Dport(transport) => with_ports(headers, *transport)?.dport.into(),
        Load::TcpFlags => headers.tcp.filter(|_| first(headers))?.flags.into(),
        Load::IcmpType(family) => icmp(headers, *family)?.0.into(),
        Load::IcmpCode(family) => icmp(headers, *family)?.1.into(),
        Load::L4Proto => headers.proto.0.into(),
        // Source: include/uapi/linux/netfilter.h, NFPROTO_IPV4 is 2, NFPROTO_IPV6 10.
        Load::NfProto => match headers.family() {
            Family::V4 => 2,
            Family::V6 => 10,
        },
        Load::Mark => frame.mark.into(),
        Load::Length => headers.length.into(),
        // A packet without the device has the empty name. Source: net/netfilter/nft_meta.c, v6.12.
        // DEVIATION(nft-iif-index): the device of that name, also one that was made after the rule.
        Load::InDevice | Load::InIndex => device_number(frame.in_device.unwrap_or("")),
        Load::OutDevice | Load::OutIndex => device_number(frame.out_device.unwrap_or("")),
        Load::Ct(field) => ct(*field, frame)?,
        Load::FibSaddrType => addr_type(headers.src, locality),
        Load::FibDaddrType => addr_type(headers.dst, locality),
        Load::NumgenRandom { .. } | Load::NumgenInc { .. } | Load::Jhash { .. } => {
            unreachable!("numbers are drawn, counted and hashed by the walker")
        }
    })
}

/// In a table of both families a field of one of them asks for that family first.
fn of(headers: &Headers, family: Family) -> Option<&Headers> {
    (headers.family() == family).then_some(headers)
}

fn first(headers: &Headers) -> bool {
    headers.fragment.offset == 0
}

/// The headers if the packet has ports of this protocol. `tcp dport` asks for the protocol first.
fn with_ports(headers: &Headers, transport: Transport) -> Option<&Headers> {
    let fits = match transport {
        Transport::Tcp => headers.proto == Proto::TCP,
        Transport::Udp => headers.proto == Proto::UDP,
        Transport::Sctp => headers.proto == Proto::SCTP,
        Transport::Udplite => headers.proto == Proto::UDPLITE,
        // DEVIATION(nft-th-without-ports): the kernel reads two bytes of whatever header is there.
        Transport::Any => headers.proto.has_ports() && !headers.portless,
    };
    (fits && first(headers)).then_some(headers)
}

fn icmp(headers: &Headers, family: Family) -> Option<(u8, u8)> {
    let wanted = if family == Family::V4 { Proto::ICMP } else { Proto::ICMPV6 };
    headers.icmp().filter(|_| headers.proto == wanted && first(headers))
}

/// Source: include/uapi/linux/rtnetlink.h, the RTN_ numbers: the types stand in their order.
fn addr_type(addr: IpAddr, locality: &impl Locality) -> u128 {
    u128::from(locality.addr_type(addr) as u8)
}

/// Source: net/netfilter/nft_ct.c, v6.12, `nft_ct_get_eval`: without a connection only the state can be asked.
fn ct(field: CtField, frame: &Frame<'_>) -> Option<u128> {
    if field == CtField::State {
        return Some(state(frame));
    }
    let seen = frame.connection.as_ref()?;
    let tuple = |direction| if direction == Direction::Original { &seen.original } else { &seen.reply };
    let addr = |addr: IpAddr, family| (Family::of(addr) == family).then(|| number_of(addr));
    Some(match field {
        CtField::State => unreachable!("answered above"),
        CtField::Status => seen.status.0.into(),
        CtField::Mark => seen.mark.into(),
        CtField::Direction => u128::from(seen.direction == Direction::Reply),
        CtField::Saddr(direction, family) => addr(tuple(direction).src, family)?,
        CtField::Daddr(direction, family) => addr(tuple(direction).dst, family)?,
        CtField::ProtoSrc(direction) => tuple(direction).sport.into(),
        CtField::ProtoDst(direction) => tuple(direction).dport.into(),
        CtField::Packets(direction) => counted(seen, direction, |each| each.packets),
        CtField::Bytes(direction) => counted(seen, direction, |each| each.bytes),
        CtField::Expiration => u128::from(seen.remaining) * 1_000,
    })
}

/// Of one direction, or of both.
fn counted(seen: &Seen, direction: Option<Direction>, of: fn(&Counter) -> u64) -> u128 {
    match direction {
        Some(direction) => of(&seen.counters[direction.index()]).into(),
        None => seen.counters.iter().map(|each| u128::from(of(each))).sum(),
    }
}

/// Source: include/uapi/linux/netfilter/nf_conntrack_common.h, NF_CT_STATE_BIT.
fn state(frame: &Frame<'_>) -> u128 {
    let bits = [
        (CtState::Invalid, 1),
        (CtState::Established, 2),
        (CtState::Related, 4),
        (CtState::New, 8),
        (CtState::Untracked, 64),
    ];
    bits.into_iter().filter(|(state, _)| frame.ct.contains(*state)).map(|(_, bit)| bit).sum()
}
