"""Rollouts under load: sixty virtual seconds of a cluster in which a thousand Pod events happen every second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdp.cluster import Cluster
from kdp.experiments.churn import ChurnResult, churn
from kdp.experiments.churn_cluster import churn_sources, churn_traffic, rollouts

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ENDPOINTS = 10


def test_rollouts_under_load(benchmark: BenchmarkFixture, *, measuring: bool) -> None:
    services, rate, seconds = (10_000, 1000, 60) if measuring else (20, 100, 3)

    def setup() -> tuple[tuple[Cluster], dict[str, object]]:
        return (Cluster.from_sources(churn_sources(services, ENDPOINTS, 2), {"seed": 7}),), {}

    def run(cluster: Cluster) -> ChurnResult:
        do = rollouts(services, ENDPOINTS, rate, seconds, seed=7)
        return churn(cluster, do=do, traffic=churn_traffic(services, rate), until=seconds)

    result = benchmark.pedantic(run, setup=setup, rounds=5 if measuring else 1)  # type: ignore[no-untyped-call] # the plugin leaves it untyped
    assert result.total("opened") == rate * seconds + 1
    assert result.total("slice_writes") > 0
    assert sum(result.total(hurt) for hurt in ("refused", "timed_out", "reset", "broken", "wrong")) == 0
