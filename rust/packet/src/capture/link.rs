//! The frames of a link, and the IP packet inside.

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An IP packet, from its header to the end that the header says.
    Ip {
        /// Its bytes.
        packet: Vec<u8>,
        /// Whether the machine that captured sent it (Linux cooked captures say so).
        is_outgoing: bool,
    },
    /// Something else: an EtherType such as 0x0806 (ARP), or 0 where the frame is too short for one.
    Other(u16),
}

/// A kind of frame. Source: the numbers of libpcap, pcap-linktype(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    Raw,
    Cooked,
    Cooked2,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad and the older number of stacked tags.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// The packet type of a frame that the machine itself sends. Source: include/uapi/linux/if_packet.h `PACKET_OUTGOING`, v6.12.
const OUTGOING: u16 = 4;

impl Link {
    /// The kind of a number.
    pub(crate) fn of(number: u32) -> Option<Link> {
        Some(match number {
            1 => Link::Ethernet,
            12 | 14 | 101 | 228 | 229 => Link::Raw,
            113 => Link::Cooked,
            276 => Link::Cooked2,
            _ => return None,
        })
    }

    /// Takes a frame apart.
    ///
    /// Source: the layouts of LINKTYPE_ETHERNET, LINKTYPE_RAW, LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2, tcpdump.org.
    pub(crate) fn content(self, frame: &[u8]) -> Content {
        let word = |at: usize| frame.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
        match self {
            Link::Raw => ip(frame, false),
            Link::Ethernet => behind_tags(frame, 12, false),
            Link::Cooked => behind_tags(frame, 14, word(0) == Some(OUTGOING)),
            Link::Cooked2 => {
                let is_outgoing = frame.get(10).is_some_and(|kind| u16::from(*kind) == OUTGOING);
                typed(word(0).unwrap_or(0), frame.get(20..).unwrap_or_default(), is_outgoing)
            }
        }
    }
}

/// The frame from its EtherType on, which is at `at`; VLAN tags are stepped over.
fn behind_tags(frame: &[u8], mut at: usize, is_outgoing: bool) -> Content {
    loop {
        let Some(kind) = frame.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]])) else {
            return Content::Other(0);
        };
        if !TAGS.contains(&kind) {
            return typed(kind, &frame[at + 2..], is_outgoing);
        }
        at += 4;
    }
}

fn typed(kind: u16, bytes: &[u8], is_outgoing: bool) -> Content {
    if matches!(kind, IPV4 | IPV6) { ip(bytes, is_outgoing) } else { Content::Other(kind) }
}

/// The packet without what Ethernet padded it with. Bytes whose header says no end are taken as they are: that a host refuses
/// them is the host's to say.
fn ip(bytes: &[u8], is_outgoing: bool) -> Content {
    let says = |at: usize| bytes.get(at..at + 2).map(|two| usize::from(u16::from_be_bytes([two[0], two[1]])));
    let end = match bytes.first().map(|first| first >> 4) {
        Some(4) => says(2).filter(|total| *total >= 20),
        Some(6) => says(4).filter(|payload| *payload > 0).map(|payload| 40 + payload),
        _ => None,
    };
    let packet = bytes[..end.unwrap_or(bytes.len()).min(bytes.len())].to_vec();
    Content::Ip { packet, is_outgoing }
}
