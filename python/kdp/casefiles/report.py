"""Outcomes of cases for machines: JUnit's XML and the Test Anything Protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from kdp.casefiles.case import Case

__all__ = ["Outcome", "junit", "tap"]

NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class Outcome:
    """A case that was run: what differs (nothing if it is equal), and how long it took in seconds."""

    case: Case
    differences: Sequence[str]
    seconds: float


def junit(outcomes: Sequence[Outcome]) -> str:
    """A JUnit report: a suite for each kind."""
    kinds = list(dict.fromkeys(outcome.case.kind for outcome in outcomes))
    suites = "".join(_suite(kind, [each for each in outcomes if each.case.kind == kind]) for kind in kinds)
    counts = _counts(outcomes)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="kdp test" {counts}>\n{suites}</testsuites>\n'


def _counts(outcomes: Sequence[Outcome]) -> str:
    failures = sum(bool(outcome.differences) for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return f'tests="{len(outcomes)}" failures="{failures}" errors="0" time="{seconds:.3f}"'


def _suite(kind: str, outcomes: Sequence[Outcome]) -> str:
    return f"  <testsuite name={quoteattr(kind)} {_counts(outcomes)}>\n{''.join(map(_test, outcomes))}  </testsuite>\n"


def _test(outcome: Outcome) -> str:
    case = outcome.case
    head = f"    <testcase classname={quoteattr(f'kdp.{case.kind}')} name={quoteattr(case.name)}"
    head += f' file={quoteattr(case.path)} time="{outcome.seconds:.3f}"'
    if not outcome.differences:
        return f"{head}/>\n"
    said = [NOT_IN_XML.sub("?", what) for what in outcome.differences]
    body = escape("\n".join(said))
    return f"{head}>\n      <failure message={quoteattr(said[0])}>{body}</failure>\n    </testcase>\n"


def tap(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines of the Test Anything Protocol, version 13."""
    yield "TAP version 13"
    yield f"1..{len(outcomes)}"
    for number, outcome in enumerate(outcomes, 1):
        name = f"{outcome.case.kind} {outcome.case.name}".replace("#", "\\#")
        yield f"{'not ok' if outcome.differences else 'ok'} {number} - {name}"
        if outcome.differences:
            yield "  ---"
            yield f"  file: {outcome.case.path}"
            yield "  differences: |"
            yield from (f"    {line}" for what in outcome.differences for line in what.splitlines())
            yield "  ..."
