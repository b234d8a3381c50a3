//! One family's nftables proxier on one node: what it wrote, and what it writes next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kdp_netfilter::Name;
use kdp_netfilter::nft::{Chain, Op, Rule, Table, Transaction};
use kdp_packet::{Cidr, Family};
use kdp_sim::Time;

use super::claims::{Claims, Place, Touched};
use super::section::{Section, section};
use super::{fixed, sets};
use crate::config::{Config, Settings};
use crate::error::Result;
use crate::names::{PortName, ServiceName, ServicePortName};
use crate::node::NodeFacts;
use crate::select::{Chooser, select};
use crate::sync::FULL_SYNC_PERIOD;
use crate::view::{Cursor, FamilyView, View};

/// Chains that nobody calls any more are emptied at once, and deleted by a sync more than this later: before, kernels may still
/// see the element or rule that led to them. Source: kube-proxy, nftables `syncProxyRules` (stale chains).
pub const STALE_CHAIN_AGE: Duration = Duration::from_secs(1);

/// kube-proxy's nftables proxier for one family on one node.
///
/// It knows the kernel's table by heart, since nobody else writes to it: no sync reads it.
#[derive(Clone, Debug)]
pub struct NftProxier {
    settings: Settings,
    table: Table,
    service_cidrs: Vec<Cidr>,
    zone: Option<Arc<str>>,
    cursor: Cursor,
    written: BTreeMap<ServiceName, BTreeMap<PortName, Written>>,
    claims: Claims,
    /// Chains that are empty, and when they became so.
    stale: BTreeMap<Box<str>, Time>,
    /// `None` until a sync succeeds: then the table is made anew.
    full_at: Option<Time>,
    needs_full: bool,
}

/// What is kept of a service port's section.
#[derive(Clone, Debug, Default)]
struct Written {
    chains: Vec<Name>,
    affinity: Vec<(Arc<str>, u32)>,
    places: Vec<Place>,
}

/// What a sync made.
#[derive(Clone, Debug, PartialEq)]
pub struct NftSynced {
    /// Deletions of chains that became stale before: a transaction of its own, ahead of the other.
    pub cleanup: Option<Transaction>,
    /// The change of the rule set.
    pub transaction: Transaction,
    /// Whether it was a full sync.
    pub full: bool,
}

/// What changed Services come to, by kind.
#[derive(Default)]
struct Rewrite {
    touched: Touched,
    /// Chains with their rules, in order.
    chains: Vec<(Name, Vec<Rule>)>,
    affinity: BTreeMap<Arc<str>, u32>,
    affinity_before: BTreeMap<Arc<str>, u32>,
    chains_before: BTreeSet<Box<str>>,
}

impl NftProxier {
    /// One that has not synced yet.
    pub fn new(config: &Config, node: &NodeFacts, family: Family) -> NftProxier {
        let own = |cidr: &&Cidr| cidr.family() == family;
        NftProxier {
            settings: Settings::new(config, node, family),
            table: Table::new(family, fixed::TABLE),
            service_cidrs: config.service_cidrs.iter().filter(own).copied().collect(),
            zone: node.zone.clone(),
            cursor: Cursor::default(),
            written: BTreeMap::new(),
            claims: Claims::default(),
            stale: BTreeMap::new(),
            full_at: None,
            needs_full: true,
        }
    }

    /// The options that it works by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How far it has read the view.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The table that it writes.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Takes a change of this node's labels; a new zone makes the next sync a full one.
    pub fn set_node(&mut self, node: &NodeFacts) {
        if self.zone != node.zone {
            self.zone.clone_from(&node.zone);
            self.needs_full = true;
        }
    }

    /// Takes the networks of the ServiceCIDR objects. They come into the rules at the next full sync.
    /// Source: kube-proxy, nftables `OnServiceCIDRsChanged`.
    pub fn set_service_cidrs(&mut self, cidrs: &[Cidr]) {
        let own = cidrs.iter().filter(|cidr| cidr.family() == self.settings.family);
        self.service_cidrs = own.copied().collect();
    }

    /// The last transaction was refused: nobody knows what the kernel has, so the next sync makes the table anew.
    ///
    /// DEVIATION(nft-anew-after-failure): kube-proxy reads elements back and keeps sets of clients; here they are gone.
    pub fn failed(&mut self) {
        self.full_at = None;
    }

    /// Whether a sync would change anything but clocks.
    pub fn is_behind(&self, view: &View) -> bool {
        let behind = view.family(self.settings.family).cursor() != self.cursor;
        self.full_at.is_none() || self.needs_full || behind
    }

    /// Syncs with what the view shows. On an error, which is what nft would answer, nothing changes, and the next sync is a
    /// full one.
    pub fn sync(&mut self, view: &View, now: Time) -> Result<NftSynced> {
        let view = view.family(self.settings.family);
        let anew = self.full_at.is_none();
        let full =
            anew || self.needs_full || self.full_at.is_some_and(|at| now.since(at) >= FULL_SYNC_PERIOD);
        let sections = match self.sections(view, full) {
            Ok(sections) => sections,
            Err(refused) => {
                self.failed();
                return Err(refused);
            }
        };
        if anew {
            (self.written, self.claims, self.stale) = Default::default();
        }
        let cleanup = self.clean_up(now);
        let mut transaction = Transaction::new();
        if full {
            self.needs_full = false;
            self.full_at = Some(now);
            let steps = fixed::steps(&self.settings, &self.service_cidrs, anew);
            for op in steps {
                transaction.push(&self.table, op);
            }
        }
        let rewrite = self.rewrite(sections);
        self.cursor = view.cursor();
        for op in self.ops(rewrite, now) {
            transaction.push(&self.table, op);
        }
        Ok(NftSynced { cleanup, transaction, full })
    }

