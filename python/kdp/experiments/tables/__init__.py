"""Published tables of Services at work, each figure beside what kdp's own controllers and proxy make of the case."""

from __future__ import annotations

from collections.abc import Callable

from kdp.arguments import check_choice
from kdp.experiments.tables.table import Row, Table

__all__ = ["TABLES", "Row", "Table", "table"]


def _rule_counts(*, full: bool) -> Table:  # noqa: ARG001 -- every table is made alike
    from kdp.experiments.tables.rule_counts import rule_counts

    return rule_counts()


def _slice_writes(*, full: bool) -> Table:
    from kdp.experiments.tables.slice_writes import slice_writes

    return slice_writes(full=full)


def _probabilities(*, full: bool) -> Table:  # noqa: ARG001 -- every table is made alike
    from kdp.experiments.tables.probabilities import probabilities

    return probabilities()


def _topology(*, full: bool) -> Table:  # noqa: ARG001 -- every table is made alike
    from kdp.experiments.tables.topology import topology

    return topology()


TABLES: dict[str, Callable[..., Table]] = {
    "T-01": _rule_counts,
    "T-02": _slice_writes,
    "T-09": _probabilities,
    "T-10": _topology,
}
"""Each table that there is, by its id."""


def table(name: str, *, full: bool = False) -> Table:
    """Make a table by its id; ``full`` also makes what takes minutes."""
    return TABLES[check_choice("table(name=...)", name.upper(), TABLES)](full=full)
