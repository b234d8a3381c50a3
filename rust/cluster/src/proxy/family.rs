//! One family's proxier with its clock, its cleanup and its counts.

use std::time::Duration;

use kdp_host::Host;
use kdp_netfilter::Transaction;
use kdp_packet::{Cidr, Family};
use kdp_proxy::{
    Cleaner, Config, Counts, Extent, Metrics, Mode, NftProxier, NodeFacts, Proxier, Runner, View,
    canaries_live,
};
use kdp_sim::Time;

use crate::Error;

/// kube-proxy for one family, in the mode that it runs in.
pub(super) struct FamilyProxy {
    pub(super) family: Family,
    kind: Kind,
    runner: Runner,
    cleaner: Cleaner,
    pub(super) metrics: Metrics,
    sync_period: Duration,
    /// When it looks for its canaries next: they are gone when somebody has flushed iptables' rules.
    looks_at: Time,
}

enum Kind {
    Iptables(Box<Proxier>),
    Nftables(Box<NftProxier>),
}

impl FamilyProxy {
    pub(super) fn new(config: &Config, facts: &NodeFacts, family: Family, now: Time) -> FamilyProxy {
        let kind = match config.mode {
            Mode::Iptables => Kind::Iptables(Box::new(Proxier::new(config, facts, family))),
            Mode::Nftables => Kind::Nftables(Box::new(NftProxier::new(config, facts, family))),
        };
        let profile = &config.profile;
        FamilyProxy {
            family,
            kind,
            runner: Runner::new(profile.pacing, config.min_sync_period, config.sync_period, now),
            cleaner: Cleaner::new(profile.cleanup, family),
            metrics: Metrics::new(config.mode, *profile),
            sync_period: config.sync_period,
            looks_at: now + config.sync_period,
        }
    }

    pub(super) fn is_behind(&self, view: &View) -> bool {
        match &self.kind {
            Kind::Iptables(proxier) => proxier.is_behind(view),
            Kind::Nftables(proxier) => proxier.is_behind(view),
        }
    }

    /// How many Services changed that no sync has taken: by themselves, and by their slices.
    pub(super) fn pending(&self, view: &View) -> (usize, usize) {
        let (cursor, view) = match &self.kind {
            Kind::Iptables(proxier) => (proxier.cursor(), view.family(self.family)),
            Kind::Nftables(proxier) => (proxier.cursor(), view.family(self.family)),
        };
        let slices =
            view.changed_since(cursor).filter(|name| view.endpoints_changed_since(cursor, name)).count();
        (view.changed_since(cursor).count() - slices, slices)
    }

    pub(super) fn set_facts(&mut self, facts: &NodeFacts, service_cidrs: &[Cidr], view: &View, now: Time) {
        let before = self.is_behind(view);
        match &mut self.kind {
            Kind::Iptables(proxier) => proxier.set_node(facts),
            Kind::Nftables(proxier) => {
                proxier.set_node(facts);
                proxier.set_service_cidrs(service_cidrs);
            }
        }
        if !before && self.is_behind(view) {
            self.request(now);
        }
    }

    pub(super) fn request(&mut self, now: Time) {
        self.metrics.queued(now);
        self.runner.request(now);
    }

    pub(super) fn next_at(&self) -> Time {
        match self.kind {
            Kind::Iptables(_) => self.runner.next_at().min(self.looks_at),
            Kind::Nftables(_) => self.runner.next_at(),
        }
    }

    /// Whether a sync is due. A vanished canary makes one due, and a full one.
    /// Source: kube-proxy, `iptables.Monitor` (pkg/util/iptables/iptables.go), every sync period.
    pub(super) fn is_due(&mut self, host: &Host, now: Time) -> bool {
        if let Kind::Iptables(proxier) = &mut self.kind
            && self.looks_at <= now
        {
            self.looks_at = now + self.sync_period;
            if !canaries_live(host.ruleset(self.family)) {
                proxier.failed();
                return true;
            }
        }
        self.runner.next_at() <= now
    }

    /// Syncs. `refused`: the kernel takes nothing of it.
    pub(super) fn sync(
        &mut self,
        host: &mut Host,
        view: &View,
        refused: bool,
        latencies: &[Duration],
        now: Time,
    ) -> Result<(), Error> {
        self.metrics.queued(now);
        let tried = self.try_sync(host, view, refused, now);
        self.runner.ran(now, matches!(tried, Ok((true, ..))));
        match tried {
            Ok((true, full, counts)) => {
                let cleaned = self.cleaner.clean(view.family(self.family), &mut host.conntrack, now);
                self.metrics.synced(full, counts, latencies, now);
                self.metrics.cleaned(cleaned);
                Ok(())
            }
            Ok((false, full, _)) => {
                self.metrics.refused(full);
                self.failed();
                Ok(())
            }
            Err(error) => {
                self.metrics.refused(false);
                self.failed();
                Err(error)
            }
        }
    }

    fn failed(&mut self) {
        match &mut self.kind {
            Kind::Iptables(proxier) => proxier.failed(),
            Kind::Nftables(proxier) => proxier.failed(),
        }
    }

    /// Whether the kernel took it, whether it was full, and what kube-proxy counts of it.
    fn try_sync(
        &mut self,
        host: &mut Host,
        view: &View,
        refused: bool,
        now: Time,
    ) -> Result<(bool, bool, Option<Counts>), Error> {
        match &mut self.kind {
            Kind::Iptables(proxier) => {
                let synced = proxier.sync(view, host.ruleset(self.family), now, Extent::Changed);
                if !refused {
                    host.apply(&synced.transaction)?;
                }
                Ok((!refused, synced.full, Some(synced.counts)))
            }
            Kind::Nftables(proxier) => {
                let synced = proxier.sync(view, now)?;
                if !refused {
                    let mut changes = synced.cleanup.iter().chain([&synced.transaction]);
                    changes.try_for_each(|change| host.apply_nft(change, now))?;
                }
                Ok((!refused, synced.full, None))
            }
        }
    }
}

/// Empties every chain of iptables and deletes what is not the kernel's, as `iptables -F; iptables -X` do in each table.
pub(crate) fn flush(host: &mut Host) -> Result<(), Error> {
    for family in [Family::V4, Family::V6] {
        let mut transaction = Transaction::new(family);
        for table in kdp_netfilter::Table::ALL {
            transaction.push(table, kdp_netfilter::Op::Flush(None));
            transaction.push(table, kdp_netfilter::Op::DeleteChains);
        }
        host.apply(&transaction)?;
    }
    Ok(())
}
