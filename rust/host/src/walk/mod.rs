//! A packet's walk through the hooks, in the kernel's order.
//!
//! PREROUTING (raw, conntrack, mangle, nat) → routing → INPUT or FORWARD → POSTROUTING (mangle, nat, confirm); for packets of
//! the box itself OUTPUT (raw, conntrack, mangle, nat, filter) first. Source: include/uapi/linux/netfilter_ipv4.h, the
//! priorities; net/ipv4/ip_input.c, ip_forward.c, ip_output.c, v6.12, the places of the hooks.

mod answer;
mod nat;
mod nft;
mod routing;
mod rules;
mod track;

use kdp_netfilter::conntrack::{Connection, Direction, EntryId, PacketState, Zone};
use kdp_netfilter::vm::Choose;
use kdp_netfilter::{Hook, Table};
use kdp_sim::{Draw, Time};

use crate::Error;
use crate::device::{DeviceId, LOOPBACK};
use crate::fate::{DropReason, Fate, SendError, Walk};
use crate::fragments::Gathered;
use crate::host::Host;
use crate::packet::Packet;
use crate::trace::{Note, Record};

use routing::Decision;

/// What a walk carries along.
pub(crate) struct Context<'a, C, R> {
    host: &'a mut Host,
    now: Time,
    /// The draws for NAT's ports.
    ports: Draw,
    choose: &'a mut C,
    record: &'a mut R,
    rules_walked: u64,
    copy: Option<Box<Fate>>,
    /// The device by which the packet would leave when it entered the hook that it is at.
    left_by: Option<DeviceId>,
    /// The test on which the fate of the packet hangs.
    because: Option<std::sync::Arc<str>>,
    /// The established entry that the packet was found to belong to.
    known: Option<(EntryId, Direction)>,
    /// A rule asked for what may differ between the segments of a flow.
    varies: bool,
}

/// A packet between two hooks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Passage {
    packet: Packet,
    input: Option<DeviceId>,
    output: Option<(DeviceId, std::net::IpAddr)>,
    mark: u32,
    /// Where conntrack shall look, once a rule said so.
    zone: Option<Zone>,
    attached: Attached,
}

/// A packet that a rule handed to a process (`NFQUEUE`), and that waits for its verdict: with its connection, which nobody
/// else sees before it is confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    passage: Passage,
    hook: Hook,
    /// What is left of the hook: the place of the next station.
    next: usize,
}

impl Held {
    /// The packet as it is at the hook.
    pub fn packet(&self) -> &Packet {
        &self.passage.packet
    }
}

/// The connection that a packet belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attached {
    /// Conntrack has not seen it yet.
    Nothing,
    /// The same for the box's answer to a packet that is untracked: conntrack looks, whatever rules say.
    NothingYet,
    /// It looked, and there is none.
    Invalid,
    /// It was told to look away.
    Untracked,
    /// The first packet of a connection, which nobody else sees yet.
    Fresh(Box<Connection>),
    /// A packet of an entry of the table.
    Entry { id: EntryId, direction: Direction, state: PacketState },
    /// The box's own answer to a packet of a connection that never came into the table, and which way it goes.
    Answer(Box<Connection>, Direction),
}

/// A walk that ends before its end.
pub(crate) enum Stop {
    Fate(Box<Fate>),
    Error(Error),
    /// A rule hands the packet to a process that listens.
    Queue,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

impl From<Fate> for Stop {
    fn from(fate: Fate) -> Stop {
        Stop::Fate(Box::new(fate))
    }
}

impl From<DropReason> for Stop {
    fn from(reason: DropReason) -> Stop {
        Stop::from(Fate::Dropped(reason))
    }
}

impl<'a, C: Choose, R: Record> Context<'a, C, R> {
    pub(crate) fn new(
        host: &'a mut Host,
        now: Time,
        ports: Draw,
        choose: &'a mut C,
        record: &'a mut R,
    ) -> Self {
        Context {
            host,
            now,
            ports,
            choose,
            record,
            rules_walked: 0,
            copy: None,
            left_by: None,
            because: None,
            known: None,
            varies: false,
        }
    }

