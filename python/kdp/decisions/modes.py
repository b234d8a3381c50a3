"""Why two modes of kube-proxy decide otherwise, by name, and what to change.

Source: Kubernetes' documentation, "Virtual IPs and Service Proxies", "Migrating from iptables mode to nftables";
kubernetes, pkg/proxy/iptables/proxier.go and pkg/proxy/nftables/proxier.go, 1.30 to 1.36.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdp.decisions.classes import FlowClass
    from kdp.decisions.compare import Difference
    from kdp.decisions.decision import Decision

__all__ = ["REASONS", "reason_of"]

REASONS: dict[str, tuple[str, str]] = {
    "localhost-node-port": (
        "nftables mode does not take node ports on 127.0.0.1",
        "let what connects to localhost:NODEPORT use the node's own address, or the cluster IP",
    ),
    "node-port-address": (
        "nftables mode takes node ports on the node's primary addresses alone, iptables mode on every address",
        "run kube-proxy with --nodeport-addresses=0.0.0.0/0 (and ::/0), or connect to the node's primary address",
    ),
    "port-that-no-service-has": (
        "nftables mode rejects a port of a cluster IP that no Service has, iptables mode lets the packet leave",
        "nothing, unless a router outside of the cluster answers for cluster IPs",
    ),
    "frontend-without-endpoints-from-node": (
        "iptables mode does not stop what the node itself sends to an external or load-balancer IP without endpoints",
        "nothing: the connection fails in both modes, at once in nftables mode",
    ),
    "source-ranges-before-reject": (
        "without endpoints, nftables mode drops what loadBalancerSourceRanges leave out, and iptables mode rejects it",
        "nothing: the connection fails in both modes, by a timeout in nftables mode",
    ),
    "local-policy-from-node": (
        "nftables mode up to 1.32 drops what a node without local endpoints sends to a frontend with policy Local",
        "go to 1.33 or later first, or set externalTrafficPolicy: Cluster",
    ),
    "masquerade": (
        "the endpoint sees another source address",
        "look at what reads client addresses: NetworkPolicies, access logs, allow lists",
    ),
    "other": (
        "the rules decide otherwise, and kdp has no name for why",
        "compare `kdp explain flow` in both modes",
    ),
}
"""By name: why, and what to change."""


def reason_of(difference: Difference) -> str:
    """The name of the reason, for a difference from iptables to nftables or back."""
    if difference.flow.frontend == "node port of localhost":
        return "localhost-node-port"
    if difference.before is None or difference.after is None:
        return "other"
    return _of_decisions(difference.flow, difference.before, difference.after)


def _of_decisions(flow: FlowClass, one: Decision, other: Decision) -> str:
    if one.verdict == other.verdict and one.backends == other.backends:
        return "masquerade"
    verdicts = {one.verdict, other.verdict}
    if flow.frontend == "other port" and verdicts & {"reject", "drop"}:
        return "port-that-no-service-has"
    if flow.frontend == "node port" and _is_untouched(one, other):
        return "node-port-address"
    if flow.frontend in ("external IP", "load balancer IP"):
        return _of_frontend(flow.source, verdicts)
    return "other"


def _is_untouched(one: Decision, other: Decision) -> bool:
    """Whether in one of the two no rule leads on."""
    return bool({one.verdict, other.verdict} & {"no-route", "untouched"})


def _of_frontend(source: str, verdicts: set[str]) -> str:
    if source == "node" and verdicts in ({"no-route", "reject"}, {"no-route", "drop"}):
        return "frontend-without-endpoints-from-node"
    if verdicts == {"reject", "drop"}:
        return "source-ranges-before-reject"
    if source == "node" and verdicts == {"deliver", "drop"}:
        return "local-policy-from-node"
    return "other"
