"""A cluster in code: its Pods, Services, nodes and packets, without a file."""

from __future__ import annotations

from fractions import Fraction

import kdp
import numpy as np
import pytest


@pytest.fixture
def shop() -> kdp.Cluster:
    return kdp.Cluster(
        [
            kdp.Node("n1", ip="192.0.2.11", pod_cidr="10.0.1.0/24"),
            kdp.Node("n2", ip="192.0.2.12", pod_cidr="10.0.2.0/24"),
            kdp.Service(
                "web", namespace="shop", selector={"app": "web"}, cluster_ip="10.96.0.7", ports=[(80, 8080)]
            ),
            kdp.Service("db", namespace="shop", cluster_ip="None", selector={"app": "db"}, ports=[5432]),
            kdp.Service("web", namespace="blog", selector={"app": "web"}, ports=[80]),
            kdp.Pod("web-1", namespace="shop", labels={"app": "web"}, ip="10.0.1.5", node="n1"),
            kdp.Pod("web-2", namespace="shop", labels={"app": "web"}, ip="10.0.2.5", node="n2"),
            kdp.Pod("client", namespace="shop", ip="10.0.1.20", node="n1"),
        ],
        seed=7,
        options={"cluster_cidr": "10.0.0.0/16"},
    )


def test_objects_are_found_by_name(shop: kdp.Cluster) -> None:
    assert shop.pod("shop/web-1").ip == "10.0.1.5"
    assert shop.pod("client").node == "n1"
    assert shop.pod("web-1").labels == {"app": "web"}
    assert shop.service("shop/web").cluster_ip == "10.96.0.7"
    assert [node.name for node in shop.nodes] == ["n1", "n2"]
    assert [each.name for each in shop.get("pods", selector="app=web")] == ["web-1", "web-2"]
    assert shop.get("svc", "db", namespace="shop")[0]["spec"]["clusterIP"] == "None"


def test_names_that_are_not_there_or_not_alone(shop: kdp.Cluster) -> None:
    with pytest.raises(kdp.NotFoundError, match="web-1"):
        shop.pod("shop/web-3")
    with pytest.raises(kdp.NotFoundError, match="nearest: client"):
        shop.pod("cliant")
    with pytest.raises(kdp.UsageError, match="2 namespaces have one: shop/web, blog/web") as caught:
        shop.service("web")
    assert caught.value.code == "name-ambiguous"
    with pytest.raises(kdp.NotFoundError, match="nearest: n1"):
        shop.node("n3")
    with pytest.raises(kdp.UsageError) as caught:
        _ = shop.service("db").cluster_ip
    assert caught.value.code == "no-cluster-ip"


def test_a_connection_goes_there_and_comes_back(shop: kdp.Cluster) -> None:
    trace = shop.pod("shop/client").connect("web:80")
    assert trace.verdict == "delivered"
    assert trace.endpoint is not None
    assert trace.endpoint.name in {"web-1", "web-2"}
    assert trace.request is not None
    assert trace.reply is not None
    assert (trace.reply.src, trace.reply.sport) == ("10.96.0.7", 80)
    assert [step.number for step in trace.steps] == [1, 2, 3, 4, 5, 6, 7]


def test_a_service_without_endpoints_rejects(shop: kdp.Cluster) -> None:
    shop.delete("Pod", "web-1", namespace="shop")
    shop.delete("Pod", "web-2", namespace="shop")
    trace = shop.pod("shop/client").connect("web:80")
    assert (trace.verdict, trace.endpoint, trace.reply) == ("rejected", None, None)
    assert shop.service("shop/web").explain().verdict == "broken"


def test_every_outcome_has_its_probability(shop: kdp.Cluster) -> None:
    outcomes = shop.pod("shop/client").explore("web:80").outcomes
    assert [(each.endpoint and each.endpoint.name, each.probability) for each in outcomes] == [
        ("web-1", Fraction(1, 2)),
        ("web-2", Fraction(1, 2)),
    ]


def test_a_batch_goes_there_and_comes_back(shop: kdp.Cluster) -> None:
    node = shop.node("n1")
    assert sorted(node.pods.ip.tolist()) == [0x0A000105, 0x0A000114]
    assert node.pods.names == ["shop/web-1", "shop/client"]
    sports = np.arange(40_000, 41_000, dtype=np.uint16)
    flows = kdp.Flows(src="10.0.1.20", sport=sports, dst=shop.service("shop/web").cluster_ip, dport=80)
    first = node.send(flows)
    assert first.count_by("verdict") == {"forwarded": 1000}
    by_endpoint = first.count_by("endpoint")
    assert by_endpoint.keys() == {"shop/web-1", "shop/web-2"}
    assert sum(by_endpoint.values()) == 1000
    assert min(by_endpoint.values()) > 400
    answers = node.send(first.replies())
    assert set(answers.src.tolist()) == {0x0A600007}
    assert answers.sport.tolist() == [80] * 1000
    steady = node.send(flows)
    assert (steady.dst == first.dst).all()
    assert int(steady.rules_walked.sum()) < int(first.rules_walked.sum())
    assert node.conntrack().count("\n") == 1000


def test_columns_are_not_copied(shop: kdp.Cluster) -> None:
    result = shop.node("n1").send(kdp.Flows(src="10.0.1.20", sport=40_000, dst="10.96.0.7", dport=80))
    columns = result.columns()
    assert list(columns) == ["verdict", "src", "sport", "dst", "dport", "rules_walked"]
    assert np.shares_memory(columns["dst"], result.dst)
    assert repr(result) == "<kdp.FlowResult: 1 forwarded>"


def test_objects_can_be_changed(shop: kdp.Cluster) -> None:
    shop.put(kdp.Pod("web-3", namespace="shop", labels={"app": "web"}, ip="10.0.2.6", node="n2"))
    names = {each.endpoint.name for each in shop.pod("client").explore("web:80").outcomes if each.endpoint}
    assert names >= {"web-1", "web-2"}


def test_the_same_seed_gives_the_same_answers(shop: kdp.Cluster) -> None:
    def choices(seed: int) -> list[int]:
        cluster = kdp.Cluster(shop.get("nodes") + shop.get("pods") + shop.get("svc"), seed=seed)
        flows = kdp.Flows(src="10.0.1.20", sport=np.arange(1, 200), dst="10.96.0.7", dport=80)
        chosen: list[int] = cluster.node("n1").send(flows).dst.tolist()
        return chosen

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "kdp.Cluster(seed=...)"),
        ({"seed": "x"}, "kdp.Cluster(seed=...)"),
        ({"evaluator": "fast"}, "kdp.Cluster(evaluator=...): 'fast' is not one of indexed, scan"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(kdp.UsageError) as caught:
        kdp.Cluster([], **arguments)  # type: ignore[arg-type] # the point
    assert message in str(caught.value)


def test_endpoints_written_by_hand_are_mirrored_and_reached() -> None:
    meta = {"name": "db", "namespace": "default"}
    port = {"name": "pg", "port": 5432, "protocol": "TCP"}
    subsets = [{"addresses": [{"ip": "192.0.2.50"}], "ports": [port]}]
    cluster = kdp.Cluster(
        [
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [port]}},
            {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": subsets},
            kdp.Pod("client"),
        ]
    )
    [mirrored] = cluster.get("endpointslices")
    assert mirrored["metadata"]["labels"] == {
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
        "kubernetes.io/service-name": "db",
    }
    assert "192.0.2.50:5432" in cluster.rules()
    cluster.core.delete("Endpoints", "default", "db")
    assert cluster.get("endpointslices") == []
