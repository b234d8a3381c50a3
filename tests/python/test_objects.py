"""Builders write plain manifests in the API's form, and name the argument that is wrong."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import kdp
import pytest
from kdp.objects import Manifest


def test_a_service_is_written_as_the_api_writes_it() -> None:
    service = kdp.Service("mysql", namespace="shop", selector={"app": "mysql"}, ports=[3306])
    assert service == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "mysql", "namespace": "shop"},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": "mysql"},
            "ports": [{"port": 3306, "protocol": "TCP", "targetPort": 3306}],
        },
    }


@pytest.mark.parametrize(
    ("port", "written"),
    [
        (80, {"port": 80, "protocol": "TCP", "targetPort": 80}),
        ("53/UDP", {"port": 53, "protocol": "UDP", "targetPort": 53}),
        ("dns:53/udp", {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}),
        ((80, 8080), {"port": 80, "protocol": "TCP", "targetPort": 8080}),
        ((80, "http"), {"port": 80, "protocol": "TCP", "targetPort": "http"}),
        ({"port": 1, "nodePort": 30001}, {"port": 1, "nodePort": 30001}),
    ],
)
def test_a_port_has_short_forms(port: kdp.objects.PortLike, written: dict[str, object]) -> None:
    assert kdp.Service("web", ports=[port])["spec"]["ports"] == [written]


def test_two_ports_get_names_because_the_api_wants_them() -> None:
    ports = kdp.Service("web", ports=[80, "443", "443/UDP"])["spec"]["ports"]
    assert [port["name"] for port in ports] == ["port-80", "port-443", "port-443-udp"]


def test_a_deployment_selects_the_pods_of_its_template() -> None:
    deployment = kdp.Deployment(
        "web", replicas=3, labels={"app": "web", "tier": "front"}, ports=["http:8080"]
    )
    spec = deployment["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert spec["template"]["spec"]["containers"][0]["ports"] == [
        {"name": "http", "containerPort": 8080, "protocol": "TCP"}
    ]


def test_a_pod_without_address_leaves_it_to_the_loader() -> None:
    assert "status" not in kdp.Pod("web-1")
    assert kdp.Pod("web-1", ready=False)["status"] == {"conditions": [{"type": "Ready", "status": "False"}]}
    assert kdp.Pod("web-1", ip="fd00:0::5")["status"]["podIPs"] == [{"ip": "fd00::5"}]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: kdp.Service("web", ports=[70000]),
            "kdp.Service(ports=...): port 70000 is outside 1..=65535",
        ),
        (lambda: kdp.Service("web", ports=["http"]), "kdp.Service(ports=...): 'http' is no port"),
        (
            lambda: kdp.Service("web", ports=["80/ICMP"]),
            "kdp.Service(ports=...): 'ICMP' is not one of TCP, UDP, SCTP",
        ),
        (
            lambda: kdp.Service("web", type="Cluster"),
            "kdp.Service(type=...): 'Cluster' is not one of ClusterIP",
        ),
        (
            lambda: kdp.Service("web", cluster_ip="10.0.0"),
            "kdp.Service(cluster_ip=...): '10.0.0' is no IP address",
        ),
        (lambda: kdp.Service(""), "kdp.Service(name=...): a name is a text that is not empty"),
        (lambda: kdp.Pod("a", ip="x"), "kdp.Pod(ip=...): 'x' is no IP address"),
        (lambda: kdp.Pod("a", labels={"n": 1}), "kdp.Pod(labels=...): label 'n': 1 is not a text"),  # type: ignore[dict-item] # the point
        (lambda: kdp.Pod("a", phase="Dead"), "kdp.Pod(phase=...): 'Dead' is not one of Pending"),
        (
            lambda: kdp.Deployment("a", replicas=-1),
            "kdp.Deployment(replicas=...): a number of Pods is 0 or more",
        ),
        (
            lambda: kdp.Deployment("a", ports=[(1, 2)]),
            "kdp.Deployment(ports=...): (1, 2): a container's port",
        ),
    ],
)
def test_an_error_names_the_argument(build: Callable[[], object], message: str) -> None:
    with pytest.raises(kdp.UsageError) as caught:
        build()
    assert caught.value.code == "argument-invalid"
    assert message in str(caught.value)


def test_a_manifest_survives_json_pickle_and_copies() -> None:
    pod = kdp.Pod("web-1", namespace="shop", labels={"app": "web"})
    assert json.loads(json.dumps(pod)) == pod
    for again in (pickle.loads(pickle.dumps(pod)), copy.deepcopy(pod)):  # noqa: S301 -- our own
        assert again == pod
        assert isinstance(again, Manifest)
        assert (again.namespace, again.name) == ("shop", "web-1")
