//! Chains and rules that do not depend on Services.
//! Source: kube-proxy, `setupNFTables` (pkg/proxy/nftables/proxier.go).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kdp_netfilter::Hook;
use kdp_netfilter::nft::{Base, Chain, ChainType, Element, Op, Rule, Set, Span, Verdict};
use kdp_packet::{Cidr, Family};

use super::rule::{Draft, any};
use super::sets::Shared;
use crate::config::{LocalDetector, NodePortMatch, Settings};

/// The table's name.
pub(super) const TABLE: &str = "kube-proxy";
/// Its comment.
pub(super) const TABLE_COMMENT: &str = "rules for kube-proxy";
/// The chain that rejects.
pub(super) const REJECT_CHAIN: &str = "reject-chain";
/// The chain that sets the mark (up to 1.35).
pub(super) const MARK_FOR_MASQUERADE: &str = "mark-for-masquerade";

const SERVICES: &str = "services";
const SERVICE_ENDPOINTS_CHECK: &str = "service-endpoints-check";
const NODEPORT_ENDPOINTS_CHECK: &str = "nodeport-endpoints-check";
const FIREWALL_CHECK: &str = "firewall-check";
const CLUSTER_IPS_CHECK: &str = "cluster-ips-check";
const MASQUERADING: &str = "masquerading";

/// The priority of translation of destinations. Source: include/uapi/linux/netfilter_ipv4.h, `NF_IP_PRI_NAT_DST`.
const DSTNAT: i32 = -100;
/// The priority of translation of sources. Source: the same file, `NF_IP_PRI_NAT_SRC`.
const SRCNAT: i32 = 100;

/// A base chain and the chains that it calls, for new connections alone if it is not of type nat.
pub(super) struct BaseChain {
    pub(super) name: &'static str,
    base: Base,
    calls: &'static [&'static str],
}

impl BaseChain {
    const fn filter(
        name: &'static str,
        hook: Hook,
        priority: i32,
        calls: &'static [&'static str],
    ) -> BaseChain {
        BaseChain { name, base: Base::new(ChainType::Filter, hook, priority), calls }
    }

    const fn nat(name: &'static str, hook: Hook, priority: i32, calls: &'static [&'static str]) -> BaseChain {
        BaseChain { name, base: Base::new(ChainType::Nat, hook, priority), calls }
    }

    pub(super) fn declaration(&self) -> Chain {
        Chain::base(self.name, self.base)
    }

    fn rules(&self, family: Family) -> Vec<Rule> {
        let draft = || match self.base.kind {
            ChainType::Nat => any(family),
            _ => any(family).ct_new(),
        };
        self.calls.iter().map(|chain| draft().jump(*chain)).collect()
    }
}

/// 1.33 on.
static BASE_CHAINS: [BaseChain; 8] = [
    BaseChain::filter("filter-prerouting-pre-dnat", Hook::Prerouting, DSTNAT - 10, &[FIREWALL_CHECK]),
    BaseChain::filter("filter-output-pre-dnat", Hook::Output, DSTNAT - 10, &[FIREWALL_CHECK]),
    BaseChain::filter("filter-input", Hook::Input, 0, &[NODEPORT_ENDPOINTS_CHECK, SERVICE_ENDPOINTS_CHECK]),
    BaseChain::filter("filter-forward", Hook::Forward, 0, &[SERVICE_ENDPOINTS_CHECK, CLUSTER_IPS_CHECK]),
    BaseChain::filter("filter-output", Hook::Output, 0, &[SERVICE_ENDPOINTS_CHECK, CLUSTER_IPS_CHECK]),
    BaseChain::nat("nat-prerouting", Hook::Prerouting, DSTNAT, &[SERVICES]),
    BaseChain::nat("nat-output", Hook::Output, DSTNAT, &[SERVICES]),
    BaseChain::nat("nat-postrouting", Hook::Postrouting, SRCNAT, &[MASQUERADING]),
];

