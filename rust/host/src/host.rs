//! The box itself.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_netfilter::conntrack::{Conntrack, Settings};
use kdp_netfilter::vm::{Choose, Effects, Engine, Locality, Run};
use kdp_netfilter::{AddrType, Applied, Ruleset, Transaction, nft};
use kdp_packet::Family;
use kdp_sim::{Chance, Draw, Time};

use crate::device::{DeviceId, Devices, LOOPBACK};
use crate::fragments::Fragments;
use crate::route::{RouteKind, Routes};
use crate::route_errors::RouteErrors;
use crate::standing::Standing;
use crate::trace::{Record, Silent};
use crate::walk::{Context, Held};
use crate::{Error, Packet, Sysctls, Walk};

/// How the rules of a box are evaluated. Both give the same answers and the same count of rules walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evaluator {
    /// From rule to rule, as the kernel does.
    Scan,
    /// By indexes over what many rules of a chain test.
    #[default]
    Indexed,
}

/// One Linux box.
#[derive(Clone)]
pub struct Host {
    name: Arc<str>,
    /// Its devices.
    pub devices: Devices,
    /// Its routes; the local ones follow from the devices' addresses.
    pub routes: Routes,
    /// Its sysctls.
    pub sysctls: Sysctls,
    /// Its connections.
    pub conntrack: Conntrack,
    /// What its rules remember.
    pub effects: Effects,
    pub(crate) fragments: Fragments,
    pub(crate) route_errors: RouteErrors,
    /// Whether a process listens on every queue of `NFQUEUE`, and holds what comes. Without one packets are dropped there.
    pub holds: bool,
    rulesets: [Arc<Ruleset>; 2],
    engines: [Engine; 2],
    nft: Arc<nft::Ruleset>,
    nft_state: nft::State,
    chance: Chance,
    /// How often its rules were changed.
    rules_version: u64,
    /// What the proofs of its connection tracking stand on.
    stands_on: Standing,
}

impl Host {
    /// A box with `lo` alone, no routes, no rules. `chance` is the run's; the name is mixed in.
    pub fn new(name: &str, settings: Settings, chance: Chance) -> Host {
        let chance = chance.at(name);
        Host {
            name: name.into(),
            devices: Devices::default(),
            routes: Routes::default(),
            sysctls: Sysctls::default(),
            conntrack: Conntrack::new(settings, chance),
            effects: Effects::new(),
            fragments: Fragments::default(),
            route_errors: RouteErrors::default(),
            holds: false,
            rulesets: [Family::V4, Family::V6].map(|family| Arc::new(Ruleset::new(family))),
            engines: [Engine::indexed(), Engine::indexed()],
            nft: Arc::default(),
            nft_state: nft::State::new(),
            chance,
            rules_version: 0,
            stands_on: Standing::default(),
        }
    }

