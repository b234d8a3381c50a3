"""Each rule of an explanation, over facts as small as they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kdp.explain.monitor import explain_monitor
from kdp.explain.service import explain_service

if TYPE_CHECKING:
    from kdp.explain.explanation import Explanation

Json = dict[str, Any]


def pod(name: str = "web-1", **changed: Any) -> Json:
    whole = {
        "namespace": "shop",
        "name": name,
        "labels": {"app": "web"},
        "phase": "Running",
        "ready": True,
        "terminating": False,
        "ips": ["10.0.1.5"],
        "node": "n1",
        "owner": None,
        "waiting": [],
        "readyMessage": None,
        "ports": [],
        "unresolved": [],
        "numbers": [8080],
        "nodeKnown": True,
    }
    return whole | changed


def service_facts(selected: list[Json] | None = None, **changed: Any) -> Json:
    service = {
        "namespace": "shop",
        "name": "web",
        "labels": {},
        "type": "ClusterIP",
        "headless": False,
        "clusterIP": "10.96.0.1",
        "families": ["IPv4"],
        "externalName": "",
        "selector": {"app": "web"},
        "publishNotReadyAddresses": False,
        "ports": [{"index": 0, "name": "", "port": 80, "protocol": "TCP", "targetPort": 8080}],
    }
    facts = {
        "service": service | changed.pop("service", {}),
        "endpoints": {"ready": [], "notReady": []},
        "managers": {},
        "legacy": None,
        "local": None,
        "hints": {"mode": None, "distribution": None, "events": [], "endpoints": [], "nodes": []},
        "selected": {"count": len(selected or []), "pods": selected or []},
        "namespacePods": 1,
        "nearest": [],
        "elsewhere": {"count": 0, "namespaces": [], "pods": []},
    }
    return facts | changed


def near(found: str | None, **changed: Any) -> Json:
    difference = {
        "key": "app",
        "operator": "In",
        "values": ["web"],
        "wanted": "web",
        "found": found,
        "path": "x",
        "slip": None,
    }
    return {"pod": pod(**changed), "differences": [difference], "alike": 2, "ofOwner": 1}


def only(explanation: Explanation) -> tuple[str, str, list[str]]:
    assert explanation.verdict == "broken"
    [finding] = explanation.findings
    return finding.rule, finding.summary, [fix.command for fix in finding.fixes]


def test_all_is_well() -> None:
    ready = [{"namespace": "shop", "name": "web-1", "ip": "10.0.1.5", "port": 8080, "node": "n1"}]
    told = explain_service(service_facts([pod()], endpoints={"ready": ready, "notReady": []}))
    assert (told.verdict, told.findings) == ("works", [])
    assert "Service shop/web: it has 1 ready endpoint" in str(told)
    assert "Pod shop/web-1: 10.0.1.5:8080 on node n1" in str(told)


def test_one_label_differs_and_the_service_is_changed() -> None:
    rule, summary, commands = only(explain_service(service_facts(nearest=[near("wbe")])))
    assert rule == "selector-matches-no-pod"
    assert "one label differs: app=web is asked for, and the Pod has app=wbe" in summary
    assert (
        commands[0]
        == """kubectl patch service web -n shop --type merge -p '{"spec":{"selector":{"app":"wbe"}}}'"""
    )
    assert (
        commands[1]
        == """kubectl patch pod web-1 -n shop --type merge -p '{"metadata":{"labels":{"app":"web"}}}'"""
    )


def test_a_label_is_missing_and_the_owner_is_changed() -> None:
    owner = {"kind": "Deployment", "name": "web", "selector": {"matchLabels": {"name": "web"}}}
    service = {"selector": {"app": "web", "tier": "front"}}
    rule, _, commands = only(
        explain_service(service_facts(service=service, nearest=[near(None, owner=owner)]))
    )
    assert rule == "selector-matches-no-pod"
    patch = """'{"spec":{"template":{"metadata":{"labels":{"app":"web"}}}}}'"""
    assert commands[0] == f"kubectl patch deployment web -n shop --type merge -p {patch}"
    assert commands[1].endswith("""'{"spec":{"selector":{"app":null}}}'""")


def test_an_owner_whose_selector_has_the_label_cannot_be_patched() -> None:
    owner = {"kind": "Deployment", "name": "web", "selector": {"matchLabels": {"app": "wbe"}}}
    told = explain_service(service_facts(nearest=[near("wbe", owner=owner)]))
    assert "cannot be changed" in told.findings[0].fixes[1].why


def test_pods_in_another_namespace() -> None:
    elsewhere = {"count": 2, "namespaces": ["blog"], "pods": [pod(namespace="blog")]}
    rule, summary, _ = only(explain_service(service_facts(elsewhere=elsewhere)))
    assert rule == "pods-in-another-namespace"
    assert "Pods with these labels are in blog: web-1 and 1 more" in summary


@pytest.mark.parametrize(
    ("changed", "rule", "said"),
    [
        ({"ready": False, "readyMessage": "probe failed"}, "pods-not-ready", "probe failed"),
        ({"terminating": True}, "pods-terminating", "being deleted"),
        ({"phase": "Failed", "ready": False}, "pods-ended", "phase Failed"),
        ({"phase": "Succeeded", "ready": False}, "pods-ended", "phase Succeeded"),
        (
            {"ips": [], "ready": False, "phase": "Pending", "node": ""},
            "pods-without-address",
            "no node has taken it",
        ),
    ],
)
def test_what_keeps_a_selected_pod_out(changed: Json, rule: str, said: str) -> None:
    told = explain_service(service_facts([pod(**changed)]))
    assert only(told)[0] == rule
    assert said in str(told)


def test_pods_that_are_not_ready_count_where_they_are_published() -> None:
    told = explain_service(service_facts([pod(ready=False)], service={"publishNotReadyAddresses": True}))
    assert told.findings[0].rule == "endpoints-stale"


def test_a_named_target_port_that_no_container_has() -> None:
    ports = [{"index": 0, "name": "http", "port": 80, "protocol": "TCP", "targetPort": "web"}]
    selected = pod(
        ports=[{"name": "http", "number": 8080, "protocol": "TCP"}], unresolved=[0], numbers=[None]
    )
    rule, summary, commands = only(explain_service(service_facts([selected], service={"ports": ports})))
    assert rule == "target-port-not-found"
    assert "'web' (TCP) is the name of no container port" in summary
    assert '"targetPort":"http"' in commands[0]


@pytest.mark.parametrize(
    ("service", "rule"),
    [({"selector": None}, "service-without-selector")],
)
def test_a_service_without_selector(service: Json, rule: str) -> None:
    assert only(explain_service(service_facts(service=service)))[0] == rule


def test_pods_on_a_node_that_is_not_there_are_left_out() -> None:
    told = explain_service(service_facts([pod(nodeKnown=False)]))
    assert only(told)[0] == "pods-on-unknown-node"
    # A dump may have the endpoint and not the Node: then nobody has left it out.
    waiting = {"ready": [], "notReady": [{"ip": "10.0.1.5", "port": 8080}]}
    assert (
        explain_service(service_facts([pod(nodeKnown=False)], endpoints=waiting)).findings[0].rule
        == "endpoints-stale"
    )


LEGACY = {"ready": 2, "notReady": 0, "overCapacity": None, "skipsMirror": False, "isLock": False}


@pytest.mark.parametrize(
    ("legacy", "said"),
    [
        (LEGACY | {"skipsMirror": True}, "it has the label endpointslice.kubernetes.io/skip-mirror"),
        (LEGACY | {"isLock": True}, "it is a lock for the election of a leader"),
        (LEGACY, "no slice of the mirroring controller is among the objects"),
    ],
)
def test_endpoints_that_are_not_mirrored(legacy: Json, said: str) -> None:
    rule, summary, _ = only(explain_service(service_facts(service={"selector": None}, legacy=legacy)))
    assert rule == "endpoints-not-mirrored"
    assert said in summary


def test_endpoints_of_somebody_else_that_are_not_ready() -> None:
    waiting = {"ready": [], "notReady": [{"ip": "192.0.2.7", "port": 80}]}
    told = explain_service(service_facts(service={"selector": None}, endpoints=waiting))
    assert only(told)[0] == "endpoints-not-ready"


def test_endpoints_that_are_mirrored() -> None:
    ready = [{"namespace": None, "name": None, "ip": "192.0.2.7", "port": 80, "node": None}]
    managers = {"endpointslicemirroring-controller.k8s.io": 1}
    told = explain_service(
        service_facts(
            service={"selector": None},
            endpoints={"ready": ready, "notReady": []},
            managers=managers,
            legacy=LEGACY,
        )
    )
    assert (told.verdict, told.findings) == ("works", [])
    assert "is mirrored into EndpointSlices: 1 ready endpoint" in told.summary


def test_the_nearest_key_is_a_slip_of_the_pen() -> None:
    slip = near(None)
    slip["differences"][0]["slip"] = "ap"
    rule, summary, commands = only(explain_service(service_facts(nearest=[slip])))
    assert rule == "selector-matches-no-pod"
    assert "app=web is asked for, and the Pod has ap=web" in summary
    assert """'{"spec":{"selector":{"app":null,"ap":"web"}}}'""" in commands[0]


def test_an_external_name_needs_no_endpoints() -> None:
    told = explain_service(service_facts(service={"type": "ExternalName", "externalName": "db.test"}))
    assert told.verdict == "works"
    assert "DNS answers with the name db.test" in told.summary


def test_a_headless_service_says_so() -> None:
    ready = [{"namespace": "shop", "name": "web-1", "ip": "fd00::5", "port": None, "node": None}]
    told = explain_service(
        service_facts([pod()], service={"headless": True}, endpoints={"ready": ready, "notReady": []})
    )
    assert "headless" in told.notes[0]
    assert "Pod shop/web-1: fd00::5" in str(told)


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (service_facts(namespacePods=0), "no-pods"),
        (service_facts(nearest=[near(None)]), "no-pod-matches"),
    ],
)
def test_nothing_is_near(facts: Json, rule: str) -> None:
    assert only(explain_service(facts))[0] == rule


def service(**changed: Any) -> Json:
    whole = {
        "namespace": "shop",
        "name": "web",
        "labels": {"app": "web"},
        "selector": {"app": "web"},
        "ports": [{"name": "metrics", "port": 9104, "targetPort": "metrics"}],
        "readyEndpoints": 1,
    }
    return whole | changed


def monitor_facts(**changed: Any) -> Json:
    path = "spec.selector.matchLabels.app"
    monitor = {
        "namespace": "shop",
        "name": "web",
        "requirements": [{"key": "app", "operator": "In", "values": ["web"], "path": path}],
        "namespaces": ["shop"],
        "namespaceSelector": {"any": False, "matchNames": []},
        "endpoints": [{"index": 0, "port": "metrics", "targetPort": None}],
    }
    facts = {
        "monitor": monitor | changed.pop("monitor", {}),
        "selected": {"count": 0, "services": []},
        "nearest": [],
        "elsewhere": {"count": 0, "services": []},
        "pods": {"count": 0, "pods": []},
    }
    return facts | changed


def test_the_label_of_a_service_differs_from_the_monitors_by_one_word() -> None:
    path = "spec.selector.matchLabels.app"
    difference = {
        "key": "app",
        "operator": "In",
        "values": ["web"],
        "wanted": "web",
        "found": "wbe",
        "path": path,
    }
    facts = monitor_facts(nearest=[{"service": service(labels={"app": "wbe"}), "differences": [difference]}])
    rule, summary, commands = only(explain_monitor(facts))
    assert rule == "service-label-mismatch"
    assert (
        "The nearest is shop/web: one label differs: app=web is asked for, and the Service has app=wbe"
        in summary
    )
    patch = """'{"spec":{"selector":{"matchLabels":{"app":"wbe"}}}}'"""
    assert commands[0] == f"kubectl patch servicemonitor web -n shop --type merge -p {patch}"


def test_a_monitor_that_looks_into_the_wrong_namespace() -> None:
    elsewhere = {"count": 1, "services": [service(namespace="blog")]}
    rule, _, commands = only(explain_monitor(monitor_facts(elsewhere=elsewhere)))
    assert rule == "wrong-namespace"
    assert """'{"spec":{"namespaceSelector":{"matchNames":["blog","shop"]}}}'""" in commands[0]


def test_a_monitor_that_selects_pods() -> None:
    pods = {"count": 1, "pods": [{"namespace": "shop", "name": "web-1", "labels": {"app": "web"}}]}
    assert only(explain_monitor(monitor_facts(pods=pods)))[0] == "selector-matches-pods"


def test_a_monitor_that_finds_nothing_at_all() -> None:
    assert only(explain_monitor(monitor_facts()))[0] == "no-service-matches"


def test_a_monitor_whose_port_the_service_does_not_have() -> None:
    selected = {"count": 1, "services": [service(ports=[{"name": "", "port": 80, "targetPort": 80}])]}
    rule, summary, _ = only(explain_monitor(monitor_facts(selected=selected)))
    assert rule == "port-not-found"
    assert "has the name metrics" in summary


def test_a_monitor_that_works() -> None:
    told = explain_monitor(monitor_facts(selected={"count": 1, "services": [service()]}))
    assert (told.verdict, told.findings) == ("works", [])


def test_an_explanation_is_data_too() -> None:
    data = explain_service(service_facts(nearest=[near("wbe")])).to_json()
    assert (data["apiVersion"], data["kind"], data["verdict"]) == (
        "kdp.dev/v1alpha1",
        "Explanation",
        "broken",
    )
    assert data["findings"][0]["evidence"][0] == {
        "object": "Service shop/web",
        "field": "spec.selector.app",
        "value": "web",
    }
