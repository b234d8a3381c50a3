"""A published table beside what kdp makes of the same thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kdp.json_output import document
from kdp.table import table_text

__all__ = ["Row", "Table"]

Value = int | float | str
CLASSES = {"E": "exact", "R": "ratio or shape"}


class Row(NamedTuple):
    """One figure. ``exact``: the two are to be equal; else ``agrees`` says whether they are near, by the note."""

    case: str
    quantity: str
    published: Value
    emulated: Value
    kind: str = "E"
    agrees: bool | None = None
    note: str = ""

    @property
    def match(self) -> bool:
        """Whether kdp's figure is the published one, or near enough for its class."""
        return self.published == self.emulated if self.agrees is None else self.agrees


@dataclass(frozen=True)
class Table:
    """A table by its id, with where it was published."""

    id: str
    title: str
    source: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def misses(self) -> list[Row]:
        """The rows that do not agree."""
        return [row for row in self.rows if not row.match]

    def __str__(self) -> str:
        return "".join(self._parts())

    def _parts(self) -> Iterator[str]:
        yield f"{self.id}  {self.title}\nsource: {self.source}\n\n"
        titles = ["CASE", "QUANTITY", "PUBLISHED", "EMULATED", "CLASS", "AGREES", "NOTE"]
        lines = table_text(titles, [self._cells(row) for row in self.rows]).splitlines()
        yield "".join(f"{line.rstrip()}\n" for line in lines)
        agreed = len(self.rows) - len(self.misses)
        yield f"\n{agreed} of {len(self.rows)} agree\n"
        yield from (f"note: {note}\n" for note in self.notes)

    @staticmethod
    def _cells(row: Row) -> list[str]:
        mark = "yes" if row.match else "NO"
        return [row.case, row.quantity, _shown(row.published), _shown(row.emulated), row.kind, mark, row.note]

    def to_json(self) -> dict[str, Any]:
        """Give it as data (docs/json-output.md)."""
        rows = [
            {
                "case": row.case,
                "quantity": row.quantity,
                "published": row.published,
                "emulated": row.emulated,
                "class": row.kind,
                "agrees": row.match,
                "note": row.note,
            }
            for row in self.rows
        ]
        whole = {"id": self.id, "title": self.title, "source": self.source, "rows": rows, "notes": self.notes}
        return document("Table", whole)


def _shown(value: Value) -> str:
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and value >= 10_000 else str(value)
