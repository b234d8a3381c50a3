"""Endpoints objects, selectors, and counts of writes: what the endpoint controllers leave behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kdp import conformance
from kdp.casefiles.case import without_answers
from kdp.casefiles.differences import json_text, same

__all__ = [
    "TRIGGER_TIME",
    "compare_churn",
    "compare_endpoints",
    "compare_repack",
    "compare_selector",
    "compare_truncate",
    "compare_writes",
    "instant",
    "metadata",
    "port_texts",
    "target",
]

Json = Mapping[str, Any]

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
VERBS = ("create", "update", "delete")


def metadata(manifest: Json) -> Json:
    """The metadata of an object."""
    found: Json = manifest.get("metadata") or {}
    return found


def instant(time: str | None) -> str | None:
    """A time without the zeros at the end of its fraction."""
    if time is None:
        return None
    body = time.rstrip("Z")
    return f"{body.rstrip('0').rstrip('.') if '.' in body else body}Z"


def port_texts(ports: Iterable[Json] | None) -> list[str]:
    """Ports as texts, in no order: a name that is not there is an empty one."""
    return sorted(
        json_text(
            {
                "name": port.get("name") or "",
                "protocol": port.get("protocol") or "TCP",
                "port": port.get("port"),
            }
            | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") is not None else {})
        )
        for port in ports or ()
    )


def target(reference: Json | None) -> dict[str, Any]:
    """What of a targetRef counts."""
    given = reference or {}
    return {
        key: given[key] for key in ("kind", "namespace", "name", "uid") if given.get(key) not in (None, "")
    }


def compare_writes(case: Json, got: Json) -> Iterator[str]:
    """Writes by verb, syncs that failed, Services that were queued."""
    expect = case["expect"]
    counts = {verb: sum(write["op"] == verb for write in got.get("writes") or ()) for verb in VERBS}
    yield from same("writes", expect["writes"], counts)
    yield from same("syncErrors", expect.get("syncErrors", 0), got.get("syncErrors"))
    if "enqueued" in expect:
        yield from same("enqueued", sorted(expect["enqueued"]), sorted(got.get("enqueued") or ()))


def compare_endpoints(case: Json) -> Iterator[str]:
    """The Endpoints objects that are left: labels, annotations, subsets."""
    got, expect = conformance.run_endpoints(without_answers(case)), case["expect"]
    yield from compare_writes(case, got)
    after = {metadata(each)["name"]: each for each in got.get("objects") or ()}
    yield from same("objects", sorted(each["name"] for each in expect["endpoints"]), sorted(after))
    for want in expect["endpoints"]:
        if want["name"] in after:
            yield from _one_endpoints(want, after[want["name"]])


def _one_endpoints(want: Json, have: Json) -> Iterator[str]:
    name = want["name"]
    labels = {key: value for key, value in (metadata(have).get("labels") or {}).items() if key != MANAGED_BY}
    yield from same(f"{name}: labels", want.get("labels") or {}, labels)
    given = (want.get("annotations") or {}, metadata(have).get("annotations") or {})
    annotations = (
        {key: instant(value) if key == TRIGGER_TIME else value for key, value in each.items()}
        for each in given
    )
    yield from same(f"{name}: annotations", *annotations)
    yield from (f"{name}: {what}" for what in _subsets(want.get("subsets"), have.get("subsets")))


def _subsets(want: Sequence[Json] | None, have: Sequence[Json] | None) -> Iterator[str]:
    """Subsets in no order, told apart by their ports; of equal ports the nearest."""
    left = list(have or ())
    for wanted in want or ():
        ports = port_texts(wanted.get("ports"))
        like = [each for each in left if port_texts(each.get("ports")) == ports]
        if not like:
            yield f"subset {', '.join(ports)}: missing"
            continue
        nearest = min(like, key=lambda each: len(list(_subset(wanted, each))))
        left = [each for each in left if each is not nearest]
        yield from (f"subset {', '.join(ports)}: {what}" for what in _subset(wanted, nearest))
    yield from (f"subset {', '.join(port_texts(each.get('ports')))}: not expected" for each in left)


def _subset(want: Json, have: Json) -> Iterator[str]:
    ready, not_ready = have.get("addresses") or [], have.get("notReadyAddresses") or []
    if "readyCount" not in want:
        for field, found in (("addresses", ready), ("notReadyAddresses", not_ready)):
            yield from same(field, _addresses(want.get(field)), _addresses(found))
        return
    yield from same("readyCount", want["readyCount"], len(ready))
    yield from same("notReadyCount", want["notReadyCount"], len(not_ready))
    for field, found, at in (
        ("firstReady", ready, 0),
        ("lastReady", ready, -1),
        ("firstNotReady", not_ready, 0),
        ("lastNotReady", not_ready, -1),
    ):
        if field in want:
            yield from same(field, want[field] or None, found[at]["ip"] if found else None)


def _addresses(addresses: Iterable[Json] | None) -> list[dict[str, Any]]:
    return [
        {"ip": each["ip"], "nodeName": each.get("nodeName") or "", "targetRef": target(each.get("targetRef"))}
        | ({"hostname": each["hostname"]} if each.get("hostname") else {})
        for each in addresses or ()
    ]


def compare_repack(row: Json) -> Iterator[str]:
    """Subsets in their canonical form."""
    yield from _subsets(row["expect"], conformance.run_repack(without_answers(row)))


def compare_truncate(row: Json) -> Iterator[str]:
    """Subsets cut to what one object holds."""
    got = conformance.run_truncate(without_answers(row))
    for key, wanted in (("ready", "expectReady"), ("notReady", "expectNotReady"), ("truncated", "truncated")):
        yield from same(key, row[wanted], got.get(key))


def compare_selector(row: Json) -> Iterator[str]:
    """Whether a selector matches, and how it is printed again."""
    got = conformance.run_selector(without_answers(row))
    wrong = list(same("result", row["expect"], got.get("result")))
    if "canonical" in row and not wrong:
        wrong += same("canonical", row["canonical"], got.get("canonical"))
    yield from wrong


def compare_churn(rows: Sequence[Json], lines: Sequence[Json]) -> Iterator[str]:
    """How often each controller writes in a sequence of Pod events."""
    got = conformance.run_churn(list(lines))
    for row in rows:
        place, run = f"{row['name']} {row['controller']}", got.get(row["controller"])
        if run is None:
            yield f"{place}: no result"
        else:
            yield from (f"{place}: {what}" for what in _churn(row, run))


def _churn(row: Json, run: Json) -> Iterator[str]:
    sums = [sum(step.get(verb, 0) for verb in VERBS) for step in run["steps"]]
    yield from same("steps", row["steps"], len(sums))
    yield from same("podEvents", row["podEvents"], run.get("podEvents"))
    yield from _between("writes", (row["writesMin"], row["writesMax"]), sum(sums))
    for verb in VERBS:
        yield from _between(f"{verb}s", row[f"{verb}s"], sum(step.get(verb, 0) for step in run["steps"]))
    if row["writesMin"] == row["writesMax"]:  # elsewhere these two varied from run to run
        yield from same("stepsWithoutWrite", row["stepsWithoutWrite"], sums.count(0))
        yield from same("maxWritesInAStep", row["maxWritesInAStep"], max(sums, default=0))
    if row["finalSlices"] is not None and run.get("finalSlices") not in row["finalSlices"]:
        yield f"finalSlices: want one of {row['finalSlices']}, got {run.get('finalSlices')}"


def _between(what: str, limits: Sequence[int], found: int) -> Iterator[str]:
    low, high = limits
    if not low <= found <= high:
        yield f"{what}: want {low} to {high}, got {found}"
