//! Masquerade: a source translation that remembers its device, and dies with it.

use std::net::IpAddr;

use kdp_sim::Time;

use super::{Manip, PortDraw, null_binding, setup};
use crate::NatRange;
use crate::conntrack::{Connection, Conntrack, Direction, EntryId};

/// Translates the source into `addr`, the address that the egress device `ifindex` has for the next hop.
///
/// A source of `0.0.0.0` (a DHCP client's) is left alone.
/// Source: Linux 6.18, `nf_nat_masquerade.c` `nf_nat_masquerade_ipv4`.
pub fn masquerade(
    table: &mut Conntrack,
    connection: &mut Connection,
    range: &NatRange,
    (addr, ifindex): (IpAddr, u32),
    now: Time,
    draw: &mut dyn PortDraw,
) {
    if connection.original.src == IpAddr::from([0, 0, 0, 0]) {
        return null_binding(table, connection, Manip::Src, now, draw);
    }
    connection.masquerade = Some(ifindex);
    let range = NatRange { addrs: Some((addr, addr)), ..*range };
    setup(table, connection, Manip::Src, &range, now, draw);
}

impl Connection {
    /// Whether a packet may leave by the device: one of a masqueraded connection's original direction must leave by the
    /// device whose address it has.
    ///
    /// Source: Linux 6.18, `nf_nat_core.c` `nf_nat_oif_changed`.
    pub fn may_leave_by(&self, direction: Direction, ifindex: u32) -> bool {
        direction == Direction::Reply || self.masquerade.is_none_or(|device| device == ifindex)
    }
}

impl Conntrack {
    /// At POSTROUTING: whether a packet of a masqueraded entry may leave by the device. If not, the entry is removed and
    /// the packet is to be dropped: the next one starts anew.
    pub fn leaves_by(&mut self, id: EntryId, direction: Direction, ifindex: u32, now: Time) -> bool {
        let may = self.get(id, now).is_none_or(|entry| entry.may_leave_by(direction, ifindex));
        if !may {
            self.remove(id);
        }
        may
    }

    /// A device went down: the connections that masqueraded by it are removed. Gives how many.
    /// Source: `masq_device_event`.
    pub fn device_gone(&mut self, ifindex: u32) -> usize {
        self.remove_where(|connection| connection.masquerade == Some(ifindex))
    }

    /// An address was removed: the connections that masquerade as it are removed. Gives how many.
    /// Source: `masq_inet_event`, `masq_inet6_event`.
    pub fn address_gone(&mut self, addr: IpAddr) -> usize {
        self.remove_where(|connection| connection.masquerade.is_some() && connection.reply.dst == addr)
    }
}
