"""Columns of Node and Namespace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from kdp.columns.column import AGE, Cell, Column, Columns, Json, none_if_empty

__all__ = ["NAMESPACE", "NODE", "roles_of"]

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"


def _status(node: Json, _: datetime | None) -> str:
    conditions = node.get("status", {}).get("conditions") or []
    ready = next((each["status"] for each in conditions if each["type"] == "Ready"), None)
    words = {None: "Unknown", "True": "Ready"}
    unschedulable = ",SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else ""
    return words.get(ready, "NotReady") + unschedulable


def roles_of(node: Json) -> str:
    """List the roles that a Node's labels name."""
    labels = node["metadata"].get("labels") or {}
    roles = {key.removeprefix(ROLE_PREFIX) for key in labels if key.startswith(ROLE_PREFIX)}
    if labels.get(ROLE_LABEL):
        roles.add(labels[ROLE_LABEL])
    return none_if_empty(",".join(sorted(roles - {""})))


def _roles(node: Json, _: datetime | None) -> str:
    return roles_of(node)


def _info(key: str, empty: str) -> Cell:
    return lambda node, _: node.get("status", {}).get("nodeInfo", {}).get(key) or empty


def _address(kind: str) -> Callable[[Json, datetime | None], str]:
    def cell(node: Json, _: datetime | None) -> str:
        addresses = node.get("status", {}).get("addresses") or []
        return next((each["address"] for each in addresses if each["type"] == kind), "<none>")

    return cell


NODE: Columns = (
    Column("STATUS", _status),
    Column("ROLES", _roles),
    AGE,
    Column("VERSION", _info("kubeletVersion", "")),
    Column("INTERNAL-IP", _address("InternalIP"), wide=True),
    Column("EXTERNAL-IP", _address("ExternalIP"), wide=True),
    Column("OS-IMAGE", _info("osImage", "<unknown>"), wide=True),
    Column("KERNEL-VERSION", _info("kernelVersion", "<unknown>"), wide=True),
    Column("CONTAINER-RUNTIME", _info("containerRuntimeVersion", "<unknown>"), wide=True),
)


def _phase(namespace: Json, _: datetime | None) -> str:
    return str(namespace.get("status", {}).get("phase") or "Active")


NAMESPACE: Columns = (Column("STATUS", _phase), AGE)
