"""``kdp bench churn``: the experiment on a cluster of its own."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kdp.experiments.churn import ChurnResult

__all__ = ["run"]


def run(
    services: tuple[int, ...],
    endpoints: int,
    rate: float,
    connections: float | None,
    until: str,
    nodes: int,
    latency: str,
    mode: str,
    evaluator: str,
    seed: int,
    every: str,
    output: str,
    plot: str | None,
) -> None:
    """Run it, with one evaluator or both, and print the report."""
    from kdp.durations import parse_duration

    if len(services) != 1:
        raise click.BadParameter("one number of Services is needed", param_hint="--services")
    seconds = parse_duration("--until", until) / 10**9
    wait = parse_duration("--latency", latency)
    parse_duration("--every", every)
    results = {}
    for each in ("indexed", "scan") if evaluator == "both" else (evaluator,):
        options = {"seed": seed, "mode": mode, "evaluator": each, "latency": {"slice->node": wait}}
        results[each] = _measure(services[0], endpoints, nodes, rate, connections or rate, seconds, options)
    first, *others = results.values()
    assert all(other == first for other in others), "both evaluators count the same"
    _print(first, every, output)
    if plot:
        first.plot(plot)


def _measure(
    services: int,
    endpoints: int,
    nodes: int,
    rate: float,
    connections: float,
    seconds: float,
    options: dict[str, object],
) -> ChurnResult:
    from kdp.cluster import Cluster
    from kdp.experiments.churn import churn
    from kdp.experiments.churn_cluster import churn_sources, churn_traffic, rollouts

    seed = int(str(options["seed"]))
    started = time.perf_counter()
    cluster = Cluster.from_sources(churn_sources(services, endpoints, nodes), options)
    loaded = time.perf_counter()
    do = rollouts(services, endpoints, rate, seconds, seed)
    result = churn(cluster, do=do, traffic=churn_traffic(services, connections), until=seconds)
    done = time.perf_counter()
    click.echo(
        f"{options['evaluator']}: {services * endpoints:,} Pods loaded in {loaded - started:.1f} s, "
        f"{seconds:g} virtual seconds in {done - loaded:.1f} s",
        err=True,
    )
    return result


def _print(result: ChurnResult, every: str, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(result.to_json(), indent=4))
    elif output == "csv":
        click.echo(result.to_csv_text(), nl=False)
    else:
        click.echo(f"{result}\n{result.table(every)}", nl=False)