/// 1.30 to 1.32: a packet of the node itself is checked for endpoints before it is translated.
static BASE_CHAINS_BEFORE_1_33: [BaseChain; 8] = [
    BaseChain::filter("filter-prerouting", Hook::Prerouting, DSTNAT - 10, &[FIREWALL_CHECK]),
    BaseChain::filter(
        "filter-input",
        Hook::Input,
        DSTNAT - 10,
        &[NODEPORT_ENDPOINTS_CHECK, SERVICE_ENDPOINTS_CHECK],
    ),
    BaseChain::filter(
        "filter-forward",
        Hook::Forward,
        DSTNAT - 10,
        &[SERVICE_ENDPOINTS_CHECK, CLUSTER_IPS_CHECK],
    ),
    BaseChain::filter("filter-output", Hook::Output, DSTNAT - 10, &[SERVICE_ENDPOINTS_CHECK, FIREWALL_CHECK]),
    BaseChain::filter("filter-output-post-dnat", Hook::Output, DSTNAT + 10, &[CLUSTER_IPS_CHECK]),
    BaseChain::nat("nat-prerouting", Hook::Prerouting, DSTNAT, &[SERVICES]),
    BaseChain::nat("nat-output", Hook::Output, DSTNAT, &[SERVICES]),
    BaseChain::nat("nat-postrouting", Hook::Postrouting, SRCNAT, &[MASQUERADING]),
];

/// The base chains of a release.
pub(super) fn base_chains(settings: &Settings) -> &'static [BaseChain] {
    if settings.profile.nft.checks_after_dnat { &BASE_CHAINS } else { &BASE_CHAINS_BEFORE_1_33 }
}

/// The other fixed chains, in the order in which they are made.
pub(super) fn chains(settings: &Settings) -> Vec<Chain> {
    let mut names = vec![
        NODEPORT_ENDPOINTS_CHECK,
        SERVICE_ENDPOINTS_CHECK,
        FIREWALL_CHECK,
        SERVICES,
        MASQUERADING,
        CLUSTER_IPS_CHECK,
    ];
    if !settings.profile.nft.one_rule {
        names.push(MARK_FOR_MASQUERADE);
    }
    let comment = "helper for @no-endpoint-services / @no-endpoint-nodeports";
    let reject = Chain { comment: Some(comment.into()), ..Chain::regular(REJECT_CHAIN) };
    names.into_iter().map(Chain::regular).chain([reject]).collect()
}

/// The shared sets and maps of a release and its options.
pub(super) fn sets(settings: &Settings) -> impl Iterator<Item = (Shared, Set)> {
    let there = Shared::ALL.into_iter().filter(|set| set.is_there(settings));
    there.map(|set| (set, set.declaration(settings.family)))
}

/// The addresses in `nodeport-ips`; the set is there even if they are none.
pub(super) fn node_port_ips(settings: &Settings) -> Vec<Element> {
    match &settings.nodeports {
        NodePortMatch::All => Vec::new(),
        NodePortMatch::Addresses(addresses) => {
            addresses.iter().map(|ip| Element::new(&[Span::addr(*ip)])).collect()
        }
    }
}

/// Every rule of the fixed chains.
pub(super) fn rules(settings: &Settings, service_cidrs: &[Cidr]) -> Vec<(&'static str, Rule)> {
    let family = settings.family;
    let base = base_chains(settings).iter();
    let mut rules: Vec<(&str, Rule)> =
        base.flat_map(|base| base.rules(family).into_iter().map(|rule| (base.name, rule))).collect();
    rules.extend([
        (NODEPORT_ENDPOINTS_CHECK, node_ports(settings, any(family)).port_map(Shared::NoEndpointNodeports)),
        (SERVICE_ENDPOINTS_CHECK, any(family).vip_map(Shared::NoEndpointServices)),
        (FIREWALL_CHECK, any(family).vip_map(Shared::FirewallIps)),
    ]);
    rules.extend(services(settings).into_iter().map(|rule| (SERVICES, rule)));
    rules.extend(masquerading(settings).into_iter().map(|rule| (MASQUERADING, rule)));
    let refused = any(family).daddr_in(Shared::ClusterIps).reject();
    rules.push((CLUSTER_IPS_CHECK, refused.with_comment("Reject traffic to invalid ports of ClusterIPs")));
    if settings.profile.nft.service_cidrs && !service_cidrs.is_empty() {
        let dropped = any(family).daddr_within(service_cidrs).verdict(Verdict::Drop);
        rules.push((CLUSTER_IPS_CHECK, dropped.with_comment("Drop traffic to unallocated ClusterIPs")));
    }
    if !settings.profile.nft.one_rule {
        rules.push((MARK_FOR_MASQUERADE, any(family).set_mark(settings.mark).end()));
    }
    rules.push((REJECT_CHAIN, any(family).reject()));
    rules
}

