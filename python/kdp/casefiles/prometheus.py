"""What a Prometheus scrapes, and where a chain of selections breaks."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kdp import conformance
from kdp.casefiles.case import without_answers
from kdp.casefiles.differences import json_text, multiset, same

__all__ = ["compare_fault", "compare_targets"]

Json = Mapping[str, Any]

_ALL = ("source_labels", "separator", "regex", "target_label", "replacement")
_BY_LABEL = ("source_labels", "separator", "target_label")
FIELDS: Mapping[str, Sequence[str]] = {
    "replace": _ALL,
    "keep": _ALL[:3],
    "drop": _ALL[:3],
    "hashmod": (*_BY_LABEL, "modulus"),
    "labelmap": ("regex", "replacement"),
    "labeldrop": ("regex",),
    "labelkeep": ("regex",),
    "lowercase": _BY_LABEL,
    "uppercase": _BY_LABEL,
    "keepequal": _BY_LABEL,
    "dropequal": _BY_LABEL,
}
"""The fields that an action reads. Source: Prometheus, model/relabel/relabel.go."""

DEFAULTS: Json = {"separator": ";", "regex": "(.*)", "target_label": "", "replacement": "$1", "modulus": 0}
RULES = ("relabel_configs", "metric_relabel_configs")
NOISE = frozenset(
    (
        "__always_scrape_classic_histograms__",
        "__convert_classic_histograms_to_nhcb__",
        "__scrape_native_histograms__",
    )
)
"""Labels of Prometheus 3.14 that only repeat a job's settings."""


def compare_targets(case: Json) -> Iterator[str]:
    """Monitors, jobs, targets, dropped targets, each as a set."""
    want, got = case["expect"], conformance.run_targets(without_answers(case))
    if "managed" in want:
        yield from same("managed", want["managed"], bool(got.get("managed", True)))
    if "selected" in want:
        yield from _selected(want["selected"], got.get("selected") or {})
    if "jobs" in want:
        yield from _jobs(want["jobs"], got.get("jobs") or {})
    if "global" in want and "global" in got:
        yield from same("global", want["global"], got["global"])
    whole = {target["job"] for target in want["targets"] if "discovered" in target}
    wanted, found = ({_target(target, whole) for target in of.get("targets") or ()} for of in (want, got))
    yield from multiset("targets", wanted, found)
    yield from _dropped(want["dropped"], got.get("dropped") or {})


def _selected(want: Json, have: Json) -> Iterator[str]:
    for kind in ("serviceMonitors", "podMonitors"):
        yield from multiset(f"selected.{kind}", set(want[kind]), set(have.get(kind) or ()))
    wanted, found = (
        {each["monitor"] if isinstance(each, Mapping) else each for each in of.get("rejected") or ()}
        for of in (want, have)
    )
    yield from multiset("selected.rejected", wanted, found)


def _jobs(want: Json, have: Json) -> Iterator[str]:
    yield from multiset("jobs", want, have)
    for name in sorted(set(want) & set(have)):
        wanted, found = _job(want[name]), _job(have[name])
        for key in sorted(set(wanted) | set(found)):
            one, other = wanted.get(key), found.get(key)
            if key in RULES and one and other:
                yield from _rules(f"jobs[{name}].{key}", one, other)
            else:
                yield from same(f"jobs[{name}].{key}", one, other)


def _rules(place: str, want: Sequence[Json], have: Sequence[Json]) -> Iterator[str]:
    """The first rule that differs: those behind it follow."""
    for number in range(max(len(want), len(have))):
        one, other = want[number : number + 1], have[number : number + 1]
        if one != other:
            lengths = f"{len(want)} and {len(have)} rules"
            yield f"{place}[{number}]: want {json_text(one)}, got {json_text(other)} ({lengths})"
            return


def _job(job: Json) -> dict[str, Any]:
    """A job with its relabel rules in normal form and without the server's address."""
    found = {key: value for key, value in job.items() if key != "job_name" and (key not in RULES or value)}
    for key in RULES:
        if key in found:
            found[key] = [_rule(each) for each in found[key]]
    if "kubernetes_sd_configs" in found:
        found["kubernetes_sd_configs"] = [
            {key: value for key, value in each.items() if key != "api_server"}
            for each in found["kubernetes_sd_configs"]
        ]
    return found


def _rule(rule: Json) -> dict[str, Any]:
    action = str(rule.get("action") or "replace").lower()
    found: dict[str, Any] = {"action": action}
    for field in FIELDS.get(action, (*_ALL, "modulus")):
        value = rule.get(field, DEFAULTS.get(field))
        if field == "source_labels":
            found[field] = [str(each) for each in value or ()]
        elif field == "modulus":
            found[field] = int(value)
        else:
            found[field] = str(value).lower() if isinstance(value, bool) else str(value)
    if found.get("replacement") == "${1}":
        found["replacement"] = "$1"
    return found


def _labels(labels: Json | None) -> dict[str, str]:
    """A label with an empty value is as good as none."""
    return {
        str(name): str(value)
        for name, value in (labels or {}).items()
        if value not in ("", None) and name not in NOISE
    }


def _target(target: Json, whole: set[str]) -> str:
    key = "discovered" if target.get("job") in whole else "labels"
    shown = {"job": target.get("job"), "url": target.get("url"), key: _labels(target.get(key))}
    return json_text(shown)


def _digest(label_sets: Iterable[Json]) -> str:
    texts = (
        json.dumps(_labels(labels), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        for labels in label_sets
    )
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()


def _dropped(want: Json, have: Json) -> Iterator[str]:
    for job, wanted in sorted(want.items()):
        found = have.get(job) or {"count": 0, "discovered": []}
        labels = found.get("discovered")
        count = found.get("count", len(labels or ()))
        yield from same(f"dropped[{job}]: count", wanted["count"], count)
        if labels is None:
            yield from same(f"dropped[{job}]: digest", wanted.get("digest"), found.get("digest"))
            continue
        texts = {json_text(_labels(each)) for each in labels}
        missing = [
            text for text in map(json_text, map(_labels, wanted.get("sample") or ())) if text not in texts
        ]
        yield from (f"dropped[{job}]: missing {text}" for text in missing)
        if (
            not missing
            and count == wanted["count"]
            and "digest" in wanted
            and _digest(labels) != wanted["digest"]
        ):
            yield f"dropped[{job}]: other labels than recorded"
    for job in sorted(set(have) - set(want)):
        if have[job].get("count"):
            yield f"dropped[{job}]: {have[job]['count']} that are not expected"


def compare_fault(case: Json) -> Iterator[str]:
    """The first cause that is named is the planted one; a longer path below the expected field will do."""
    fault, found = case["fault"], conformance.explain_monitor(without_answers(case))
    if not found:
        yield "fault: nothing was found"
        return
    first = found[0]
    yield from same("fault: kind", fault["kind"], first.get("kind"))
    places = [fault, *(fault.get("also") or ())]
    if not any(_is_at(first, place) for place in places):
        wanted = " or ".join(f"{place['object']} {place['field']}" for place in places)
        yield f"fault: want {wanted}, got {first.get('object')} {first.get('field')}"


def _is_at(found: Json, place: Json) -> bool:
    field, wanted = found.get("field") or "", place["field"]
    below = field == wanted or field.startswith((f"{wanted}.", f"{wanted}["))
    return below and fnmatch.fnmatchcase(found.get("object") or "", place["object"])
