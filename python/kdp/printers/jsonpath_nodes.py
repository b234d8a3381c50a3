"""What a JSONPath template is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Field",
    "Filter",
    "Identifier",
    "Literal",
    "Node",
    "Nodes",
    "Recursive",
    "Slice",
    "Union",
    "Wildcard",
]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Steps, one after the other, each over what the one before found."""

    steps: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number or truth value."""

    value: str | float | bool
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """``.name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``.*``."""


@dataclass(frozen=True, slots=True)
class Recursive:
    """``..``: a value and all within it."""


@dataclass(frozen=True, slots=True)
class Slice:
    """``[start:end:step]``. ``derived``: only a start was given, and the end is the next one."""

    start: int | None
    end: int | None
    step: int | None
    derived: bool


@dataclass(frozen=True, slots=True)
class Union:
    """``[a,b]``."""

    parts: list[Nodes]


@dataclass(frozen=True, slots=True)
class Filter:
    """``[?(left operator right)]``; the operator ``exists`` has no right side."""

    left: Nodes
    right: Nodes
    operator: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """``range`` or ``end``."""

    name: str


Node: TypeAlias = Nodes | Literal | Field | Wildcard | Recursive | Slice | Union | Filter | Identifier
