"""``kdp explain`` over the example and over small clusters with one thing wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import kdp

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_the_articles_service_works(example: Run) -> None:
    done = example("explain", "svc/mysql-service", "-n", "blog-system", "--exit-code")
    assert done.status == 0
    assert done.out.startswith("Service blog-system/mysql-service: it has 3 ready endpoints\n")


def test_the_articles_monitor_is_wrong_by_one_word(example: Run) -> None:
    done = example("explain", "servicemonitor", "mysql-exporter", "-n", "monitoring", "--exit-code")
    assert done.status == 3
    assert "component=metrics is asked for, and the Service has" in " ".join(done.out.split())
    assert (
        "kubectl patch servicemonitor mysql-exporter -n monitoring --type merge "
        """-p '{"spec":{"selector":{"matchLabels":{"component":"exporter"}}}}'"""
    ) in done.out


def test_the_patch_mends_it(tmp_path: Path, example: Run, run: Run) -> None:
    monitor = json.loads(example("get", "smon/mysql-exporter", "-n", "monitoring", "-o", "json").out)
    services = json.loads(example("get", "svc", "-n", "blog-system", "-o", "json").out)
    monitor["spec"]["selector"]["matchLabels"]["component"] = "exporter"
    (tmp_path / "mended.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [monitor, *services["items"]]})
    )
    done = run("explain", "smon/mysql-exporter", "-n", "monitoring", "-f", str(tmp_path), "-o", "json")
    data = json.loads(done.out)
    assert data["summary"] == "it selects 1 Service"
    assert [finding["rule"] for finding in data["findings"]] in ([], ["service-without-endpoints"])


def cluster(tmp_path: Path, *objects: kdp.objects.Manifest) -> str:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}))
    return str(path)


def test_the_nearest_pod_and_the_one_label_that_differs(run: Run, tmp_path: Path) -> None:
    path = cluster(
        tmp_path,
        kdp.Service("web", namespace="shop", selector={"app": "web", "tier": "front"}, ports=[80]),
        kdp.Deployment("web", namespace="shop", replicas=2, labels={"app": "web", "tier": "frontend"}),
        kdp.Deployment("db", namespace="shop", labels={"app": "db", "tier": "back"}),
    )
    done = run("explain", "svc/web", "-n", "shop", "-f", path, "-o", "json", "-q", "--exit-code")
    assert done.status == 3
    data = json.loads(done.out)
    [finding] = data["findings"]
    assert (data["verdict"], finding["rule"]) == ("broken", "selector-matches-no-pod")
    assert finding["fixes"][0]["command"] == (
        """kubectl patch service web -n shop --type merge -p '{"spec":{"selector":{"tier":"frontend"}}}'"""
    )


def test_pods_that_are_not_ready(run: Run, tmp_path: Path) -> None:
    path = cluster(
        tmp_path,
        kdp.Service("web", selector={"app": "web"}, ports=[80]),
        kdp.Pod("web-1", labels={"app": "web"}, ip="10.0.1.5", node="n1", ready=False),
    )
    data = json.loads(run("explain", "svc/web", "-f", path, "-o", "json", "-q").out)
    assert [finding["rule"] for finding in data["findings"]] == ["pods-not-ready"]


def test_a_named_port_that_resolves_nowhere(run: Run, tmp_path: Path) -> None:
    path = cluster(
        tmp_path,
        kdp.Service("web", selector={"app": "web"}, ports=[(80, "http")]),
        kdp.Pod("web-1", labels={"app": "web"}, ip="10.0.1.5", node="n1", ports=["web:8080"]),
    )
    data = json.loads(run("explain", "svc/web", "-f", path, "-o", "json", "-q").out)
    assert "target-port-not-found" in [finding["rule"] for finding in data["findings"]]


def test_a_name_that_is_not_there_comes_with_the_nearest(example: Run) -> None:
    done = example("explain", "svc/mysql-servce", "-n", "blog-system")
    assert done.status == 1
    assert "mysql-service" in done.err
