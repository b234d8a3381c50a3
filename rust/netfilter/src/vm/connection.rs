//! Tests of a packet's connection.

use kdp_packet::Tuple;

use super::Frame;
use crate::conntrack::{Counter, Direction, Status};
use crate::{ConnBytes, ConnMeasure, ConntrackTest, PortRange, Test};

/// What rules see of the connection that a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The tuple of its first packet.
    pub original: Tuple,
    /// The tuple of answers, as far as NAT has decided.
    pub reply: Tuple,
    /// Which way the packet goes.
    pub direction: Direction,
    /// Its status bits.
    pub status: Status,
    /// Its mark; rules change it.
    pub mark: u32,
    /// Whole seconds that are left; 0 before it is confirmed.
    pub remaining: u32,
    /// Packets and bytes of each direction; zero unless they are counted.
    pub counters: [Counter; 2],
}

/// Source: net/netfilter/xt_conntrack.c `conntrack_mt`, v6.12. Without a connection the state alone is asked.
pub(super) fn holds(test: &ConntrackTest, frame: &Frame<'_>) -> bool {
    let states = test.states.is_none_or(|test| test.holds(test.value.intersects(frame.ct)));
    let Some(seen) = &frame.connection else { return states && test.states.is_some() };
    let Seen { original, reply, .. } = seen;
    let addrs = [original.src, original.dst, reply.src, reply.dst];
    let ports = [original.sport, original.dport, reply.sport, reply.dport];
    states
        && test.direction.is_none_or(|direction| direction == seen.direction)
        && test.proto.is_none_or(|test| test.holds(test.value == original.proto))
        && each(&test.addrs, addrs, |cidr, addr| cidr.contains(addr))
        && each(&test.ports, ports, |range: &PortRange, port| range.contains(port))
        && test.status.is_none_or(|test| test.holds(seen.status.has(test.value)))
        && test.expire.is_none_or(|test| test.holds((test.value.0..=test.value.1).contains(&seen.remaining)))
}

fn each<T, V: Copy, const N: usize>(
    tests: &[Option<Test<T>>; N],
    values: [V; N],
    met: impl Fn(&T, V) -> bool,
) -> bool {
    let mut pairs = tests.iter().zip(values);
    pairs.all(|(test, value)| test.as_ref().is_none_or(|test| test.holds(met(&test.value, value))))
}

/// Source: net/netfilter/xt_connbytes.c `connbytes_mt`, v6.12.
pub(super) fn carried(test: &ConnBytes, frame: &Frame<'_>) -> bool {
    let Some(seen) = &frame.connection else { return false };
    let counted = seen.counters.iter().zip([Direction::Original, Direction::Reply]);
    let counted = counted.filter(|(_, way)| test.direction.is_none_or(|direction| direction == *way));
    let (packets, bytes) = counted
        .fold((0u64, 0u64), |(packets, bytes), (each, _)| (packets + each.packets, bytes + each.bytes));
    let measured = match test.measure {
        ConnMeasure::Packets => packets,
        ConnMeasure::Bytes => bytes,
        ConnMeasure::Average => bytes.checked_div(packets).unwrap_or(0),
    };
    (test.first..=test.last).contains(&measured) != test.invert
}
