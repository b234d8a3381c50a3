//! Which entries `conntrack -L` and `-D` mean.

use std::net::IpAddr;

use kdp_packet::{Cidr, Family, Proto};
use kdp_sim::Time;

use super::connection::{Connection, Direction, Status};
use super::table::{Conntrack, EntryId, EntryView};

/// The options of the conntrack tool that choose entries; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `-f`.
    pub family: Option<Family>,
    /// `-p`.
    pub proto: Option<Proto>,
    /// `-s`, `--orig-src`.
    pub orig_src: Option<Cidr>,
    /// `-d`, `--orig-dst`.
    pub orig_dst: Option<Cidr>,
    /// `-r`, `--reply-src`.
    pub reply_src: Option<Cidr>,
    /// `-q`, `--reply-dst`.
    pub reply_dst: Option<Cidr>,
    /// `--sport`, `--orig-port-src`.
    pub orig_sport: Option<u16>,
    /// `--dport`, `--orig-port-dst`.
    pub orig_dport: Option<u16>,
    /// `--reply-port-src`.
    pub reply_sport: Option<u16>,
    /// `--reply-port-dst`.
    pub reply_dport: Option<u16>,
    /// `-n`, `--src-nat`: the source was changed; to this address, if one is given.
    pub src_nat: Option<NatTo>,
    /// `-g`, `--dst-nat`: the destination was changed; to this address, if one is given.
    pub dst_nat: Option<NatTo>,
    /// `-m value/mask`.
    pub mark: Option<(u32, u32)>,
    /// `-w`: the zone of both directions.
    pub zone: Option<u16>,
    /// `--state` (TCP, SCTP): the state's name.
    pub state: Option<String>,
    /// `-u`: status bits that are all set.
    pub status: Status,
    /// No answer was seen.
    pub unreplied: bool,
}

/// Where a translation of [`Filter`] leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatTo {
    /// The address; any if `None`.
    pub addr: Option<IpAddr>,
    /// The port; any if `None`.
    pub port: Option<u16>,
}

impl Filter {
    /// Whether it says IPv4 or IPv6, by `-f` or by an address.
    pub fn names_family(&self) -> bool {
        let addrs = [self.orig_src, self.orig_dst, self.reply_src, self.reply_dst];
        self.family.is_some() || addrs.iter().any(Option::is_some)
    }

    /// Whether it asks for a port.
    pub fn names_ports(&self) -> bool {
        [self.orig_sport, self.orig_dport, self.reply_sport, self.reply_dport].iter().any(Option::is_some)
    }

    /// Whether the tool means this connection.
    ///
    /// Source: conntrack-tools, src/conntrack.c `nfct_filter`; `libnetfilter_conntrack` `nfct_getobjopt` (what counts as
    /// translated: the reply tuple differs from the inverse of the original).
    pub fn matches(&self, connection: &Connection) -> bool {
        let original = connection.tuple(Direction::Original);
        let reply = connection.tuple(Direction::Reply);
        let within = |wanted: Option<Cidr>, addr| wanted.is_none_or(|cidr| cidr.contains(addr));
        let equal = |wanted: Option<u16>, port| wanted.is_none_or(|p| p == port);
        self.family.is_none_or(|family| family == original.family())
            && self.proto.is_none_or(|proto| proto == original.proto)
            && within(self.orig_src, original.src)
            && within(self.orig_dst, original.dst)
            && within(self.reply_src, reply.src)
            && within(self.reply_dst, reply.dst)
            && equal(self.orig_sport, original.sport)
            && equal(self.orig_dport, original.dport)
            && equal(self.reply_sport, reply.sport)
            && equal(self.reply_dport, reply.dport)
            && self.src_nat.is_none_or(|to| to.meant(original.src, original.sport, reply.dst, reply.dport))
            && self.dst_nat.is_none_or(|to| to.meant(original.dst, original.dport, reply.src, reply.sport))
            && self.mark.is_none_or(|(value, mask)| connection.mark & mask == value)
            && self.zone.is_none_or(|zone| original.zone == zone && reply.zone == zone)
            && self.state.as_deref().is_none_or(|name| connection.proto_state().name() == Some(name))
            && connection.status.0 & self.status.0 == self.status.0
            && !(self.unreplied && connection.status.has(Status::SEEN_REPLY))
    }
}

impl NatTo {
    /// Any translation.
    pub const ANY: NatTo = NatTo { addr: None, port: None };

    /// A translation to `addr`, whatever the port.
    pub const fn addr(addr: IpAddr) -> NatTo {
        NatTo { addr: Some(addr), port: None }
    }

    /// Source: conntrack-tools 1.4.7, src/conntrack.c `filter_nat`, observed: it compares IPv4 addresses alone; for an IPv6
    /// address every translated entry is meant.
    fn meant(self, from: IpAddr, from_port: u16, to: IpAddr, to_port: u16) -> bool {
        let changed = from != to || self.port.is_some() && from_port != to_port;
        let is_it = |addr: IpAddr| addr.is_ipv6() || addr == to;
        changed && self.addr.is_none_or(is_it) && self.port.is_none_or(|port| port == to_port)
    }
}

impl Conntrack {
    /// The entries that `filter` means, in the order in which they were put in.
    pub fn select(&mut self, filter: &Filter, now: Time) -> Vec<EntryView> {
        self.entries(now).into_iter().filter(|entry| filter.matches(entry)).collect()
    }

    /// Removes the entries that `filter` means (`conntrack -D`); gives how many.
    pub fn delete(&mut self, filter: &Filter, now: Time) -> usize {
        let ids: Vec<EntryId> = self.select(filter, now).iter().map(EntryView::id).collect();
        ids.into_iter().filter(|id| self.remove(*id)).count()
    }
}
