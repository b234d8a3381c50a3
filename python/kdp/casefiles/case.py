"""One case: its kind, its name, and how it is run and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdp.errors import KdpError

__all__ = ["EXPECTATIONS", "Case", "Differences", "without_answers"]

Differences = Sequence[str]
"""What differs, a sentence each; nothing where all is equal."""

EXPECTATIONS = frozenset(
    [
        "expect",
        "expected",
        "observed",
        "fault",
        "canonical",
        "expectReady",
        "expectNotReady",
        "truncated",
        "repeats",
    ]
)
"""Keys that hold answers: taken out before a case is run."""


@dataclass(frozen=True)
class Case:
    """A case. ``path``: its file; ``name``: its name in reports; ``compare``: runs it and gives what differs."""

    kind: str
    path: str
    name: str
    compare: Callable[[], Differences]

    def run(self) -> list[str]:
        """Run and compare. What kdp refuses is a difference: the message says why."""
        try:
            return list(self.compare())
        except KdpError as error:
            return [f"error[{error.code}]: {error.message}"]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # A file that somebody wrote: what it lacks is no fault of kdp's, and the next case can be run all the same.
            return [
                f"error[case-invalid]: the case is not of the form of its kind: {type(error).__name__}: {error}"
            ]


def without_answers(given: Any) -> Any:  # noqa: ANN401 -- JSON
    """The question that a case asks."""
    if isinstance(given, Mapping):
        return {key: without_answers(value) for key, value in given.items() if key not in EXPECTATIONS}
    return [without_answers(each) for each in given] if isinstance(given, list) else given
