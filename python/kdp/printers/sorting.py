"""``--sort-by``: objects in the order of one of their fields.

Source: kubectl pkg/cmd/get/sorter.go, 1.36; numbers by size, texts that are quantities by quantity, other texts by
their letters; objects without the field first.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, TypeVar

from kdp.errors import UsageError
from kdp.printers.custom_columns import relaxed
from kdp.printers.jsonpath import JsonPath
from kdp.printers.quantity import quantity_of

__all__ = ["sort_by"]

T = TypeVar("T")
# Go's sort inserts up to this many, and then the order of equals is known. Source: Go 1.26, sort/zsortfunc.go.
INSERTED_MAX = 12
NOTHING = object()


def sort_by(objects: Sequence[T], path: str) -> list[T]:
    """Sort objects; a path that none of them has is an error (``jsonpath-invalid``)."""
    field = relaxed(path)
    template = JsonPath(field)
    keyed = [(_first(template.find(each)), each) for each in objects]
    if keyed and all(key is NOTHING for key, _ in keyed):
        raise UsageError(
            "jsonpath-invalid", f"jsonpath {field}: no object in the list has a field of this path"
        )
    less = functools.partial(_less, field)
    if len(keyed) <= INSERTED_MAX:
        return [each for _, each in _insert(keyed, less)]
    # DEVIATION(sort-by-ties): longer lists keep the order of objects that are equal.
    order = functools.cmp_to_key(lambda one, other: less(other, one) - less(one, other))
    return [each for _, each in sorted(keyed, key=lambda pair: order(pair[0]))]


def _insert(keyed: Sequence[tuple[Any, T]], less: functools.partial[bool]) -> list[tuple[Any, T]]:
    found: list[tuple[Any, T]] = []
    for each in keyed:
        at = len(found)
        while at and less(each[0], found[at - 1][0]):
            at -= 1
        found.insert(at, each)
    return found


def _first(found: list[list[Any]]) -> Any:  # noqa: ANN401 -- any JSON
    return found[0][0] if found and found[0] else NOTHING


def _less(field: str, one: Any, other: Any) -> bool:  # noqa: ANN401 -- any JSON
    if one is NOTHING:
        return True
    if other is NOTHING:
        return False
    if one is None or other is None:
        return one is None and other is not None
    for kinds in ((int,), (float,)):
        if isinstance(one, kinds) and not isinstance(one, bool):
            if not isinstance(other, kinds) or isinstance(other, bool):
                raise _unsortable(field, other)
            return bool(one < other)
    if not isinstance(one, str) or not isinstance(other, str):
        raise _unsortable(field, one)
    left, right = quantity_of(one), quantity_of(other)
    return one < other if left is None or right is None else left < right


def _unsortable(field: str, value: object) -> UsageError:
    return UsageError("jsonpath-invalid", f"jsonpath {field}: {value!r} is of a type that is not sorted")
