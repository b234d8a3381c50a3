"""Limits of a job: the monitor's own, what the Prometheus enforces, and where each is written.

Source: prometheus-operator 0.93.0, pkg/prometheus/promcfg.go, getLimit, getLowerByteSize, appendScrapeLimits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kdp.errors import ValidationError

if TYPE_CHECKING:
    from kdp.prometheus.world import Json

__all__ = ["global_limits", "job_limits"]

NAMES = {
    "sampleLimit": "sample_limit",
    "targetLimit": "target_limit",
    "labelLimit": "label_limit",
    "labelNameLengthLimit": "label_name_length_limit",
    "labelValueLengthLimit": "label_value_length_limit",
    "keepDroppedTargets": "keep_dropped_targets",
}
# Powers of 1024 whether an `i` is written or not. Source: alecthomas/units, ParseBase2Bytes.
SIZE = re.compile(r"([0-9.]+)([KMGTPE]?)i?B")
POWERS = "_KMGTPE"


def job_limits(spec: Json, outer: Json) -> dict[str, Any]:
    """Give the limits that stand in a job: the lower one. Without one of its own the global block's holds."""
    found: dict[str, Any] = {}
    for field, key in NAMES.items():
        own, enforced = spec.get(field), outer.get(_enforced(field)) or 0
        if own is None or (not own and enforced):
            continue
        found[key] = min(own, enforced) if enforced else own
    size = _lower_size(spec.get("bodySizeLimit"), outer.get("enforcedBodySizeLimit"))
    return found | ({"body_size_limit": size} if size else {})


def global_limits(outer: Json) -> dict[str, Any]:
    """Give the limits of the global block."""
    found: dict[str, Any] = {}
    for field, key in NAMES.items():
        own, enforced = outer.get(field) or 0, outer.get(_enforced(field)) or 0
        limit = min(own, enforced) if own and enforced else own or enforced
        if limit:
            found[key] = limit
    size = outer.get("bodySizeLimit")
    size = outer.get("enforcedBodySizeLimit") if size is None else size
    return found | ({"body_size_limit": size} if size else {})


def _enforced(field: str) -> str:
    return f"enforced{field[0].upper()}{field[1:]}"


def _lower_size(own: str | None, enforced: str | None) -> str | None:
    if not own or not enforced:
        return own or enforced
    return enforced if _bytes(own) > _bytes(enforced) else own


def _bytes(size: str) -> float:
    if size == "0":
        return 0
    found = SIZE.fullmatch(size)
    if found is None:
        raise ValidationError("value-not-allowed", f"size {size!r} is not a number with a unit, such as 10MB")
    return float(found[1]) * 1024.0 ** POWERS.index(found[2] or "_")
