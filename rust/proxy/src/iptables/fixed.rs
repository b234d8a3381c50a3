//! Rules that do not depend on Services.
//! Source: kube-proxy, `syncProxyRules` (pkg/proxy/iptables/proxier.go).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kdp_netfilter::{CtState, CtStates, Match, Name, NatRange, Rule, Table, Target, Test};
use kdp_packet::{Cidr, Family};

use super::chains::{CHAINS, Shared};
use super::rule::any;
use crate::config::{NodePortMatch, Settings};

/// Chains of a table, beside the shared ones, that every sync writes.
pub(super) fn chains(settings: &Settings, table: Table) -> Vec<&'static Name> {
    match table {
        Table::Filter if settings.localhost_nodeports => vec![&CHAINS.forward, &CHAINS.firewall],
        Table::Filter => vec![&CHAINS.forward],
        Table::Nat => vec![&CHAINS.postrouting, &CHAINS.mark_masq],
        Table::Raw | Table::Mangle | Table::Security => Vec::new(),
    }
}

/// How many rules and chain lines every sync writes whatever the Services are.
pub(crate) struct FixedCounts {
    pub(crate) filter_rules: usize,
    pub(crate) nat_rules: usize,
    /// Chain lines of both tables, shared chains included.
    pub(crate) chains: usize,
}

impl FixedCounts {
    pub(crate) fn of(settings: &Settings) -> FixedCounts {
        FixedCounts {
            filter_rules: filter_first(settings).len() + filter_last(settings).len(),
            nat_rules: nat_first(settings).len() + nat_services_last(settings).len(),
            chains: Shared::ALL.len()
                + chains(settings, Table::Filter).len()
                + chains(settings, Table::Nat).len(),
        }
    }
}

/// 127.0.0.0/8.
pub(super) fn loopback_net() -> Cidr {
    Cidr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8).expect("8 bits fit IPv4")
}

/// The first rules of the filter table: with localhost node ports, nothing from outside reaches 127.0.0.0/8.
pub(super) fn filter_first(settings: &Settings) -> Vec<(&'static Name, Rule)> {
    if !settings.localhost_nodeports {
        return Vec::new();
    }
    let answered = CtStates::of(&[CtState::Related, CtState::Established, CtState::Dnat]);
    let rule = any()
        .with(Match::Src(Test::not(loopback_net())))
        .with(Match::Dst(Test::is(loopback_net())))
        .comment("block incoming localnet connections")
        .with(Match::CtState(Test::not(answered)))
        .then(Target::Drop);
    vec![(&CHAINS.firewall, rule)]
}

/// The last rules of the filter table.
pub(super) fn filter_last(settings: &Settings) -> Vec<(&'static Name, Rule)> {
    let mut rules = Vec::with_capacity(3);
    if settings.drop_invalid {
        let invalid = any().ct_state(&[CtState::Invalid]);
        let counted = if settings.nfacct { invalid.nfacct("ct_state_invalid_dropped_pkts") } else { invalid };
        rules.push((&CHAINS.forward, counted.then(Target::Drop)));
    }
    let marked = any()
        .comment("kubernetes forwarding rules")
        .with(Match::Mark(Test::is((settings.mark, settings.mark))));
    rules.push((&CHAINS.forward, marked.then(Target::Accept)));
    let known = any()
        .comment("kubernetes forwarding conntrack rule")
        .ct_state(&[CtState::Related, CtState::Established]);
    rules.push((&CHAINS.forward, known.then(Target::Accept)));
    rules
}

/// The first rules of the nat table: masquerade what is marked, and take the mark off.
pub(super) fn nat_first(settings: &Settings) -> Vec<(&'static Name, Rule)> {
    let mark = settings.mark;
    let masquerade = Target::Masquerade(NatRange { random_fully: true, ..NatRange::default() });
    vec![
        (&CHAINS.postrouting, any().with(Match::Mark(Test::not((mark, mark)))).then(Target::Return)),
        // `--xor-mark M` is `--set-xmark M/0`.
        (&CHAINS.postrouting, any().then(Target::Mark { value: mark, mask: 0 })),
        (&CHAINS.postrouting, any().comment("kubernetes service traffic requiring SNAT").then(masquerade)),
        // `--or-mark M` is `--set-xmark M/M`.
        (&CHAINS.mark_masq, any().then(Target::Mark { value: mark, mask: mark })),
    ]
}

/// The end of KUBE-SERVICES: what is addressed to the node itself may be for a node port.
pub(super) fn nat_services_last(settings: &Settings) -> Vec<Rule> {
    const NOTE: &str = "kubernetes service nodeports; NOTE: this must be the last rule in this chain";
    match &settings.nodeports {
        NodePortMatch::All => {
            let not = |cidr| any().with(Match::Dst(Test::not(cidr)));
            let head = match settings.family {
                Family::V6 => not(Cidr::host(IpAddr::V6(Ipv6Addr::LOCALHOST))),
                Family::V4 if !settings.localhost_nodeports => not(loopback_net()),
                Family::V4 => any(),
            };
            vec![head.comment(NOTE).dst_type_local().jump(&CHAINS.node_ports)]
        }
        NodePortMatch::Addresses(addresses) => {
            let to = |ip: &IpAddr| any().with(Match::Dst(Test::is(Cidr::host(*ip)))).comment(NOTE);
            addresses.iter().map(|ip| to(ip).jump(&CHAINS.node_ports)).collect()
        }
    }
}
