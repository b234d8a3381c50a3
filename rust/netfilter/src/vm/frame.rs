//! What rules see of a packet, and what they say of it.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use kdp_packet::Headers;
use kdp_sim::Time;

use super::{Edits, Rewritable, Seen};
use crate::conntrack::{TimeoutPolicy, Zone};
use crate::{AddrType, CtStates, NatRange, RejectWith};

/// A packet at a hook.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// Its headers as they are at this hook.
    pub headers: Rewritable<'a>,
    /// The device that it came in by; `None` in OUTPUT and POSTROUTING.
    pub in_device: Option<&'a str>,
    /// The device that it leaves by; `None` in PREROUTING and INPUT.
    pub out_device: Option<&'a str>,
    /// Its mark; rules change it.
    pub mark: u32,
    /// Its conntrack state, with the virtual states SNAT and DNAT of its entry.
    pub ct: CtStates,
    /// The connection that it belongs to.
    pub connection: Option<Seen>,
    /// What rules changed in its headers.
    pub edits: Edits,
    /// Set by `CT --zone`: where conntrack shall look for its connection.
    pub zone: Option<Zone>,
    /// Set by `ct timeout set`: timeouts of a connection that is not confirmed yet.
    pub timeouts: Option<Arc<TimeoutPolicy>>,
    /// Set by `CT --notrack`: conntrack shall leave it alone.
    pub notrack: bool,
    /// Whether a process of the box sent it, or may have.
    pub own: bool,
    /// The test that left its fate open, once one did.
    pub unknown: Option<Arc<str>>,
    /// The time.
    pub now: Time,
    /// Set by a rule that asked for what may differ between segments of one established flow: length, flags, time, chance, or
    /// what rules remember.
    pub varies: Cell<bool>,
}

impl<'a> Frame<'a> {
    /// A packet without devices, mark and state, at the start of time.
    pub fn new(headers: &'a Headers) -> Frame<'a> {
        Frame {
            headers: headers.into(),
            in_device: None,
            out_device: None,
            mark: 0,
            ct: CtStates::default(),
            connection: None,
            edits: Edits::default(),
            zone: None,
            timeouts: None,
            notrack: false,
            own: true,
            unknown: None,
            now: Time::ZERO,
            varies: Cell::new(false),
        }
    }

    /// The packet's length in bytes, with what rules put into it.
    pub fn length(&self) -> u16 {
        self.headers.length + self.edits.growth(&self.headers)
    }

    /// Whether rules asked for nothing but what is alike for all further segments of an established flow.
    pub fn is_alike(&self) -> bool {
        !self.varies.get()
    }
}

/// What a chain of rules says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on behind this table.
    Accept,
    /// It is gone.
    Drop,
    /// It is gone, and its sender is told.
    Reject(RejectWith),
    /// A process decides (`NFQUEUE`); where nobody listens it is gone, unless there is a `bypass`.
    Queue {
        /// Whether it goes on where nobody listens.
        bypass: bool,
    },
    /// Nobody can say: it hangs on the test that the frame names.
    Unknown,
    /// Its connection gets another destination, and it goes on.
    Dnat(NatRange),
    /// Its connection gets another source, and it goes on.
    Snat(NatRange),
    /// Its connection gets the source of the device that it leaves by, and it goes on.
    Masquerade(NatRange),
    /// Its connection gets this host as its destination, and it goes on.
    Redirect(NatRange),
}

/// A verdict, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The verdict.
    pub verdict: Verdict,
    /// Rules whose tests were begun: what a walk from rule to rule visits, also where an index visited fewer.
    pub rules_walked: u64,
}

/// Knows which addresses are whose: the routing tables of the host.
pub trait Locality {
    /// The type of `addr`.
    fn addr_type(&self, addr: IpAddr) -> AddrType;

    /// The type of `addr` as one device sees it: the addresses of others are not local to it.
    fn addr_type_on(&self, addr: IpAddr, device: &str) -> AddrType {
        let _ = device;
        self.addr_type(addr)
    }

    /// The device by which packets to `addr` leave; `None` if no unicast route leads there.
    fn device_to(&self, addr: IpAddr) -> Option<&str> {
        let _ = addr;
        None
    }

    /// The longest packet, in bytes, that the way to `addr` carries.
    fn mtu_to(&self, addr: IpAddr) -> Option<u32> {
        let _ = addr;
        None
    }
}
