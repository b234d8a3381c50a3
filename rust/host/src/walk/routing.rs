//! Routing decisions: for the box itself, out by a device, or not at all.

use std::net::IpAddr;

use kdp_netfilter::vm::Choose;
use kdp_packet::Family;

use super::{Context, Passage, Stop};
use crate::Error;
use crate::device::{DeviceId, LOOPBACK};
use crate::fate::{AnswerReason, DropReason, Fate, SendError};
use crate::options::Worked;
use crate::packet::Packet;
use crate::route::RouteKind;
use crate::trace::{Note, Record};

/// Where a packet from a device goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// To the box itself.
    Local,
    /// Out again.
    Out,
}

impl<C: Choose, R: Record> Context<'_, C, R> {
    /// The routing decision for a packet that came in by a device.
    /// Source: net/ipv4/route.c `ip_route_input_slow`, v6.12: sources first, then local, then forwarding.
    pub(super) fn route_input(&mut self, passage: &mut Passage) -> Result<Decision, Stop> {
        let input = passage.input.expect("a packet from a device has one");
        let (src, dst) = (passage.packet.headers.src, passage.packet.headers.dst);
        if input != LOOPBACK {
            self.check_source(input, src, dst)?;
            self.check_destination(passage)?;
        }
        if dst.is_multicast() {
            let listens = self.host.devices.listens(input, dst);
            return if listens { Ok(Decision::Local) } else { Err(DropReason::NoListener.into()) };
        }
        let devices = &self.host.devices;
        let is_ours = devices.is_local(dst) || devices.is_anycast(dst);
        if is_ours || devices.is_broadcast(dst) || is_limited_broadcast(dst) {
            return Ok(Decision::Local);
        }
        self.check_scope(input, passage)?;
        if !self.forwards(Family::of(dst)) {
            return Err(DropReason::NotForwarding.into());
        }
        let route = self.host.routes.lookup_marked(dst, passage.mark);
        if !matches!(route, Some(RouteKind::Unicast { .. })) {
            self.refuse_wrong_options(passage)?;
        }
        match route {
            Some(RouteKind::Unicast { device, via }) => {
                if device != input && has_no_scope(src) {
                    return Err(DropReason::MartianSource.into());
                }
                self.route_by(passage, device, via);
                Ok(Decision::Out)
            }
            Some(RouteKind::Blackhole) => Err(DropReason::Blackhole.into()),
            Some(RouteKind::Unreachable) => Err(self.no_route(passage, (3, 1), (1, 0))?),
            Some(RouteKind::Prohibit) => Err(self.no_route(passage, (3, 13), (1, 1))?),
            Some(RouteKind::Throw) | None => Err(self.no_route(passage, (3, 0), (1, 0))?),
        }
    }

    /// IPv4 options, once it is known by which address the packet leaves, or is received.
    /// Source: `ip_rcv_finish_core` (net/ipv4/ip_input.c), `ip_rt_get_source` (net/ipv4/route.c), v6.12.
    pub(super) fn work_on_options(&mut self, passage: &mut Passage, decision: Decision) -> Result<(), Stop> {
        let devices = &self.host.devices;
        let own = match (decision, passage.output) {
            (Decision::Out, Some((device, next_hop))) => {
                devices.source_for(device, next_hop, passage.packet.headers.dst)
            }
            _ => Some(passage.packet.headers.dst),
        };
        let Some(IpAddr::V4(own)) = own else { return Err(DropReason::NoAddress.into()) };
        let day = 86_400_000;
        let midnight = u32::try_from(self.now.as_nanos() / 1_000_000 % day).expect("a day has 86,400,000 ms");
        match passage.packet.work_on_options(own, midnight) {
            Worked::Passed => Ok(()),
            Worked::SourceRoute => Err(DropReason::SourceRoute.into()),
            Worked::Wrong(at) => Err(self.answer(passage, AnswerReason::BadHeader(at))?),
            Worked::Unknown => Err(Error::NotModelled { what: "the IPv4 option CIPSO" }.into()),
        }
    }

    /// Options are looked at before a route says no. Source: `ip_rcv_finish_core` (net/ipv4/ip_input.c), v6.12.
    fn refuse_wrong_options(&mut self, passage: &mut Passage) -> Result<(), Stop> {
        match passage.packet.clone().work_on_options(std::net::Ipv4Addr::UNSPECIFIED, 0) {
            Worked::Wrong(at) => Err(self.answer(passage, AnswerReason::BadHeader(at))?),
            Worked::SourceRoute => Err(DropReason::SourceRoute.into()),
            Worked::Passed | Worked::Unknown => Ok(()),
        }
    }

    fn forwards(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.host.sysctls.ip_forward,
            Family::V6 => self.host.sysctls.ip6_forward,
        }
    }

    fn route_by(&mut self, passage: &mut Passage, device: DeviceId, via: Option<IpAddr>) {
        passage.output = Some((device, via.unwrap_or(passage.packet.headers.dst)));
        let name = self.host.devices.get(device).name.clone();
        self.record.note(|| Note::Routed { device: name, via });
    }

    fn no_route(&mut self, passage: &mut Passage, v4: (u8, u8), v6: (u8, u8)) -> Result<Stop, Stop> {
        let (src, now) = (passage.packet.headers.src, self.now);
        if src.is_ipv4() && passage.input.is_some() && !self.host.route_errors.may_send(src, now) {
            return Ok(DropReason::ErrorLimit.into());
        }
        let (kind, code) = if src.is_ipv4() { v4 } else { v6 };
        self.answer(passage, AnswerReason::NoRoute(kind, code))
    }

    /// Link-local destinations, which are on the link of the device alone.
    /// Source: net/ipv6/route.c `rt6_need_strict`, v6.12.
    fn check_scope(&mut self, input: DeviceId, passage: &mut Passage) -> Result<(), Stop> {
        let IpAddr::V6(dst) = passage.packet.headers.dst else { return Ok(()) };
        let here = |kind| matches!(kind, RouteKind::Unicast { device, .. } if device == input);
        if dst.is_unicast_link_local() && !self.host.routes.lookup(dst.into()).is_some_and(here) {
            return Err(self.no_route(passage, (3, 0), (1, 0))?);
        }
        Ok(())
    }

    /// Martian sources, and the way back; IPv6 has neither. Source: `fib_validate_source`, `ip_handle_martian_source`,
    /// `ip_mc_validate_source`.
    fn check_source(&self, input: DeviceId, src: IpAddr, dst: IpAddr) -> Result<(), DropReason> {
        let IpAddr::V4(from) = src else { return Ok(()) };
        if from.is_unspecified() {
            let may = is_limited_broadcast(dst)
                || matches!(dst, IpAddr::V4(dst) if dst.octets()[..3] == [224, 0, 0]);
            return if may { Ok(()) } else { Err(DropReason::MartianSource) };
        }
        let loopback = from.is_loopback() && !self.host.sysctls.route_localnet;
        // 127.0.0.1 is an address of `lo`; the others of its network are nobody's.
        let own =
            self.host.devices.is_local(src) && (!src.is_loopback() || from == std::net::Ipv4Addr::LOCALHOST);
        if loopback || own || src.is_multicast() || is_limited_broadcast(src) {
            return Err(DropReason::MartianSource);
        }
        let back = match self.host.routes.lookup(src) {
            Some(RouteKind::Unicast { device, .. }) => Some(device),
            _ => None,
        };
        match (self.host.sysctls.rp_filter, back) {
            (1, back) if src.is_ipv4() && back != Some(input) => Err(DropReason::ReversePath),
            (2, None) if src.is_ipv4() => Err(DropReason::ReversePath),
            _ => Ok(()),
        }
    }

    /// Nobody outside reaches the loopback network. An IPv6 packet that was translated to `::1` finds no route.
    fn check_destination(&mut self, passage: &mut Passage) -> Result<(), Stop> {
        let dst = passage.packet.headers.dst;
        if matches!(dst, IpAddr::V4(dst) if dst.is_unspecified()) {
            return Err(DropReason::MartianDestination.into());
        }
        let allowed = dst.is_ipv4() && self.host.sysctls.route_localnet;
        if !dst.is_loopback() || allowed {
            return Ok(());
        }
        if dst.is_ipv6() {
            Err(self.no_route(passage, (3, 0), (1, 0))?)
        } else {
            Err(DropReason::MartianDestination.into())
        }
    }

    /// Another route for a packet of the box itself, once it goes elsewhere: this time its source counts.
    /// Source: `ip_route_me_harder` (net/ipv4/netfilter.c), `__mkroute_output` (net/ipv4/route.c), v6.12; IPv6 looks at no
    /// source.
    pub(super) fn route_output_again(&mut self, passage: &mut Passage) -> Result<(), Stop> {
        let (src, dst) = (passage.packet.headers.src, passage.packet.headers.dst);
        let from_loopback = src.is_ipv4() && src.is_loopback() && !self.host.sysctls.route_localnet;
        let leaves = !self.host.devices.is_local(dst)
            && matches!(self.host.routes.lookup_marked(dst, passage.mark), Some(RouteKind::Unicast { .. }));
        if from_loopback && leaves {
            return Err(Stop::from(Fate::SendError(SendError::InvalidArgument)));
        }
        self.route_output(passage)
    }

    /// A route for a packet of the box itself, which a raw socket sends: the source that is written in its header is not
    /// asked for. Source: `ip_route_output_key_hash_rcu` (net/ipv4/route.c), `raw_sendmsg` (net/ipv4/raw.c), v6.12.
    pub(super) fn route_output(&mut self, passage: &mut Passage) -> Result<(), Stop> {
        let dst = passage.packet.headers.dst;
        if self.host.devices.is_local(dst) {
            passage.output = Some((LOOPBACK, dst));
            self.record.note(|| Note::Routed { device: "lo".into(), via: None });
            return Ok(());
        }
        let refused = |error| Err(Stop::from(Fate::SendError(error)));
        // A socket must ask for broadcasts (SO_BROADCAST); raw ones do not.
        if is_limited_broadcast(dst) || self.host.devices.is_broadcast(dst) {
            return refused(SendError::PermissionDenied);
        }
        // Every device has a route to IPv6 groups; the first is taken.
        if dst.is_ipv6()
            && dst.is_multicast()
            && let Some(device) = self.host.devices.first_with(Family::V6)
        {
            self.route_by(passage, device, None);
            return Ok(());
        }
        match self.host.routes.lookup_marked(dst, passage.mark) {
            Some(RouteKind::Unicast { device, via }) => {
                self.route_by(passage, device, via);
                Ok(())
            }
            Some(RouteKind::Unreachable) => refused(SendError::HostUnreachable),
            Some(RouteKind::Prohibit) => refused(SendError::PermissionDenied),
            Some(RouteKind::Blackhole) => refused(SendError::InvalidArgument),
            Some(RouteKind::Throw) | None => refused(SendError::NetworkUnreachable),
        }
    }

    /// Forwarding takes one from the time to live, before FORWARD. Source: net/ipv4/ip_forward.c, v6.12.
    pub(super) fn check_time_to_live(&mut self, passage: &mut Passage) -> Result<(), Stop> {
        if passage.packet.headers.ttl <= 1 {
            return Err(self.answer(passage, AnswerReason::TimeExceeded)?);
        }
        let (device, _) = passage.output.expect("a packet that is forwarded was routed");
        let mtu = self.host.devices.get(device).mtu;
        if is_too_big(&passage.packet, mtu) {
            return Err(self.answer(passage, AnswerReason::TooBig(mtu))?);
        }
        passage.packet.headers.ttl -= 1;
        Ok(())
    }
}

