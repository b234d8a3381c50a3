"""A chain that works, broken at one link after the other: the first cause that is named is the link."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from kdp import conformance

from tests.prometheus.recorded import Json, question, read

MONITOR, PROMETHEUS, SERVICE = "ServiceMonitor/shop/web", "Prometheus/monitoring/k8s", "Service/shop/web"


def working() -> Json:
    """A chain with targets: a recorded one with its fault mended."""
    case = copy.deepcopy(question(read("explain-release-label")))
    the(case, MONITOR)["metadata"]["labels"]["release"] = "kube-prom"
    return case


def the(case: Json, reference: str) -> Json:
    kind, namespace, name = reference.split("/")
    found: Json = next(
        each
        for each in case["objects"]
        if (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        == (kind, namespace, name)
    )
    return found


def endpoint(case: Json) -> Json:
    found: Json = the(case, MONITOR)["spec"]["endpoints"][0]
    return found


def without_addresses(case: Json) -> None:
    for each in case["objects"]:
        if each["kind"] == "Endpoints" and each["metadata"]["name"] == "web":
            each["subsets"] = []
        if each["kind"] == "EndpointSlice" and each["metadata"]["name"].startswith("web-"):
            each["endpoints"] = []


def all_over(case: Json) -> None:
    for each in case["objects"]:
        if each["kind"] == "Pod" and each["metadata"]["labels"].get("app") == "web":
            each["status"]["phase"] = "Succeeded"


def no_pod(case: Json) -> None:
    the(case, SERVICE)["spec"]["selector"] = {"app": "wbe"}
    without_addresses(case)


def selects_pods(case: Json) -> None:
    the(case, SERVICE)["metadata"]["labels"] = {"team": "shop"}


def relabel(*rules: Any) -> Callable[[Json], None]:
    return lambda case: endpoint(case).update(relabelings=list(rules))


def spec(reference: str, **fields: Any) -> Callable[[Json], None]:
    return lambda case: the(case, reference)["spec"].update(fields)


def one(**fields: Any) -> Callable[[Json], None]:
    def change(case: Json) -> None:
        endpoint(case).clear()
        endpoint(case).update(fields)

    return change


KEEP_NONE = {"action": "keep", "sourceLabels": ["namespace"], "regex": "other"}
COPY = {"sourceLabels": ["pod"], "targetLabel": "p"}
FAULTS: list[tuple[str, Callable[[Json], None], str, str, str]] = [
    (
        "the monitor has no label",
        lambda case: the(case, MONITOR)["metadata"].pop("labels"),
        *("monitor-not-selected", MONITOR, "metadata.labels.release"),
    ),
    (
        "the selector is null",
        spec(PROMETHEUS, serviceMonitorSelector=None),
        *("monitor-not-selected", PROMETHEUS, "spec.serviceMonitorSelector"),
    ),
    (
        "the namespace is left out",
        spec(PROMETHEUS, serviceMonitorNamespaceSelector={"matchLabels": {"team": "infra"}}),
        *(
            "monitor-namespace-not-selected",
            PROMETHEUS,
            "spec.serviceMonitorNamespaceSelector.matchLabels.team",
        ),
    ),
    (
        "own namespace only",
        spec(PROMETHEUS, serviceMonitorNamespaceSelector=None),
        *("monitor-namespace-not-selected", PROMETHEUS, "spec.serviceMonitorNamespaceSelector"),
    ),
    (
        "a timeout above the interval",
        one(port="metrics", scrapeTimeout="31s"),
        *("monitor-rejected", MONITOR, "spec.endpoints[0].scrapeTimeout"),
    ),
    (
        "a regular expression that is none",
        relabel(COPY, {"sourceLabels": ["a"], "targetLabel": "b", "regex": "("}),
        *("monitor-rejected", MONITOR, "spec.endpoints[0].relabelings[1].regex"),
    ),
    (
        "a Secret that is not there",
        one(
            port="metrics",
            basicAuth={"username": {"name": "s", "key": "u"}, "password": {"name": "s", "key": "p"}},
        ),
        *("monitor-rejected", MONITOR, "spec.endpoints[0].basicAuth.username"),
    ),
    (
        "an unknown scrape class",
        spec(MONITOR, scrapeClass="tls"),
        *("monitor-rejected", MONITOR, "spec.scrapeClass"),
    ),
    (
        "an operator without values",
        spec(MONITOR, selector={"matchExpressions": [{"key": "app", "operator": "In"}]}),
        *("monitor-rejected", MONITOR, "spec.selector.matchExpressions[0].values"),
    ),
    (
        "another namespace",
        spec(MONITOR, namespaceSelector={"matchNames": ["db"]}),
        *("wrong-namespace", MONITOR, "spec.namespaceSelector.matchNames"),
    ),
    (
        "one letter",
        lambda case: the(case, SERVICE)["metadata"]["labels"].update(app="Web"),
        *("service-label-mismatch", SERVICE, "metadata.labels.app"),
    ),
    ("labels of Pods", selects_pods, "selector-matches-pods", MONITOR, "spec.selector.matchLabels.app"),
    ("no such port", one(port="metric"), "port-not-found", MONITOR, "spec.endpoints[0].port"),
    ("a number as a name", one(port="9102"), "port-not-found", MONITOR, "spec.endpoints[0].port"),
    ("no such target port", one(targetPort=1), "port-not-found", MONITOR, "spec.endpoints[0].targetPort"),
    ("the Service's selector", no_pod, "service-without-endpoints", SERVICE, "spec.selector"),
    ("no addresses", without_addresses, "service-without-endpoints", SERVICE, "spec.selector"),
    ("all Pods are over", all_over, "pods-not-running", "Pod/shop/web-*", "status.phase"),
    (
        "a rule of the monitor",
        relabel(COPY, KEEP_NONE),
        *("dropped-by-relabeling", MONITOR, "spec.endpoints[0].relabelings[1]"),
    ),
    (
        "a rule that takes the address away",
        relabel(COPY, {"targetLabel": "__address__", "replacement": ""}),
        *("dropped-by-relabeling", MONITOR, "spec.endpoints[0].relabelings[1]"),
    ),
    (
        "a rule that keeps no address",
        relabel(COPY, {"action": "labelkeep", "regex": "job|__scrape.*"}),
        *("dropped-by-relabeling", MONITOR, "spec.endpoints[0].relabelings[1]"),
    ),
    (
        "a rule of the scrape class",
        spec(PROMETHEUS, scrapeClasses=[{"name": "c", "default": True, "relabelings": [COPY, KEEP_NONE]}]),
        *("dropped-by-relabeling", PROMETHEUS, "spec.scrapeClasses[0].relabelings[1]"),
    ),
]


def test_a_chain_that_works_has_no_fault() -> None:
    assert conformance.explain_monitor(working()) == []


@pytest.mark.parametrize(
    ("break_it", "kind", "place", "field"), [each[1:] for each in FAULTS], ids=[e[0] for e in FAULTS]
)
@pytest.mark.parametrize("enforced", [False, True], ids=["plain", "enforced"])
def test_the_broken_link_is_named(
    break_it: Callable[[Json], None], kind: str, place: str, field: str, enforced: bool
) -> None:
    case = working()
    if enforced:
        the(case, PROMETHEUS)["spec"].update(enforcedNamespaceLabel="namespace", shards=3)
    break_it(case)
    first = conformance.explain_monitor(case)[0]
    found = first["object"] if "*" not in place else first["object"].rsplit("-", 2)[0] + "-*"
    assert (first["kind"], found, first["field"]) == (kind, place, field)


def test_all_pods_over_is_found_where_their_addresses_are_gone_too() -> None:
    case = working()
    all_over(case)
    without_addresses(case)
    assert conformance.explain_monitor(case)[0]["kind"] == "pods-not-running"


def test_a_port_of_the_pods_alone_is_told_from_no_port_at_all() -> None:
    case = working()
    ports = the(case, SERVICE)["spec"]["ports"]
    the(case, SERVICE)["spec"]["ports"] = [each for each in ports if each["name"] != "metrics"]
    for each in case["objects"]:
        for subset in each.get("subsets") or ():
            subset["ports"] = [port for port in subset["ports"] if port.get("name") != "metrics"]
    assert conformance.explain_monitor(case)[0] == {
        "kind": "port-only-on-pod",
        "object": MONITOR,
        "field": "spec.endpoints[0].port",
    }
