"""A million packets through one node: the first of each connection, the answers, and then every one a table hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kdp.cluster import Cluster, NodeRef
from kdp.experiments.synthetic import CLIENTS, NODE, first_cluster_ip, services_cluster
from kdp.flows import Flows

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

SERVICES = 100


@pytest.fixture
def rows(*, measuring: bool) -> int:
    return 1_000_000 if measuring else 1_000


@pytest.fixture
def flows(rng: np.random.Generator, rows: int) -> Flows:
    """Give as many different connections, to random Services."""
    number = np.arange(rows)
    # 500,000 five-tuples for each Service's port is more than the clients have, so two Services share a client's port.
    per_service = rows // 2
    service = np.where(number < per_service, 0, 1)
    place = number % per_service
    return Flows(
        src=(0x0A80000A + place // 64_512 % CLIENTS).astype(np.uint32),
        sport=(1024 + place % 64_512).astype(np.uint16),
        dst=(first_cluster_ip() + (service * (SERVICES - 1))).astype(np.uint32),
        dport=80,
        proto="tcp",
    )[rng.permutation(rows)]


def fresh_node() -> NodeRef:
    """Give a node without connections, and with its rules built."""
    node = Cluster.from_sources(services_cluster(SERVICES, endpoints=3), {"seed": 1}).node(NODE)
    node.rules()
    return node


def test_first_packets(benchmark: BenchmarkFixture, flows: Flows, *, measuring: bool) -> None:
    def setup() -> tuple[tuple[NodeRef], dict[str, object]]:
        return (fresh_node(),), {}

    result = benchmark.pedantic(lambda node: node.send(flows), setup=setup, rounds=3 if measuring else 1)  # type: ignore[no-untyped-call] # the plugin leaves it untyped
    assert result.count_by("verdict") == {"forwarded": len(flows)}
    benchmark.extra_info["packets"] = len(flows)


def test_replies(benchmark: BenchmarkFixture, flows: Flows, *, measuring: bool) -> None:
    def setup() -> tuple[tuple[NodeRef, Flows], dict[str, object]]:
        node = fresh_node()
        return (node, node.send(flows).replies()), {}

    def send(node: NodeRef, replies: Flows) -> int:
        return len(node.send(replies))

    assert benchmark.pedantic(send, setup=setup, rounds=3 if measuring else 1) == len(flows)  # type: ignore[no-untyped-call] # the plugin leaves it untyped
    benchmark.extra_info["packets"] = len(flows)


def test_steady(benchmark: BenchmarkFixture, flows: Flows, *, measuring: bool) -> None:
    node = fresh_node()
    first = node.send(flows)
    node.send(first.replies())
    node.send(flows)
    result = benchmark.pedantic(node.send, args=(flows,), rounds=5 if measuring else 1)  # type: ignore[no-untyped-call] # the plugin leaves it untyped
    assert (result.dst == first.dst).all()
    benchmark.extra_info["packets"] = len(flows)
