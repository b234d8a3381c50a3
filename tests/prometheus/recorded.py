"""The recorded Prometheus cases, and the forms that they are compared in."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_FOLDER = Path(__file__).parents[1] / "cases/prometheus"
NAMES = sorted(path.name.removesuffix(".json.gz") for path in _FOLDER.glob("*.json.gz"))
# The fields that an action reads, and their defaults.
_ALL = ("source_labels", "separator", "regex", "target_label", "replacement")
FIELDS = {
    "replace": _ALL,
    "keep": _ALL[:3],
    "drop": _ALL[:3],
    "hashmod": ("source_labels", "separator", "target_label", "modulus"),
    "labelmap": ("regex", "replacement"),
    "labeldrop": ("regex",),
    "labelkeep": ("regex",),
}
DEFAULTS = {"source_labels": [], "separator": ";", "regex": "(.*)", "target_label": "", "replacement": "$1"}


def read(name: str) -> Json:
    """Read a case by its name."""
    case: Json = json.loads(gzip.decompress((_FOLDER / f"{name}.json.gz").read_bytes()))
    return case


def question(case: Json) -> Json:
    """The case without its answers."""
    return {key: value for key, value in case.items() if key not in ("expect", "fault")}


def normal_job(job: Mapping[str, Any]) -> Json:
    """A job with its relabel rules in normal form and without the server's address."""
    found = dict(job)
    for key in ("relabel_configs", "metric_relabel_configs"):
        rules = [_normal_rule(each) for each in found.pop(key, None) or ()]
        found |= {key: rules} if rules else {}
    found["kubernetes_sd_configs"] = [
        {key: value for key, value in each.items() if key != "api_server"}
        for each in job["kubernetes_sd_configs"]
    ]
    return found


def _normal_rule(rule: Mapping[str, Any]) -> Json:
    action = str(rule.get("action") or "replace").lower()
    found: Json = {"action": action}
    for field in FIELDS.get(action, ("source_labels", "separator", "target_label")):
        value = rule.get(field, DEFAULTS.get(field))
        found[field] = value if field in ("source_labels", "modulus") else _text(value)
    if found.get("replacement") == "${1}":
        found["replacement"] = "$1"
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def canonical(labels: Mapping[str, str]) -> str:
    """Labels as one line of text, without empty ones."""
    shown = {name: value for name, value in labels.items() if value}
    return json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(label_sets: Iterable[Mapping[str, str]]) -> str:
    """The digest of dropped targets."""
    return hashlib.sha256("\n".join(sorted(map(canonical, label_sets))).encode()).hexdigest()
