"""``kdp explain servicemonitor`` and ``kdp targets``: recorded clusters, and small ones with one link broken."""

from __future__ import annotations

from typing import Any

import kdp
import pytest
from kdp.errors import NotFoundError, UsageError
from kdp.prometheus.scraped import scraped, scraped_by_annotations

from tests.prometheus.recorded import NAMES, question, read

Json = dict[str, Any]
PLANTED = [name for name in NAMES if name.startswith("explain-")]


@pytest.mark.parametrize("name", PLANTED)
def test_a_recorded_fault_is_the_first_finding(name: str) -> None:
    case = read(name)
    objects = question(case)["objects"]
    namespace, _, monitor = case["monitor"].partition("/")
    told = kdp.Cluster(objects).explain(f"servicemonitor/{monitor}", namespace=namespace)
    assert told.verdict != "works"
    assert told.findings[0].rule == case["fault"]["kind"], str(told)


def world(
    prometheus: Json | None = None, monitor: Json | None = None, labels: Json | None = None
) -> list[Json]:
    """Give a cluster in which Prometheus scrapes one target, with parts changed."""
    scraper = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "k8s", "namespace": "default"},
        "spec": {"serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": {}, **(prometheus or {})},
    }
    watching = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": "web", "namespace": "default", "labels": labels or {}},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "endpoints": [{"port": "http"}],
            **(monitor or {}),
        },
    }
    return [
        scraper,
        watching,
        kdp.Service("web", selector={"app": "web"}, labels={"app": "web"}, ports=["http:80"]),
        kdp.Pod("web-1", labels={"app": "web"}, ip="10.0.1.5", node="n1", ports=["metrics:9100"]),
    ]


def test_a_monitor_whose_targets_are_scraped() -> None:
    told = kdp.Cluster(world()).explain("smon/web")
    assert (told.verdict, told.findings) == ("works", [])
    assert told.summary == "it selects 1 Service; Prometheus default/k8s scrapes 1 target from it"
    assert "http://10.0.1.5:80/metrics" in str(told)


@pytest.mark.parametrize(
    ("changed", "rule", "command"),
    [
        (
            {"prometheus": {"serviceMonitorSelector": {"matchLabels": {"release": "main"}}}},
            "monitor-not-selected",
            """'{"metadata":{"labels":{"release":"main"}}}'""",
        ),
        (
            {
                "prometheus": {
                    "serviceMonitorSelector": {"matchLabels": {"release": "main"}},
                },
                "labels": {"release": "mian"},
            },
            "monitor-not-selected",
            """'{"metadata":{"labels":{"release":"main"}}}'""",
        ),
        (
            {"prometheus": {"serviceMonitorSelector": None, "podMonitorSelector": {}}},
            "monitor-not-selected",
            """'{"spec":{"serviceMonitorSelector":{}}}'""",
        ),
        (
            {"prometheus": {"serviceMonitorNamespaceSelector": {"matchLabels": {"team": "a"}}}},
            "monitor-namespace-not-selected",
            "kubectl label namespace default team=a",
        ),
        (
            {"monitor": {"endpoints": [{"port": "http", "interval": "1s", "scrapeTimeout": "2s"}]}},
            "monitor-rejected",
            "",
        ),
        ({"monitor": {"endpoints": [{"port": "metrics"}]}}, "port-only-on-pod", "targetPort"),
        ({"monitor": {"endpoints": [{"port": "htp"}]}}, "port-not-found", '[{"port":"http"}]'),
        ({"monitor": {"endpoints": [{"targetPort": "metricz"}]}}, "port-not-found", ""),
        (
            {
                "monitor": {
                    "endpoints": [
                        {
                            "port": "http",
                            "relabelings": [
                                {"action": "drop", "sourceLabels": ["namespace"], "regex": "default"}
                            ],
                        }
                    ]
                }
            },
            "dropped-by-relabeling",
            "kdp targets --dropped",
        ),
    ],
)
def test_the_link_that_breaks_is_named(changed: dict[str, Json], rule: str, command: str) -> None:
    told = kdp.Cluster(world(**changed)).explain("smon/web")
    assert told.verdict == "broken", str(told)
    assert told.findings[0].rule == rule, str(told)
    if command:
        assert any(command in fix.command for finding in told.findings for fix in finding.fixes), str(told)


def test_without_a_prometheus_that_is_said() -> None:
    told = kdp.Cluster(world()[1:]).explain("smon/web")
    assert told.verdict == "works"
    assert "no Prometheus is among the objects" in told.notes[0]


def test_a_release_that_is_not_modelled_is_said() -> None:
    told = kdp.Cluster(world(prometheus={"version": "2.40.0"})).explain("smon/web")
    assert "is not known: Prometheus/default/k8s .spec.version" in told.notes[0]


def test_targets_of_the_only_prometheus() -> None:
    cluster = kdp.Cluster(world())
    found = scraped(cluster)
    assert found.scraper == "Prometheus default/k8s"
    [job] = found.jobs
    assert [each.url for each in job.targets] == ["http://10.0.1.5:80/metrics"]
    assert job.targets[0].labels["pod"] == "web-1"
    # The container's own port is discovered too, and the rule about the port's name drops it.
    assert [labels["__address__"] for labels, _ in job.dropped] == ["10.0.1.5:9100"]
    assert scraped(cluster, "default/k8s") == found
    with pytest.raises(NotFoundError, match="default/k8s"):
        scraped(cluster, "default/k9s")
    with pytest.raises(NotFoundError, match="--annotations"):
        scraped(kdp.Cluster(world()[1:]))
    second = {**world()[0], "metadata": {"name": "other", "namespace": "default"}}
    with pytest.raises(UsageError, match="there are 2"):
        scraped(kdp.Cluster([*world(), second]))


def test_targets_by_annotations() -> None:
    annotated = {"prometheus.io/scrape": "true", "prometheus.io/port": "9100", "prometheus.io/path": "/m"}
    service, pod = world()[2], world()[3]
    service["metadata"]["annotations"] = annotated
    pod["metadata"]["annotations"] = {"prometheus.io/scrape": "true"}
    found = {job.name: job for job in scraped_by_annotations(kdp.Cluster([service, pod])).jobs}
    assert {each.url for each in found["kubernetes-service-endpoints"].targets} == {"http://10.0.1.5:9100/m"}
    [target] = found["kubernetes-pods"].targets
    assert target.url == "http://10.0.1.5:9100/metrics"
    assert dict(target.labels) == {
        "app": "web",
        "instance": "10.0.1.5:9100",
        "job": "kubernetes-pods",
        "namespace": "default",
        "pod": "web-1",
    }
