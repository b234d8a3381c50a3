"""A column: its title, its cell, and whether only ``-o wide`` shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

__all__ = ["AGE", "Cell", "Column", "Columns", "Json", "duration", "none_if_empty", "with_more"]

Json: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = Callable[[Json, datetime | None], str]
LISTED_MAX = 3


class Column(NamedTuple):
    """A column of a table. ``cell`` gets the object, and the moment that ages are counted to."""

    title: str
    cell: Cell
    wide: bool = False


Columns: TypeAlias = tuple[Column, ...]


def none_if_empty(text: str) -> str:
    """Write what is not there as kubectl does."""
    return text or "<none>"


def with_more(items: list[str], empty: str) -> str:
    """List the first three, and how many there are besides. Source: formatEndpoints and listWithMoreString."""
    if not items:
        return empty
    listed = ",".join(items[:LISTED_MAX])
    return f"{listed} + {len(items) - LISTED_MAX} more..." if len(items) > LISTED_MAX else listed


def age(manifest: Json, now: datetime | None) -> str:
    """Write how old an object was at ``now``."""
    created = manifest["metadata"].get("creationTimestamp")
    return age_of(created, now)


def age_of(moment: str | None, now: datetime | None) -> str:
    """Write how long ago a moment was at ``now``, an RFC 3339 text."""
    if not moment or now is None:
        return "<unknown>"
    return duration(int((now - datetime.fromisoformat(moment)).total_seconds()))


def duration(seconds: int) -> str:  # noqa: PLR0911 -- a line for each range, as in the source
    """Write a duration in two units at most. Source: apimachinery, pkg/util/duration, HumanDuration."""
    if seconds < -1:
        return "<invalid>"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"


AGE = Column("AGE", age)
