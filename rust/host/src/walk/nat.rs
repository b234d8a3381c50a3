//! Translation on the way: the nat table for the first packet, the connection's tuples for all.

use std::net::IpAddr;

use kdp_netfilter::conntrack::{Connection, Direction, PacketState};
use kdp_netfilter::nat::{self, Manip};
use kdp_netfilter::vm::{Choose, Verdict};
use kdp_netfilter::{Hook, NatRange, Table};
use kdp_packet::{Family, Headers};

use super::{Attached, Context, Passage, Stop};
use crate::fate::{AnswerReason, DropReason};
use crate::trace::{Note, Record};

/// Which end is translated at a hook. Source: `HOOK2MANIP` (include/net/netfilter/nf_nat.h).
fn manip_at(hook: Hook) -> Manip {
    match hook {
        Hook::Prerouting | Hook::Output => Manip::Dst,
        Hook::Input | Hook::Postrouting => Manip::Src,
        Hook::Forward => unreachable!("nothing is translated in FORWARD"),
    }
}

impl<C: Choose, R: Record> Context<'_, C, R> {
    /// The nat hook. Source: nf_nat_core.c `nf_nat_inet_fn`, v6.12.
    pub(super) fn nat(&mut self, hook: Hook, passage: &mut Passage) -> Result<(), Stop> {
        // Translation is there once the namespace has a nat chain: iptables makes all four with its table.
        let family = passage.packet.headers.family();
        if !self.host.ruleset(family).is_listed(Table::Nat) && !self.host.nft().has_nat(family) {
            return Ok(());
        }
        let manip = manip_at(hook);
        if undecided(passage).is_some_and(|connection| !nat::is_done(connection, manip)) {
            self.decide(hook, passage)?;
        }
        if hook == Hook::Postrouting {
            self.check_device(passage)?;
        }
        self.rewrite(manip, passage)
    }

    /// Asks the nat chains what the connection is translated to: the first that says so decides. All of them run together,
    /// in the order of their own priorities. Source: nf_nat_core.c `nf_nat_inet_fn`, v6.12.
    fn decide(&mut self, hook: Hook, passage: &mut Passage) -> Result<(), Stop> {
        let manip = manip_at(hook);
        let iptables = if manip == Manip::Dst { -100 } else { 100 };
        let mut chains = self.nft_chains(hook, passage, true).into_iter().peekable();
        while let Some(base) = chains.next_if(|base| base.base().priority <= iptables) {
            let verdict = self.evaluate_nft(&base, passage);
            if self.translated(verdict, hook, passage)? {
                return Ok(());
            }
        }
        let verdict = self.evaluate(Table::Nat, hook, passage);
        if self.translated(verdict, hook, passage)? {
            return Ok(());
        }
        for base in chains {
            let verdict = self.evaluate_nft(&base, passage);
            if self.translated(verdict, hook, passage)? {
                return Ok(());
            }
        }
        if let Some(connection) = undecided_mut(passage) {
            nat::null_binding(&mut self.host.conntrack, connection, manip, self.now, &mut self.ports);
        }
        Ok(())
    }

    /// Does what a nat chain says; whether it decided.
    fn translated(&mut self, verdict: Verdict, hook: Hook, passage: &mut Passage) -> Result<bool, Stop> {
        let manip = manip_at(hook);
        match verdict {
            // It waits untranslated, and goes on behind the hook.
            Verdict::Queue { .. } if self.host.holds => return Err(Stop::Queue),
            Verdict::Unknown => return Err(self.unknown()),
            Verdict::Accept | Verdict::Queue { bypass: true } => return Ok(false),
            Verdict::Dnat(range) | Verdict::Snat(range) => self.set_up(passage, manip, &range),
            Verdict::Redirect(range) => {
                let addr = self.redirect_address(hook, passage)?;
                self.set_up(passage, manip, &NatRange { addrs: Some((addr, addr)), ..range });
            }
            Verdict::Masquerade(range) => self.masquerade(passage, &range)?,
            Verdict::Drop | Verdict::Queue { bypass: false } => return Err(super::rules::dropped(passage)),
            Verdict::Reject(with) => return Err(self.answer(passage, AnswerReason::Reject(with))?),
        }
        Ok(true)
    }

    fn set_up(&mut self, passage: &mut Passage, manip: Manip, range: &NatRange) {
        if let Some(connection) = undecided_mut(passage) {
            nat::setup(&mut self.host.conntrack, connection, manip, range, self.now, &mut self.ports);
        }
    }

    fn masquerade(&mut self, passage: &mut Passage, range: &NatRange) -> Result<(), Stop> {
        let (device, next_hop) = passage.output.expect("POSTROUTING comes after routing");
        let dst = passage.packet.headers.dst;
        let source = self.host.devices.source_for(device, next_hop, dst).ok_or(DropReason::NoAddress)?;
        if let Some(connection) = undecided_mut(passage) {
            let egress = (source, device.0);
            nat::masquerade(&mut self.host.conntrack, connection, range, egress, self.now, &mut self.ports);
        }
        Ok(())
    }

    /// This host's own address that REDIRECT sends to: the loopback address for packets of its own, else the first address of
    /// the device it came in by; what was sent to a link needs an address of the link. Source: nf_nat_redirect.c, v6.12.
    fn redirect_address(&self, hook: Hook, passage: &Passage) -> Result<IpAddr, Stop> {
        let family = passage.packet.headers.family();
        if hook == Hook::Output {
            return Ok(match family {
                Family::V4 => [127, 0, 0, 1].into(),
                Family::V6 => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let device = passage.input.expect("a packet in PREROUTING came in by a device");
        let near = is_near(passage.packet.headers.dst);
        let mut addrs = self.host.devices.get(device).addrs.iter().map(|(addr, _)| *addr);
        addrs
            .find(|addr| Family::of(*addr) == family && (!near || is_near(*addr)))
            .ok_or_else(|| DropReason::NoAddress.into())
    }

    /// A masqueraded connection must keep leaving by its device.
    fn check_device(&mut self, passage: &Passage) -> Result<(), Stop> {
        let (Attached::Entry { id, direction, .. }, Some((device, _))) = (&passage.attached, passage.output)
        else {
            return Ok(());
        };
        if self.host.conntrack.leaves_by(*id, *direction, device.0, self.now) {
            return Ok(());
        }
        Err(DropReason::OtherDevice.into())
    }

    /// Rewrites the packet as its connection says.
    fn rewrite(&mut self, manip: Manip, passage: &mut Passage) -> Result<(), Stop> {
        let headers = &mut passage.packet.headers;
        let from = headers.tuple(0);
        match &passage.attached {
            Attached::Nothing | Attached::NothingYet | Attached::Invalid | Attached::Untracked => {
                return Ok(());
            }
            Attached::Fresh(connection) => rewrite_one(connection, Direction::Original, manip, headers)?,
            Attached::Answer(connection, direction) => rewrite_one(connection, *direction, manip, headers)?,
            Attached::Entry { id, direction, state } => {
                let Some(entry) = self.host.conntrack.get(*id, self.now) else { return Ok(()) };
                debug_assert!(
                    *state != PacketState::Related || headers.quoted.is_some() || headers.tcp.is_some()
                );
                rewrite_one(entry.connection(), *direction, manip, headers)?;
            }
        }
        let to = headers.tuple(0);
        if from != to {
            self.record.note(|| Note::Translated { from, to });
        }
        Ok(())
    }
}

/// An IPv6 address, or a group, that is on one link alone.
fn is_near(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V6(addr) if addr.is_unicast_link_local() || addr.segments()[0] & 0xff0f == 0xff02)
}

/// The connection whose translation this packet may decide: its first packet, or the box's own reset that answers it, which
/// comes to POSTROUTING instead. An ICMP error decides nothing. Source: nf_nat_proto.c `nf_nat_ipv4_fn`, v6.12.
fn undecided(passage: &Passage) -> Option<&Connection> {
    match &passage.attached {
        Attached::Fresh(connection) => Some(connection),
        Attached::Answer(connection, _) if !passage.packet.headers.proto.is_icmp() => Some(connection),
        _ => None,
    }
}

fn undecided_mut(passage: &mut Passage) -> Option<&mut Connection> {
    match &mut passage.attached {
        Attached::Fresh(connection) => Some(connection),
        Attached::Answer(connection, _) if !passage.packet.headers.proto.is_icmp() => Some(connection),
        _ => None,
    }
}

fn rewrite_one(
    connection: &Connection,
    direction: Direction,
    manip: Manip,
    headers: &mut Headers,
) -> Result<(), DropReason> {
    nat::translate(connection, direction, manip, headers).map_err(|_| DropReason::Untranslatable)
}
