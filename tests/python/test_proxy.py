"""A node's kube-proxy as a process: when it syncs, what it cleans up, counts and answers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import kdp
import pytest

CASES = Path(__file__).resolve().parents[1] / "cases" / "flows" / "flows.json.gz"
SECOND = 1_000_000_000


def node(name: str, at: int, **spec: Any) -> dict[str, Any]:
    addresses = [{"type": "InternalIP", "address": f"10.0.0.{at}"}]
    pods = {"podCIDR": f"10.1.{at}.0/24", "podCIDRs": [f"10.1.{at}.0/24"]}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": pods | spec,
        "status": {"addresses": addresses},
    }


def pod(name: str, ip: str, on: str = "n1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": on, "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


def service(protocol: str = "TCP", **spec: Any) -> dict[str, Any]:
    port = {"name": "p", "port": 80, "protocol": protocol}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "ClusterIP", "sessionAffinity": "None", "clusterIP": "10.96.0.10", "ports": [port]}
        | spec,
    }


def slice_of(*addresses: str, protocol: str = "TCP", on: str = "n1", **conditions: bool) -> dict[str, Any]:
    endpoints = [
        {"addresses": [a], "nodeName": on, "conditions": {"ready": True} | conditions} for a in addresses
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "p", "port": 8080, "protocol": protocol}],
        "endpoints": endpoints,
    }


def world(*objects: dict[str, Any], **options: Any) -> kdp.Cluster:
    return kdp.Cluster([node("n1", 1), pod("client", "10.1.1.9"), *objects], complete=False, **options)


def targets(cluster: kdp.Cluster) -> set[str]:
    """Give the endpoints that n1's rules lead to."""
    rules = cluster.node("n1").rules()
    return {line.rsplit(" ", 1)[1] for line in rules.splitlines() if "--to-destination" in line}