/// IPv6 sources that no router passes on to another link. Source: net/ipv6/ip6_output.c `ip6_forward`, v6.12: back by the
/// same device they go.
fn has_no_scope(src: IpAddr) -> bool {
    matches!(src, IpAddr::V6(src) if src.is_unspecified() || src.is_unicast_link_local())
}

fn is_limited_broadcast(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V4(a) if a.is_broadcast())
}

/// What is dropped before any hook: on a device other than `lo` the address `::1`, a multicast source, and groups that reach no
/// further than one device. Source: net/ipv6/ip6_input.c `ip6_rcv_core`, v6.12.
pub(super) fn is_never_taken(passage: &Passage) -> bool {
    let headers = &passage.packet.headers;
    let (IpAddr::V6(src), IpAddr::V6(dst)) = (headers.src, headers.dst) else { return false };
    let near = dst.is_multicast() && dst.octets()[1] & 15 <= 1;
    passage.input != Some(LOOPBACK) && (src.is_loopback() || dst.is_loopback() || src.is_multicast() || near)
}
/// Whether a packet is longer than `mtu` and may not be cut. One that came in fragments is not too big if they are not.
/// Source: `ip_exceeds_mtu` (net/ipv4/ip_forward.c), `ip6_pkt_too_big` (net/ipv6/ip6_output.c), v6.12.
fn is_too_big(packet: &Packet, mtu: u32) -> bool {
    let headers = &packet.headers;
    let may_cut = headers.src.is_ipv4() && !headers.fragment.df;
    if u32::from(headers.length) <= mtu || may_cut {
        return false;
    }
    packet.pieces.as_ref().is_none_or(|pieces| pieces.largest > usize::try_from(mtu).unwrap_or(usize::MAX))
}
