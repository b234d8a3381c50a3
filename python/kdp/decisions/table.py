"""Differences as rows of a table: those that say the same share one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kdp.decisions.classes import SOURCES

if TYPE_CHECKING:
    from kdp.decisions.compare import Difference
    from kdp.decisions.decision import Decision

__all__ = ["Row", "rows_of", "short"]

SHOWN = 3


@dataclass
class Row:
    """Sources and nodes for which a frontend decides otherwise in the same way."""

    service: str
    port: str
    frontend: str
    before: str
    after: str
    sources: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)

    def cells(self) -> list[str]:
        """Its cells: service port, frontend, from, nodes, before, after."""
        sources = sorted(self.sources, key=SOURCES.index)
        return [
            f"{self.service} {self.port}",
            self.frontend,
            ", ".join(sources),
            _some(self.nodes),
            self.before,
            self.after,
        ]

    def to_json(self) -> dict[str, Any]:
        """As docs/json-output.md describes it."""
        return {
            "service": self.service,
            "port": self.port,
            "frontend": self.frontend,
            "sources": sorted(self.sources, key=SOURCES.index),
            "nodes": self.nodes,
            "before": self.before,
            "after": self.after,
        }


def short(decision: Decision | None) -> str:
    """A decision in few words."""
    if decision is None:
        return "not there"
    if not decision.backends:
        return decision.verdict
    count = len(decision.backends)
    backends = decision.backends[0] if count == 1 else f"{count} endpoints"
    return f"{decision.verdict} to {backends}{', masqueraded' if decision.masqueraded == 'yes' else ''}"


def rows_of(found: Iterable[Difference], *, whole: bool = False) -> list[Row]:
    """Rows in the order of the first difference of each. ``whole``: all backends are named.

    Sources share a row where they decide alike on the same nodes, nodes where the same sources do.
    """
    by_way: dict[tuple[str, str, str, str, str], dict[str, list[str]]] = {}
    for each in found:
        flow = each.flow
        frontend = f"{flow.frontend} {flow.address}".strip()
        before, after = (str(side) if whole and side else short(side) for side in (each.before, each.after))
        nodes = by_way.setdefault((flow.service, flow.port, frontend, before, after), {})
        nodes.setdefault(flow.source, []).append(flow.node)
    rows = []
    for way, sources in by_way.items():
        by_nodes: dict[tuple[str, ...], list[str]] = {}
        for source, nodes_of in sources.items():
            by_nodes.setdefault(tuple(nodes_of), []).append(source)
        rows += [Row(*way, kinds, list(nodes_of)) for nodes_of, kinds in by_nodes.items()]
    return rows


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