/// To an address that takes node ports; with all addresses, whether it is the node's is asked where it matters.
fn node_ports(settings: &Settings, draft: Draft) -> Draft {
    match settings.nodeports {
        NodePortMatch::Addresses(_) => draft.daddr_in(Shared::NodeportIps),
        NodePortMatch::All => draft.daddr_not(match settings.family {
            Family::V4 => Cidr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8).expect("8 bits fit IPv4"),
            Family::V6 => Cidr::host(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        }),
    }
}

fn services(settings: &Settings) -> Vec<Rule> {
    let family = settings.family;
    let to_cluster_ips = any(family).daddr_in(Shared::ClusterIps);
    let masquerade = match settings.local {
        _ if !settings.profile.nft.one_rule => None,
        _ if settings.masquerade_all => Some((to_cluster_ips, "masquerade all clusterIP traffic")),
        LocalDetector::None => None,
        _ => {
            Some((to_cluster_ips.pods(settings, false), "masquerade clusterIP traffic from outside cluster"))
        }
    };
    let masquerade =
        masquerade.map(|(draft, comment)| draft.set_mark(settings.mark).end().with_comment(comment));
    let to_node = match settings.nodeports {
        NodePortMatch::All => any(family).daddr_local(),
        NodePortMatch::Addresses(_) => any(family),
    };
    let rules = [
        any(family).vip_map(Shared::ServiceIps),
        node_ports(settings, to_node).port_map(Shared::ServiceNodeports),
    ];
    masquerade.into_iter().chain(rules).collect()
}

fn masquerading(settings: &Settings) -> Vec<Rule> {
    let (family, mark) = (settings.family, settings.mark);
    if settings.profile.nft.one_rule {
        return vec![
            any(family).marked(mark, true).clear_mark(mark).masquerade(),
            any(family).ct_dnat().hairpin().masquerade(),
        ];
    }
    vec![
        any(family).marked(mark, false).verdict(Verdict::Return),
        any(family).clear_mark(mark).end(),
        any(family).masquerade(),
    ]
}

/// Everything fixed, as the steps of a full sync. `anew`: base chains are made again, in case their priorities are others.
pub(super) fn steps(settings: &Settings, service_cidrs: &[Cidr], anew: bool) -> Vec<Op> {
    let mut steps = vec![Op::AddTable(Some(TABLE_COMMENT.into()))];
    if anew {
        steps.extend([Op::DeleteTable, Op::AddTable(Some(TABLE_COMMENT.into()))]);
    }
    let sets: Vec<(Shared, Set)> = sets(settings).collect();
    steps.extend(sets.iter().map(|(_, set)| Op::AddSet(set.clone())));
    let base = base_chains(settings).iter().map(BaseChain::declaration);
    for chain in base.chain(chains(settings)) {
        let name = chain.name.clone();
        steps.extend([Op::AddChain(chain), Op::FlushChain(name)]);
    }
    if Shared::NodeportIps.is_there(settings) {
        steps.push(Op::FlushSet(Shared::NodeportIps.name().into()));
        let elements = node_port_ips(settings);
        if !elements.is_empty() {
            steps.push(Op::AddElements(Shared::NodeportIps.name().into(), elements));
        }
    }
    let rules = rules(settings, service_cidrs).into_iter();
    steps.extend(rules.map(|(chain, rule)| Op::AddRule(chain.into(), rule)));
    steps
}