    /// A packet comes in by `device`.
    pub(crate) fn receive(mut self, device: DeviceId, packet: Packet) -> Result<Walk, Error> {
        let passage = Passage {
            mark: packet.mark,
            packet,
            input: Some(device),
            output: None,
            zone: None,
            attached: Attached::Nothing,
        };
        let end = self.come_in(passage);
        self.finish(end)
    }

    /// The box itself sends a packet.
    pub(crate) fn send_local(mut self, packet: Packet) -> Result<Walk, Error> {
        let mark = packet.mark;
        let passage =
            Passage { packet, input: None, output: None, mark, zone: None, attached: Attached::Nothing };
        let end = self.send_raw(passage);
        self.finish(end)
    }

    /// A raw socket sends no more than its first device carries.
    /// Source: `raw_send_hdrinc` (net/ipv4/raw.c), `rawv6_send_hdrinc` (net/ipv6/raw.c), v6.12.
    fn send_raw(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        self.route_output(&mut passage)?;
        let (device, _) = passage.output.expect("a packet that was routed leaves by a device");
        if u32::from(passage.packet.headers.length) > self.host.devices.get(device).mtu {
            return Err(Fate::SendError(SendError::MessageTooLong).into());
        }
        self.send_routed(passage)
    }

    /// A held packet is accepted, and goes on behind the rule that held it.
    /// Source: net/netfilter/nfnetlink_queue.c `nfqnl_reinject`, v6.12: with the next function of the hook.
    pub(crate) fn release(mut self, held: Held) -> Result<Walk, Error> {
        let end = self.resume(held);
        self.finish(end)
    }

    fn resume(&mut self, Held { mut passage, hook, next }: Held) -> Result<Fate, Stop> {
        self.pass_from(hook, next, &mut passage)?;
        match hook {
            Hook::Prerouting => self.arrive(passage),
            Hook::Input => Ok(Fate::Delivered(passage.packet)),
            Hook::Forward | Hook::Output => self.leave(passage),
            Hook::Postrouting => self.go(passage),
        }
    }

    fn finish(self, end: Result<Fate, Stop>) -> Result<Walk, Error> {
        let fate = match end {
            Ok(fate) => fate,
            Err(Stop::Fate(fate)) => *fate,
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Queue) => unreachable!("a hook holds what a rule hands to a queue"),
        };
        let alike = self.known.filter(|_| !self.varies && self.copy.is_none());
        Ok(Walk { fate, copy: self.copy, rules_walked: self.rules_walked, alike })
    }

    /// From a device: PREROUTING, the routing decision, and on.
    fn come_in(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        if routing::is_never_taken(&passage) || passage.packet.has_broken_hop_by_hop() {
            return Err(DropReason::MartianDestination.into());
        }
        self.gather(&mut passage)?;
        self.pass(Hook::Prerouting, &mut passage)?;
        self.arrive(passage)
    }

    /// The routing decision, and on.
    fn arrive(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        let decision = self.route_input(&mut passage)?;
        if passage.packet.has_options() {
            self.work_on_options(&mut passage, decision)?;
        }
        match decision {
            Decision::Local => self.deliver(passage),
            Decision::Out => self.forward(passage),
        }
    }

