"""Packet cases: a recorded run of the kernel against kdp's, random choices left aside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kdp import conformance
from kdp.casefiles.case import without_answers
from kdp.casefiles.normal_run import normal_differences, normal_run
from kdp.errors import UsageError

__all__ = ["compare_packets"]

Json = Mapping[str, Any]

SEEDS = (1, 2, 3)
"""A drawn port may by chance be one that the case names: another seed draws another."""


def compare_packets(case: Json) -> Iterator[str]:
    """Packets, verdicts, states, entries and counters of each step: against `expected`, else against `observed`."""
    scenario = case["scenario"]
    if "expected" not in case and "observed" not in case:
        why = "it has neither `expected` nor `observed`, so there is nothing to compare with"
        raise UsageError("case-invalid", f"packet case: {why}")
    want = case["expected"] if "expected" in case else _plain(normal_run(scenario, case["observed"]))
    question = without_answers(case)
    first: list[str] = []
    for seed in SEEDS:
        got = _plain(normal_run(scenario, conformance.run_packets(question, seed=seed)))
        found = list(normal_differences(want, got))
        if not found:
            return
        first = first or found
    yield from first


def _plain(run: Json) -> dict[str, Any]:
    """The run as a file holds it: lists for tuples."""
    found: dict[str, Any] = json.loads(json.dumps(run))
    return found
