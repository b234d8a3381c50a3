"""The rules that kdp prints, loaded into a kernel: the same packets give the same bytes there as in kdp."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import kdp
import pytest
from kdp import _core
from kdp.conformance import wire

from tests.kernel.cluster_node import ClusterNode
from tests.kernel.pair import Pair, Sent, starting_alike

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge

MYSQL = Path(__file__).parents[2] / "examples/mysql"
OUTSIDE = "203.0.113.9"
CLIENT = "10.0.1.9"
NODE = "192.0.2.11"


def service(
    name: str, cluster_ip: str, port: int, target: int, proto: str = "TCP", **more: Any
) -> kdp.Service:
    ports = [{"port": port, "targetPort": target, "protocol": proto}]
    if "node_port" in more:
        ports[0]["nodePort"] = more.pop("node_port")
        more["type"] = "NodePort"
    return kdp.Service(name, selector={"app": name}, cluster_ip=cluster_ip, ports=ports, **more)


def shop(seed: int = 1, k8s: str | None = None) -> kdp.Cluster:
    """Two nodes; each Service but ``three`` has one endpoint, so that nothing is left to chance but ports."""
    return kdp.Cluster(
        [
            kdp.Node("n1", ip=NODE, pod_cidr="10.0.1.0/24"),
            kdp.Node("n2", ip="192.0.2.12", pod_cidr="10.0.2.0/24"),
            kdp.Pod("client", ip=CLIENT, node="n1"),
            kdp.Pod("near", labels={"app": "near"}, ip="10.0.1.5", node="n1"),
            kdp.Pod("far", labels={"app": "far"}, ip="10.0.2.5", node="n2"),
            kdp.Pod("here", labels={"app": "here"}, ip="10.0.1.6", node="n1"),
            kdp.Pod("there", labels={"app": "there"}, ip="10.0.2.6", node="n2"),
            kdp.Pod("dns", labels={"app": "dns"}, ip="10.0.1.7", node="n1"),
            *(kdp.Pod(f"three-{i}", labels={"app": "three"}, ip=f"10.0.1.2{i}", node="n1") for i in range(3)),
            service("near", "10.96.0.10", 80, 8080, node_port=30080),
            service("far", "10.96.0.11", 80, 8080, node_port=30081),
            service("here", "10.96.0.12", 80, 8080, node_port=30082, external_traffic_policy="Local"),
            service("there", "10.96.0.13", 80, 8080, node_port=30083, external_traffic_policy="Local"),
            service("dns", "10.96.0.14", 53, 5353, "UDP", node_port=30053),
            service("three", "10.96.0.15", 80, 8080, session_affinity="ClientIP"),
            service("empty", "10.96.0.16", 80, 8080, node_port=30084),
            service("nobody", "10.96.0.17", 53, 5353, "UDP"),
        ],
        seed=seed,
        k8s=k8s,
        options={"cluster_cidr": "10.0.0.0/16"},
    )


NAMED = [80, 8080, 53, 5353, *range(30080, 30085), 30053, *range(41000, 41010)]


@pytest.fixture
def n1(judge: MakeJudge) -> Pair:
    node = ClusterNode(shop(), "n1")
    return Pair(node.judged(judge), node, NAMED)


def converse(pair: Pair, device: str | None, src: str, dst: str, dport: int, sport: int = 41000) -> Sent:
    """A TCP connection from handshake to end, both ways, each packet compared."""

    def client(flags: str, seq: int, ack: int, data: bytes = b"") -> Sent:
        packet = wire.tcp(
            src, dst, sport, dport, flags=flags, seq=seq, ack=ack, data=data, win=64240, ident=7
        )
        return pair.check(pair.send(device, packet))

    syn = client("S", 1000, 0)
    assert syn.verdict == "forward"
    pair.check(pair.reply(syn, flags="SA", seq=9000, ack=1001, win=65000))
    client("A", 1001, 9001)
    client("PA", 1001, 9001, b"SELECT 1")
    pair.check(pair.reply(syn, flags="PA", seq=9001, ack=1009, data=b"1"))
    pair.check_tables()
    client("FA", 1009, 9002)
    pair.check(pair.reply(syn, flags="FA", seq=9002, ack=1010))
    client("A", 1010, 9003)
    pair.check_tables()
    return syn


@pytest.mark.parametrize(
    "cluster_ip", ["10.96.0.10", "10.96.0.11"], ids=["endpoint-here", "endpoint-on-another-node"]
)
def test_cluster_ip_from_a_pod(n1: Pair, cluster_ip: str) -> None:
    converse(n1, "cni0", CLIENT, cluster_ip, 80)


@pytest.mark.parametrize(
    "cluster_ip", ["10.96.0.10", "10.96.0.11"], ids=["endpoint-here", "endpoint-on-another-node"]
)
def test_cluster_ip_from_the_node_itself(n1: Pair, cluster_ip: str) -> None:
    converse(n1, None, NODE, cluster_ip, 80)


def test_cluster_ip_from_outside_is_masqueraded(n1: Pair) -> None:
    syn = converse(n1, "eth0", OUTSIDE, "10.96.0.10", 80)
    assert syn.kernel.outs[0][1][12:16] != wire.tcp(OUTSIDE, NODE, 1, 1)[12:16]


def test_a_pod_that_reaches_itself_through_its_service_is_masqueraded(n1: Pair) -> None:
    converse(n1, "cni0", "10.0.1.5", "10.96.0.10", 80)


@pytest.mark.parametrize("port", [30080, 30081], ids=["endpoint-here", "endpoint-on-another-node"])
def test_node_port_from_outside(n1: Pair, port: int) -> None:
    converse(n1, "eth0", OUTSIDE, NODE, port)


@pytest.mark.parametrize("port", [30080, 30081, 30082, 30083])
def test_node_port_from_a_pod(n1: Pair, port: int) -> None:
    converse(n1, "cni0", CLIENT, NODE, port)


def test_external_traffic_policy_local_keeps_the_source(n1: Pair) -> None:
    syn = converse(n1, "eth0", OUTSIDE, NODE, 30082)
    assert syn.kernel.outs[0][1][12:16] == wire.tcp(OUTSIDE, NODE, 1, 1)[12:16]


def test_external_traffic_policy_local_without_an_endpoint_here_drops(n1: Pair) -> None:
    assert n1.check(n1.send("eth0", wire.tcp(OUTSIDE, NODE, 41000, 30083))).verdict == "drop"
    n1.check_tables()


@pytest.mark.parametrize(
    ("device", "src", "dst", "port"),
    [
        ("cni0", CLIENT, "10.96.0.16", 80),
        ("eth0", OUTSIDE, "10.96.0.16", 80),
        ("cni0", CLIENT, NODE, 30084),
        ("eth0", OUTSIDE, NODE, 30084),
        (None, NODE, "10.96.0.16", 80),
    ],
)
def test_a_service_without_endpoints_rejects(
    n1: Pair, device: str | None, src: str, dst: str, port: int
) -> None:
    packet = wire.tcp(src, dst, 41000, port, seq=5, opts={"mss": 1460, "sackok": True, "wscale": 7}, ident=3)
    assert n1.check(n1.send(device, packet)).verdict == "reject"
    n1.check_tables()


def test_a_udp_service_without_endpoints_rejects(n1: Pair) -> None:
    assert n1.check(n1.send("cni0", wire.udp(CLIENT, "10.96.0.17", 41000, 53, data=b"?"))).verdict == "reject"


@pytest.mark.parametrize(
    ("device", "src", "dst", "port"), [("cni0", CLIENT, "10.96.0.14", 53), ("eth0", OUTSIDE, NODE, 30053)]
)
def test_udp(n1: Pair, device: str, src: str, dst: str, port: int) -> None:
    question = n1.check(n1.send(device, wire.udp(src, dst, 41000, port, data=b"where is mysql?")))
    n1.check(n1.reply(question, data=b"10.96.0.10"))
    n1.check_tables()
    n1.check(n1.send(device, wire.udp(src, dst, 41000, port, data=b"and redis?")))
    n1.check(n1.reply(question, data=b"no such name"))
    n1.check_tables()


def test_session_affinity_keeps_a_client_with_its_endpoint(judge: MakeJudge) -> None:
    """The first choice is the kernel's; what follows from it must be the same on both sides."""
    kernel = ClusterNode(shop(), "n1").judged(judge)
    first = wire.tcp(CLIENT, "10.96.0.15", 41000, 80)
    pair, sent = starting_alike(kernel, lambda seed: ClusterNode(shop(seed), "n1"), "cni0", first, NAMED)
    endpoint = sent.kernel.outs[0][1][16:20]
    for sport in range(41001, 41006):
        again = pair.check(pair.send("cni0", wire.tcp(CLIENT, "10.96.0.15", sport, 80)))
        assert again.kernel.outs[0][1][16:20] == endpoint
    pair.check_tables()


