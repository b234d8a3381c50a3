"""Quantities of resources: ``500m``, ``128Mi``. Source: apimachinery, pkg/api/resource."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["quantity_of", "quantity_text"]

QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?")
POWERS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = "KMGTPE"


def quantity_of(text: str) -> Decimal | None:
    """Read a quantity; ``None`` where a text is none."""
    found = QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, suffix, exponent = Decimal(found[1]), found[2] or "", found[3]
    if suffix.endswith("i"):
        return number * Decimal(1024) ** (BINARY.index(suffix[0]) + 1)
    return number.scaleb(POWERS.get(suffix, 0) + int(exponent or 0))


def quantity_text(value: Decimal, name: str) -> str:
    """Write a sum in the largest unit that needs no fraction: binary ones for bytes, decimal ones for the rest."""
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        for power in range(len(BINARY), 0, -1):
            size = Decimal(1024) ** power
            if value and value % size == 0:
                return f"{int(value / size)}{BINARY[power - 1]}i"
        return str(int(value))
    return str(int(value)) if value == int(value) else f"{int(value * 1000)}m"
