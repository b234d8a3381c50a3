"""Durations as Prometheus reads and writes them: ``1m30s``."""

from __future__ import annotations

import re

from kdp.errors import ValidationError

__all__ = ["to_milliseconds", "to_text"]

# Milliseconds of a unit, and whether the unit is written only where nothing is left over.
# Source: prometheus/common model/time.go, Duration.String.
UNITS = (
    ("y", 31_536_000_000, True),
    ("w", 604_800_000, True),
    ("d", 86_400_000, True),
    ("h", 3_600_000, False),
    ("m", 60_000, False),
    ("s", 1000, False),
    ("ms", 1, False),
)
PATTERN = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit, _, _ in UNITS))


def to_milliseconds(text: str) -> int:
    """Read a duration. Raises ``ValidationError`` (``value-not-allowed``) for what is none."""
    found = PATTERN.fullmatch(text)
    if text == "0":
        return 0
    if not text or found is None:
        raise ValidationError(
            "value-not-allowed", f"duration {text!r} is not a number with a unit, such as 30s or 1m30s"
        )
    return sum(int(number or 0) * size for number, (_, size, _) in zip(found.groups(), UNITS, strict=True))


def to_text(milliseconds: int) -> str:
    """Write a duration with the largest units that fit."""
    if not milliseconds:
        return "0s"
    text = ""
    for unit, size, exact in UNITS:
        if not exact or milliseconds % size == 0:
            number, milliseconds = divmod(milliseconds, size)
            text += f"{number}{unit}" if number else ""
    return text