def test_a_packet_between_pods_is_none_of_the_rules_business(n1: Pair) -> None:
    converse(n1, "cni0", CLIENT, "10.0.2.5", 8080)


def test_an_answer_that_nobody_asked_for_is_dropped(n1: Pair) -> None:
    packet = wire.tcp("10.0.1.5", CLIENT, 8080, 41000, flags="SA", seq=1, ack=1)
    n1.check(n1.send("cni0", packet))
    n1.check_tables()


@pytest.mark.parametrize("release", _core.releases())
def test_the_rules_of_every_release_load_and_carry_a_connection(judge: MakeJudge, release: str) -> None:
    node = ClusterNode(shop(k8s=release), "n1")
    converse(Pair(node.judged(judge), node, NAMED), "eth0", OUTSIDE, NODE, 30080)


def test_the_articles_cluster(judge: MakeJudge) -> None:
    """``kdp rules --node … -f examples/mysql/`` in a kernel: a Pod's connection to mysql-service, there and back."""
    cluster = kdp.Cluster.load(MYSQL)
    was, mysql = cluster.pod("blog-system/was"), cluster.service("blog-system/mysql-service")
    assert was.node is not None
    assert was.ip is not None
    kernel = ClusterNode(cluster, was.node).judged(judge)
    first = wire.tcp(was.ip, mysql.cluster_ip, 41000, 3306, seq=1000, win=64240)

    def with_seed(seed: int) -> ClusterNode:
        return ClusterNode(kdp.Cluster.load(MYSQL, seed=seed), str(was.node))

    pair, syn = starting_alike(kernel, with_seed, "cni0", first, [3306, *range(41000, 41010)])
    assert syn.verdict == "forward"
    pair.check(pair.reply(syn, flags="SA", seq=9000, ack=1001, win=65000))
    for flags, data in (("A", b""), ("PA", b"SELECT 1")):
        packet = wire.tcp(
            was.ip, mysql.cluster_ip, 41000, 3306, flags=flags, seq=1001, ack=9001, win=64240, data=data
        )
        pair.check(pair.send("cni0", packet))
    pair.check(pair.reply(syn, flags="PA", seq=9001, ack=1009, data=b"1"))
    pair.check_tables()
