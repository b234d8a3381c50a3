"""Block YAML as kubectl prints it: keys sorted, lists not indented, quotes only where YAML needs them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

__all__ = ["to_yaml"]

PLAIN = re.compile(r"([^\s\-?:,\[\]{}#&*!|>'\"%@`.]|-(?!\s|--|$)|\.(?!\.\.))([^\n]*\S)?")
# What a YAML 1.1 reader would take for something else than text. Source: go-yaml v2, resolve.go.
RESERVED = re.compile(
    r"(?i:~|null|true|false|yes|no|on|off|y|n|\.nan|[-+]?\.inf)"
    r"|[-+]?0[xX][0-9a-fA-F_]+|[-+]?0?b[01_]+|0o[0-7]+|[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"
    r"|[-+]?\.[0-9_]+([eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"
    r"|<<|="
)
ESCAPED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


WIDTH = 80


def to_yaml(value: object) -> str:
    """Write plain JSON data as a YAML document, with a newline at its end."""
    return "".join(f"{line}\n" for line in _lines(value, 0))


def _lines(value: object, column: int) -> Iterator[str]:
    """Give the lines of a value that begins at a column."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _field(_scalar(str(key)), value[key], column)
    elif _is_list(value) and value:
        for item in value:
            yield from _item(item, column)
    elif isinstance(value, str) and "\n" in value:
        yield from _literal("", value)
    else:
        yield from _folded("", _scalar(value), column)


def _field(key: str, value: object, column: int) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield f"{key}:"
        yield from (f"  {line}" if line else line for line in _lines(value, column + 2))
    elif _is_list(value) and value:
        yield f"{key}:"
        yield from _lines(value, column)
    elif isinstance(value, str) and "\n" in value:
        yield from _literal(f"{key}: ", value)
    else:
        yield from _folded(f"{key}: ", _scalar(value), column)


def _item(value: object, column: int) -> Iterator[str]:
    first = True
    is_scalar = not isinstance(value, Mapping) and not _is_list(value)
    for line in _lines(value, column + 2):
        # The lines that a folded scalar goes on in have their indent already.
        yield (
            f"- {line}"
            if first
            else (line if is_scalar and line.startswith("  ") else f"  {line}" if line else line)
        )
        first = False


def _folded(head: str, text: str, column: int) -> Iterator[str]:
    """Break a long scalar at the first blank beyond the width. Source: go-yaml v2, emitterc.go."""
    line = head
    rest = text
    while True:
        cut = rest.find(" ", max(0, WIDTH + 1 - column - len(line)))
        while cut >= 0 and (
            " " in (rest[cut - 1 : cut], rest[cut + 1 : cut + 2]) or not 0 < cut < len(rest) - 1
        ):
            cut = rest.find(" ", cut + 1)
        if cut < 0:
            yield line + rest
            return
        yield line + rest[:cut]
        line, rest = "  ", rest[cut + 1 :]


def _literal(head: str, text: str) -> Iterator[str]:
    if ESCAPED.search(text) or text[0] in " \n" or any(line != line.rstrip() for line in text.split("\n")):
        yield head + _quoted(text)
        return
    body = text.rstrip("\n")
    newlines = len(text) - len(body)
    yield head + ("|-" if newlines == 0 else "|" if newlines == 1 else "|+")
    yield from (f"  {line}" if line else "" for line in body.split("\n"))
    yield from ("" for _ in range(newlines - 1))


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if value == {} and isinstance(value, Mapping):
        return "{}"
    return json.dumps(value)


def _text(text: str) -> str:
    if ESCAPED.search(text) or "\n" in text:
        return _quoted(text)
    if not text or RESERVED.fullmatch(text):
        return f'"{text}"'
    plain = PLAIN.fullmatch(text) and not re.search(r":\s|:$|\s#", text)
    return text if plain else "'" + text.replace("'", "''") + "'"


def _quoted(text: str) -> str:
    whole = json.dumps(text, ensure_ascii=False)
    return ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", whole)
