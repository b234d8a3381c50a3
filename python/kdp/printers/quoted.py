r"""Quoted texts as Go reads them: escapes such as ``\n``, ``\t``, ``\x41``, ``\u00e4``.

Source: Go 1.26, strconv.UnquoteChar.
"""

from __future__ import annotations

import re

__all__ = ["unquote"]

ESCAPE = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\'\"])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<w>[0-9a-fA-F]{8})"
    r"|(?P<o>[0-7]{3}))"
)
PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unquote(text: str) -> str | None:
    """Read a text in single or double quotes; ``None`` where it is none."""
    if len(text) < 2 or text[0] != text[-1]:
        return None
    mark, body = text[0], text[1:-1]
    if "\\" not in body and mark not in body:
        return body
    parts: list[str] = []
    at = 0
    while at < len(body):
        if body[at] != "\\":
            if body[at] == mark:
                return None
            parts.append(body[at])
            at += 1
            continue
        found = ESCAPE.match(body, at)
        # The other quote needs no escape, and Go takes none for it.
        if found is None or (found["plain"] in ("'", '"') and found["plain"] != mark):
            return None
        parts.append(_letter(found))
        at = found.end()
    return "".join(parts)


def _letter(found: re.Match[str]) -> str:
    if found["plain"]:
        return PLAIN.get(found["plain"], found["plain"])
    if found["o"]:
        return chr(int(found["o"], 8))
    return chr(int(found["x"] or found["u"] or found["w"], 16))
