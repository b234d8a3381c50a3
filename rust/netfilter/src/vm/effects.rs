//! What walks change: counters, the state of `nth` tests, recent lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_sim::Time;

use crate::ipset::Sets;
use crate::recent::RecentLists;
use crate::{Hook, Limit, Op, Slot, Table, Transaction};

/// Packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets.
    pub bytes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, length: u16) {
        self.packets += 1;
        self.bytes += u64::from(length);
    }
}

/// The state that rules have. A copy is cheap until either side changes: an exploration works on copies.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// The lists of `-m recent`.
    pub recent: RecentLists,
    /// The sets of ipset.
    pub sets: Sets,
    nth: Arc<Cells<u32>>,
    limits: Arc<Cells<Bucket>>,
    quotas: Arc<Cells<u64>>,
    counters: Option<Arc<Counters>>,
    accounts: Arc<BTreeMap<Arc<str>, Count>>,
}

/// The tokens of a `limit` test, in nanoseconds, and when they were counted.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    tokens: u64,
    at: Time,
}

#[derive(Clone, Debug, Default)]
struct Counters {
    rules: Cells<Count>,
    policies: [[Count; Hook::ALL.len()]; Table::ALL.len()],
}

impl Effects {
    /// No state, and no counters.
    pub fn new() -> Effects {
        Effects::default()
    }

    /// The same with rule and chain counters switched on, at zero.
    #[must_use]
    pub fn counting(self) -> Effects {
        Effects { counters: Some(Arc::default()), ..self }
    }

    /// Whether rules and chains are counted.
    pub fn counts(&self) -> bool {
        self.counters.is_some()
    }

    /// What the rule matched.
    pub fn rule_count(&self, rule: Slot) -> Count {
        let counters = self.counters.as_ref();
        counters.and_then(|counters| counters.rules.get(rule)).copied().unwrap_or_default()
    }

    /// What the policy of a base chain decided.
    pub fn policy_count(&self, table: Table, hook: Hook) -> Count {
        let counters = self.counters.as_ref();
        counters.map(|counters| counters.policies[table as usize][hook as usize]).unwrap_or_default()
    }

    /// A policy that is set counts from zero, whatever counters the text names; so do all of a table that is emptied.
    /// Source: iptables 1.8.9 (nf_tables), observed: iptables-restore with and without `--noflush`.
    pub fn reset_policies(&mut self, transaction: &Transaction) {
        let Some(counters) = &mut self.counters else { return };
        for (table, op) in &transaction.ops {
            match op {
                Op::FlushTable => Arc::make_mut(counters).policies[*table as usize] = Default::default(),
                Op::Policy(name, _) => {
                    if let Some(hook) = Hook::of(&name.to_string()) {
                        Arc::make_mut(counters).policies[*table as usize][hook as usize] = Count::default();
                    }
                }
                _ => {}
            }
        }
    }

