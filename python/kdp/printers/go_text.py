"""Values as Go's ``fmt`` and ``encoding/json`` write them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = ["go_json", "go_text"]

ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
ANY_ESCAPED = re.compile("[<>&\u2028\u2029]")


def go_text(value: object, *, null: str = "<nil>") -> str:
    """Write a value as ``%v`` does: ``map[a:1 b:[x y]]``."""
    if value is None:
        return null
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(go_text(each) for each in value)}]"
    return str(value)


def go_json(value: object, *, indent: int | None = None) -> str:
    """Write JSON without blanks (or indented), keys sorted, ``<``, ``>`` and ``&`` escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, separators=separators, sort_keys=True, ensure_ascii=False, indent=indent)
    return ANY_ESCAPED.sub(lambda found: ESCAPED[found.group()], text)


def _float(value: float) -> str:
    """Write the shortest form; with an exponent from 1e21 on. Source: Go 1.26, strconv.FormatFloat, %v."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if "e" not in text and abs(value) >= 1e-4:
        return text
    mantissa, _, exponent = f"{value:.17e}".partition("e") if "e" not in text else text.partition("e")
    return f"{mantissa}e{int(exponent):+03d}"