def test_syncs_wait_for_each_other() -> None:
    cluster = world(service(), slice_of("10.1.1.1"), proxy_timers=True)
    assert targets(cluster) == {"10.1.1.1:8080"}
    cluster.advance(SECOND // 2)
    cluster.put(slice_of("10.1.1.2"))
    assert targets(cluster) == {"10.1.1.1:8080"}, "the first sync was half a second ago"
    cluster.advance(SECOND)
    assert targets(cluster) == {"10.1.1.2:8080"}
    proxy = cluster.node("n1").proxy
    name = "kubeproxy_network_programming_duration_seconds"
    assert proxy.metric(f"{name}_sum", ip_family="IPv4") == pytest.approx(0.5)
    assert proxy.metric(f"{name}_bucket", ip_family="IPv4", le="0.25") == 0
    assert proxy.metric(f"{name}_bucket", ip_family="IPv4", le="0.5") == 1


def test_up_to_1_33_two_syncs_may_follow_each_other() -> None:
    cluster = world(service(), slice_of("10.1.1.1"), proxy_timers=True, k8s="1.33")
    cluster.put(slice_of("10.1.1.2"))
    assert targets(cluster) == {"10.1.1.2:8080"}
    cluster.put(slice_of("10.1.1.3"))
    assert targets(cluster) == {"10.1.1.2:8080"}
    cluster.advance(SECOND)
    assert targets(cluster) == {"10.1.1.3:8080"}


def test_without_timers_rules_are_in_line() -> None:
    cluster = world(service(), slice_of("10.1.1.1"))
    assert targets(cluster) == {"10.1.1.1:8080"}
    cluster.put(slice_of("10.1.1.2"))
    assert targets(cluster) == {"10.1.1.2:8080"}


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_a_refused_sync_is_tried_again_as_a_full_one(mode: str) -> None:
    cluster = world(service(), slice_of("10.1.1.1"), proxy_timers=True, mode=mode)
    cluster.advance(10 * SECOND)
    proxy = cluster.node("n1").proxy
    before = cluster.node("n1").rules()
    proxy.refuse(2)
    cluster.put(slice_of("10.1.1.2"))
    assert cluster.node("n1").rules() == before
    failures = "iptables_restore_failures_total" if mode == "iptables" else "nftables_sync_failures_total"
    count = proxy.metric(f"kubeproxy_sync_proxy_rules_{failures}", ip_family="IPv4")
    assert count == 1
    cluster.advance(69 * SECOND)
    assert cluster.node("n1").rules() == before
    cluster.advance(70 * SECOND)
    assert "10.1.1.2" in cluster.node("n1").rules()
    full = "kubeproxy_sync_full_proxy_rules_duration_seconds_count"
    assert proxy.metric(full, ip_family="IPv4") >= 2


def test_kube_proxy_is_unhealthy_while_a_sync_waits_too_long() -> None:
    cluster = world(service(), slice_of("10.1.1.1"), proxy_timers=True)
    proxy = cluster.node("n1").proxy
    cluster.advance(10 * SECOND)
    assert (proxy.healthz(), proxy.livez()) == (200, 200)
    proxy.refuse(1000)
    cluster.put(slice_of("10.1.1.2"))
    cluster.advance(69 * SECOND)
    assert proxy.livez() == 200
    cluster.advance(71 * SECOND)
    assert (proxy.healthz(), proxy.livez()) == (503, 503)
    assert proxy.metric("kubeproxy_proxy_healthz_total", code="503") == 1
    proxy.refuse(0)
    cluster.advance(110 * SECOND)
    assert proxy.healthz() == 200


def test_a_node_that_is_going_away_is_alive_and_not_healthy() -> None:
    cluster = world(service(), slice_of("10.1.1.1"))
    taint = {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}
    cluster.put(node("n1", 1, taints=[taint]))
    proxy = cluster.node("n1").proxy
    assert (proxy.healthz(), proxy.livez()) == (503, 200)


def test_flushed_rules_come_back_within_a_sync_period() -> None:
    cluster = world(service(), slice_of("10.1.1.1"), proxy_timers=True)
    cluster.advance(10 * SECOND)
    cluster.node("n1").flush_rules()
    assert targets(cluster) == set()
    cluster.advance(29 * SECOND)
    assert targets(cluster) == set()
    cluster.advance(30 * SECOND)
    assert targets(cluster) == {"10.1.1.1:8080"}


def test_a_restarted_proxy_finds_its_rules() -> None:
    cluster = world(service(), slice_of("10.1.1.1"))
    before = cluster.node("n1").rules()
    proxy = cluster.node("n1").proxy
    cluster.put(slice_of("10.1.1.2"))
    cluster.put(slice_of("10.1.1.1"))
    assert cluster.node("n1").rules() == before
    proxy.restart()
    assert cluster.node("n1").rules() == before
    assert proxy.metric("kubeproxy_sync_proxy_rules_duration_seconds_count", ip_family="IPv4") == 1


def udp_entries(cluster: kdp.Cluster) -> list[str]:
    cluster.node("n1").rules()  # in line
    return [line for line in cluster.node("n1").conntrack().splitlines() if "udp" in line]


@pytest.mark.parametrize(
    ("k8s", "cleanup", "left"),
    [("1.31", None, 0), ("1.32", None, 0), ("1.36", None, 0), ("1.36", "fixed", 0)],
)
def test_entries_of_a_vanished_udp_endpoint_are_deleted(k8s: str, cleanup: str | None, left: int) -> None:
    options = {"proxy": {"conntrackCleanup": cleanup}} if cleanup else {}
    cluster = world(
        service("UDP"),
        slice_of("10.1.1.1", protocol="UDP"),
        pod("a", "10.1.1.1"),
        pod("b", "10.1.1.2"),
        k8s=k8s,
        options=options,
    )
    cluster.connect("pod/default/client", "10.96.0.10:80", protocol="udp")
    assert len(udp_entries(cluster)) == 1
    cluster.put(slice_of("10.1.1.2", protocol="UDP"))
    assert len(udp_entries(cluster)) == left


@pytest.mark.parametrize(
    ("k8s", "cleanup", "left"), [("1.31", None, 0), ("1.36", None, 1), ("1.36", "fixed", 0)]
)
def test_the_last_endpoint_s_entries_stay_where_empty_ports_are_skipped(
    k8s: str, cleanup: str | None, left: int
) -> None:
    options = {"proxy": {"conntrackCleanup": cleanup}} if cleanup else {}
    cluster = world(
        service("UDP"), slice_of("10.1.1.1", protocol="UDP"), pod("a", "10.1.1.1"), k8s=k8s, options=options
    )
    cluster.connect("pod/default/client", "10.96.0.10:80", protocol="udp")
    cluster.put(slice_of(protocol="UDP"))
    assert len(udp_entries(cluster)) == left


def test_tcp_entries_stay() -> None:
    cluster = world(service(), slice_of("10.1.1.1"), pod("a", "10.1.1.1"), pod("b", "10.1.1.2"))
    cluster.connect("pod/default/client", "10.96.0.10:80")
    before = cluster.node("n1").conntrack()
    cluster.put(slice_of("10.1.1.2"))
    cluster.node("n1").rules()
    assert cluster.node("n1").conntrack() == before
    assert "tcp" in before


def test_health_checks_count_ready_endpoints_of_the_node() -> None:
    local: dict[str, Any] = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 30900,
        "ports": [{"name": "p", "port": 80, "nodePort": 30080, "protocol": "TCP"}],
    }
    cluster = world(service(**local), slice_of("10.1.1.1", "10.1.1.2"), node("n2", 2))
    answer = cluster.node("n1").proxy.health("web")
    assert answer is not None
    assert (answer.port, answer.status, answer.local_endpoints) == (30900, 200, 2)
    assert json.loads(answer.body)["service"] == {"namespace": "default", "name": "web"}
    other = cluster.node("n2").proxy.health("web")
    assert other is not None
    assert (other.status, other.local_endpoints) == (503, 0)
    cluster.put(slice_of("10.1.1.1", ready=False, serving=True, terminating=True))
    gone = cluster.node("n1").proxy.health("web")
    assert gone is not None
    assert gone.status == 503, "an endpoint that terminates does not count"
    cluster.put(service())
    assert cluster.node("n1").proxy.health("web") is None


