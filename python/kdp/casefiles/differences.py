"""How differences are said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

__all__ = ["json_text", "multiset", "same"]

SHOWN = 3


def json_text(value: object) -> str:
    """A value as one line, the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def same(what: str, want: object, have: object) -> Iterator[str]:
    """Say that a value differs."""
    if want != have:
        yield f"{what}: want {json_text(want)}, got {json_text(have)}"


def multiset(what: str, want: Iterable[str], have: Iterable[str], shown: int = SHOWN) -> Iterator[str]:
    """Say what is missing and what is too much, order left aside; ``shown`` of each, and how many in all."""
    wanted, found = Counter(list(want)), Counter(list(have))
    missing, extra = sorted((wanted - found).elements()), sorted((found - wanted).elements())
    yield from (f"{what}: missing {each}" for each in missing[:shown])
    yield from (f"{what}: not expected {each}" for each in extra[:shown])
    if len(missing) > shown or len(extra) > shown:
        yield f"{what}: in all {len(missing)} missing, {len(extra)} not expected"
