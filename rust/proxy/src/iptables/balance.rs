//! Affinity, load balancing and the chains of endpoints.

use std::sync::Arc;

use kdp_netfilter::{Match, Name, NatRange, Recent, RecentOp, Statistic, Target, Test};
use kdp_packet::Cidr;

use super::chains::CHAINS;
use super::rule::{Draft, any, heads};
use super::section::Writer;
use crate::view::Endpoint;

impl Writer<'_> {
    pub(super) fn balancing_chains(&mut self) {
        let selected = self.selected;
        if !selected.cluster.is_empty() && self.port.uses_cluster() {
            self.balancing_chain(&self.svc(), &selected.cluster);
        }
        if !selected.local.is_empty() && self.port.uses_local() {
            self.balancing_chain(&self.svl(), &selected.local);
        }
    }

    fn balancing_chain(&mut self, chain: &Name, endpoints: &[&Endpoint]) {
        self.open(chain);
        let chains: Vec<Name> = endpoints.iter().map(|endpoint| self.sep(endpoint)).collect();
        if let Some(seconds) = self.port.affinity_seconds {
            for (endpoint, own) in endpoints.iter().zip(&chains) {
                let draft = self.to_endpoint(endpoint).with(seen_before(own, seconds));
                self.append(chain, draft.jump(own));
            }
        }
        for (i, (endpoint, own)) in endpoints.iter().zip(&chains).enumerate() {
            let mut draft = self.to_endpoint(endpoint);
            let left = endpoints.len() - i;
            if left > 1 {
                let share = probability(left, self.settings.profile.probability_decimals);
                draft = draft.with(Match::Statistic(Statistic::Random(Test::is(share))));
            }
            self.append(chain, draft.jump(own));
        }
    }

    fn to_endpoint(&self, endpoint: &Endpoint) -> Draft {
        if self.large { any() } else { any().comment([&*self.spn, " -> ", &*endpoint.text].concat()) }
    }

    pub(super) fn endpoint_chains(&mut self) {
        for endpoint in &self.selected.reachable {
            self.endpoint_chain(endpoint);
        }
    }

    fn endpoint_chain(&mut self, endpoint: &Endpoint) {
        let chain = self.sep(endpoint);
        if !self.open_endpoint(endpoint, &chain) {
            return;
        }
        let ip = endpoint.backend.ip;
        // An endpoint that reaches itself must see another source, or it would answer past the translation.
        let hairpin = heads(Some(Match::Src(Test::is(Cidr::host(ip)))), None, None);
        self.append(&chain, self.own_comment(hairpin).jump(&CHAINS.mark_masq));
        let protocol = self.port.protocol;
        let mut draft = self.own_comment(heads(None, None, Some(protocol)));
        if self.port.affinity_seconds.is_some() {
            draft = draft.with(remember(&chain));
        }
        let ports = Match::Ports { proto: protocol, sport: None, dport: None, flags: None, option: None };
        let target = Target::Dnat(NatRange::to(ip, Some(endpoint.port)));
        self.append(&chain, draft.with(ports).then(target));
    }

    fn own_comment(&self, draft: Draft) -> Draft {
        if self.large { draft } else { draft.comment(Arc::clone(&self.spn)) }
    }
}

fn recent(list: &Name, op: RecentOp) -> Recent {
    Recent { name: list.clone(), op, seconds: None, hitcount: None, reap: false, invert: false }
}

/// The client used this endpoint in the last `seconds`. The list has the name of the endpoint's chain.
fn seen_before(list: &Name, seconds: u32) -> Match {
    Match::Recent(Recent { seconds: Some(seconds), reap: true, ..recent(list, RecentOp::Rcheck) })
}

fn remember(list: &Name) -> Match {
    Match::Recent(recent(list, RecentOp::Set))
}

/// The chance of the first of `left` endpoints, of 2^31: 1/left as kube-proxy prints it, then as iptables reads that.
/// Source: kube-proxy, `computeProbability`; iptables, `extensions/libxt_statistic.c` (`lround(0x80000000 * p)`).
pub(super) fn probability(left: usize, decimals: u8) -> u32 {
    assert!(left > 1, "a single endpoint has no probability");
    #[allow(clippy::cast_precision_loss)] // counts of endpoints are far below 2^52
    let text = format!("{:.*}", usize::from(decimals), 1.0 / left as f64);
    let printed: f64 = text.parse().expect("a printed number is a number");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 2^30
    let share = (printed * f64::from(1u32 << 31)).round() as u32;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_what_iptables_reads() {
        // From listings: 0.33333333349 and 0.50000000000 of 2^31.
        assert_eq!(probability(2, 10), 1 << 30);
        assert_eq!(probability(3, 10), 715_827_883);
        assert_eq!(probability(3, 5), 715_820_724);
    }

    #[test]
    fn a_cascade_is_nearly_even() {
        for n in 2..200usize {
            let mut left = 1.0;
            for i in 0..n {
                let p =
                    if n - i == 1 { 1.0 } else { f64::from(probability(n - i, 10)) / f64::from(1u32 << 31) };
                #[allow(clippy::cast_precision_loss)]
                let even = 1.0 / n as f64;
                assert!((left * p - even).abs() < 1e-8, "endpoint {i} of {n}");
                left *= 1.0 - p;
            }
        }
    }
}
