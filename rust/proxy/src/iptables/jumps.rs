//! The calls from base chains. Only a full sync makes them.

use kdp_netfilter::{CtState, Name, Rule, Table};

use super::chains::CHAINS;
use super::rule::any;

/// A call: table, base chain, called chain, rule.
pub(super) type Jump = (Table, &'static str, &'static Name, Rule);

/// All calls, in the order in which kube-proxy makes them. Each goes on top, so the last one made is the first one met.
/// Source: kube-proxy, `iptablesJumpChains` and `iptablesKubeletJumpChains` (pkg/proxy/iptables/proxier.go).
pub(super) fn jumps() -> Vec<Jump> {
    use Table::{Filter, Nat};
    let chains = &*CHAINS;
    let new = |comment: &str| any().ct_state(&[CtState::New]).comment(comment);
    let all = |comment: &str| any().comment(comment);
    let external = || new("kubernetes externally-visible service portals").jump(&chains.external_services);
    let health = || all("kubernetes health check service ports").jump(&chains.node_ports);
    let portals = || new("kubernetes service portals").jump(&chains.services);
    let forward = || all("kubernetes forwarding rules").jump(&chains.forward);
    let firewall = || new("kubernetes load balancer firewall").jump(&chains.proxy_firewall);
    let nat_portals = || all("kubernetes service portals").jump(&chains.services);
    let postrouting = || all("kubernetes postrouting rules").jump(&chains.postrouting);
    // Shared with kubelet: no comment.
    let kubelet = || any().jump(&chains.firewall);
    vec![
        (Filter, "INPUT", &chains.external_services, external()),
        (Filter, "FORWARD", &chains.external_services, external()),
        (Filter, "INPUT", &chains.node_ports, health()),
        (Filter, "FORWARD", &chains.services, portals()),
        (Filter, "OUTPUT", &chains.services, portals()),
        (Filter, "FORWARD", &chains.forward, forward()),
        (Filter, "INPUT", &chains.proxy_firewall, firewall()),
        (Filter, "OUTPUT", &chains.proxy_firewall, firewall()),
        (Filter, "FORWARD", &chains.proxy_firewall, firewall()),
        (Nat, "OUTPUT", &chains.services, nat_portals()),
        (Nat, "PREROUTING", &chains.services, nat_portals()),
        (Nat, "POSTROUTING", &chains.postrouting, postrouting()),
        (Filter, "INPUT", &chains.firewall, kubelet()),
        (Filter, "OUTPUT", &chains.firewall, kubelet()),
    ]
}
