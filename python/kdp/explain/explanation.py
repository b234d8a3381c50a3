"""An explanation: the verdict first, then the evidence, then the nearest fix."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kdp.ansi import Paint
from kdp.json_output import document

__all__ = ["Evidence", "Explanation", "Finding", "Fix"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place where it can be seen: an object, a field of it, and what is there (``None``: nothing)."""

    object: str
    field: str
    value: Any

    def __str__(self) -> str:
        value = "<none>" if self.value is None else _text(self.value)
        return f"{self.object} .{self.field}: {value}" if self.field else f"{self.object}: {value}"


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that would mend it, as a command, and why this one."""

    why: str
    command: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause. ``rule`` is a stable id."""

    rule: str
    summary: str
    evidence: list[Evidence] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """What was asked about, whether it works, and why.

    ``verdict``: ``works``, ``broken``, or ``unknown`` where what decides is not among the objects or not modelled.
    """

    object: str
    verdict: str
    summary: str
    findings: list[Finding] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.text()

    def text(self, *, color: bool = False, width: int = 100) -> str:
        """Tell it in lines; commands stay on one line, to be copied."""
        paint = Paint(on=color)
        return "\n".join(self._lines(paint, width)) + "\n"

    def _lines(self, paint: Paint, width: int) -> Iterator[str]:
        good = {"works": "green", "broken": "red"}
        first, *rest = _wrap(f"{self.object}: {self.summary}", width)
        yield paint(good.get(self.verdict, "yellow"), first)
        yield from rest
        yield from (f"  {each}" for each in self.evidence)
        for at, finding in enumerate(self.findings, 1):
            number = f"{at}. " if len(self.findings) > 1 else ""
            yield ""
            yield from _wrap(number + finding.summary, width)
            yield from (f"  {each}" for each in finding.evidence)
            for which, fix in enumerate(finding.fixes):
                yield from _wrap(f"{'nearest fix' if which == 0 else 'or'}: {fix.why}", width, "  ")
                yield f"    {paint('cyan', fix.command)}"
            yield paint("dim", f"  rule: {finding.rule}")
        for note in self.notes:
            yield ""
            yield from _wrap(f"note: {note}", width)

    def to_json(self) -> dict[str, Any]:
        """Give it as data (docs/json-output.md)."""
        return document(
            "Explanation",
            {
                "object": self.object,
                "verdict": self.verdict,
                "summary": self.summary,
                "evidence": [_evidence(each) for each in self.evidence],
                "findings": [
                    {
                        "rule": finding.rule,
                        "summary": finding.summary,
                        "evidence": [_evidence(each) for each in finding.evidence],
                        "fixes": [{"why": fix.why, "command": fix.command} for fix in finding.fixes],
                    }
                    for finding in self.findings
                ],
                "notes": list(self.notes),
            },
        )


def _evidence(each: Evidence) -> dict[str, Any]:
    return {"object": each.object, "field": each.field, "value": each.value}


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={each}" for key, each in value.items()) or "{}"
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value) or "[]"
    return str(value)
