"""The objects that an operator and a Prometheus see, by kind and by name."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kdp.errors import ValidationError

__all__ = ["Json", "World", "full_name", "meta", "owner", "reference"]

Json = Mapping[str, Any]
CLUSTER_WIDE = ("Namespace", "Node")


class World:
    """An index over manifests. Nothing is computed from anything: Endpoints count as they are given."""

    def __init__(self, objects: Iterable[Json]) -> None:
        self._kinds: dict[str, dict[tuple[str, str], Json]] = {}
        for each in objects:
            is_list = str(each.get("kind") or "").endswith("List")
            for item in map(_placed, each.get("items") or () if is_list else (each,)):
                self._kinds.setdefault(item["kind"], {})[_key(item)] = item

    def all(self, kind: str) -> Sequence[Json]:
        """Give all objects of a kind, by namespace and name."""
        return [each for _, each in sorted(self._kinds.get(kind, {}).items(), key=lambda item: item[0])]

    def find(self, kind: str, namespace: str, name: str) -> Json | None:
        """Give one object; cluster-wide kinds have the namespace ``""``."""
        return self._kinds.get(kind, {}).get((namespace, name))

    def namespaces(self) -> dict[str, Mapping[str, str]]:
        """Give the labels of each namespace. One that only objects name has the label that the API server sets."""
        # Source: Kubernetes, labels "kubernetes.io/metadata.name" (API server, NamespaceDefaultLabelName).
        named = {namespace for kind in self._kinds.values() for namespace, _ in kind if namespace}
        found: dict[str, Mapping[str, str]] = {name: {"kubernetes.io/metadata.name": name} for name in named}
        for each in self.all("Namespace"):
            found[meta(each)["name"]] = meta(each).get("labels") or {}
        return found

    def value(self, kind: str, namespace: str, name: str, key: str) -> str | None:
        """Give a value of a Secret or ConfigMap, or None where there is none."""
        found = self.find(kind, namespace, name)
        if found is None:
            return None
        if key in (found.get("stringData") or {}):
            return str(found["stringData"][key])
        data = found.get("data") or {}
        if key not in data:
            return None
        return base64.b64decode(data[key]).decode() if kind == "Secret" else str(data[key])


def meta(item: Json) -> Json:
    """Give an object's metadata."""
    found: Json = item.get("metadata") or {}
    return found


def full_name(item: Json) -> str:
    """Give ``namespace/name``."""
    namespace, name = _key(item)
    return f"{namespace}/{name}"


def reference(item: Json) -> str:
    """Give ``Kind/namespace/name``, or ``Kind/name`` of a cluster-wide kind."""
    namespace, name = _key(item)
    return "/".join(part for part in (item["kind"], namespace, name) if part)


def owner(item: Json) -> Json | None:
    """Give the reference to the controller of an object, if it has one."""
    references: Sequence[Json] = meta(item).get("ownerReferences") or ()
    return next((each for each in references if each.get("controller")), None)


def _placed(item: Json) -> Json:
    """Check that an object has a kind and a name, and put one that names no namespace into default."""
    for field, found in (("kind", item.get("kind")), ("metadata.name", meta(item).get("name"))):
        if not found:
            kind, name = item.get("kind") or "object", meta(item).get("name") or "without a name"
            raise ValidationError("field-missing", f"{kind} {name} .{field}: there is none")
    if meta(item).get("namespace") or item["kind"] in CLUSTER_WIDE:
        return item
    return {**item, "metadata": {**meta(item), "namespace": "default"}}


def _key(item: Json) -> tuple[str, str]:
    return str(meta(item).get("namespace") or ""), str(meta(item)["name"])