    /// Fragments wait here until their packet is whole: before every rule, as connection tracking wants it.
    /// Source: nf_defrag_ipv4.c, nf_defrag_ipv6_hooks.c, v6.12, priority -400.
    fn gather(&mut self, passage: &mut Passage) -> Result<(), Stop> {
        let fragment = &passage.packet.headers.fragment;
        if passage.packet.headers.src.is_ipv4() && !fragment.mf && fragment.offset == 0 {
            return Ok(());
        }
        let Some(piece) = passage.packet.fragment() else {
            return if fragment.mf || fragment.offset != 0 {
                Err(Error::NotModelled { what: "a fragment without its bytes" }.into())
            } else {
                Ok(())
            };
        };
        let (bytes, pieces) = match self.host.fragments.add(piece, self.now) {
            Gathered::Whole(bytes, pieces) => (bytes, pieces),
            // Source: `ipv6_defrag`: a verdict, of which a local sender hears; `ipv4_conntrack_defrag` just takes the packet.
            Gathered::Refused if passage.input.is_none() && passage.packet.headers.src.is_ipv6() => {
                return Err(Fate::SendError(SendError::NotPermitted).into());
            }
            Gathered::Held | Gathered::Refused => return Err(DropReason::Fragment.into()),
        };
        passage.packet = Packet::parse(bytes).ok_or(DropReason::Fragment)?;
        passage.packet.pieces = Some(pieces);
        Ok(())
    }

    /// INPUT.
    fn deliver(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        self.record.note(|| Note::Local);
        self.pass(Hook::Input, &mut passage)?;
        Ok(Fate::Delivered(passage.packet))
    }

    /// FORWARD, then POSTROUTING.
    fn forward(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        self.check_time_to_live(&mut passage)?;
        self.pass(Hook::Forward, &mut passage)?;
        self.leave(passage)
    }

    /// From the box itself: a route, OUTPUT, perhaps another route, POSTROUTING.
    fn send_out(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        self.route_output(&mut passage)?;
        self.send_routed(passage)
    }

    fn send_routed(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        self.gather(&mut passage)?;
        self.pass(Hook::Output, &mut passage)?;
        self.leave(passage)
    }

    /// POSTROUTING; what leaves by `lo` comes in by it again.
    fn leave(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        self.pass(Hook::Postrouting, &mut passage)?;
        self.go(passage)
    }

    fn go(&mut self, mut passage: Passage) -> Result<Fate, Stop> {
        let (device, next_hop) = passage.output.take().expect("a packet that leaves was routed");
        if device == LOOPBACK {
            if passage.packet.pieces.is_some() && passage.packet.headers.dst.is_ipv6() {
                return Err(Error::NotModelled {
                    what: "an IPv6 packet in fragments from the box to itself",
                }
                .into());
            }
            passage.input = Some(LOOPBACK);
            // What conntrack refused once is looked at again. Source: `nf_conntrack_in`: no entry is attached to it.
            if matches!(passage.attached, Attached::Invalid) {
                passage.attached = Attached::Nothing;
            }
            return self.come_in(passage);
        }
        if !self.host.devices.get(device).up {
            return Err(DropReason::DeviceDown.into());
        }
        let group = passage.packet.headers.dst;
        if passage.input.is_none() && group.is_multicast() && self.host.devices.listens(device, group) {
            self.copy = Some(Box::new(self.receive_own(device, passage.clone())?));
        }
        Ok(Fate::Sent { device, next_hop, packet: passage.packet })
    }

    /// The box's own packet to a group that it listens to comes in again by the device that it left by; its route is known.
    /// Source: `ip_mc_output` (net/ipv4/ip_output.c), `ip6_finish_output2`, `dev_loopback_xmit`, v6.12.
    fn receive_own(&mut self, device: DeviceId, mut passage: Passage) -> Result<Fate, Stop> {
        passage.input = Some(device);
        let end = match self.pass(Hook::Prerouting, &mut passage) {
            Ok(()) => self.deliver(passage),
            Err(stop) => Err(stop),
        };
        match end {
            Err(Stop::Fate(fate)) => Ok(*fate),
            end => end,
        }
    }

