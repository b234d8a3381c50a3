//! Tests and changes of single header fields.

use std::net::IpAddr;

use kdp_packet::Family;

use super::{PortRange, Test};

/// A test of one field of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderTest {
    /// `-m tos --tos value/mask`.
    Tos(Test<(u8, u8)>),
    /// `-m dscp --dscp`.
    Dscp(Test<u8>),
    /// `-m ttl`, `-m hl`.
    Ttl(TtlTest),
    /// `-m tcpmss --mss`: bytes, both ends included. A segment without the option passes the contrary alone.
    TcpMss(Test<PortRange>),
    /// `-m iprange`: first and last address, both included.
    Range {
        /// `--src-range`.
        src: Option<Test<(IpAddr, IpAddr)>>,
        /// `--dst-range`.
        dst: Option<Test<(IpAddr, IpAddr)>>,
    },
}

/// A comparison of the time to live, or hop limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlTest {
    /// `--ttl-eq`.
    Eq(u8),
    /// `! --ttl-eq`.
    Ne(u8),
    /// `--ttl-lt`.
    Lt(u8),
    /// `--ttl-gt`.
    Gt(u8),
}

/// A change of one field of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// `TOS --set-tos value/mask`: loses the bits of mask, then is xored with value.
    Tos {
        /// Bits that are xored in.
        value: u8,
        /// Bits that are cleared first.
        mask: u8,
    },
    /// `DSCP --set-dscp`.
    Dscp(u8),
    /// `TTL --ttl-set`, `HL --hl-set`.
    TtlSet(u8),
    /// `TTL --ttl-inc`.
    TtlInc(u8),
    /// `TTL --ttl-dec`: down to 0, which drops nothing by itself.
    TtlDec(u8),
    /// `TCPMSS --set-mss`; `None` is `--clamp-mss-to-pmtu`.
    TcpMss(Option<u16>),
}

impl HeaderEdit {
    /// The name of the target.
    pub fn target_name(self, family: Family) -> &'static str {
        match self {
            HeaderEdit::Tos { .. } => "TOS",
            HeaderEdit::Dscp(_) => "DSCP",
            HeaderEdit::TtlSet(_) | HeaderEdit::TtlInc(_) | HeaderEdit::TtlDec(_) => match family {
                Family::V4 => "TTL",
                Family::V6 => "HL",
            },
            HeaderEdit::TcpMss(_) => "TCPMSS",
        }
    }
}

/// `-m limit`: a bucket of tokens, full at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Packets in a period, at least 1.
    pub rate: u32,
    /// The period in seconds.
    pub period: u32,
    /// Packets that a full bucket lets pass at once, at least 1.
    pub burst: u32,
}

/// `-m rpfilter`: whether a packet came in by the device that leads back to its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four flags that iptables has, each on its own")]
pub struct ReversePath {
    /// `--loose`: any device will do.
    pub loose: bool,
    /// `--validmark`: the packet's mark takes part in the lookup.
    pub validmark: bool,
    /// `--accept-local`: the box's own addresses pass.
    pub accept_local: bool,
    /// `--invert`.
    pub invert: bool,
}

/// Which device an address must belong to (`addrtype --limit-iface-in`, `--limit-iface-out`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSide {
    /// The one that the packet came in by.
    In,
    /// The one that it leaves by.
    Out,
}

/// `LOG` and `NFLOG`: the packet is told of, and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `NFLOG`: to a process, not to the kernel's log.
    pub nflog: bool,
    /// `--log-prefix`, `--nflog-prefix`.
    pub prefix: std::sync::Arc<str>,
    /// `--log-level`, a syslog priority; 4 unless given.
    pub level: u8,
    /// `--log-tcp-sequence` and its like, as bits.
    pub flags: u8,
    /// `--nflog-group`.
    pub group: u16,
}
