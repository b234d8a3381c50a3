"""Where two clusters decide otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdp.decisions.classes import FlowClass, flow_classes
from kdp.decisions.decision import Decision, decide

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["Difference", "differences"]


@dataclass(frozen=True)
class Difference:
    """A class on which two clusters decide otherwise; None where one of them does not have it."""

    flow: FlowClass
    before: Decision | None
    after: Decision | None

    @property
    def lost(self) -> bool:
        """Whether the source reached somebody before, and does not any more."""
        return _delivers(self.before) and not _delivers(self.after)

    @property
    def gained(self) -> bool:
        """Whether the source reaches somebody only now."""
        return _delivers(self.after) and not _delivers(self.before)


def _delivers(decision: Decision | None) -> bool:
    return decision is not None and "deliver" in decision.verdict.split("/")


def differences(
    before: Cluster,
    after: Cluster,
    *,
    nodes: Sequence[str] | None = None,
    services: Sequence[str] | None = None,
) -> Iterator[Difference]:
    """Every class on which the two decide otherwise.

    A class that only one of them has counts where the other has not got the frontend at all; that a node has nobody
    of a kind (no endpoint, no Pod) is no decision.
    """
    there = {flow.key: flow for flow in flow_classes(before, nodes=nodes, services=services)}
    here = {flow.key: flow for flow in flow_classes(after, nodes=nodes, services=services)}
    frontends = {key[:-1] for key in there} & {key[:-1] for key in here}
    for key in dict.fromkeys([*there, *here]):
        old, new = there.get(key), here.get(key)
        if key[:-1] in frontends and (old is None or new is None):
            continue
        one = decide(before, old) if old else None
        other = decide(after, new) if new else None
        if one != other:
            flow = new or old
            assert flow is not None, "a key is one of either cluster's"
            yield Difference(flow, one, other)
