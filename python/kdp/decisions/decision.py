"""What the rules decide about a class of flows: every outcome of a new connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.decisions.classes import FlowClass

__all__ = ["Decision", "decide"]

WORDS = {"delivered": "deliver", "dropped": "drop", "rejected": "reject"}
"""The verdicts of an exploration, as what the rules do."""


@dataclass(frozen=True)
class Decision:
    """``verdict``: ``deliver``, ``drop``, ``reject``, ``no-route``, ``untouched``, or several with a slash.

    ``untouched``: no rule leads on, so the node itself gets it. ``backends``: who may get it.

    ``masqueraded``: whether the endpoint sees another source than the client's own: ``yes``, ``no``, ``some``, or empty
    where nobody gets it. ``reason``: why it is not delivered; it does not count when decisions are compared.
    """

    verdict: str
    backends: tuple[str, ...] = ()
    masqueraded: str = ""
    reason: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        if not self.backends:
            return self.verdict
        masqueraded = {"yes": ", masqueraded", "some": ", some masqueraded"}.get(self.masqueraded, "")
        return f"{self.verdict} to {', '.join(self.backends)}{masqueraded}"

    def to_json(self) -> dict[str, Any]:
        """As docs/json-output.md describes it."""
        return {
            "verdict": self.verdict,
            "backends": list(self.backends),
            "masqueraded": self.masqueraded or None,
            "reason": self.reason,
        }


def decide(cluster: Cluster, flow: FlowClass) -> Decision:
    """Ask the rules of the nodes on the way, all branches of every random choice."""
    data = cluster.explore(flow.asks, flow.target, protocol=flow.protocol, via=flow.via).data
    outcomes = data["outcomes"]
    verdicts = dict.fromkeys(_verdict(each, flow) for each in outcomes)
    reached = [each for each in outcomes if _verdict(each, flow) == "deliver" and each.get("endpoint")]
    backends = {_backend(each["endpoint"]) for each in reached}
    masked = {each["masqueraded"] for each in reached}
    reason = next((each["reason"] for each in outcomes if each.get("reason")), None)
    word = "some" if len(masked) == 2 else {True: "yes", False: "no", None: ""}[next(iter(masked), None)]
    return Decision("/".join(verdicts), tuple(sorted(backends)), word, reason)


def _verdict(outcome: Mapping[str, Any], flow: FlowClass) -> str:
    """A packet that arrives where it was sent to was not translated: the node itself has that address."""
    endpoint = outcome.get("endpoint") or {}
    where = f"[{endpoint.get('ip')}]" if ":" in endpoint.get("ip", "") else endpoint.get("ip")
    if outcome["verdict"] == "delivered" and f"{where}:{endpoint.get('port')}" == flow.target:
        return "untouched"
    return WORDS.get(outcome["verdict"], str(outcome["verdict"]))


def _backend(endpoint: Mapping[str, Any]) -> str:
    """A Pod, or a node whose network has the endpoint, by name with the port."""
    name = (
        f"{endpoint['namespace']}/{endpoint['name']}"
        if endpoint.get("namespace")
        else f"node {endpoint['name']}"
    )
    return f"{name}:{endpoint['port']}"
