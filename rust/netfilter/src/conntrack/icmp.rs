//! ICMP and `ICMPv6`: which types are queries, errors, or never tracked.

use kdp_packet::{Headers, Proto};

use super::settings::Settings;

/// What connection tracking makes of an ICMP type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IcmpClass {
    /// Not ICMP.
    NotIcmp,
    /// About another packet, which it quotes.
    Error,
    /// A query or its answer, or something that no tuple fits.
    Query,
    /// Listener reports, router and neighbour discovery: never tracked.
    Discovery,
    /// A type beyond those that exist.
    Unknown,
}

/// Source: Linux 6.18, `nf_conntrack_icmpv4_error`, `nf_conntrack_icmpv6_error` (`noct_valid_new`).
pub(super) fn classify(headers: &Headers) -> IcmpClass {
    let Some((kind, _)) = headers.icmp() else { return IcmpClass::NotIcmp };
    if headers.proto == Proto::ICMP {
        return match kind {
            3 | 4 | 5 | 11 | 12 => IcmpClass::Error,
            0..=18 => IcmpClass::Query,
            _ => IcmpClass::Unknown,
        };
    }
    match kind {
        0..=127 => IcmpClass::Error,
        130..=136 | 143 | 151 => IcmpClass::Discovery,
        _ => IcmpClass::Query,
    }
}

/// Whether the packet asks something, and so may be the first of a connection.
/// Source: Linux `nf_conntrack_icmp_packet`, `nf_conntrack_icmpv6_packet` (`valid_new`).
pub(super) fn opens(headers: &Headers) -> bool {
    match headers.icmp() {
        Some((kind, _)) if headers.proto == Proto::ICMP => matches!(kind, 8 | 13 | 15 | 17),
        Some((kind, _)) => matches!(kind, 128 | 139),
        None => false,
    }
}

pub(super) fn timeout(proto: Proto, settings: &Settings) -> u32 {
    if proto == Proto::ICMP { settings.icmp_timeout } else { settings.icmpv6_timeout }
}
