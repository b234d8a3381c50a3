"""Times as people write them: ``90s``, ``1m30s``, ``250ms``, ``1.5h``."""

from __future__ import annotations

import re

from kdp.errors import UsageError

__all__ = ["duration_text", "parse_duration"]

# Source: Go, time.ParseDuration: the units of kubectl's and kube-proxy's flags.
UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def parse_duration(place: str, time: str | float) -> int:
    """Read a time as nanoseconds; a number is seconds. Raises ``time-invalid``."""
    if isinstance(time, int | float) and not isinstance(time, bool):
        nanos = round(time * 10**9)
    else:
        parts = PART.findall(time) if isinstance(time, str) else []
        if not parts or "".join(number + unit for number, unit in parts) != time:
            raise UsageError("time-invalid", f"{place}: {time!r} is no time such as 90s, 1m30s or 250ms")
        nanos = sum(round(float(number) * UNITS[unit]) for number, unit in parts)
    if not 0 <= nanos < 2**63:
        raise UsageError("time-invalid", f"{place}: {time!r} is less than 0 or more than 292 years")
    return nanos


def duration_text(nanos: int) -> str:
    """Write nanoseconds in seconds, without zeros behind: ``1.25s``."""
    whole, rest = divmod(nanos, 10**9)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".") + "s"
