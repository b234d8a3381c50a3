//! A batch of packets with complete headers, as columns.

use std::net::{IpAddr, Ipv4Addr};

use crate::{Headers, Proto, Tcp};

/// The rows of a `Packets` batch, IPv4: each column has one entry a row, in host byte order.
#[derive(Clone, Copy, Debug)]
pub struct PacketColumns<'a> {
    /// When each packet enters, in nanoseconds of virtual time; never smaller than the row before.
    pub time_ns: &'a [u64],
    /// Numbers of the devices that they come in by; 0 for the box itself.
    pub device: &'a [u32],
    /// Source addresses.
    pub src: &'a [u32],
    /// Source ports, or ICMP ids.
    pub sport: &'a [u16],
    /// Destination addresses.
    pub dst: &'a [u32],
    /// Destination ports, or ICMP types times 256 and codes.
    pub dport: &'a [u16],
    /// Protocol numbers.
    pub proto: &'a [u8],
    /// TCP flags, see [`flags`](crate::flags).
    pub flags: &'a [u8],
    /// TCP sequence numbers.
    pub seq: &'a [u32],
    /// TCP acknowledgment numbers.
    pub ack: &'a [u32],
    /// TCP windows as they stand in the header.
    pub window: &'a [u16],
    /// Total lengths of the packets in bytes.
    pub length: &'a [u16],
    /// Times to live.
    pub ttl: &'a [u8],
    /// Marks that the packets have when they enter.
    pub mark: &'a [u32],
}

impl PacketColumns<'_> {
    /// Rows; all columns have as many.
    pub fn len(&self) -> usize {
        self.src.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.src.is_empty()
    }

    /// What is wrong with a row, if anything is: times that go back, a packet shorter than its headers, SCTP (whose chunks a
    /// row does not have).
    pub fn fault(&self) -> Option<String> {
        let fault = |row: usize| {
            let proto = Proto(self.proto[row]);
            let (length, shortest) = (self.length[row], PacketColumns::shortest(proto));
            if proto == Proto::SCTP {
                return Some(format!("proto of row {row}: a row has no chunks, and SCTP is made of them"));
            }
            if length < shortest {
                return Some(format!("length of row {row}: {length} is less than the headers' {shortest}"));
            }
            let goes_back = row > 0 && self.time_ns[row] < self.time_ns[row - 1];
            goes_back.then(|| format!("time_ns of row {row}: it is before that of row {}", row - 1))
        };
        (0..self.len()).find_map(fault)
    }

    /// The shortest packet of a protocol: an IPv4 header without options and the transport's own.
    pub fn shortest(proto: Proto) -> u16 {
        20 + match proto {
            Proto::TCP => 20,
            Proto::UDP | Proto::ICMP => 8,
            _ => 0,
        }
    }

    /// The headers of a row. The packet is whole, its checksums are right, and it has no options.
    ///
    /// # Panics
    /// Where the row's length is shorter than its headers: who made the columns has checked that.
    pub fn headers(&self, row: usize) -> Headers {
        let addr = |bits: u32| IpAddr::V4(Ipv4Addr::from(bits));
        let proto = Proto(self.proto[row]);
        let src = (addr(self.src[row]), self.sport[row]);
        let mut headers = Headers::plain(proto, src, (addr(self.dst[row]), self.dport[row]));
        let payload = self.length[row].checked_sub(PacketColumns::shortest(proto));
        let payload = payload.expect("a packet is not shorter than its headers");
        (headers.length, headers.ttl) = (self.length[row], self.ttl[row]);
        headers.tcp = (proto == Proto::TCP).then(|| Tcp {
            flags: self.flags[row],
            seq: self.seq[row],
            ack: self.ack[row],
            window: self.window[row],
            data_len: payload.into(),
            ..Tcp::default()
        });
        headers
    }
}

/// What became of the packets, as columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketVerdicts {
    /// A code a row; what it stands for is the caller's (host's) to say.
    pub verdict: Vec<u8>,
    /// Numbers of the devices that they left by; 0 where they did not leave.
    pub device: Vec<u32>,
    /// Source addresses as they left.
    pub src: Vec<u32>,
    /// Source ports as they left.
    pub sport: Vec<u16>,
    /// Destination addresses as they left.
    pub dst: Vec<u32>,
    /// Destination ports as they left.
    pub dport: Vec<u16>,
    /// What connection tracking took them for, by the host's numbers.
    pub state: Vec<u8>,
    /// Rules walked.
    pub rules_walked: Vec<u32>,
}
