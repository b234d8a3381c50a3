"""T-10: when topology-aware hints are given, and how they divide endpoints over zones."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kdp.conformance import run_slices
from kdp.experiments.tables.table import Row, Table

__all__ = ["topology"]

Json = dict[str, Any]
EQUAL = (4, 4, 4)


def topology() -> Table:
    """Run the EndpointSlice controller over Services of some sizes in three zones."""
    table = Table(
        "T-10",
        "Topology-aware hints in three zones",
        "kubernetes.io, Topology Aware Routing, Constraints; kubernetes issue #122437; KEP-2433",
    )
    refused = [n for n in range(3, 9) if not _hints(n, EQUAL)]
    table.rows.extend(
        [
            Row(
                "3 to 8 endpoints, zones of one size",
                "share without hints",
                "50 %",
                f"{100 * len(refused) // 6} %",
            ),
            Row("the same", "sizes without hints", "4, 5, 8", ", ".join(map(str, refused))),
            Row("11 endpoints, zones of one size", "hints", "no", "yes" if _hints(11, EQUAL) else "no"),
            Row(
                "4 endpoints, zones of one size",
                "hints",
                "no",
                "yes" if _hints(4, EQUAL) else "no",
                note="33 % overload",
            ),
        ]
    )
    shares = _hints(100, (20, 16, 14))
    text = " / ".join(str(shares[f"zone-{at}"]) for at in range(3))
    table.rows.append(Row("20, 16 and 14 cores, 100 endpoints", "hints by zone", "40 / 32 / 28", text))
    return table


def _hints(endpoints: int, cores: tuple[int, ...]) -> Counter[str]:
    """Count the hints by zone of a Service whose Pods are spread evenly; none where the controller gives none."""
    case = {
        "mode": "initial",
        "before": [_service(), *(_node(at, count) for at, count in enumerate(cores))]
        + [_pod(at, len(cores)) for at in range(endpoints)],
    }
    slices = run_slices(case)["objects"]
    hints = (each.get("hints") or {} for found in slices for each in found.get("endpoints") or ())
    return Counter(zone["name"] for hint in hints for zone in hint.get("forZones") or ())


def _service() -> Json:
    annotations = {"service.kubernetes.io/topology-mode": "Auto"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "annotations": annotations},
        "spec": {
            "selector": {"app": "web"},
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "ipFamilies": ["IPv4"],
            "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
        },
    }


def _node(at: int, cores: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{at}", "labels": {"topology.kubernetes.io/zone": f"zone-{at}"}},
        "status": {"allocatable": {"cpu": str(cores)}, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def _pod(at: int, zones: int) -> Json:
    ip = f"10.1.{at // 200}.{at % 200 + 1}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"web-{at}", "namespace": "default", "uid": f"p{at}", "labels": {"app": "web"}},
        "spec": {"nodeName": f"node-{at % zones}", "containers": [{"name": "c"}]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
