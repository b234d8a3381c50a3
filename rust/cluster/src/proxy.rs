//! A node's kube-proxy as a process: when it syncs, what it cleans up, what it counts, and what its health servers say.

mod family;
mod health;

use std::time::Duration;

use kdp_host::Host;
use kdp_packet::{Cidr, Family};
use kdp_proxy::{Config, NodeFacts, View};
use kdp_sim::Time;

use self::family::FamilyProxy;
pub(crate) use self::family::flush;
use self::health::Asked;
use crate::Error;

/// An event of a slice: when it was written, and when it came to the nodes.
///
/// DEVIATION(proxy-trigger-time): kube-proxy counts from what the slice's annotation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub(crate) written: Time,
    pub(crate) arrived: Time,
}

/// One kube-proxy: a proxier for each family.
pub(crate) struct Proxy {
    config: Config,
    /// Whether syncs wait as the options say; else the rules are in line whenever somebody looks.
    timed: bool,
    families: Vec<FamilyProxy>,
    /// Triggers that came before it began are none of its own.
    triggers_read: usize,
    /// How many of the next syncs the kernel refuses.
    refusals: u32,
    asked: Asked,
}

impl Proxy {
    /// One that starts now; its first sync is due.
    pub(crate) fn new(config: Config, facts: &NodeFacts, triggers: usize, timed: bool, now: Time) -> Proxy {
        let families = config.families.iter().map(|family| FamilyProxy::new(&config, facts, *family, now));
        let families = families.collect();
        Proxy { config, timed, families, triggers_read: triggers, refusals: 0, asked: Asked::default() }
    }

    /// Starts it anew: what it knew is gone, what it wrote stays.
    pub(crate) fn restart(&mut self, facts: &NodeFacts, triggers: usize, now: Time) {
        *self = Proxy::new(self.config.clone(), facts, triggers, self.timed, now);
    }

    /// Whether it runs in nftables mode.
    pub(crate) fn is_nftables(&self) -> bool {
        self.config.mode == kdp_proxy::Mode::Nftables
    }

    /// The kernel refuses so many of the syncs that come.
    pub(crate) fn refuse(&mut self, syncs: u32) {
        self.refusals = syncs;
    }

    /// Takes a change of the Node object, and of the networks that ServiceCIDR objects name.
    pub(crate) fn set_facts(&mut self, facts: &NodeFacts, service_cidrs: &[Cidr], view: &View, now: Time) {
        for family in &mut self.families {
            family.set_facts(facts, service_cidrs, view, now);
        }
    }

    /// The view changed in a family: a sync is asked for.
    pub(crate) fn request(&mut self, family: Family, now: Time) {
        for own in self.families.iter_mut().filter(|own| own.family == family) {
            own.request(now);
        }
    }

    /// When it does something by itself next; never, if it is in line whenever somebody looks.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.families.iter().map(FamilyProxy::next_at).min().filter(|_| self.timed)
    }

    /// Syncs what is due, or whatever is behind.
    pub(crate) fn sync(
        &mut self,
        host: &mut Host,
        view: &View,
        triggers: &[Trigger],
        now: Time,
    ) -> Result<(), Error> {
        let due = |own: &mut FamilyProxy, host: &Host| {
            if self.timed { own.is_due(host, now) } else { own.is_behind(view) }
        };
        let due: Vec<bool> = self.families.iter_mut().map(|own| due(own, host)).collect();
        if !due.contains(&true) {
            return Ok(());
        }
        let latency = |trigger: &Trigger| {
            let end = if self.timed { now } else { trigger.arrived };
            end.since(trigger.written)
        };
        let new = triggers.get(self.triggers_read..).unwrap_or_default();
        let latencies: Vec<Duration> = new.iter().map(latency).collect();
        self.triggers_read = triggers.len();
        for own in self.families.iter_mut().zip(due).filter_map(|(own, due)| due.then_some(own)) {
            let refused = self.refusals > 0;
            self.refusals = self.refusals.saturating_sub(1);
            let done = own.sync(host, view, refused, &latencies, now);
            if let Err(error) = done
                && !self.timed
            {
                return Err(error);
            }
        }
        Ok(())
    }
}