    /// The sections of all Services, or of those that changed; a Service that is gone has none.
    fn sections(
        &self,
        view: &FamilyView,
        full: bool,
    ) -> Result<BTreeMap<ServiceName, BTreeMap<PortName, Section>>> {
        let names: BTreeSet<&ServiceName> = if full {
            let known = self.written.keys();
            view.services().map(|(name, _)| name).chain(known).collect()
        } else {
            view.changed_since(self.cursor).collect()
        };
        names.into_iter().map(|name| Ok((name.clone(), self.sections_of(view, name)?))).collect()
    }

    fn sections_of(&self, view: &FamilyView, name: &ServiceName) -> Result<BTreeMap<PortName, Section>> {
        let Some(ports) = view.service(name) else { return Ok(BTreeMap::new()) };
        let settings = &self.settings;
        let chooser =
            Chooser { profile: &settings.profile, node: &settings.node_name, zone: self.zone.as_deref() };
        let section = |(port, own): (&PortName, _)| {
            let key = ServicePortName { service: name.clone(), port: port.clone() };
            let selected = select(own, view.endpoints(name, port), chooser);
            Ok((port.clone(), section(settings, &key, own, &selected)?))
        };
        ports.iter().map(section).collect()
    }

    /// Puts sections in the place of what was written of their Services.
    fn rewrite(&mut self, sections: BTreeMap<ServiceName, BTreeMap<PortName, Section>>) -> Rewrite {
        let mut rewrite = Rewrite::default();
        for (service, ports) in sections {
            for (port, old) in self.written.remove(&service).unwrap_or_default() {
                let key = ServicePortName { service: service.clone(), port };
                for place in &old.places {
                    self.claims.release(&key, place, &mut rewrite.touched);
                }
                rewrite.chains_before.extend(old.chains.iter().map(|chain| chain.as_str().into()));
                rewrite.affinity_before.extend(old.affinity);
            }
            let mut written = BTreeMap::new();
            for (port, section) in ports {
                let key = ServicePortName { service: service.clone(), port: port.clone() };
                written.insert(port, self.write(&key, section, &mut rewrite));
            }
            if !written.is_empty() {
                self.written.insert(service, written);
            }
        }
        rewrite
    }

    fn write(&mut self, key: &ServicePortName, section: Section, rewrite: &mut Rewrite) -> Written {
        let chains = section.chains.iter().map(|(chain, _)| chain.clone()).collect();
        let mut places = Vec::with_capacity(section.elements.len());
        for (set, element) in section.elements {
            let place = (set, element.key.clone());
            self.claims.want(key, &place, element, &mut rewrite.touched);
            places.push(place);
        }
        rewrite.chains.extend(section.chains);
        rewrite.affinity.extend(section.affinity.iter().cloned());
        Written { chains, affinity: section.affinity, places }
    }

    /// The steps, in an order in which nothing refers to what is not there: what leads to chains goes first and comes last.
    fn ops(&mut self, rewrite: Rewrite, now: Time) -> Vec<Op> {
        let (gone, new) = self.claims.changes(rewrite.touched);
        let mut ops = gone;
        let present: BTreeSet<&str> = rewrite.chains.iter().map(|(chain, _)| chain.as_str()).collect();
        for chain in rewrite.chains_before.iter().filter(|chain| !present.contains(&***chain)) {
            ops.push(Op::FlushChain(Name::text(&**chain)));
            self.stale.insert(chain.clone(), now);
        }
        for (chain, _) in &rewrite.chains {
            self.stale.remove(chain.as_str());
            ops.extend([Op::AddChain(Chain::regular(chain.clone())), Op::FlushChain(chain.clone())]);
        }
        let (before, after) = (&rewrite.affinity_before, &rewrite.affinity);
        // The timeout of a set that is there stays as it is: a set whose timeout differs is another one.
        let differs = |(set, seconds): &(&Arc<str>, &u32), other: &BTreeMap<Arc<str>, u32>| {
            other.get(*set) != Some(*seconds)
        };
        let sets_gone = before.iter().filter(|set| differs(set, after));
        ops.extend(sets_gone.map(|(set, _)| Op::DeleteSet(set.clone())));
        let sets_new = after.iter().filter(|set| differs(set, before));
        let family = self.settings.family;
        ops.extend(sets_new.map(|(set, seconds)| Op::AddSet(sets::affinity(set, *seconds, family))));
        for (chain, rules) in rewrite.chains {
            ops.extend(rules.into_iter().map(|rule| Op::AddRule(chain.clone(), rule)));
        }
        ops.extend(new);
        ops
    }

    /// Deletes chains that have been stale long enough.
    fn clean_up(&mut self, now: Time) -> Option<Transaction> {
        let old: Vec<Box<str>> = self
            .stale
            .iter()
            .filter(|(_, at)| now.since(**at) > STALE_CHAIN_AGE)
            .map(|(chain, _)| chain.clone())
            .collect();
        let mut transaction = Transaction::new();
        for chain in old {
            self.stale.remove(&chain);
            transaction.push(&self.table, Op::DeleteChain(Name::text(&*chain)));
        }
        (!transaction.steps.is_empty()).then_some(transaction)
    }
}
