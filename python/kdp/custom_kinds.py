"""Kinds that only a cluster's own objects name: their names, and the columns that a definition gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kdp.columns.column import Cell, Column, Columns, Json, age_of
from kdp.kinds import KINDS, KindNames

__all__ = ["custom_columns_of", "custom_kinds"]


def custom_kinds(found: Sequence[Mapping[str, Any]], definitions: Sequence[Json]) -> list[KindNames]:
    """Name the kinds of objects that are not among ``kdp.kinds.KINDS``.

    A CustomResourceDefinition says how; without one the plural is a guess: small letters and ``s``.
    """
    known = {(kind.group, kind.kind) for kind in KINDS}
    defined = {_key(each): each for each in definitions}
    return [
        _named(each, defined.get((each["group"], each["kind"])))
        for each in found
        if (each["group"], each["kind"]) not in known
    ]


def _key(definition: Json) -> tuple[str, str]:
    return str(definition["spec"]["group"]), str(definition["spec"]["names"]["kind"])


def _named(found: Json, definition: Json | None) -> KindNames:
    kind, group = found["kind"], found["group"]
    if definition is None:
        return KindNames(kind, f"{kind.lower()}s", group, namespaced=found["namespaced"])
    names = definition["spec"]["names"]
    namespaced = definition["spec"].get("scope", "Namespaced") == "Namespaced"
    return KindNames(kind, names["plural"], group, tuple(names.get("shortNames") or ()), namespaced)


def custom_columns_of(kind: KindNames, definitions: Sequence[Json]) -> Columns | None:
    """Give the columns of a definition; ``None`` where none gives any.

    Source: apiextensions-apiserver, pkg/registry/customresource/tableconvertor, 1.33.
    """
    for each in definitions:
        if _key(each) == (kind.group, kind.kind):
            versions = each["spec"].get("versions") or []
            columns = [
                version.get("additionalPrinterColumns") for version in versions if version.get("served")
            ]
            return tuple(_column(one) for one in columns[0]) if columns and columns[0] else None
    return None


def _column(given: Json) -> Column:
    title = str(given["name"]).upper()
    return Column(
        title, _cell(given["jsonPath"], is_date=given.get("type") == "date"), bool(given.get("priority"))
    )


def _cell(path: str, *, is_date: bool) -> Cell:
    from kdp.printers.jsonpath import JsonPath

    template = JsonPath(f"{{{path}}}")

    def cell(value: Json, now: datetime | None) -> str:
        text = template.text(value)
        return age_of(text, now) if is_date else text

    return cell
