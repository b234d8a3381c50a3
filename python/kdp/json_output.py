"""The frame of every JSON document that kdp makes: ``apiVersion`` and ``kind`` first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["API_VERSION", "document"]

API_VERSION = "kdp.dev/v1alpha1"


def document(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Frame a document (docs/json-output.md)."""
    return {"apiVersion": API_VERSION, "kind": kind, **content}
