//! Rewriting a packet from the tuples of its connection.

use kdp_packet::{Gre, Headers, Proto, Tuple};

use super::Manip;
use crate::conntrack::{Connection, Direction, Status};

/// A packet that cannot be rewritten, and is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untranslatable {
    /// An ICMP redirect about a translated connection: it would name addresses that its reader does not know.
    Redirect,
    /// An ICMP error that quotes less of a packet than would have to be rewritten.
    QuotedTooShort,
    /// An ICMP error whose own checksum is wrong.
    Checksum,
    /// A GRE packet without room for a call id, or of a version that has none.
    Gre,
}

/// Rewrites one end of a packet at a hook: the destination at PREROUTING and OUTPUT, the source at POSTROUTING and INPUT.
///
/// `direction` is the packet's; an ICMP error about the connection has the direction that an answer to the quoted packet
/// would have, and its quoted packet is rewritten too.
///
/// Source: Linux 6.18, `nf_nat_core.c` `nf_nat_packet`.
pub fn translate(
    connection: &Connection,
    direction: Direction,
    manip: Manip,
    headers: &mut Headers,
) -> Result<(), Untranslatable> {
    if is_error(headers) {
        return translate_error(connection, direction, manip, headers);
    }
    if changes(connection, direction, manip) {
        if headers.proto == Proto::GRE && !is_translatable(headers.gre, manip) {
            return Err(Untranslatable::Gre);
        }
        rewrite(headers, &target(connection, direction), manip);
    }
    Ok(())
}

/// Source: Linux 6.12, `gre_manip_pkt`: eight bytes must be there; a destination is translated in versions 0 and 1 alone.
/// A packet without bytes (`None`) is taken for one in order.
fn is_translatable(gre: Option<Gre>, manip: Manip) -> bool {
    gre.is_none_or(|gre| gre.length >= 8 && (manip == Manip::Src || gre.version <= 1))
}

/// Source: `nf_nat_icmp_reply_translation`, `nf_nat_icmpv6_reply_translation`.
fn translate_error(
    connection: &Connection,
    direction: Direction,
    manip: Manip,
    headers: &mut Headers,
) -> Result<(), Untranslatable> {
    if !headers.sound {
        return Err(Untranslatable::Checksum);
    }
    let status = connection.status();
    if headers.proto == Proto::ICMP && headers.icmp().is_some_and(|(kind, _)| kind == REDIRECT) {
        let decided = status.has(Status::SRC_NAT_DONE) && status.has(Status::DST_NAT_DONE);
        if !decided || status.has(Status::NAT) {
            return Err(Untranslatable::Redirect);
        }
    }
    if !changes(connection, direction, manip) {
        return Ok(());
    }
    // The quoted packet went the other way: what is one end of the error is the other end in there.
    let inner = connection.tuple(direction.flip());
    if let Some(quoted) = headers.quoted.as_deref_mut() {
        let has_header = quoted.tuple.proto.has_ports()
            || quoted.tuple.proto.is_icmp()
            || quoted.tuple.proto == Proto::GRE;
        if has_header && quoted.transport_len < 8 {
            return Err(Untranslatable::QuotedTooShort);
        }
        put(&mut quoted.tuple, inner, manip.flip());
    }
    let target = target(connection, direction);
    match manip {
        Manip::Src => headers.src = target.src,
        Manip::Dst => headers.dst = target.dst,
    }
    Ok(())
}

/// Whether this end of the direction's packets is translated: what the original direction has at its source, the reply
/// direction has at its destination.
fn changes(connection: &Connection, direction: Direction, manip: Manip) -> bool {
    let manip = if direction == Direction::Original { manip } else { manip.flip() };
    connection.status().has(match manip {
        Manip::Src => Status::SRC_NAT,
        Manip::Dst => Status::DST_NAT,
    })
}

/// The tuple that the direction's packets leave with.
fn target(connection: &Connection, direction: Direction) -> Tuple {
    connection.tuple(direction.flip()).inverse().expect("a connection's tuples have inverses")
}

fn rewrite(headers: &mut Headers, target: &Tuple, manip: Manip) {
    let mut tuple = headers.tuple(0);
    put(&mut tuple, target, manip);
    // Source: Linux 6.12, `icmpv6_manip_pkt`: of ICMPv6's queries echoes alone have their id rewritten.
    if headers.proto == Proto::ICMPV6 && !matches!(headers.icmp(), Some((128 | 129, _))) {
        tuple.sport = headers.sport;
    }
    headers.set_tuple(&tuple);
}

/// Puts one end of `from` into `tuple`. An ICMP id belongs to both ends.
fn put(tuple: &mut Tuple, from: &Tuple, manip: Manip) {
    match manip {
        Manip::Src => (tuple.src, tuple.sport) = (from.src, from.sport),
        Manip::Dst if tuple.proto.is_icmp() => (tuple.dst, tuple.sport) = (from.dst, from.sport),
        Manip::Dst => (tuple.dst, tuple.dport) = (from.dst, from.dport),
    }
}

fn is_error(headers: &Headers) -> bool {
    headers.icmp().is_some_and(|(kind, _)| match headers.proto {
        Proto::ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => kind < 128,
    })
}

/// ICMP type 5.
const REDIRECT: u8 = 5;
