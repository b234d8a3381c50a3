"""New connections against the number of Services: each rule walked in turn, and through the index.

One operation is a batch of new connections to random Services; ``extra_info`` has how many, and the rules that the
kernel would have walked for each. The same as a table: ``kdp bench scaling``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kdp.cluster import Cluster
from kdp.experiments.scaling import new_connections
from kdp.experiments.synthetic import NODE, services_cluster

if TYPE_CHECKING:
    import numpy as np
    from kdp.flows import FlowResult, Flows
    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 5


@pytest.mark.parametrize("services", [10, 100, 1_000, 10_000])
@pytest.mark.parametrize("evaluator", ["scan", "indexed"])
def test_new_connections(
    benchmark: BenchmarkFixture, rng: np.random.Generator, *, measuring: bool, services: int, evaluator: str
) -> None:
    if not measuring:
        services = min(services, 100)
    rows = max(200, min(20_000, 4_000_000 // services)) if measuring else 50
    sources = services_cluster(services, endpoints=3)
    node = Cluster.from_sources(sources, {"seed": 1, "evaluator": evaluator}).node(NODE)
    node.send(new_connections(rng, services, rows, 0))  # builds the rules
    rounds = iter(range(1, ROUNDS + 2))

    def fresh() -> tuple[tuple[Flows], dict[str, object]]:
        return (new_connections(rng, services, rows, next(rounds)),), {}

    result: FlowResult = benchmark.pedantic(node.send, setup=fresh, rounds=ROUNDS if measuring else 1)  # type: ignore[no-untyped-call] # the plugin leaves it untyped
    assert result.count_by("verdict") == {"forwarded": rows}
    benchmark.extra_info["connections"] = rows
    benchmark.extra_info["rules_walked_mean"] = float(result.rules_walked.mean())
    benchmark.extra_info["rules_walked_max"] = int(result.rules_walked.max())
