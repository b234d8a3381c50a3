"""Time that runs: workloads, scripts, controllers of one's own."""

from __future__ import annotations

import kdp
import pytest
from kdp.durations import duration_text, parse_duration


def shop(**options: object) -> kdp.Cluster:
    return kdp.Cluster(
        [
            kdp.Deployment("web", replicas=4, labels={"app": "web"}, ports=[8080]),
            kdp.Service("web", selector={"app": "web"}, ports=[80]),
            kdp.Pod("client"),
        ],
        **options,  # type: ignore[arg-type]
    )


def names(cluster: kdp.Cluster, kind: str = "pods") -> set[str]:
    return {each.name for each in cluster.get(kind)}


def test_a_cluster_that_is_loaded_stands_still_until_time_runs() -> None:
    cluster = shop()
    before = cluster.get("pods")
    cluster.advance(60 * 10**9)
    assert cluster.get("pods") == before


def test_a_rollout_replaces_every_pod_and_the_service_follows() -> None:
    cluster = shop()
    old = names(cluster)
    cluster.run(until="60s", script=[kdp.rollout("deploy/web", image="web:2", at="1s")])
    assert names(cluster) & old == {"client"}
    assert cluster.get("deploy", "web")[0]["status"]["availableReplicas"] == 4
    addresses = {each["status"]["podIP"] for each in cluster.get("pods", selector="app=web")}
    endpoints = cluster.get("endpoints", "web")[0]["subsets"][0]["addresses"]
    assert {each["ip"] for each in endpoints} == addresses
    assert cluster.pod("client").connect("web:80").endpoint.name.startswith("web-")  # type: ignore[union-attr]


def test_undo_goes_back() -> None:
    cluster = shop()
    image = cluster.get("pods", selector="app=web")[0]["spec"]["containers"][0]["image"]
    cluster.rollout("deploy/web", image="web:2")
    cluster.run(until="60s")
    cluster.undo("deploy/web")
    cluster.run(until="120s")
    assert {each["spec"]["containers"][0]["image"] for each in cluster.get("pods", selector="app=web")} == {
        image
    }


def test_a_controller_of_ones_own_sees_each_change_and_writes() -> None:
    cluster = shop()
    seen: list[str] = []

    def heal(event: kdp.running.Event) -> None:
        seen.append(event.type)
        if event.type == "DELETED":
            cluster.scale("deploy/web", 5)

    cluster.on("pods", heal)
    cluster.at("1s", kdp.delete(f"pod/{cluster.get('pods', selector='app=web')[0].name}"))
    cluster.run(until="30s")
    assert seen.count("DELETED") == 1
    assert len(cluster.get("pods", selector="app=web")) == 5


def test_a_lost_node_gets_no_packet() -> None:
    cluster = shop()
    client = cluster.pod("client")
    other = next(node.name for node in cluster.nodes if node.name != client.node)
    cluster.lose(other)
    there = next(each for each in cluster.get("pods") if each["spec"]["nodeName"] == other)
    trace = client.connect(f"{there['status']['podIP']}:8080")
    assert trace.verdict == "no-route"
    assert f"node {other} is lost" in str(trace.reason)
    cluster.run(until="400s")
    ready = cluster.get("endpoints", "web")[0]["subsets"][0]["addresses"]
    assert len(ready) == 4, "Pods were made anew on the other node"


@pytest.mark.parametrize(
    ("action", "code", "says"),
    [
        ({"scale": "deploy/wep", "replicas": 1}, "no-such-object", "web"),
        ({"scale": "svc/web", "replicas": 1}, "action-refused", "no replicas"),
        ({"scale": "deploy/web", "replicas": -1}, "action-refused", "less than 0"),
        ({"scale": "deploy/web"}, "action-refused", "replicas"),
        ({"scal": "deploy/web"}, "action-refused", "scale"),
        ({"scale": "web"}, "action-refused", "TYPE/NAME"),
        ({"drain": "node-1"}, "action-refused", "force"),
        ({"drain": "node-7"}, "no-such-object", "node-"),
        ({"undo": "deploy/web", "revision": 7}, "action-refused", "no revision 7"),
        ({"scale": "deploy/web", "replicas": 1, "at": "soon"}, "time-invalid", "90s"),
    ],
)
def test_what_cannot_be_done_is_said(action: dict[str, object], code: str, says: str) -> None:
    cluster = shop()
    before = cluster.get("deploy")
    with pytest.raises(kdp.KdpError, match=says) as caught:
        cluster.run(until="1s", script=[action])
    assert caught.value.code == code
    assert [each["spec"] for each in cluster.get("deploy")] == [each["spec"] for each in before]


def test_time_does_not_go_back() -> None:
    cluster = shop()
    cluster.run(until=5)
    with pytest.raises(kdp.UsageError, match="already"):
        cluster.run(until="1s")


def test_latency_and_timing_have_units() -> None:
    cluster = shop(latency={"slice->node": "800ms"}, timing={"ready": "5s", "addresses": "lowest"})
    cluster.scale("deploy/web", 5)
    cluster.run(until="6s")
    assert len(cluster.get("endpoints", "web")[0]["subsets"][0]["addresses"]) == 4
    with pytest.raises(kdp.UsageError, match="lunch"):
        shop(timing={"lunch": "1h"})
    with pytest.raises(kdp.UsageError, match="no time"):
        shop(latency={"slice->node": "fast"})


@pytest.mark.parametrize(
    ("text", "nanos"), [("90s", 90 * 10**9), ("1m30s", 90 * 10**9), ("250ms", 250 * 10**6), (1.5, 15 * 10**8)]
)
def test_durations(text: str | float, nanos: int) -> None:
    assert parse_duration("test", text) == nanos
    assert parse_duration("test", duration_text(nanos)) == nanos
