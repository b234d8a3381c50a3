"""``kubectl`` commands that would change an object, ready to be pasted into a shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

__all__ = ["kubectl_patch", "nested"]


def kubectl_patch(resource: str, namespace: str, name: str, patch: Mapping[str, Any]) -> str:
    """Write a merge patch: ``kubectl patch service web -n shop --type merge -p '{...}'``."""
    text = json.dumps(patch, separators=(",", ":"), ensure_ascii=False)
    words = ["kubectl", "patch", resource, name, "-n", namespace, "--type", "merge", "-p", text]
    return " ".join(shlex.quote(word) for word in words)


def nested(path: list[str], value: object) -> dict[str, Any]:
    """Give ``{"a": {"b": value}}`` for ``["a", "b"]``."""
    found = value
    for key in reversed(path):
        found = {key: found}
    assert isinstance(found, dict), "a path has at least one step"
    return found
