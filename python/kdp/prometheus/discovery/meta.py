"""Meta labels: how names, labels and annotations of objects are written as labels of a target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kdp.prometheus.world import Json, meta

if TYPE_CHECKING:
    from kdp.prometheus.relabel import Labels

__all__ = ["META", "Group", "flag", "join_host_port", "object_labels", "sanitize", "truth"]

META = "__meta_kubernetes_"
OTHER = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(slots=True)
class Group:
    """A target group: labels that all its targets share, and each target's own.

    A target's own label hides the group's, even where its value is empty.
    """

    labels: Labels
    targets: list[Labels] = field(default_factory=list)


def sanitize(name: str) -> str:
    """Make a label name: each character outside ``[a-zA-Z0-9_]`` becomes an underscore."""
    return OTHER.sub("_", name)


def object_labels(role: str, item: Json, *, named: bool = True) -> Labels:
    """Give name, labels and annotations of an object, with what is present.

    Source: Prometheus 3.14, discovery/kubernetes/kubernetes.go, addObjectMetaLabels.
    """
    found = {f"{META}{role}_name": str(meta(item)["name"])} if named else {}
    for word, pairs in (("label", meta(item).get("labels")), ("annotation", meta(item).get("annotations"))):
        found |= _pairs(f"{META}{role}_{word}", pairs or {})
    return found


def _pairs(prefix: str, pairs: Mapping[str, object]) -> Labels:
    found = {}
    for key, value in sorted(pairs.items()):
        found[f"{prefix}_{sanitize(key)}"] = str(value)
        found[f"{prefix}present_{sanitize(key)}"] = "true"
    return found


def join_host_port(host: str, port: object) -> str:
    """Write host and port, an IPv6 address in brackets. Source: Go, net.JoinHostPort."""
    return f"[{host}]:{port}" if ":" in host or "%" in host else f"{host}:{port}"


def flag(*, value: object) -> str:
    """Write a truth value as Go does."""
    return "true" if value else "false"


def truth(name: str, value: object) -> Labels:
    """Give a label for a field that may be absent."""
    if value is None:
        return {}
    return {name: flag(value=value) if isinstance(value, bool) else str(value)}
