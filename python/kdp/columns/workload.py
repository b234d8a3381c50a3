"""Columns of Deployment, ReplicaSet and StatefulSet."""

from __future__ import annotations

from datetime import datetime

from kdp.columns.column import AGE, Cell, Column, Columns, Json, none_if_empty

__all__ = ["DEPLOYMENT", "REPLICASET", "STATEFULSET", "label_selector_text"]


def _wanted(workload: Json) -> int:
    return int(workload["spec"].get("replicas", 1))


def _status(key: str) -> Cell:
    return lambda workload, _: str(workload.get("status", {}).get(key) or 0)


def _ready(workload: Json, _: datetime | None) -> str:
    return f"{workload.get('status', {}).get('readyReplicas') or 0}/{_wanted(workload)}"


def _desired(workload: Json, _: datetime | None) -> str:
    return str(_wanted(workload))


def _containers(key: str) -> Cell:
    def cell(workload: Json, _: datetime | None) -> str:
        containers = workload["spec"].get("template", {}).get("spec", {}).get("containers") or []
        return none_if_empty(",".join(str(each.get(key, "")) for each in containers))

    return cell


def label_selector_text(selector: Json | None) -> str:
    """Write a LabelSelector as text. Source: apimachinery, FormatLabelSelector."""
    if selector is None:
        return "<none>"
    terms = {key: f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()}
    for each in selector.get("matchExpressions") or []:
        terms[each["key"]] = _expression(each)
    return none_if_empty(",".join(terms[key] for key in sorted(terms)))


def _expression(each: Json) -> str:
    values = ",".join(sorted(each.get("values") or []))
    forms = {
        "In": f"{each['key']} in ({values})",
        "NotIn": f"{each['key']} notin ({values})",
        "Exists": each["key"],
        "DoesNotExist": f"!{each['key']}",
    }
    return str(forms[each["operator"]])


def _selector(workload: Json, _: datetime | None) -> str:
    return label_selector_text(workload["spec"].get("selector"))


_CONTAINERS = Column("CONTAINERS", _containers("name"), wide=True)
_IMAGES = Column("IMAGES", _containers("image"), wide=True)
_SELECTOR = Column("SELECTOR", _selector, wide=True)

DEPLOYMENT: Columns = (
    Column("READY", _ready),
    Column("UP-TO-DATE", _status("updatedReplicas")),
    Column("AVAILABLE", _status("availableReplicas")),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
REPLICASET: Columns = (
    Column("DESIRED", _desired),
    Column("CURRENT", _status("replicas")),
    Column("READY", _status("readyReplicas")),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
STATEFULSET: Columns = (Column("READY", _ready), AGE, _CONTAINERS, _IMAGES)
