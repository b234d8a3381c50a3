"""JSONPath templates over plain JSON, as ``kubectl -o jsonpath`` evaluates and prints them.

Source: client-go util/jsonpath/jsonpath.go, third_party/forked/golang/template, 1.36. A key that is missing gives
nothing, as kubectl's default has it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kdp.errors import UsageError
from kdp.printers.go_text import go_json, go_text
from kdp.printers.jsonpath_nodes import (
    Field,
    Filter,
    Identifier,
    Literal,
    Node,
    Nodes,
    Recursive,
    Slice,
    Union,
    Wildcard,
)
from kdp.printers.jsonpath_parser import parse

__all__ = ["JsonPath"]

Value = Any
Values = list[Any]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
}


class JsonPath:
    """A template that has been read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes = parse(text)

    def find(self, value: Value) -> list[Values]:
        """Give what each text and action finds, in order; what is in a range once for each of its values."""
        return _Run(self._nodes, self._text).find(value, 0)

    def text(self, value: Value) -> str:
        """Write what was found: values of one action with blanks between them, actions without anything."""
        return "".join(" ".join(_shown(each) for each in found) for found in self.find(value))

    def json_text(self, value: Value) -> str:
        """Write all that was found as a JSON list for each action, as ``-o jsonpath-as-json`` does."""
        return "".join(go_json(found, indent=4) + "\n" for found in self.find(value))


def _shown(value: Value) -> str:
    return go_json(value) if isinstance(value, list | Mapping) else go_text(value, null="null")


class _Run:
    """One evaluation: it remembers the ranges that are open."""

    def __init__(self, nodes: list[Node], text: str) -> None:
        self.nodes = nodes
        self.text = text
        self.begun = self.inside = self.ended = 0
        self.last_end = -1

    def find(self, value: Value, start: int) -> list[Values]:
        found: list[Values] = []
        at = start
        while at < len(self.nodes):
            results = self.walk([value], self.nodes[at])
            if 0 < self.ended <= self.inside:
                self.ended -= 1
                self.last_end = at
                break
            if self.begun:
                found.extend(self._range(results, at + 1))
                at = max(at, self.last_end)
            else:
                found.append(results)
            at += 1
        return found

    def _range(self, results: Values, start: int) -> Iterator[Values]:
        self.begun -= 1
        self.inside += 1
        # Without a value the nodes are passed all the same: that finds the end.
        for each in results or [None]:
            inner = self.find(each, start)
            if results:
                yield from inner
        self.inside -= 1

    def walk(self, values: Values, node: Node) -> Values:
        match node:
            case Nodes(steps):
                for step in steps:
                    values = self.walk(values, step)
                return values
            case Literal(value, is_text):
                return [value] if is_text else [value] * len(values)
            case Union(parts):
                return [each for part in parts for each in self.walk(values, part)]
            case Identifier(name):
                return self._identifier(values, name)
        return list(self._select(values, node))

    def _select(self, values: Values, node: Field | Wildcard | Recursive | Slice | Filter) -> Iterator[Value]:
        """Give what a step finds in each value."""
        match node:
            case Field(name):
                yield from (each[name] for each in values if isinstance(each, Mapping) and name in each)
            case Wildcard():
                yield from (inner for each in values for inner in _within(each))
            case Recursive():
                yield from _all_within(values)
            case Slice():
                yield from (item for each in values if each is not None for item in self._items(each, node))
            case Filter():
                yield from (item for each in values for item in self._filtered(each, node))

    def _identifier(self, values: Values, name: str) -> Values:
        if name == "range":
            self.begun += 1
            return values
        if name != "end":
            raise self._fault(f"unrecognized identifier {name}")
        if not self.inside:
            raise self._fault("not in range, nothing to end")
        self.ended += 1
        return []

    def _items(self, value: Value, cut: Slice) -> Values:
        if not isinstance(value, list):
            raise self._fault(f"{_kind(value)} is not array or slice")
        length = len(value)
        start = cut.start or 0
        start = start + length if start < 0 else start
        end = length if cut.end is None else cut.end
        end = end + length if end < 0 or (end == 0 and cut.derived) else end
        if start == end:
            return []
        if not 0 <= start < length:
            raise self._fault(f"array index out of bounds: index {start}, length {length}")
        if not 0 <= end <= length:
            raise self._fault(f"array index out of bounds: index {end - 1}, length {length}")
        if start > end:
            raise self._fault(f"starting index {start} is greater than ending index {end}")
        if cut.step is not None and cut.step <= 0:
            raise self._fault("step must be > 0")
        return value[start : end : cut.step or 1]

    def _filtered(self, value: Value, wanted: Filter) -> Iterator[Value]:
        if not isinstance(value, list):
            raise self._fault(f"{go_text(value)} is not array or slice and cannot be filtered")
        for item in value:
            try:
                lefts = self.walk([item], wanted.left)
            except UsageError:
                if wanted.operator == "exists":
                    continue
                raise
            if wanted.operator == "exists":
                if lefts:
                    yield item
            elif self._holds(lefts, self.walk([item], wanted.right) if lefts else [], wanted.operator):
                yield item

    def _holds(self, lefts: Values, rights: Values, sign: str) -> bool:
        if len(lefts) > 1 or len(rights) > 1:
            raise self._fault("can only compare one element at a time")
        if not lefts or not rights:
            return False
        if sign not in COMPARE:
            raise self._fault(f"unrecognized filter operator {sign}")
        left, right = lefts[0], rights[0]
        kinds = {_basic_kind(left), _basic_kind(right)}
        if len(kinds) > 1 and "other" not in kinds:
            raise self._fault("incompatible types for comparison")
        if "other" in kinds or (kinds == {"bool"} and sign not in ("==", "!=")):
            raise self._fault("invalid type for comparison")
        return COMPARE[sign](left, right)

    def _fault(self, why: str) -> UsageError:
        return UsageError("jsonpath-invalid", f"jsonpath {self.text}: {why}")


def _within(value: Value) -> Values:
    """Give the values of a map, by key, or the items of a list."""
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value)]
    if isinstance(value, list):
        return value
    return [ord(letter) for letter in value] if isinstance(value, str) else []


def _all_within(values: Values) -> Iterator[Value]:
    """Give each value that has something within it, and what is within that."""
    for each in values:
        inner = [] if isinstance(each, str) else _within(each)
        if inner:
            yield each
            yield from _all_within(inner)


def _basic_kind(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    kinds: tuple[tuple[type, str], ...] = ((int, "int"), (float, "float"), (str, "string"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "other")


def _kind(value: Value) -> str:
    names = {"bool": "bool", "int": "int64", "float": "float64", "string": "string"}
    return names.get(_basic_kind(value), "map[string]interface {}")
