//! The search for a free port (or ICMP id).

use kdp_packet::{Proto, Tuple};
use kdp_sim::Time;

use super::{Manip, PortDraw};
use crate::NatRange;
use crate::conntrack::{Connection, Conntrack};

/// Tries of the first round. Each round that finds nothing has half as many, down to 16.
/// Source: `NF_NAT_MAX_ATTEMPTS`.
const MAX_ATTEMPTS: u32 = 128;

/// With so few tries left a closed TCP connection is driven out of its port.
/// Source: `NF_NAT_HARDER_THRESH`.
const HARDER_THRESHOLD: u32 = 32;

/// Whether the tuple's port lies in the range's ports.
/// Source: `l4proto_in_range`; protocols without ports are in any range.
pub(super) fn in_range(tuple: &Tuple, manip: Manip, range: &NatRange) -> bool {
    let Some(ports) = range.ports else { return true };
    match key(tuple, manip) {
        Some(Key::Id | Key::SourcePort) => ports.contains(tuple.sport),
        Some(Key::DestinationPort) => ports.contains(tuple.dport),
        None => true,
    }
}

/// Which number of a tuple a translation may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Id,
    SourcePort,
    DestinationPort,
}

fn key(tuple: &Tuple, manip: Manip) -> Option<Key> {
    match tuple.proto {
        Proto::ICMP | Proto::ICMPV6 => Some(Key::Id),
        proto if proto.has_ports() => {
            Some(if manip == Manip::Src { Key::SourcePort } else { Key::DestinationPort })
        }
        _ => None,
    }
}

/// A tuple like `tuple` with a port that is free, or with the last one tried.
///
/// Source: Linux 6.18, `nf_nat_core.c` `nf_nat_l4proto_unique_tuple`.
pub(super) fn search(
    table: &mut Conntrack,
    connection: &Connection,
    manip: Manip,
    mut tuple: Tuple,
    range: &NatRange,
    now: Time,
    draw: &mut dyn PortDraw,
) -> Tuple {
    let Some(key) = key(&tuple, manip) else { return tuple };
    let Some((first, size)) = class(key, &tuple, range) else { return tuple };
    let random = range.random || range.random_fully || manip == Manip::Src;
    let mut offset = if random { draw.below(1 << 16) } else { 0 };
    let mut attempts = size.min(MAX_ATTEMPTS);
    loop {
        for attempt in 0..attempts {
            // The offset is 16 bits wide, and wraps.
            let step = ((offset + attempt) & 0xffff) % size;
            let port = u16::try_from(first + step).expect("a port class ends at 65535");
            match key {
                Key::Id | Key::SourcePort => tuple.sport = port,
                Key::DestinationPort => tuple.dport = port,
            }
            let harder = attempts - attempt <= HARDER_THRESHOLD && tuple.proto == Proto::TCP;
            if !table.is_taken(&tuple, connection, now)
                || harder && table.evict_closed(&tuple, connection, now)
            {
                return tuple;
            }
        }
        if attempts >= size || attempts < 16 {
            return tuple;
        }
        attempts /= 2;
        offset = draw.below(1 << 16);
    }
}

/// The ports to choose from: the first, and how many. `None` if the port has to stay.
///
/// A port below 512 may stand for a user's right (rsh): it is given another of that kind.
fn class(key: Key, tuple: &Tuple, range: &NatRange) -> Option<(u32, u32)> {
    if let Some(ports) = range.ports {
        let (first, last) = (ports.first.min(ports.last), ports.first.max(ports.last));
        return Some((first.into(), u32::from(last - first) + 1));
    }
    match key {
        Key::Id => Some((0, 1 << 16)),
        Key::DestinationPort => None,
        Key::SourcePort => Some(match tuple.sport {
            0..512 => (1, 511),
            512..1024 => (600, 424),
            1024.. => (1024, 64_512),
        }),
    }
}
