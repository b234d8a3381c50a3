"""``-o custom-columns``: columns of one's own, each a title and a path.

Source: kubectl pkg/cmd/get/customcolumn.go, 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kdp.errors import UsageError
from kdp.printers.go_text import go_text
from kdp.printers.jsonpath import JsonPath
from kdp.table import table_text

__all__ = ["CustomColumns", "relaxed"]

PATH = re.compile(r"\{\.?([^{}]+)\}|\.?([^{}]+)")


def relaxed(path: str) -> str:
    """Give ``{.metadata.name}`` for ``metadata.name``, ``.metadata.name`` and ``{metadata.name}``."""
    found = PATH.fullmatch(path)
    if found is None and path:
        raise UsageError(
            "jsonpath-invalid", f"jsonpath {path}: expected name1.name2, .name1.name2 or {{.name1.name2}}"
        )
    return f"{{.{found[1] or found[2]}}}" if found else ""


class _Column(NamedTuple):
    title: str
    path: JsonPath


class CustomColumns:
    """The columns of a specification."""

    def __init__(self, columns: Sequence[tuple[str, str]], *, headers: bool) -> None:
        self._columns = [_Column(title, JsonPath(relaxed(path))) for title, path in columns]
        self._headers = headers

    @classmethod
    def parse(cls, text: str, *, headers: bool) -> CustomColumns:
        """Read ``TITLE:PATH,TITLE:PATH``; a path cannot have a comma."""
        if not text:
            raise _invalid("custom-columns format specified but no custom columns given")
        pairs = [tuple(part.split(":", 1)) for part in text.split(",")]
        odd = next((pair[0] for pair in pairs if len(pair) != 2), None)
        if odd is not None:
            raise _invalid(f"unexpected custom-columns spec: {odd}, expected TITLE:PATH")
        return cls([(title, path) for title, path in pairs], headers=headers)

    @classmethod
    def from_template(cls, text: str, *, headers: bool) -> CustomColumns:
        """Read a file of two lines: titles, and their paths below."""
        lines = text.splitlines()
        if len(lines) < 2:
            raise _invalid("a template has a line of titles and a line of paths")
        titles, paths = lines[0].split(), lines[1].split()
        if len(titles) != len(paths):
            raise _invalid(f"number of titles ({len(titles)}) and paths ({len(paths)}) differ")
        return cls(list(zip(titles, paths, strict=True)), headers=headers)

    def text(self, objects: Iterable[Any]) -> str:
        """Lay out the objects."""
        rows = [[_cell(column.path, each) for column in self._columns] for each in objects]
        return table_text([column.title for column in self._columns], rows, headers=self._headers)


def _cell(path: JsonPath, value: object) -> str:
    found = path.find(value)
    texts = [] if found and found[0] else ["<none>"]
    return ",".join([*texts, *(go_text(each) for values in found for each in values)])


def _invalid(why: str) -> UsageError:
    return UsageError("custom-columns-invalid", f"custom-columns: {why}")
