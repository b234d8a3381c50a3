//! What rules, connection tracking and NAT read of a packet, parsed once.

use std::net::IpAddr;

use crate::{Family, Proto, Tuple};

/// TCP flag bits.
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment field counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// ECN echo.
    pub const ECE: u8 = 0x40;
    /// Congestion window reduced.
    pub const CWR: u8 = 0x80;
}

/// The headers of one packet.
///
/// `sport` and `dport` are a transport's ports; for ICMP `sport` is the id and `dport` type and code, as in [`Tuple`].
#[expect(clippy::struct_excessive_bools, reason = "each says something else of the transport header")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Transport protocol (behind IPv6 extension headers).
    pub proto: Proto,
    /// Source port or ICMP id.
    pub sport: u16,
    /// Destination port or ICMP type and code.
    pub dport: u16,
    /// Total length of the IP packet in bytes.
    pub length: u16,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// IPv4 identification.
    pub id: u16,
    /// Fragmentation.
    pub fragment: Fragment,
    /// Whether the transport header is complete, and its lengths fit the packet. A tracker calls others INVALID.
    pub whole: bool,
    /// Whether it is whole and its checksum right.
    pub sound: bool,
    /// Whether it is a UDP packet without a checksum (0 stands in its place).
    pub unsummed: bool,
    /// Whether its transport has the checksum that a `REJECT` asks for before it answers.
    pub answerable: bool,
    /// Whether its transport header is cut off before the ports end.
    pub portless: bool,
    /// TCP's own fields.
    pub tcp: Option<Tcp>,
    /// SCTP's own fields.
    pub sctp: Option<Box<Sctp>>,
    /// GRE's own fields.
    pub gre: Option<Gre>,
    /// The packet that an ICMP error quotes.
    pub quoted: Option<Box<Quoted>>,
}

/// GRE's own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gre {
    /// The version: 0, or 1 for PPTP's, whose call id is the packet's `dport`.
    pub version: u8,
    /// Bytes of the header and of what it carries.
    pub length: u16,
}

/// IPv4 fragmentation fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Do not fragment.
    pub df: bool,
    /// More fragments follow.
    pub mf: bool,
    /// Offset in bytes.
    pub offset: u16,
}

/// TCP's own fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Flag bits, see [`flags`].
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Window as it stands in the header, unscaled.
    pub window: u16,
    /// Payload bytes.
    pub data_len: u32,
    /// What the options say.
    pub options: TcpOptions,
}

/// TCP options that connection tracking and rules read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Whether there are options at all.
    pub present: bool,
    /// Maximum segment size.
    pub mss: Option<u16>,
    /// Window scale, as sent.
    pub window_scale: Option<u8>,
    /// SACK permitted.
    pub sack_permitted: bool,
    /// The highest right edge of the SACK blocks.
    pub sack_right_edge: Option<u32>,
    /// The kinds that are there, also those that nothing else here reads.
    pub kinds: crate::OptionKinds,
}

/// SCTP's own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sctp {
    /// Verification tag.
    pub tag: u32,
    /// Chunks, in order.
    pub chunks: Vec<SctpChunk>,
}

/// What connection tracking reads of an SCTP chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SctpChunk {
    /// Chunk type (RFC 9260, 3.2).
    pub kind: u8,
    /// Chunk flags; bit 0 is T in ABORT and SHUTDOWN COMPLETE.
    pub flags: u8,
    /// The initiate tag of an INIT or INIT ACK; 0 in other chunks.
    pub init_tag: u32,
}

/// The packet inside an ICMP error: as much of it as the error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Its tuple as quoted.
    pub tuple: Tuple,
    /// Bytes of its transport header that are there.
    pub transport_len: u16,
}

impl Headers {
    /// The headers of a segment or datagram that a well-behaved end sends: TTL 64, DF, no options, no payload.
    pub fn plain(proto: Proto, src: (IpAddr, u16), dst: (IpAddr, u16)) -> Headers {
        let ip_len = if src.0.is_ipv4() { 20 } else { 40 };
        let tcp = (proto == Proto::TCP).then(|| Tcp { window: 64_240, ..Tcp::default() });
        let transport_len = if tcp.is_some() { 20 } else { 8 };
        Headers {
            src: src.0,
            dst: dst.0,
            proto,
            sport: src.1,
            dport: dst.1,
            length: ip_len + transport_len,
            ttl: 64,
            tos: 0,
            id: 0,
            fragment: Fragment { df: true, ..Fragment::default() },
            whole: true,
            sound: true,
            unsummed: false,
            answerable: true,
            portless: false,
            tcp,
            sctp: None,
            gre: None,
            quoted: None,
        }
    }

    /// The tuple by which conntrack looks the packet up, in `zone`.
    pub fn tuple(&self, zone: u16) -> Tuple {
        Tuple { src: self.src, dst: self.dst, sport: self.sport, dport: self.dport, proto: self.proto, zone }
    }

    /// Puts the addresses and ports of `tuple` in, as NAT does. The ICMP type stays.
    pub fn set_tuple(&mut self, tuple: &Tuple) {
        (self.src, self.dst) = (tuple.src, tuple.dst);
        self.sport = tuple.sport;
        if !self.proto.is_icmp() {
            self.dport = tuple.dport;
        }
    }

    /// The family of its addresses.
    pub fn family(&self) -> Family {
        Family::of(self.dst)
    }

    /// TCP flags; 0 for other protocols.
    pub fn tcp_flags(&self) -> u8 {
        self.tcp.map_or(0, |tcp| tcp.flags)
    }

    /// ICMP type and code; `None` for other protocols.
    pub fn icmp(&self) -> Option<(u8, u8)> {
        let [kind, code] = self.dport.to_be_bytes();
        self.proto.is_icmp().then_some((kind, code))
    }
}