    /// What passed the `nfacct` tests of this name.
    pub fn account(&self, name: &str) -> Count {
        self.accounts.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn count_rule(&mut self, rule: Slot, length: u16) {
        if let Some(counters) = &mut self.counters {
            Arc::make_mut(counters).rules.get_mut(rule, Count::default).add(length);
        }
    }

    pub(crate) fn count_policy(&mut self, table: Table, hook: Hook, length: u16) {
        if let Some(counters) = &mut self.counters {
            Arc::make_mut(counters).policies[table as usize][hook as usize].add(length);
        }
    }

    pub(crate) fn count_account(&mut self, name: &Arc<str>, length: u16) {
        Arc::make_mut(&mut self.accounts).entry(name.clone()).or_default().add(length);
    }

    /// Whether a `limit` test has a token left for a packet at `now`.
    ///
    /// Source: net/netfilter/nft_limit.c `nft_limit_eval`, v6.12: iptables 1.8.9 makes that of `-m limit`. A packet costs
    /// the period divided by the rate.
    pub(crate) fn within(&mut self, cell: Slot, limit: Limit, now: Time) -> bool {
        let cost = u64::from(limit.period) * 1_000_000_000 / u64::from(limit.rate);
        let most = cost * u64::from(limit.burst);
        let bucket = Arc::make_mut(&mut self.limits).get_mut(cell, || Bucket { tokens: most, at: now });
        let passed = now.as_nanos().saturating_sub(bucket.at.as_nanos());
        let tokens = bucket.tokens.saturating_add(passed).min(most);
        let left = tokens.checked_sub(cost);
        *bucket = Bucket { tokens: left.unwrap_or(tokens), at: now };
        left.is_some()
    }

    /// Whether what is left of a quota of `bytes` covers a packet. One that it does not cover empties it.
    ///
    /// Source: net/netfilter/xt_quota.c, v6.12, `quota_mt`.
    pub(crate) fn lasts(&mut self, cell: Slot, bytes: u64, length: u16) -> bool {
        let left = Arc::make_mut(&mut self.quotas).get_mut(cell, || bytes);
        let covered = left.checked_sub(u64::from(length));
        *left = covered.unwrap_or(0);
        covered.is_some()
    }

    /// Whether this is the packet of the period that an `nth` test passes.
    ///
    /// Source: net/netfilter/xt_statistic.c, v6.12; the start is iptables' (extensions/libxt_statistic.c).
    pub(crate) fn nth(&mut self, cell: Slot, every: u32, packet: u32) -> bool {
        let last = every.saturating_sub(1);
        let count = Arc::make_mut(&mut self.nth).get_mut(cell, || last.saturating_sub(packet));
        *count = if *count == last { 0 } else { *count + 1 };
        *count == 0
    }
}

/// State by [`Slot`]; what an earlier owner of the place left is not seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells<T>(Vec<Option<(u32, T)>>);

impl<T: Clone> Cells<T> {
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        let (born, value) = self.0.get(slot.index as usize)?.as_ref()?;
        (*born == slot.born).then_some(value)
    }

    pub(crate) fn get_mut(&mut self, slot: Slot, fresh: impl FnOnce() -> T) -> &mut T {
        let place = slot.index as usize;
        if place >= self.0.len() {
            self.0.resize(place + 1, None);
        }
        let cell = &mut self.0[place];
        if cell.as_ref().is_none_or(|(born, _)| *born != slot.born) {
            *cell = Some((slot.born, fresh()));
        }
        &mut cell.as_mut().expect("the cell was just filled").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { index: 2, born: 0 };

    #[test]
    fn nth_passes_once_in_a_period() {
        let mut effects = Effects::new();
        let passes: Vec<bool> = (0..6).map(|_| effects.nth(SLOT, 3, 0)).collect();
        assert_eq!(passes, [true, false, false, true, false, false]);
        let later = Slot { born: 1, ..SLOT };
        let passes: Vec<bool> = (0..6).map(|_| effects.nth(later, 3, 1)).collect();
        assert_eq!(passes, [false, true, false, false, true, false]);
    }

    #[test]
    fn a_packet_that_a_quota_does_not_cover_empties_it() {
        let mut effects = Effects::new();
        let passes = [40, 50, 20, 10].map(|length| effects.lasts(SLOT, 100, length));
        assert_eq!(passes, [true, true, false, false]);
    }

    #[test]
    fn a_limit_lets_its_burst_pass_and_then_one_for_each_token() {
        let mut effects = Effects::new();
        let limit = Limit { rate: 2, period: 60, burst: 3 };
        let mut at = |secs| effects.within(SLOT, limit, Time::from_secs(secs));
        let passes = [0, 0, 1, 2, 29, 31, 60, 61].map(&mut at);
        assert_eq!(passes, [true, true, true, false, false, true, true, false]);
    }

    #[test]
    fn a_copy_does_not_see_what_happens_to_the_other() {
        let mut effects = Effects::new().counting();
        let copy = effects.clone();
        effects.count_rule(SLOT, 60);
        effects.count_account(&"a".into(), 60);
        assert_eq!(effects.rule_count(SLOT), Count { packets: 1, bytes: 60 });
        assert_eq!((copy.rule_count(SLOT), copy.account("a")), (Count::default(), Count::default()));
        assert_eq!(effects.rule_count(Slot { born: 1, ..SLOT }), Count::default());
    }
}
