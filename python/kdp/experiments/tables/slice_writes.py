"""T-02: what writes and bytes a Service of 20,000 endpoints costs, with Endpoints and with EndpointSlices.

The controllers run over these Pods, and what they write is measured; only the watchers are multiplied, as there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kdp.conformance import run_churn, run_endpoints, run_repack, run_slices
from kdp.experiments.tables.table import Row, Table

__all__ = ["slice_writes"]

Json = dict[str, Any]
LARGE, LARGE_NODES = 20_000, 5_000
SMALL, SMALL_NODES = 20, 10
BYTES_EACH = 100
"""What the table counts for an endpoint."""
NEAR = 1.3
"""A size agrees where it is within three tenths of the published one."""
ZONES = 3


def slice_writes(*, full: bool = False, endpoints: int = LARGE) -> Table:
    """Run the controllers for the table's first case, and for its second, which is small enough to be rolled.

    ``full``: slices of one endpoint too, which takes minutes. With fewer ``endpoints`` the figures are those of fewer.
    """
    table = Table(
        "T-02",
        "Writes and bytes of Endpoints and EndpointSlices",
        "KEP-0752, Estimation (20,000 endpoints on 5,000 nodes; 20 endpoints on 10 nodes)",
        notes=[
            (
                "bytes: each write as compact JSON, to every node; 100 B: the same with the table's own 100 bytes for "
                "an endpoint, which is less than half of what one takes as JSON"
            ),
            (
                "Endpoints are cut to 1,000 addresses since 1.22: the object of all 20,000 is what the controller "
                "computes before it cuts"
            ),
            (
                "a rolling update: one sync for each Pod that is replaced, as the table counts; and one for every "
                "status that its Pods go through"
            ),
        ],
    )
    pods = [_pod(at) for at in range(endpoints)]
    _large(table, pods, 100, (200, 10_000, 10e9, 50e6))
    if full:
        _large(table, pods, 1, (20_000, 1_000, 10e9, 5e6))
    else:
        table.notes.append("slices of one endpoint, 20,000 of them, take minutes: --full")
    _large_endpoints(table, pods)
    for per_slice, published in ((100, 20), (1, 20)):
        _rolled(table, per_slice, published)
    return table


def _large(
    table: Table, pods: Sequence[Json], per_slice: int, published: tuple[float, float, float, float]
) -> None:
    writes, size, total, total_update = published
    case = {"mode": "initial", "settings": {"maxEndpointsPerSlice": per_slice}, "before": [*_world(), *pods]}
    made = run_slices(case)["objects"]
    sizes = [_bytes(each) for each in made]
    name = f"create, {per_slice} a slice"
    table.rows.append(Row(name, "writes", int(writes), len(made)))
    table.rows.append(Row(name, "watch events", int(writes) * LARGE_NODES, len(made) * LARGE_NODES))
    counts = [_count(each) for each in made]
    _sizes(table, name, (size, total), (max(sizes), sum(sizes)), (max(counts), sum(counts)))
    flipped = _flip(case, made, pods[len(pods) // 2])
    name = f"update of one endpoint, {per_slice} a slice"
    table.rows.append(Row(name, "writes", 1, len(flipped)))
    table.rows.append(Row(name, "watch events", LARGE_NODES, len(flipped) * LARGE_NODES))
    wire = sum(map(_bytes, flipped)) * LARGE_NODES
    _bytes_row(table, name, total_update, wire, sum(map(_count, flipped)) * BYTES_EACH * LARGE_NODES)


def _flip(case: Mapping[str, Any], made: Sequence[Json], pod: Json) -> list[Json]:
    """Let one Pod become not ready, and give the slices that are written for it."""
    unready = {**pod, "status": {**pod["status"], "conditions": [{"type": "Ready", "status": "False"}]}}
    change = [{"op": "apply", "object": unready}]
    again = {**case, "mode": "incremental", "before": [*case["before"], *made], "change": change}
    before = {each["metadata"]["name"]: each for each in made}
    after = run_slices(again)
    changed = [
        each
        for each in after["objects"]
        if before.get(each["metadata"]["name"], {}).get("endpoints") != each["endpoints"]
    ]
    assert len(changed) == len(after["writes"]), "a write changes endpoints"
    return changed


def _large_endpoints(table: Table, pods: Sequence[Json]) -> None:
    made = run_endpoints({"mode": "initial", "before": [*_world(), *pods]})
    [written] = made["objects"]
    addresses = [_address(pod) for pod in pods]
    whole = {
        **written,
        "subsets": run_repack(
            {"given": [{"addresses": addresses, "ports": [{"port": 80, "protocol": "TCP"}]}]}
        ),
    }
    name = "create or update, Endpoints"
    table.rows.append(Row(name, "writes", 1, len(made["writes"])))
    table.rows.append(Row(name, "watch events", LARGE_NODES, len(made["writes"]) * LARGE_NODES))
    _sizes(table, name, (2e6, 10e9), (_bytes(whole), _bytes(whole)), (len(pods), len(pods)))
    kept = sum(len(subset["addresses"]) for subset in written["subsets"])
    table.rows.append(
        Row(f"{name} since 1.22", "addresses in it", len(pods), kept, note="cut: annotation over-capacity")
    )


def _sizes(
    table: Table, name: str, published: tuple[float, float], sizes: tuple[int, int], counts: tuple[int, int]
) -> None:
    """Compare the largest object, and all of them to every node: in bytes, and by their endpoints."""
    _bytes_row(table, f"{name}: object", published[0], sizes[0], counts[0] * BYTES_EACH)
    wire, endpoints = sizes[1] * LARGE_NODES, counts[1] * LARGE_NODES
    _bytes_row(table, f"{name}: to all nodes", published[1], wire, endpoints * BYTES_EACH)


def _bytes_row(table: Table, name: str, published: float, as_json: int, by_count: int) -> None:
    for quantity, found in (("bytes", as_json), ("bytes at 100 B", by_count)):
        near = published / NEAR <= found <= published * NEAR
        kind = "E" if quantity == "bytes at 100 B" else "R"
        table.rows.append(
            Row(name, quantity, _unit(published), _unit(found), kind, near, f"x {found / published:.2f}")
        )


def _unit(number: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} B"


def _rolled(table: Table, per_slice: int, published: int) -> None:
    """Replace Pods one by one: first each in one step, then in the steps that their statuses take."""
    short, long = (run_churn(_rollout(per_slice, steps=steps)) for steps in (False, True))
    for kind, word in (("endpointslice", f"{per_slice} a slice"), ("endpoints", "Endpoints")):
        if kind == "endpoints" and per_slice != 100:
            continue
        name = f"rolling update of 20, {word}"
        table.rows.append(Row(name, "writes", published, _written(short[kind])))
        note = f"{_written(long[kind]) / SMALL:g} for each Pod"
        table.rows.append(
            Row(
                f"{name}, every status",
                "writes",
                published,
                _written(long[kind]),
                "R",
                agrees=False,
                note=note,
            )
        )


def _written(found: Json) -> int:
    return sum(sum(step.values()) for step in found["steps"])


def _rollout(per_slice: int, *, steps: bool) -> list[Json]:
    """Write a churn sequence. The life of a Pod in steps: made, an address, ready; deleted, not ready, gone."""
    setup = {
        "service": _world()[0],
        "nodes": [{"name": f"node-{at}", "zone": f"zone-{at % ZONES}"} for at in range(SMALL_NODES)],
        "maxEndpointsPerSlice": per_slice,
        "podDefaults": {"namespace": "default", "labels": {"app": "web"}, "uid": "<pod>"},
    }
    old = [_event(f"old-{at}", at) for at in range(SMALL)]
    lines: list[Json] = [setup, {"events": old}]
    for at in range(SMALL):
        new, gone = _event(f"new-{at}", SMALL + at), {"op": "delete", "pod": f"old-{at}"}
        if not steps:
            lines.append({"events": [new, gone]})
            continue
        leaving = old[at] | {"op": "update", "deleting": True}
        life = (
            new | {"ready": False, "ip": None, "phase": "Pending"},
            new | {"op": "update", "ready": False},
            new | {"op": "update"},
            leaving,
            leaving | {"ready": False},
            gone,
        )
        lines.extend({"events": [event]} for event in life)
    return lines


def _event(name: str, at: int) -> Json:
    return {
        "op": "add",
        "pod": name,
        "node": f"node-{at % SMALL_NODES}",
        "phase": "Running",
        "ready": True,
        "readyAt": "2026-01-01T00:00:00Z",
        "ip": f"10.1.{at // 200}.{at % 200 + 1}",
    }


def _world() -> list[Json]:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "6f2b6a5e-0f5e-4a0c-9a43-0d7d0c7a9b11"},
        "spec": {
            "selector": {"app": "web"},
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "ipFamilies": ["IPv4"],
            "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
        },
    }
    nodes = [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{at}", "labels": {}}}
        for at in range(ZONES)
    ]
    return [service, *nodes]


def _ip(at: int) -> str:
    return f"10.{1 + at // 62_500}.{at // 250 % 250}.{at % 250 + 1}"


def _pod(at: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-7d9f8c6b4-{at:05}",
            "namespace": "default",
            "uid": f"6f2b6a5e-0f5e-4a0c-9a43-{at:012}",
            "labels": {"app": "web"},
        },
        "spec": {"nodeName": f"node-{at % ZONES}", "containers": [{"name": "c"}]},
        "status": {
            "phase": "Running",
            "podIP": _ip(at),
            "podIPs": [{"ip": _ip(at)}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _address(pod: Json) -> Json:
    meta = pod["metadata"]
    reference = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": reference}


def _count(made: Mapping[str, Any]) -> int:
    return len(made["endpoints"])


def _bytes(value: Mapping[str, Any]) -> int:
    return len(json.dumps(value, separators=(",", ":")))
