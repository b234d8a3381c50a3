"""kubectl's columns, cell by cell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from kdp.columns import columns_of
from kdp.columns.column import duration
from kdp.table import table_text

NOW = datetime(2026, 11, 25, 1, 0, 0, tzinfo=UTC)


def cell(kind: str, title: str, manifest: dict[str, Any]) -> str:
    column = next(each for each in columns_of(kind) if each.title == title)
    return column.cell({"metadata": {}, "spec": {}, **manifest}, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (179 * 60, "179m"),
        (180 * 60, "3h"),
        (7 * 3600 + 59 * 60, "7h59m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (731 * 86400, "2y1d"),
        (3000 * 86400, "8y"),
    ],
)
def test_ages_are_written_in_two_units_at_most(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_an_object_without_a_time_has_an_unknown_age() -> None:
    assert cell("Pod", "AGE", {"metadata": {}}) == "<unknown>"
    assert cell("Pod", "AGE", {"metadata": {"creationTimestamp": "2026-11-25T00:00:00Z"}}) == "60m"


@pytest.mark.parametrize(
    ("spec", "status", "external"),
    [
        ({"type": "ClusterIP"}, {}, "<none>"),
        ({"type": "NodePort", "externalIPs": ["203.0.113.5"]}, {}, "203.0.113.5"),
        ({"type": "LoadBalancer"}, {"loadBalancer": {}}, "<pending>"),
        ({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}, "203.0.113.9"),
        ({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"hostname": "lb.test"}]}}, "lb.test"),
        ({"type": "ExternalName", "externalName": "db.test"}, {}, "db.test"),
    ],
)
def test_the_external_ip_of_a_service(spec: dict[str, Any], status: dict[str, Any], external: str) -> None:
    assert cell("Service", "EXTERNAL-IP", {"spec": spec, "status": status}) == external


def test_the_ports_of_a_service() -> None:
    ports = [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    assert cell("Service", "PORT(S)", {"spec": {"ports": ports}}) == "80:30080/TCP,53/UDP"
    assert cell("Service", "SELECTOR", {"spec": {"selector": {"b": "2", "a": "1"}}}) == "a=1,b=2"
    assert cell("Service", "SELECTOR", {}) == "<none>"


def test_endpoints_are_three_and_more() -> None:
    addresses = [{"ip": f"10.0.0.{n}"} for n in range(1, 6)]
    subsets = [{"addresses": addresses, "ports": [{"port": 80}]}]
    listed = "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."
    assert cell("Endpoints", "ENDPOINTS", {"subsets": subsets}) == listed
    assert cell("Endpoints", "ENDPOINTS", {}) == "<none>"
    assert cell("Endpoints", "ENDPOINTS", {"subsets": [{"notReadyAddresses": addresses}]}) == ""


def test_a_slice_without_ports_or_endpoints_is_unset() -> None:
    assert cell("EndpointSlice", "PORTS", {"ports": None}) == "<unset>"
    assert cell("EndpointSlice", "PORTS", {"ports": [{"port": 80}, {"name": "all"}]}) == "80,all"
    assert cell("EndpointSlice", "ENDPOINTS", {"endpoints": [{"addresses": ["10.0.0.1"]}]}) == "10.0.0.1"


def pod_status(**status: Any) -> str:
    metadata = {"deletionTimestamp": "2026-11-25T00:00:00Z"} if status.pop("deleted", False) else {}
    return cell("Pod", "STATUS", {"metadata": metadata, "status": status})


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Running"}, "Running"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Running", "deleted": True}, "Terminating"),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            },
            "CrashLoopBackOff",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3}}}],
            },
            "ExitCode:3",
        ),
        (
            {"phase": "Failed", "containerStatuses": [{"name": "a", "state": {"terminated": {"signal": 9}}}]},
            "Signal:9",
        ),
        ({"phase": "Succeeded"}, "Succeeded"),
    ],
)
def test_the_word_under_status(status: dict[str, Any], word: str) -> None:
    assert pod_status(**status) == word


def test_ready_counts_containers_that_run_and_are_ready() -> None:
    statuses = [{"name": "a", "ready": True, "state": {"running": {}}}, {"name": "b", "ready": False}]
    pod = {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"containerStatuses": statuses}}
    assert cell("Pod", "READY", pod) == "1/2"


def test_restarts_say_when_the_last_one_was() -> None:
    ended = {"terminated": {"finishedAt": "2026-11-25T00:55:00Z"}}
    statuses = [{"name": "a", "restartCount": 3, "lastState": ended}]
    assert cell("Pod", "RESTARTS", {"status": {"containerStatuses": statuses}}) == "3 (5m ago)"


def test_a_node_shows_its_roles_and_that_it_is_cordoned() -> None:
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "infra"}
    conditions = [{"type": "Ready", "status": "True"}]
    node = {
        "metadata": {"labels": labels},
        "spec": {"unschedulable": True},
        "status": {"conditions": conditions},
    }
    assert cell("Node", "ROLES", node) == "control-plane,infra"
    assert cell("Node", "STATUS", node) == "Ready,SchedulingDisabled"
    assert cell("Node", "STATUS", {}) == "Unknown"


def test_tables_have_three_blanks_between_columns_and_none_at_the_end() -> None:
    assert table_text(["NAME", "AGE"], [["web", "5d"], ["long-name", "1h"]]) == (
        "NAME        AGE\nweb         5d\nlong-name   1h\n"
    )
    assert table_text(["NAME"], [], headers=False) == ""