    /// Passes what is registered at a hook, by priority.
    fn pass(&mut self, hook: Hook, passage: &mut Passage) -> Result<(), Stop> {
        self.record.note(|| Note::Hook(hook));
        self.pass_from(hook, 0, passage).map_err(|stop| match stop {
            // A local sender is told when a hook drops its packet; nobody else is. Source: `nf_hook_slow`: EPERM.
            Stop::Fate(fate) if passage.input.is_none() && matches!(*fate, Fate::Dropped(_)) => {
                Fate::SendError(SendError::NotPermitted).into()
            }
            stop => stop,
        })
    }

    /// The same from one of its stations on; what a rule hands to a queue is held.
    fn pass_from(&mut self, hook: Hook, first: usize, passage: &mut Passage) -> Result<(), Stop> {
        self.left_by = passage.output.map(|(device, _)| device);
        let before = (passage.packet.headers.src, passage.packet.headers.dst, passage.mark);
        let mut above = first.checked_sub(1).map(|last| stations(hook)[last].0);
        for (place, (priority, station)) in stations(hook).iter().enumerate().skip(first) {
            self.nft(hook, (above, *priority), passage)?;
            above = Some(*priority);
            let passed = match station {
                Station::Rules(table) => self.rules(*table, hook, passage),
                Station::Track => self.track(passage, hook == Hook::Prerouting),
                Station::Nat => self.nat(hook, passage),
                Station::RouteAgain => {
                    let after = (passage.packet.headers.src, passage.packet.headers.dst, passage.mark);
                    if before == after { Ok(()) } else { self.route_output_again(passage) }
                }
                Station::Passed => {
                    self.note_passed(passage);
                    Ok(())
                }
                Station::Confirm => self.confirm(passage),
            };
            if let Err(Stop::Queue) = passed {
                let held = Held { passage: passage.clone(), hook, next: place + 1 };
                return Err(Fate::Queued(Box::new(held)).into());
            }
            passed?;
        }
        self.nft(hook, (above, i32::MAX), passage)
    }
}

/// What waits at a hook beside nftables' chains.
#[derive(Clone, Copy)]
enum Station {
    /// A table of iptables.
    Rules(Table),
    /// Conntrack looks.
    Track,
    /// Translation: all nat chains of the hook.
    Nat,
    /// Another route, if the packet's addresses or mark were changed.
    RouteAgain,
    /// Translation of the destination is over: the packet's state is noted.
    Passed,
    /// The connection enters the table.
    Confirm,
}

/// Priorities and stations of a hook, in order.
/// Source: include/uapi/linux/netfilter_ipv4.h, `enum nf_ip_hook_priorities`, v6.12.
const fn stations(hook: Hook) -> &'static [(i32, Station)] {
    match hook {
        Hook::Prerouting => &[
            (-300, Station::Rules(Table::Raw)),
            (-200, Station::Track),
            (-150, Station::Rules(Table::Mangle)),
            (-100, Station::Nat),
            (200, Station::Passed),
        ],
        Hook::Input => &[
            (-150, Station::Rules(Table::Mangle)),
            (0, Station::Rules(Table::Filter)),
            (50, Station::Rules(Table::Security)),
            (100, Station::Nat),
            (i32::MAX, Station::Confirm),
        ],
        Hook::Forward => &[
            (-150, Station::Rules(Table::Mangle)),
            (0, Station::Rules(Table::Filter)),
            (50, Station::Rules(Table::Security)),
        ],
        Hook::Output => &[
            (-300, Station::Rules(Table::Raw)),
            (-200, Station::Track),
            (-150, Station::Rules(Table::Mangle)),
            (-100, Station::Nat),
            (-100, Station::RouteAgain),
            (-50, Station::Passed),
            (0, Station::Rules(Table::Filter)),
            (50, Station::Rules(Table::Security)),
        ],
        Hook::Postrouting => {
            &[(-150, Station::Rules(Table::Mangle)), (100, Station::Nat), (i32::MAX, Station::Confirm)]
        }
    }
}