    /// Forgets what is known of the ways of steady connections if rules, routes, devices or sysctls have changed since.
    pub(crate) fn check_proofs(&mut self) {
        let now = Standing::of(self, self.rules_version);
        if now != self.stands_on {
            self.conntrack.forget_proofs();
            self.stands_on = now;
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Chooses how rules are evaluated.
    pub fn set_evaluator(&mut self, evaluator: Evaluator) {
        let engine = || match evaluator {
            Evaluator::Scan => Engine::scan(),
            Evaluator::Indexed => Engine::indexed(),
        };
        self.engines = [engine(), engine()];
    }

    /// The rules of a family.
    pub fn ruleset(&self, family: Family) -> &Ruleset {
        &self.rulesets[family as usize]
    }

    /// Changes the rules; all of the transaction or nothing.
    pub fn apply(&mut self, transaction: &Transaction) -> Result<Applied, kdp_netfilter::Error> {
        // Source: iptables 1.8.9, extensions/libxt_set.h `get_set_byname`: a set is there before a rule that asks for it.
        if let Some((by, set)) = transaction.missing_set(|name| self.effects.sets.contains(name)) {
            return Err(kdp_netfilter::Error::UnknownSet { by, set: set.to_string() });
        }
        self.rules_version += 1;
        let applied = Arc::make_mut(&mut self.rulesets[transaction.family as usize]).apply(transaction)?;
        // Source: net/netfilter/xt_connbytes.c `connbytes_mt_check`, v6.12: it switches counting on, and nobody off again.
        if transaction.counts_connections() {
            self.conntrack.settings_mut().acct = 1;
        }
        self.effects.reset_policies(transaction);
        Ok(applied)
    }

    /// The rules of nftables.
    pub fn nft(&self) -> &nft::Ruleset {
        &self.nft
    }

    /// Changes the rules of nftables; all of the transaction or nothing. Timeouts of its elements begin at `now`.
    pub fn apply_nft(
        &mut self,
        transaction: &nft::Transaction,
        now: Time,
    ) -> Result<(), kdp_netfilter::Error> {
        self.rules_version += 1;
        Arc::make_mut(&mut self.nft).apply(transaction, now)?;
        self.nft_changed();
        Ok(())
    }

    /// Does what an `nft -f` script says, which is called `source` in errors; all of it or nothing.
    pub fn load_nft(&mut self, text: &str, source: &str, now: Time) -> Result<(), kdp_netfilter::Error> {
        self.rules_version += 1;
        nft::load(Arc::make_mut(&mut self.nft), text, source, now)?;
        self.nft_changed();
        Ok(())
    }

    fn nft_changed(&mut self) {
        self.nft_state.retain(&self.nft);
        if self.nft.counts_connections() {
            self.conntrack.settings_mut().acct = 1;
        }
    }

    /// What the rules of nftables remember.
    pub fn nft_state(&self) -> &nft::State {
        &self.nft_state
    }

    /// Sets the named counters of a table back to zero; `false` if there is no such table.
    pub fn reset_nft_counters(&mut self, table: &nft::Table) -> bool {
        self.nft.reset_counters(table, &mut self.nft_state)
    }

    /// The rules of nftables, what they remember and whose addresses are whose.
    pub(crate) fn nft_and_state(&mut self) -> (&nft::Ruleset, &mut nft::State, Local<'_>) {
        (&self.nft, &mut self.nft_state, Local(&self.devices, &self.routes))
    }

    /// The draws of a packet at a moment.
    pub fn draw(&self, packet: &Packet, now: Time) -> Draw {
        self.chance.packet(packet.headers.tuple(0).digest(), now)
    }

    /// The draws of NAT's ports for the packet. They have nothing in common with the draws of its rules: a port that went
    /// with the endpoint that was drawn would crowd the flows of one endpoint into a part of the ports.
    fn draw_ports(&self, packet: &Packet, now: Time) -> Draw {
        self.chance.at("ports").packet(packet.headers.tuple(0).digest(), now)
    }

    /// A packet comes in by `device`.
    pub fn receive(&mut self, device: DeviceId, packet: Packet, now: Time) -> Result<Walk, Error> {
        self.receive_recorded(device, packet, now, &mut Silent)
    }

    /// A packet comes in by `device`, and its steps are kept.
    pub fn receive_recorded<R: Record>(
        &mut self,
        device: DeviceId,
        packet: Packet,
        now: Time,
        record: &mut R,
    ) -> Result<Walk, Error> {
        let mut choose = Run(self.draw(&packet, now));
        self.receive_choosing(device, packet, now, &mut choose, record)
    }

    /// The same, with the choices of rules left to `choose`. Ports of NAT are drawn from the seed all the same.
    pub fn receive_choosing<C: Choose, R: Record>(
        &mut self,
        device: DeviceId,
        packet: Packet,
        now: Time,
        choose: &mut C,
        record: &mut R,
    ) -> Result<Walk, Error> {
        let ports = self.draw_ports(&packet, now);
        Context::new(self, now, ports, choose, record).receive(device, packet)
    }

    /// The box itself sends a packet, from the source address that the packet has.
    pub fn send_local(&mut self, packet: Packet, now: Time) -> Result<Walk, Error> {
        let mut choose = Run(self.draw(&packet, now));
        self.send_local_choosing(packet, now, &mut choose, &mut Silent)
    }

    /// The same, recorded, with the choices of rules left to `choose`.
    pub fn send_local_choosing<C: Choose, R: Record>(
        &mut self,
        packet: Packet,
        now: Time,
        choose: &mut C,
        record: &mut R,
    ) -> Result<Walk, Error> {
        let ports = self.draw_ports(&packet, now);
        Context::new(self, now, ports, choose, record).send_local(packet)
    }

    /// Lets a packet go on that `NFQUEUE` held.
    pub fn release<R: Record>(&mut self, held: Held, now: Time, record: &mut R) -> Result<Walk, Error> {
        let (draw, ports) = (self.draw(held.packet(), now), self.draw_ports(held.packet(), now));
        Context::new(self, now, ports, &mut Run(draw), record).release(held)
    }

    /// Rules, the engine that evaluates them, what they remember and whose addresses are whose.
    pub(crate) fn rules_and_state(
        &mut self,
        family: Family,
    ) -> (&Ruleset, &mut Engine, &mut Effects, Local<'_>) {
        let at = family as usize;
        (&self.rulesets[at], &mut self.engines[at], &mut self.effects, Local(&self.devices, &self.routes))
    }

    /// A copy for explorations: the same rules and lists, and no connections.
    #[must_use]
    pub fn without_connections(&self) -> Host {
        let conntrack = Conntrack::new(self.conntrack.settings().clone(), self.chance);
        let Host {
            name, devices, routes, sysctls, effects, rulesets, engines, nft, nft_state, chance, ..
        } = self;
        Host {
            name: name.clone(),
            devices: devices.clone(),
            routes: routes.clone(),
            sysctls: *sysctls,
            conntrack,
            effects: effects.clone(),
            fragments: Fragments::default(),
            route_errors: RouteErrors::default(),
            holds: false,
            rulesets: rulesets.clone(),
            engines: engines.clone(),
            nft: nft.clone(),
            nft_state: nft_state.clone(),
            chance: *chance,
            rules_version: 0,
            stands_on: Standing::default(),
        }
    }
}

/// Whose addresses are whose, as this box sees it.
pub(crate) struct Local<'a>(&'a Devices, &'a Routes);

impl Locality for Local<'_> {
    /// Source: Linux `__inet_dev_addr_type` (net/ipv4/fib_frontend.c) and `match_type6` (net/netfilter/xt_addrtype.c): the
    /// address 0.0.0.0 counts as broadcast, and `::` as unspecified.
    fn addr_type(&self, addr: IpAddr) -> AddrType {
        match addr {
            IpAddr::V4(a) if a.is_unspecified() || a.is_broadcast() => AddrType::Broadcast,
            IpAddr::V6(a) if a.is_unspecified() => AddrType::Unspec,
            _ if addr.is_multicast() => AddrType::Multicast,
            _ if self.0.is_local(addr) => AddrType::Local,
            _ if self.0.is_broadcast(addr) => AddrType::Broadcast,
            _ => AddrType::Unicast,
        }
    }

    /// Source: `__inet_dev_addr_type`: the local table's entry must be of the device; loopback addresses are of `lo`.
    fn addr_type_on(&self, addr: IpAddr, device: &str) -> AddrType {
        let kind = self.addr_type(addr);
        let Some(on) = self.0.by_name(device) else { return kind };
        let is_of = match kind {
            AddrType::Local if addr.is_loopback() => on == LOOPBACK,
            AddrType::Local => self.0.get(on).addrs.iter().any(|(own, _)| *own == addr),
            AddrType::Broadcast if self.0.is_broadcast(addr) => self.0.get(on).is_broadcast(addr),
            _ => true,
        };
        if is_of { kind } else { AddrType::Unicast }
    }

    fn device_to(&self, addr: IpAddr) -> Option<&str> {
        match self.1.lookup(addr)? {
            RouteKind::Unicast { device, .. } => Some(&self.0.get(device).name),
            RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Blackhole | RouteKind::Throw => None,
        }
    }

    fn mtu_to(&self, addr: IpAddr) -> Option<u32> {
        let device = if self.0.is_local(addr) { LOOPBACK } else { self.0.by_name(self.device_to(addr)?)? };
        Some(self.0.get(device).mtu)
    }
}