def test_rules_are_counted_as_they_are() -> None:
    cluster = world(service(), slice_of("10.1.1.1", "10.1.1.2"))
    proxy = cluster.node("n1").proxy
    total = "kubeproxy_sync_proxy_rules_iptables_total"
    nat = cluster.node("n1").rules().split("*nat")[1]
    own = [line for line in nat.splitlines() if line.startswith("-A KUBE-")]
    assert proxy.metric(total, ip_family="IPv4", table="nat") == len(own)
    cluster.put(slice_of("10.1.1.1"))
    last = proxy.metric("kubeproxy_sync_proxy_rules_iptables_last", ip_family="IPv4", table="nat")
    assert last <= proxy.metric(total, ip_family="IPv4", table="nat")
    assert proxy.metric("kubeproxy_sync_proxy_rules_endpoint_changes_total") == 2
    assert proxy.metric("kubeproxy_sync_proxy_rules_service_changes_total") == 2


@pytest.mark.parametrize("k8s", ["1.30", "1.32", "1.33", "1.36"])
@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_each_series_is_there_once(k8s: str, mode: str) -> None:
    page = world(service(), slice_of("10.1.1.1"), k8s=k8s, mode=mode).node("n1").proxy.metrics()
    series = [line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")]
    assert len(set(series)) == len(series)
    assert all(name.startswith("kubeproxy_") for name in series)
    assert ("ip_family" in page) == (k8s >= "1.33")


def cases() -> list[dict[str, Any]]:
    found = json.loads(gzip.decompress(CASES.read_bytes()))
    return [case | {"name": name} for name, case in found.items() if "metrics" in case]


def test_there_are_cases_with_metrics() -> None:
    assert len(cases()) >= 6


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_services_without_local_endpoints_are_counted(case: dict[str, Any]) -> None:
    name = case["proxy"]["nodeName"]
    addresses = [{"type": "InternalIP", "address": ip} for ip in case["proxy"]["nodeIPs"]]
    own = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses}}
    kinds = {each["kind"] for each in case["objects"]}
    objects = case["objects"] + ([] if "Node" in kinds else [own])
    cluster = kdp.Cluster(objects, complete=False, options={"proxy": case["proxy"]})
    for metric, by_policy in case["metrics"].items():
        for policy, count in by_policy.items():
            assert cluster.node(name).proxy.metric(metric, traffic_policy=policy) == count
