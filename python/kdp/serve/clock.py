"""Virtual time that follows the clock on the wall, faster or slower if asked."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from kdp.errors import UsageError

__all__ = ["Clock", "parse_moment", "parse_speed"]

NANOS = 1_000_000_000
SPEED = re.compile(r"(\d+(?:\.\d+)?)x?")


class Clock:
    """``now()`` is the virtual time that has passed since the start, in nanoseconds.

    ``epoch`` is the moment at which virtual time was 0, in nanoseconds since 1970; ``speed`` is how many virtual
    seconds pass in one.
    """

    def __init__(self, *, speed: float = 1.0, epoch: int | None = None, start: int = 0) -> None:
        self.speed = speed
        self.epoch = time.time_ns() if epoch is None else epoch
        self._start = start
        self._began = time.monotonic_ns()

    def now(self) -> int:
        """Virtual time in nanoseconds."""
        return self._start + int((time.monotonic_ns() - self._began) * self.speed)

    def moment(self) -> datetime:
        """The moment that virtual time stands for."""
        return datetime.fromtimestamp((self.epoch + self.now()) / NANOS, tz=UTC)


def parse_speed(text: str) -> float:
    """Read ``10x``, ``0.5``."""
    found = SPEED.fullmatch(text.strip())
    if not found:
        raise UsageError("argument-invalid", f"--speed: {text!r} is no speed such as 10x")
    return float(found.group(1))


def parse_moment(text: str) -> int:
    """Read a moment such as ``2026-11-25T01:00:00Z``, as nanoseconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "argument-invalid", f"--at: {text!r} is no time such as 2026-11-25T01:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise UsageError("argument-invalid", f"--at: {text!r} has no zone: add Z for UTC")
    return int(moment.timestamp()) * NANOS
