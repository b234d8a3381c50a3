//! Words that nft has for numbers.
//!
//! Source: nftables 1.0.6, src/ct.c, src/proto.c, src/datatype.c, src/fib.c; the numbers are the kernel's.

use crate::nft::Type;

/// A word and its number.
pub(super) type Symbol = (&'static str, u32);

const CT_STATE: &[Symbol] =
    &[("invalid", 1), ("established", 2), ("related", 4), ("new", 8), ("untracked", 64)];
const CT_STATUS: &[Symbol] = &[
    ("expected", 1),
    ("seen-reply", 2),
    ("assured", 4),
    ("confirmed", 8),
    ("snat", 16),
    ("dnat", 32),
    ("dying", 512),
];
const CT_DIR: &[Symbol] = &[("original", 0), ("reply", 1)];
const TCP_FLAG: &[Symbol] =
    &[("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32), ("ecn", 64), ("cwr", 128)];
const FIB_ADDRTYPE: &[Symbol] = &[
    ("unspec", 0),
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
];
const NF_PROTO: &[Symbol] = &[("ipv4", 2), ("ipv6", 10)];
const INET_PROTO: &[Symbol] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("sctp", 132),
    ("udplite", 136),
];
const ICMP_TYPE: &[Symbol] = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];
const ICMPV6_TYPE: &[Symbol] = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
];
const DSCP: &[Symbol] = &[
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("ef", 46),
];

/// Codes of `reject with icmp`, `icmpv6` and `icmpx`.
/// Source: nftables 1.0.6, src/datatype.c, `icmp_code_tbl`, `icmpv6_code_tbl`, `icmpx_code_tbl`.
pub(super) const REJECT_ICMP: &[Symbol] = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];
pub(super) const REJECT_ICMPV6: &[Symbol] = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];
pub(super) const REJECT_ICMPX: &[Symbol] =
    &[("no-route", 0), ("port-unreachable", 1), ("host-unreachable", 2), ("admin-prohibited", 3)];

/// Names of types as sets declare them.
pub(super) const TYPES: &[(&str, Type)] = &[
    ("ipv4_addr", Type::Ipv4Addr),
    ("ipv6_addr", Type::Ipv6Addr),
    ("inet_proto", Type::InetProto),
    ("inet_service", Type::InetService),
    ("mark", Type::Mark),
    ("ifname", Type::IfName),
    ("ct_state", Type::CtState),
    ("ct_status", Type::CtStatus),
    ("ct_dir", Type::CtDir),
    ("fib_addrtype", Type::FibAddrType),
    ("icmp_type", Type::IcmpType),
    ("icmpv6_type", Type::Icmpv6Type),
    ("nf_proto", Type::NfProto),
    ("tcp_flag", Type::TcpFlag),
    ("dscp", Type::Dscp),
    ("integer", Type::Integer),
    ("time", Type::Time),
];

/// The words of a type's values.
pub(super) fn of_type(kind: Type) -> &'static [Symbol] {
    match kind {
        Type::CtState => CT_STATE,
        Type::CtStatus => CT_STATUS,
        Type::CtDir => CT_DIR,
        Type::TcpFlag => TCP_FLAG,
        Type::FibAddrType => FIB_ADDRTYPE,
        Type::NfProto => NF_PROTO,
        Type::InetProto => INET_PROTO,
        Type::IcmpType => ICMP_TYPE,
        Type::Icmpv6Type => ICMPV6_TYPE,
        Type::Dscp => DSCP,
        Type::Ipv4Addr
        | Type::Ipv6Addr
        | Type::InetService
        | Type::Mark
        | Type::IfName
        | Type::Time
        | Type::Integer => &[],
    }
}

/// Whether values of the type are bits that are set together.
pub(super) fn is_bitmask(kind: Type) -> bool {
    matches!(kind, Type::CtState | Type::CtStatus | Type::TcpFlag)
}

pub(super) fn number_of(symbols: &[Symbol], word: &str) -> Option<u32> {
    symbols.iter().find(|(name, _)| *name == word).map(|(_, number)| *number)
}

pub(super) fn word_of(symbols: &[Symbol], number: u128) -> Option<&'static str> {
    symbols.iter().find(|(_, each)| u128::from(*each) == number).map(|(name, _)| *name)
}
