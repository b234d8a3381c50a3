"""Packet cases: a recorded run of the kernel against kdp's, random choices left aside.

A drawn port stands for a drawn port (``kdp.conformance.packet_diff``). Where the case names sets of endpoints
(``ep_sets``) and gives steps a ``flow``, an endpoint stands for whichever of its set was chosen: the same for a
whole flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdp import conformance
from kdp.casefiles.case import without_answers
from kdp.conformance.endpoint_sets import EndpointSets
from kdp.conformance.packet_diff import run_differences
from kdp.errors import UsageError

if TYPE_CHECKING:
    from kdp.conformance.masked import Number

__all__ = ["compare_packets"]

Json = Mapping[str, Any]

SEEDS = (1, 2, 3)
"""A drawn port may by chance be one that the case names: another seed draws another."""


def compare_packets(case: Json) -> Iterator[str]:
    """Bytes, verdicts, states, entries and counters of each step."""
    if "observed" not in case:
        raise UsageError(
            "case-invalid", "packet case: it has no `observed`, so there is nothing to compare with"
        )
    question = without_answers(case)
    first: list[str] = []
    for seed in SEEDS:
        found = _differences(case, conformance.run_packets(question, seed=seed))
        if not found:
            return
        first = first or found
    yield from first


def _differences(case: Json, got: Json) -> list[str]:
    scenario = case["scenario"]
    sets = scenario.get("ep_sets") or {}
    there, here = EndpointSets(sets), EndpointSets(sets)
    steps = scenario["steps"]
    wanted, found = (_told(run, steps, scenario) for run in (case["observed"], got))
    differences = run_differences(
        there.canonical(wanted, steps), here.canonical(found, steps), _Named(scenario), loose=True
    )
    for one, other in scenario.get("same") or ():
        pair = [each.chosen(one) == each.chosen(other) for each in (there, here)]
        if pair[0] != pair[1]:
            differences.append(
                f"flows {one} and {other}: {'the' if pair[0] else 'not the'} same endpoint there, not so here"
            )
    return differences


def _told(run: Json, steps: Sequence[Json], scenario: Json) -> dict[str, Any]:
    """A run without what the case does not want to be compared."""
    told = [
        {key: value for key, value in seen.items() if not (key == "ctstate" and step.get("no_ctstate"))}
        for step, seen in zip(steps, run["steps"], strict=True)
    ]
    stats = run.get("stats", {}) if scenario.get("check_stats", True) else {}
    return {**run, "steps": told, "stats": stats}


class _Named:
    """Which numbers are what they are, and no draw: those that the case's packets and rules name.

    ``random_ports`` are draws all the same; with ``rand`` false nothing else is.
    """

    def __init__(self, scenario: Json) -> None:
        self._random = [tuple(each) for each in scenario.get("random_ports") or ()]
        self._all = not scenario.get("rand", True)
        self._named = set(scenario.get("known_ports") or ()) | set(_numbers_of(scenario["steps"]))
        for _, text in scenario["rules"]:
            self._named |= {int(number) for number in re.findall(r"(?<![\w.])(\d{1,5})(?![\w.])", text)}
        later = [rule for step in scenario["steps"] for rule in step.get("rules") or ()]
        for _, text in [*scenario["rules"], *later]:
            self._named |= {int(number) for number in re.findall(r"\.\d{1,3}:(\d{1,5})", text)}

    def __call__(self, number: Number) -> bool:
        if number.value == 0:
            return True
        drawn = any(
            first <= number.value <= last and (not of or of[0] == number.owner)
            for first, last, *of in self._random
        )
        return not drawn and (self._all or number.value in self._named)


def _numbers_of(value: Any) -> Iterator[int]:  # noqa: ANN401 -- any JSON
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("sport", "dport", "id", "icmp_id") and isinstance(inner, int):
                yield inner
            else:
                yield from _numbers_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers_of(inner)
