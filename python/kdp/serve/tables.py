"""Objects as ``Table``: the columns that kubectl prints, made from those of ``kdp get``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kdp.columns import columns_of

__all__ = ["event_as_table", "table_version", "to_table"]

Json = Mapping[str, Any]


def table_version(accept: str) -> str | None:
    """Give the newest version of ``Table`` that a client takes, or ``None`` if it takes none."""
    for version in ("v1", "v1beta1"):
        if f"as=Table;v={version};g=meta.k8s.io" in accept or f"as=Table;g=meta.k8s.io;v={version}" in accept:
            return version
    return None


def to_table(value: Json, version: str, include: str, now: datetime) -> dict[str, Any]:
    """Turn a list, or an object, into a ``Table``."""
    kind = str(value["kind"])
    is_list = kind.endswith("List") and "items" in value
    kind = kind.removesuffix("List") if is_list else kind
    items = value["items"] if is_list else [value]
    meta = (
        dict(value["metadata"])
        if is_list
        else {"resourceVersion": value["metadata"].get("resourceVersion", "")}
    )
    columns = columns_of(kind)
    definitions = [_definition("Name", "name", 0)]
    definitions += [_definition(column.title.title(), "", int(column.wide)) for column in columns]
    rows = [
        {
            "cells": [item["metadata"]["name"], *(column.cell(item, now) for column in columns)],
            "object": _included(item, include, version),
        }
        for item in items
    ]
    api_version = f"meta.k8s.io/{version}"
    return {
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def event_as_table(line: str, version: str, include: str, now: datetime) -> str:
    """Turn an event of a watch into one whose object is a ``Table`` of one row."""
    event = json.loads(line)
    if event["type"] in ("ERROR", "BOOKMARK"):
        return line
    event["object"] = to_table(event["object"], version, include, now)
    return json.dumps(event, separators=(",", ":"))


def _definition(name: str, form: str, priority: int) -> dict[str, Any]:
    return {"name": name, "type": "string", "format": form, "description": "", "priority": priority}


def _included(item: Json, include: str, version: str) -> Json | None:
    if include == "None":
        return None
    if include == "Object":
        return item
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": item["metadata"],
    }
