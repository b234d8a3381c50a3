//! ICMP errors: which connection the packet that they quote belongs to.

use kdp_packet::{Headers, Proto, Quoted};

use super::connection::Zone;
use super::table::Conntrack;
use super::track::{PacketState, Tracked};

impl Conntrack {
    /// Attaches an ICMP error to the connection of the packet it quotes. It refreshes nothing and is no answer.
    ///
    /// Source: Linux 6.18, `nf_conntrack_proto_icmp.c` `nf_conntrack_inet_error`.
    pub(super) fn related(&mut self, headers: &Headers, zone: Zone) -> Tracked {
        let Some(quoted) = headers.quoted.as_deref().filter(|quoted| is_enough(quoted)) else {
            return Tracked::Invalid;
        };
        // The quoted packet went out of here: the answer to it has the tuple that the error belongs to. An error about an
        // error has none.
        let Some(answer) = quoted.tuple.inverse() else { return Tracked::Invalid };
        let Some((id, direction)) = self.find_tuple(&answer, zone) else { return Tracked::Invalid };
        // The error must go to whom the quoted packet came from.
        if self.connection(id).tuple(direction).dst != headers.dst {
            return Tracked::Invalid;
        }
        Tracked::Known { id, direction, state: PacketState::Related }
    }
}

/// Ports take four bytes, an ICMP header all eight; without ports the addresses are enough.
fn is_enough(quoted: &Quoted) -> bool {
    let proto = quoted.tuple.proto;
    let needed = match proto {
        Proto::ICMP | Proto::ICMPV6 => 8,
        _ if proto.has_ports() => 4,
        _ => 0,
    };
    quoted.transport_len >= needed
}
