"""Volumes and tolerations of a Pod or a template. Source: kubectl pkg/describe/describe.go, 1.33."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdp.describe.page import Json, Page

__all__ = ["describe_volumes", "tolerations"]

KINDS = {
    "hostPath": "HostPath (bare host directory volume)",
    "emptyDir": "EmptyDir (a temporary directory that shares a pod's lifetime)",
    "secret": "Secret (a volume populated by a Secret)",
    "configMap": "ConfigMap (a volume populated by a ConfigMap)",
    "persistentVolumeClaim": "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
    "projected": "Projected (a volume that contains injected data from multiple sources)",
}


def describe_volumes(page: Page, volumes: Sequence[Json], indent: str = "") -> None:
    """Write volumes with where they come from."""
    if not volumes:
        page.write(f"{indent}Volumes:\t<none>")
        return
    page.write(f"{indent}Volumes:")
    for each in volumes:
        page.write(f"{' ' if indent else ''}{each['name']}:", 1)
        kind = next((kind for kind in KINDS if each.get(kind) is not None), None)
        if kind is None:
            page.write("<unknown>", 1)
            continue
        page.write(f"Type:\t{KINDS[kind]}", 2)
        for name, value in _lines(kind, each[kind]):
            page.write(f"{name}:\t{value}", 2)


def _lines(kind: str, source: Json) -> Iterator[tuple[str, object]]:
    match kind:
        case "hostPath":
            yield "Path", source.get("path", "")
            yield "HostPathType", source.get("type") or ("" if "type" in source else "<none>")
        case "emptyDir":
            yield "Medium", source.get("medium", "")
            yield "SizeLimit", source.get("sizeLimit") or "<unset>"
        case "secret":
            yield "SecretName", source.get("secretName", "")
            yield "Optional", _flag(source.get("optional"))
        case "configMap":
            yield "Name", source.get("name", "")
            yield "Optional", _flag(source.get("optional"))
        case "persistentVolumeClaim":
            yield "ClaimName", source.get("claimName", "")
            yield "ReadOnly", _flag(source.get("readOnly"))
        case "projected":
            for each in source.get("sources") or []:
                yield from _projected(each)


def _projected(source: Json) -> Iterator[tuple[str, object]]:
    if "secret" in source:
        yield "SecretName", source["secret"].get("name", "")
        yield "Optional", _flag(source["secret"].get("optional"))
    elif "downwardAPI" in source:
        yield "DownwardAPI", "true"
    elif "configMap" in source:
        yield "ConfigMapName", source["configMap"].get("name", "")
        yield "Optional", _flag(source["configMap"].get("optional"))
    elif "serviceAccountToken" in source:
        yield "TokenExpirationSeconds", source["serviceAccountToken"].get("expirationSeconds", 3600)


def _flag(value: object) -> str:
    return "true" if value else "false"


def tolerations(found: Sequence[Json]) -> list[str]:
    """Write tolerations, by key."""
    return [_toleration(each) for each in sorted(found, key=lambda each: str(each.get("key", "")))]


def _toleration(each: Json) -> str:
    text = str(each.get("key", ""))
    text += f"={each['value']}" if each.get("value") else ""
    text += f":{each['effect']}" if each.get("effect") else ""
    if each.get("operator") == "Exists" and not each.get("value"):
        text += " op=Exists" if text else "op=Exists"
    seconds = each.get("tolerationSeconds")
    return text if seconds is None else f"{text} for {seconds}s"
