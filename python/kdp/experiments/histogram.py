"""Quantiles of a Prometheus histogram, over several expositions."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["quantiles"]

SHARES = {"50 %": 0.5, "90 %": 0.9, "99 %": 0.99}


def quantiles(texts: Iterable[str], metric: str) -> dict[str, float]:
    """Give upper bounds of buckets that hold 50, 90 and 99 % of all observations; empty without observations.

    A bucket says no more than its bound, and nothing is interpolated.
    """
    buckets: dict[float, float] = {}
    line = re.compile(rf'^{re.escape(metric)}_bucket{{.*?le="([^"]+)".*?}} (\S+)$', re.MULTILINE)
    for text in texts:
        for bound, count in line.findall(text):
            buckets[float(bound)] = buckets.get(float(bound), 0.0) + float(count)
    total = max(buckets.values(), default=0.0)
    if not total:
        return {}
    return {
        name: next(bound for bound, count in sorted(buckets.items()) if count >= share * total)
        for name, share in SHARES.items()
    }
