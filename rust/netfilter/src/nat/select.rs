//! Choosing a tuple: keep it, re-use a mapping, or pick an address and search a port.

use std::net::IpAddr;

use kdp_packet::{Proto, Tuple};
use kdp_sim::Time;

use super::{Manip, PortDraw, jhash, ports};
use crate::NatRange;
use crate::conntrack::{Connection, Conntrack, Direction, Status};

/// The tuple that the packets of `connection` shall leave with, in place of `current`.
///
/// Source: Linux 6.18, `nf_nat_core.c` `get_unique_tuple`.
pub(super) fn unique_tuple(
    table: &mut Conntrack,
    connection: &Connection,
    manip: Manip,
    current: &Tuple,
    range: &NatRange,
    now: Time,
    draw: &mut dyn PortDraw,
) -> Tuple {
    let random = range.random || range.random_fully;
    if manip == Manip::Src && !random {
        let kept = if source_in_range(current, range) {
            (!is_taken_at_first(table, current, connection, now)).then_some(*current)
        } else {
            same_mapping(table, connection, current, range, now)
                .filter(|mapped| !table.is_taken(mapped, connection, now))
        };
        if let Some(kept) = kept {
            return kept;
        }
    }
    let mut tuple = *current;
    if let Some((first, last)) = range.addrs {
        let addr = pick_address(current, connection, manip, (first, last), range.persistent);
        match manip {
            Manip::Src => tuple.src = addr,
            Manip::Dst => tuple.dst = addr,
        }
    }
    if !random {
        let keep = match range.ports {
            // One port is taken as it is: a clash is found at confirm.
            Some(wanted) => {
                ports::in_range(&tuple, manip, range)
                    && (wanted.first == wanted.last || !table.is_taken(&tuple, connection, now))
            }
            None => !table.is_taken(&tuple, connection, now),
        };
        if keep {
            return tuple;
        }
    }
    ports::search(table, connection, manip, tuple, range, now, draw)
}

/// Source: `nf_in_range`.
fn source_in_range(tuple: &Tuple, range: &NatRange) -> bool {
    range.addrs.is_none_or(|(first, last)| (first..=last).contains(&tuple.src))
        && ports::in_range(tuple, Manip::Src, range)
}

/// What another connection from the same source was translated to, towards this destination.
/// Source: `find_appropriate_src`: the latest one whose mapping lies in the range, free or not.
fn same_mapping(
    table: &Conntrack,
    connection: &Connection,
    current: &Tuple,
    range: &NatRange,
    now: Time,
) -> Option<Tuple> {
    table
        .same_source(&connection.original)
        .filter(|other| other.deadline > now)
        .map(|other| {
            let mapped = other.reply;
            Tuple { src: mapped.dst, sport: source_port_of_reply(&mapped), ..*current }
        })
        .find(|mapped| source_in_range(mapped, range))
}

/// ICMP has its id in `sport` in both directions.
fn source_port_of_reply(reply: &Tuple) -> u16 {
    if reply.proto.is_icmp() { reply.sport } else { reply.dport }
}

/// Source: `nf_nat_used_tuple_new`: two UDP flows that are each other's exact reverse, both untranslated, are left to be
/// merged at confirm.
fn is_taken_at_first(table: &mut Conntrack, tuple: &Tuple, connection: &Connection, now: Time) -> bool {
    if !table.is_taken(tuple, connection, now) {
        return false;
    }
    let may_clash = matches!(tuple.proto, Proto::UDP | Proto::UDPLITE);
    if !may_clash || connection.status.has(Status::NAT) {
        return true;
    }
    let zoned = Tuple { zone: connection.original.zone, ..*tuple };
    let Some((other, Direction::Reply)) = table.find(&zoned, now) else { return true };
    // Their zones are not compared: where they differ the clash at confirm has no way out.
    let same = |one: &Tuple, two: &Tuple| Tuple { zone: 0, ..*one } == Tuple { zone: 0, ..*two };
    let reversed = same(&other.original, &connection.reply) && same(&other.reply, &connection.original);
    other.status.has(Status::NAT) || !reversed
}

/// An address of the range, spread by the source (and the destination, unless it shall be `persistent`).
///
/// Source: `find_best_ips_proto`: jhash2 without a secret, so the same on every boot. Words are hashed as a little-endian
/// machine reads them from the packet.
fn pick_address(
    tuple: &Tuple,
    connection: &Connection,
    manip: Manip,
    (first, last): (IpAddr, IpAddr),
    persistent: bool,
) -> IpAddr {
    if first == last {
        return first;
    }
    let destination = words(tuple.dst).map(u32::swap_bytes);
    let used = if first.is_ipv4() { 1 } else { 4 };
    let salt = if persistent { 0 } else { destination[used - 1] ^ u32::from(connection.original.zone) };
    let mut hash = jhash::jhash2(words(tuple.src).map(u32::swap_bytes), salt);
    let [lows, highs] = [words(first), words(last)];
    let mut chosen = [0u32; 4];
    let mut full_range = false;
    for i in 0..used {
        // Once a word differs from the last address, those behind it may be anything.
        let (low, span) = if full_range {
            (0, u32::MAX)
        } else {
            (lows[i], highs[i].wrapping_sub(lows[i]).wrapping_add(1))
        };
        chosen[i] = low.wrapping_add(jhash::scale(hash, span));
        full_range |= chosen[i] != highs[i];
        // A destination is chosen in its place, so it is the new word that is mixed in.
        if !persistent {
            hash ^= if manip == Manip::Dst { chosen[i].swap_bytes() } else { destination[i] };
        }
    }
    address(chosen, first)
}

/// An address as four 32-bit words; IPv4 has the first alone.
fn words(addr: IpAddr) -> [u32; 4] {
    match addr {
        IpAddr::V4(addr) => [addr.into(), 0, 0, 0],
        IpAddr::V6(addr) => {
            let bits = u128::from(addr);
            #[expect(clippy::cast_possible_truncation, reason = "each word is cut out")]
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
        }
    }
}

fn address(words: [u32; 4], like: IpAddr) -> IpAddr {
    if like.is_ipv4() {
        return IpAddr::V4(words[0].into());
    }
    IpAddr::V6(words.into_iter().fold(0u128, |bits, word| bits << 32 | u128::from(word)).into())
}
