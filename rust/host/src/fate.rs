//! What becomes of a packet.

use std::fmt;
use std::net::IpAddr;

use kdp_netfilter::RejectWith;
use kdp_netfilter::conntrack::{Direction, EntryId};
use kdp_packet::Headers;

use crate::device::DeviceId;
use crate::packet::Packet;
use crate::walk::Held;

/// What became of a packet at one box.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It left by a device.
    Sent {
        /// The device.
        device: DeviceId,
        /// Whom it goes to on that device's link.
        next_hop: IpAddr,
        /// The packet as it left.
        packet: Packet,
    },
    /// The box itself received it.
    Delivered(Packet),
    /// It is gone, and nobody is told.
    Dropped(DropReason),
    /// It is gone, and its sender is told.
    Answered {
        /// Why.
        why: AnswerReason,
        /// What became of the answer; `None` where no answer is made (a reset is never answered).
        answer: Option<Box<Fate>>,
    },
    /// A rule handed it to a process, which has not decided yet.
    Queued(Box<Held>),
    /// Nobody can say: it hangs on a test that asks for what is not known.
    Unknown {
        /// The test, as it stands in its rule: `-m owner --uid-owner 1000`.
        because: std::sync::Arc<str>,
    },
    /// The sender, a process on this box, gets an error from the kernel.
    SendError(SendError),
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// A rule's target.
    Rule,
    /// A base chain's policy.
    Policy,
    /// The conntrack table is full.
    TableFull,
    /// Another connection has the tuple that this one needs.
    Clash,
    /// No address to masquerade with.
    NoAddress,
    /// NAT cannot translate what is there of the packet.
    Untranslatable,
    /// A source address that cannot come in by this device.
    MartianSource,
    /// A destination address that cannot be routed.
    MartianDestination,
    /// The way back to the source is by another device (`rp_filter`).
    ReversePath,
    /// Forwarding is off.
    NotForwarding,
    /// A blackhole route.
    Blackhole,
    /// The device is down.
    DeviceDown,
    /// A fragment that waits for others of its packet, or contradicts them.
    Fragment,
    /// There is no route, and its sender was told so too often.
    ErrorLimit,
    /// It names the route that it wants to take.
    SourceRoute,
    /// It goes to a multicast group, and nobody here listens to it.
    NoListener,
    /// A connection that was masqueraded leaves by another device now.
    OtherDevice,
}

impl DropReason {
    /// A short text.
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::Rule => "a rule drops it",
            DropReason::Policy => "the chain's policy drops it",
            DropReason::TableFull => "the conntrack table is full",
            DropReason::Clash => "another connection has the tuple it needs",
            DropReason::NoAddress => "the device has no address to masquerade with",
            DropReason::Untranslatable => "too little of it is there to translate",
            DropReason::MartianSource => "its source cannot come in by this device",
            DropReason::MartianDestination => "its destination cannot be routed",
            DropReason::ReversePath => "the way back to its source is by another device (rp_filter)",
            DropReason::NotForwarding => "forwarding is off (ip_forward)",
            DropReason::Blackhole => "a blackhole route takes it",
            DropReason::DeviceDown => "the device is down",
            DropReason::Fragment => "it is a fragment, and its packet is not whole yet",
            DropReason::ErrorLimit => {
                "there is no route, and its sender was told too often (net.ipv4.route.error_burst)"
            }
            DropReason::SourceRoute => "it wants to choose its route (accept_source_route is off)",
            DropReason::NoListener => "nobody here listens to that multicast group",
            DropReason::OtherDevice => "its masqueraded connection belongs to another device",
        }
    }
}

/// Why a packet was answered instead of passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerReason {
    /// A REJECT rule.
    Reject(RejectWith),
    /// No route, or one that says no: the ICMP (or ICMPv6) type and code.
    NoRoute(u8, u8),
    /// Its time to live ran out.
    TimeExceeded,
    /// Something is wrong in its IP header, at this byte.
    BadHeader(u8),
    /// It is longer than the next device carries, and may not be cut: the MTU.
    TooBig(u32),
}

/// What a local sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// ENETUNREACH: no route.
    NetworkUnreachable,
    /// EHOSTUNREACH: an unreachable route.
    HostUnreachable,
    /// EACCES: a prohibit route.
    PermissionDenied,
    /// EINVAL: a blackhole route, or an address that cannot leave the box.
    InvalidArgument,
    /// EPERM: a rule dropped it.
    NotPermitted,
    /// EMSGSIZE: the device does not carry so much at once.
    MessageTooLong,
}

impl fmt::Display for SendError {
    /// As strerror says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::NetworkUnreachable => "Network is unreachable",
            SendError::HostUnreachable => "No route to host",
            SendError::PermissionDenied => "Permission denied",
            SendError::InvalidArgument => "Invalid argument",
            SendError::NotPermitted => "Operation not permitted",
            SendError::MessageTooLong => "Message too long",
        })
    }
}

/// A packet's way through one box.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// What became of it.
    pub fate: Fate,
    /// What became of the copy that the box itself receives of a packet that it sends to a multicast group it listens to.
    pub copy: Option<Box<Fate>>,
    /// Rules that were looked at on the way, answers not counted.
    pub rules_walked: u64,
    /// The entry that the packet belongs to, and in which direction, if all further segments of an established flow go the same
    /// way: no rule asked for anything in which they may differ.
    pub alike: Option<(EntryId, Direction)>,
}

impl Fate {
    /// The headers of the packet where it left or was delivered.
    pub fn headers(&self) -> Option<&Headers> {
        match self {
            Fate::Sent { packet, .. } | Fate::Delivered(packet) => Some(&packet.headers),
            Fate::Dropped(_)
            | Fate::Queued(_)
            | Fate::Unknown { .. }
            | Fate::Answered { .. }
            | Fate::SendError(_) => None,
        }
    }
}
