//! Changes inside shared chains, so that they need not be written whole.

use std::collections::BTreeMap;

use kdp_netfilter::{Op, Rule, Table};

use super::order::PerChain;
use super::written::Written;
use crate::iptables::Shared;
use crate::names::PortName;

/// Above this many changed Services shared chains are written whole: each edit moves what stands behind it.
pub(super) const EDITED_SERVICES_MAX: usize = 32;

/// The steps that put the rules `new` of a Service in the place of `old`, with `before` rules ahead of them.
pub(super) fn edit(
    before: PerChain,
    old: &BTreeMap<PortName, Written>,
    new: &BTreeMap<PortName, Written>,
    steps: &mut Vec<(Table, Op)>,
) {
    for chain in Shared::ALL {
        let (old, new) = (rules(old, chain), rules(new, chain));
        let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let tail = old[head..]
            .iter()
            .rev()
            .zip(new[head..].iter().rev())
            .take_while(|(old, new)| old == new)
            .count();
        let place = before[chain as usize] as usize + head + 1;
        let (table, name) = (chain.table(), chain.chain());
        for _ in head..old.len() - tail {
            steps.push((table, Op::DeleteAt(name.clone(), place)));
        }
        for (i, rule) in new[head..new.len() - tail].iter().enumerate() {
            steps.push((table, Op::Insert(name.clone(), place + i, (*rule).clone())));
        }
    }
}

fn rules(ports: &BTreeMap<PortName, Written>, chain: Shared) -> Vec<&Rule> {
    let shared = ports.values().flat_map(|port| &port.shared);
    shared.filter(|(own, _)| *own == chain).map(|(_, rule)| rule).collect()
}

/// How many rules a Service has in each shared chain.
pub(super) fn counts<'a>(ports: impl IntoIterator<Item = &'a Written>) -> PerChain {
    let mut counts = PerChain::default();
    for (chain, _) in ports.into_iter().flat_map(|port| &port.shared) {
        counts[*chain as usize] += 1;
    }
    counts
}
