"""Tables as kubectl prints them: columns three blanks apart and six wide at least, nothing after the last one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["table_text"]

# Source: cli-runtime, pkg/printers/tabwriter.go: minimal width 6, padding 3.
GAP = 3
WIDTH_MIN = 6


def table_text(titles: Sequence[str], rows: Iterable[Sequence[str]], *, headers: bool = True) -> str:
    """Lay out rows under their titles, with a newline at the end of each line."""
    lines = [list(row) for row in rows]
    if headers:
        lines.insert(0, list(titles))
    widths = [
        max(WIDTH_MIN, max((len(line[at]) for line in lines), default=0) + GAP) for at in range(len(titles))
    ]
    return "".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells[:-1], widths[:-1], strict=True)]
    return "".join(padded) + cells[-1] + "\n"
