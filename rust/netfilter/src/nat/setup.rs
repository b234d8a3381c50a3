//! Deciding what a connection is translated to.

use kdp_packet::Tuple;
use kdp_sim::Time;

use super::{Manip, PortDraw, select};
use crate::NatRange;
use crate::conntrack::{Connection, Conntrack, Status};

/// Whether the translation of one end has been decided.
pub fn is_done(connection: &Connection, manip: Manip) -> bool {
    connection.status().has(done_bit(manip))
}

/// Translates one end of a connection that is not confirmed yet into `range`, so that no two connections share a tuple.
///
/// The range of a masquerade or redirect has its address filled in by the caller, who knows devices; see
/// [`masquerade`](super::masquerade). If no port is free the last one tried is taken: the clash is found at confirm, and
/// the packet dropped there.
///
/// Source: Linux 6.18, `nf_nat_core.c` `nf_nat_setup_info`.
pub fn setup(
    table: &mut Conntrack,
    connection: &mut Connection,
    manip: Manip,
    range: &NatRange,
    now: Time,
    draw: &mut dyn PortDraw,
) {
    let status = connection.status;
    assert!(
        !status.has(Status::CONFIRMED),
        "what a confirmed connection is translated to is decided: {connection}"
    );
    assert!(!is_done(connection, manip), "each end is decided once: {connection}");
    let current = leaving(connection);
    let chosen = select::unique_tuple(table, connection, manip, &current, range, now, draw);
    if chosen != current {
        let reply =
            chosen.inverse().expect("a tuple with an inverse keeps it when addresses and ports change");
        connection.reply = Tuple { zone: connection.reply.zone, ..reply };
        connection.status.add(match manip {
            Manip::Src => Status::SRC_NAT,
            Manip::Dst => Status::DST_NAT,
        });
    }
    connection.status.add(done_bit(manip));
}

/// Decides an end that no rule translates. The address stays; a source port (or an ICMP id) is still changed where it
/// would make two connections share a tuple.
///
/// Source: Linux 6.18, `nf_nat_core.c` `nf_nat_alloc_null_binding`.
pub fn null_binding(
    table: &mut Conntrack,
    connection: &mut Connection,
    manip: Manip,
    now: Time,
    draw: &mut dyn PortDraw,
) {
    let current = leaving(connection);
    let addr = match manip {
        Manip::Src => current.src,
        Manip::Dst => current.dst,
    };
    setup(table, connection, manip, &NatRange::to(addr, None), now, draw);
}

/// The tuple of the connection's packets as they leave, as far as decided.
fn leaving(connection: &Connection) -> Tuple {
    connection.reply.inverse().expect("a connection's tuples have inverses")
}

const fn done_bit(manip: Manip) -> Status {
    match manip {
        Manip::Src => Status::SRC_NAT_DONE,
        Manip::Dst => Status::DST_NAT_DONE,
    }
}
