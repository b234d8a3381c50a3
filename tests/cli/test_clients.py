"""What clients of the cluster see: ``kdp dns``, ``kdp targets``, ``kdp explain access``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import kdp
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

BLOG = ("-n", "blog-system")
SEARCH = "search blog-system.svc.cluster.local svc.cluster.local cluster.local; ndots 5"


def test_a_name_goes_through_the_search_list(example: Run) -> None:
    done = example("dns", "resolve", "kubernetes.default", "--from", "pod/was", *BLOG)
    assert done.out.splitlines() == [
        "Pod blog-system/was asks the cluster's DNS for kubernetes.default",
        f"dnsPolicy ClusterFirst; {SEARCH}",
        "",
        "QUERY                                               TYPE   ANSWER",
        "kubernetes.default.blog-system.svc.cluster.local.   A      NXDOMAIN",
        "kubernetes.default.blog-system.svc.cluster.local.   AAAA   NXDOMAIN",
        "kubernetes.default.svc.cluster.local.               A      10.99.0.1",
        "kubernetes.default.svc.cluster.local.               AAAA   NODATA",
        "",
        "10.99.0.1, after 4 queries",
    ]


def test_a_dot_at_the_end_spares_the_search_list(example: Run) -> None:
    name = "mysql-service.blog-system.svc.cluster.local."
    data = json.loads(example("dns", "resolve", name, "--from", "pod/was", "-o", "json", *BLOG).out)
    assert (data["kind"], data["answer"], data["dnsPolicy"]) == ("Resolution", "10.99.1.1", "ClusterFirst")
    assert [query["name"] for query in data["queries"]] == [name, name]


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("mysql-servic", "pod/was", "nearest Services of namespace blog-system: mysql-service"),
        ("www.example.com", "pod/was", "what other servers say is not modelled"),
        ("mysql-service", "node/node-1", "the client does not ask cluster DNS for mysql-service"),
    ],
)
def test_without_an_address_the_reason_is_told(example: Run, name: str, source: str, said: str) -> None:
    done = example("dns", "resolve", name, "--from", source, "--exit-code", *BLOG)
    assert done.status == 3
    assert said in done.out


def test_the_articles_monitor_has_no_target_and_the_rule_is_named(example: Run) -> None:
    done = example("targets", "--dropped", "--exit-code")
    assert done.status == 3
    lines = done.out.splitlines()
    assert lines[0] == "Prometheus monitoring/k8s: 0 targets in 1 job"
    assert lines[2] == "serviceMonitor/monitoring/mysql-exporter/0: 0 active, 12 dropped"
    assert lines[4].startswith("10.0.1.5:9104   3         blog-system: Service mysql-exporter, Pod mysql-")


def test_targets_as_data(example: Run) -> None:
    data = json.loads(example("targets", "-o", "json").out)
    assert (data["kind"], data["scraper"], data["jobs"][0]["targets"]) == (
        "Targets",
        "Prometheus monitoring/k8s",
        [],
    )
    assert len(data["jobs"][0]["dropped"]) == 12


def test_a_client_gets_one_and_a_monitor_gets_all(example: Run) -> None:
    out = " ".join(example("explain", "access", "svc/mysql-service", *BLOG).out.split())
    assert (
        "through the Service a connection gets one of 3 addresses; from the API a monitor gets 3 addresses"
        in out
    )
    assert out.count("through the Service 1/3; from the API ready") == 3


def test_a_pod_that_is_not_ready_is_a_target_all_the_same() -> None:
    cluster = kdp.Cluster(
        [
            kdp.Service("web", selector={"app": "web"}, ports=[80]),
            kdp.Pod("a", labels={"app": "web"}, ip="10.0.1.5", node="n1"),
            kdp.Pod("b", labels={"app": "web"}, ip="10.0.1.6", node="n1", ready=False),
            kdp.Pod("client", ip="10.0.1.7", node="n1"),
        ]
    )
    told = cluster.explain("access/svc/web")
    [finding] = told.findings
    assert (told.verdict, finding.rule, finding.evidence[0].object) == (
        "works",
        "monitor-misses-pods",
        "Pod default/b",
    )
    assert told.notes[0] == "asked from pod/default/client"


def test_a_headless_service_gives_the_client_its_choice() -> None:
    cluster = kdp.Cluster(
        [
            kdp.Service("db", selector={"app": "db"}, ports=[80], cluster_ip="None"),
            kdp.Pod("a", labels={"app": "db"}, ip="10.0.1.5", node="n1"),
        ]
    )
    assert "gets the client's choice of 1 address" in cluster.explain("access/svc/db").summary
