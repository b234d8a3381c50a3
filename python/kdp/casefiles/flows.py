"""Decisions of kube-proxy, and sequences of TCP segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdp import conformance
from kdp.casefiles.case import without_answers

__all__ = ["compare_flows", "compare_tcp"]

Json = Mapping[str, Any]

TCP_ANSWERS = ("cts", "st", "new", "orig", "fl", "tf", "ws")
TIMEOUT_TOLERANCE = 1  # seconds: a recorded run takes its time


def compare_flows(case: Json) -> Iterator[str]:
    """Verdict, backends in any order, masquerade of each flow."""
    for flow, got in zip(case["flows"], conformance.run_flows(without_answers(case)), strict=True):
        want = flow["expect"]
        for key in ("verdict", "masquerade"):
            if want[key] != got[key]:
                yield f"{flow['name']}: {key}: want {want[key]}, got {got[key]}"
        wanted, found = (sorted(each["backends"] or []) for each in (want, got))
        if wanted != found:
            yield f"{flow['name']}: backends: want {', '.join(wanted) or 'none'}, got {', '.join(found) or 'none'}"


def compare_tcp(case: Json) -> Iterator[str]:
    """State and timeout of the tracker after each segment."""
    answers = {*TCP_ANSWERS, "to"}
    asked = [
        [{key: value for key, value in row.items() if key not in answers} for row in sequence]
        for sequence in case["sequences"]
    ]
    got = conformance.run_tcp_sequences({**case, "sequences": asked})
    for number, (wants, gots) in enumerate(zip(case["sequences"], got, strict=True)):
        for at, (want, have) in enumerate(zip(wants, gots, strict=True)):
            wrong = [key for key in TCP_ANSWERS if key in want and want[key] != have.get(key)]
            if abs(want.get("to", 0) - have.get("to", 0)) > TIMEOUT_TOLERANCE:
                wrong.append("to")
            for key in wrong:
                yield f"sequence {number} segment {at}: {key}: want {want[key]}, got {have.get(key)}"
