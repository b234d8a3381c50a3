"""EndpointSlices that a controller leaves behind, where the real one chooses at random in places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kdp import conformance
from kdp.casefiles.case import without_answers
from kdp.casefiles.controllers import TRIGGER_TIME, compare_writes, instant, metadata, port_texts, target
from kdp.casefiles.differences import json_text, multiset, same

__all__ = ["compare_slices"]

Json = Mapping[str, Any]

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
UNSPECIFIED = "unspecified"


class _Left:
    """What is left after a run: slices by name, and the last write of each."""

    def __init__(self, got: Json) -> None:
        self.got = got
        self.slices = {metadata(each)["name"]: each for each in got.get("objects") or ()}
        self.writes = {write["name"]: write["op"] for write in got.get("writes") or ()}
        self.managed = [each for each in self.slices.values() if _is_managed(each)]

    def write_of(self, one: Json) -> str:
        return str(self.writes.get(metadata(one)["name"], "none"))

    def written(self, verb: str) -> list[str]:
        return sorted(write["name"] for write in self.got.get("writes") or () if write["op"] == verb)


def _is_managed(one: Json) -> bool:
    return bool((metadata(one).get("labels") or {}).get(MANAGED_BY) == CONTROLLER)


def compare_slices(case: Json) -> Iterator[str]:
    """Every slice that is left, and what was written. What the reference leaves to chance is not compared."""
    got = conformance.run_slices(without_answers(case))
    expect, left = case["expect"], _Left(got)
    yield from compare_writes(case, got)
    yield from same("slicesAfter", expect["slicesAfter"], len(left.slices))
    sizes = sorted((len(each.get("endpoints") or ()) for each in left.managed), reverse=True)
    yield from same("sliceSizes", expect["sliceSizes"], sizes)
    for key in ("events", "garbageCollected"):
        yield from same(key, sorted(expect.get(key) or ()), sorted(got.get(key) or ()))
    yield from _names(expect, left)
    yield from _known(expect, left)
    yield from _created(expect, left)
    yield from _untouched(case, left)
    if "union" in expect:
        yield from _union(expect, left)
    yield from _hint_counts(expect, left)


def _names(expect: Json, left: _Left) -> Iterator[str]:
    """Which slices were deleted, updated or stayed; where the choice is free, names out of a list only."""
    created, updated, deleted = (left.written(verb) for verb in ("create", "update", "delete"))
    if "deletedAnyOf" not in expect:
        yield from same("deleted", sorted(expect.get("deleted") or ()), deleted)
    named = _named(expect)
    survivors = sorted(set(left.slices) - named - set(created))
    free: set[str] = set()
    for key, names in (("deletedAnyOf", deleted), ("updatedAnyOf", updated), ("survivorsAnyOf", survivors)):
        if key in expect:
            free |= set(expect[key])
            wrong = [name for name in names if name not in expect[key]]
            if wrong:
                yield f"{key}: {', '.join(wrong)} is not among {', '.join(sorted(expect[key]))}"
    unexpected = [name for name in left.slices if name not in named | free and name not in created]
    yield from (f"slice {name}: not expected" for name in unexpected)


def _named(expect: Json) -> set[str]:
    return {each["name"] for each in expect["slices"] if each.get("name")}


def _known(expect: Json, left: _Left) -> Iterator[str]:
    for want in expect["slices"]:
        name = want.get("name")
        if name and name in left.slices:
            yield from _slice(want, left.slices[name], left)
        elif name:
            yield f"slice {name}: it is gone"


def _created(expect: Json, left: _Left) -> Iterator[str]:
    wants = [each for each in expect["slices"] if not each.get("name")]
    made = [left.slices[name] for name in left.written("create") if name in left.slices]
    for want, one in _partners(wants, made, left):
        if one is None:
            yield f"slice (created, {want['numEndpoints']} endpoints): there is none"
        else:
            yield from _slice(want, one, left)


def _partners(wants: Sequence[Json], made: Sequence[Json], left: _Left) -> Iterator[tuple[Json, Json | None]]:
    """Those that do not agree with a created slice of their own: each with the nearest that nobody has.

    As many as possible agree: a matching by augmenting paths.
    """
    cost = [[len(list(_slice(want, one, left))) for one in made] for want in wants]
    holder: dict[int, int] = {}

    def settle(want: int, seen: set[int]) -> bool:
        for one in range(len(made)):
            if cost[want][one] == 0 and one not in seen:
                seen.add(one)
                if one not in holder or settle(holder[one], seen):
                    holder[one] = want
                    return True
        return False

    for want in range(len(wants)):
        settle(want, set())
    free = [one for one in range(len(made)) if one not in holder]
    for want in range(len(wants)):
        if want in holder.values():
            continue
        nearest = min(free, key=lambda one: cost[want][one], default=None)
        if nearest is not None:
            free.remove(nearest)
        yield wants[want], None if nearest is None else made[nearest]


def _slice(want: Json, one: Json, left: _Left) -> Iterator[str]:
    place, write = f"slice {want.get('name') or '(created)'}", left.write_of(one)
    if want.get("write", UNSPECIFIED) != UNSPECIFIED:
        yield from same(f"{place}: write", want["write"], write)
    yield from same(f"{place}: addressType", want["addressType"], one.get("addressType"))
    yield from same(f"{place}: labels", want.get("labels") or {}, metadata(one).get("labels") or {})
    yield from same(f"{place}: ports", port_texts(want.get("ports")), port_texts(one.get("ports")))
    if "generateName" in want:
        yield from same(f"{place}: generateName", want["generateName"], metadata(one).get("generateName"))
    if write != "none":
        yield from _stamps(place, want, one)
    endpoints = one.get("endpoints") or []
    if want["numEndpoints"] != UNSPECIFIED:
        yield from same(f"{place}: numEndpoints", want["numEndpoints"], len(endpoints))
    if want.get("membership") != UNSPECIFIED:
        yield from multiset(f"{place}: endpoints", _texts(want.get("endpoints")), _texts(endpoints))


def _stamps(place: str, want: Json, one: Json) -> Iterator[str]:
    """What a write puts on a slice; of one that was not written nothing can be asked."""
    if "triggerTime" in want:
        found = (metadata(one).get("annotations") or {}).get(TRIGGER_TIME)
        yield from same(f"{place}: triggerTime", instant(want["triggerTime"]), instant(found))
    if "ownedBy" in want:
        owners = [
            f"{owner.get('kind')}/{owner.get('name')}/{owner.get('uid')}"
            for owner in metadata(one).get("ownerReferences") or ()
        ]
        yield from same(f"{place}: ownedBy", [want["ownedBy"]], owners)


def _texts(endpoints: Iterable[Json] | None, *, with_hints: bool = True) -> list[str]:
    return [_text(each, with_hints=with_hints) for each in endpoints or ()]


def _text(endpoint: Json, *, with_hints: bool) -> str:
    shown: dict[str, Any] = {
        "addresses": sorted(endpoint.get("addresses") or ()),
        "conditions": {
            key: value for key, value in (endpoint.get("conditions") or {}).items() if value is not None
        },
        "targetRef": target(endpoint.get("targetRef")),
    }
    shown |= {key: endpoint[key] for key in ("nodeName", "zone", "hostname") if endpoint.get(key)}
    return json_text(shown | ({"hints": _hints(endpoint)} if with_hints else {}))


def _hints(endpoint: Json) -> dict[str, list[str]]:
    given = endpoint.get("hints") or {}
    found = {key: sorted(each["name"] for each in given.get(key) or ()) for key in ("forZones", "forNodes")}
    return {key: names for key, names in found.items() if names}


def _untouched(case: Json, left: _Left) -> Iterator[str]:
    """A slice without a write is as the case left it."""
    given = _given(case)
    for name, one in left.slices.items():
        if left.write_of(one) != "none" or name not in given:
            continue
        was, place = given[name], f"slice {name} (not written)"
        for field in ("labels", "annotations"):
            pair = (metadata(each).get(field) or {} for each in (was, one))
            yield from same(f"{place}: {field}", *pair)
        owners = (
            sorted(owner.get("uid", "") for owner in metadata(each).get("ownerReferences") or ())
            for each in (was, one)
        )
        yield from same(f"{place}: ownerReferences", *owners)
        yield from same(f"{place}: ports", port_texts(was.get("ports")), port_texts(one.get("ports")))
        yield from multiset(f"{place}: endpoints", _texts(was.get("endpoints")), _texts(one.get("endpoints")))


def _given(case: Json) -> dict[str, Json]:
    """The slices as the case itself leaves them, before the controller writes."""
    last = {metadata(each)["name"]: each for each in case["before"] if each["kind"] == "EndpointSlice"}
    for change in case.get("change") or ():
        changed = change["object"]
        if changed["kind"] == "EndpointSlice":
            last.pop(metadata(changed)["name"], None)
            if change["op"] == "apply":
                last[metadata(changed)["name"]] = changed
    return last


def _group(one: Json) -> str:
    ports = sorted(
        f"{port.get('name') or ''}:{port.get('port')}/{port.get('protocol') or 'TCP'}"
        for port in one.get("ports") or ()
    )
    return f"{one['addressType']} {','.join(ports)}"


def _union(expect: Json, left: _Left) -> Iterator[str]:
    """All endpoints of one address type and set of ports, whichever slice holds them."""
    found: dict[str, list[Json]] = {}
    for one in left.managed:
        found.setdefault(_group(one), []).extend(one.get("endpoints") or ())
    written = {_group(one) for one in left.managed if left.write_of(one) != "none"}
    in_slices = any(each.get("hints") for one in expect["slices"] for each in one.get("endpoints") or ())
    if "hintsByZone" not in expect and not in_slices:
        hinted = [each["addresses"] for all_ in found.values() for each in all_ if _hints(each)]
        if hinted:
            yield f"union: hints on {json_text(hinted[:3])}, none expected"
    wanted = {each["group"]: each for each in expect["union"]}
    for group, want in wanted.items():
        yield from _one_union(f"union {group!r}", want, found.get(group, []))
    for group, endpoints in found.items():
        if group not in wanted and (endpoints or group in written):
            yield f"union {group!r}: not expected"


def _one_union(place: str, want: Json, endpoints: Sequence[Json]) -> Iterator[str]:
    if "endpoints" in want:
        wanted, found = (_texts(each, with_hints=False) for each in (want["endpoints"], endpoints))
        yield from multiset(place, wanted, found)
    if "count" in want:
        yield from same(f"{place}: count", want["count"], len(endpoints))
    if "targets" in want:
        names = [(each.get("targetRef") or {}).get("name", "") for each in endpoints]
        yield from multiset(f"{place}: targets", want["targets"], names)


def _hint_counts(expect: Json, left: _Left) -> Iterator[str]:
    hints = [
        (zone, each.get("zone"))
        for one in left.managed
        for each in one.get("endpoints") or ()
        for zone in _hints(each).get("forZones", ())
    ]
    if "hintsByZone" in expect:
        yield from same("hintsByZone", expect["hintsByZone"], dict(Counter(zone for zone, _ in hints)))
    if "crossZoneHints" in expect:
        endpoints = [each for one in left.managed for each in one.get("endpoints") or ()]
        cross = sum(
            any(zone != each.get("zone") for zone in _hints(each).get("forZones", ())) for each in endpoints
        )
        yield from same("crossZoneHints", expect["crossZoneHints"], cross)
