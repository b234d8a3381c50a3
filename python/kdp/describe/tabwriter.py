"""Columns as Go's text/tabwriter aligns them: a column is as wide as its neighbours above and below need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["aligned"]

PADDING = 2


def aligned(lines: Sequence[str]) -> str:
    """Align lines whose cells end in tabs; what stands after the last tab is not padded.

    Source: Go 1.26, text/tabwriter, Writer.format, with padding 2 and no flags.
    """
    cells = [line.split("\t") for line in lines]
    return "".join(f"{line}\n" for line in _block(cells, 0, len(cells), ()))


def _block(lines: Sequence[Sequence[str]], start: int, end: int, widths: tuple[int, ...]) -> Iterator[str]:
    """Align lines that have so many columns in common; neighbours with one more are a block within."""
    column = len(widths)
    at = start
    while at < end:
        until = at
        while until < end and len(lines[until]) - 1 > column:
            until += 1
        if until > at:
            width = max(len(line[column]) for line in lines[at:until])
            yield from _block(lines, at, until, (*widths, width + PADDING))
            at = until
        else:
            yield _line(lines[at], widths)
            at += 1


def _line(cells: Sequence[str], widths: tuple[int, ...]) -> str:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]
    return "".join([*padded, *cells[len(widths) :]])
