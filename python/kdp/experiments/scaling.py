"""How the cost of a new connection grows with the number of Services: the linear chain against an index.

kube-proxy's iptables mode puts a rule for each Service port into one chain, and the kernel walks it from the top for
the first packet of each connection. Both evaluators of kdp give the same answers, and the same count of rules that the
kernel would have walked; only *scan* walks them.
"""

from __future__ import annotations

import csv
import io
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from kdp.arguments import bad_argument
from kdp.json_output import document
from kdp.table import table_text

if TYPE_CHECKING:
    import numpy as np

    from kdp.cluster import Cluster
    from kdp.flows import Flows

__all__ = ["ScalingResult", "ScalingRow", "new_connections", "scaling"]

BUDGET_RULES = 4_000_000
"""Rules that one timed round of the scan walks at most, so that the largest size takes no minute."""


@dataclass(frozen=True, slots=True)
class ScalingRow:
    """One size. ``walked_*``: rules walked for a new connection, exact. ``*_ns``: median over the rounds, of one."""

    services: int
    rules: int
    walked_mean: float
    walked_max: int
    scan_ns: float
    indexed_ns: float
    connections: int

    @property
    def speedup(self) -> float:
        """How many times faster the index is."""
        return self.scan_ns / self.indexed_ns


@dataclass(frozen=True, slots=True)
class ScalingResult:
    """The sizes, and all that a reader needs to repeat them."""

    rows: list[ScalingRow]
    endpoints: int
    rounds: int
    seed: int
    machine: str
    command: str

    def table(self) -> str:
        """Lay the rows out as a table."""
        titles = [
            "SERVICES",
            "NAT RULES",
            "WALKED (MEAN)",
            "WALKED (MAX)",
            "SCAN NS",
            "INDEX NS",
            "SCAN/INDEX",
        ]
        rows = [
            [
                f"{row.services:,}",
                f"{row.rules:,}",
                f"{row.walked_mean:,.1f}",
                f"{row.walked_max:,}",
                f"{row.scan_ns:,.0f}",
                f"{row.indexed_ns:,.0f}",
                f"{row.speedup:,.1f}",
            ]
            for row in self.rows
        ]
        return table_text(titles, rows)

    def __str__(self) -> str:
        return (
            f"{self.table()}\n"
            f"New TCP connections from Pods of one node to random Services of {self.endpoints} endpoints, "
            f"seed {self.seed}.\n"
            f"Walked: rules that the kernel looks at for the first packet, exact. Ns: for one connection, median of\n"
            f"{self.rounds} rounds, scan and index in turn.\n"
            f"On {self.machine}.\n"
            f"Again: {self.command}\n"
        )

    def to_json(self) -> dict[str, Any]:
        """Give it as data (docs/json-output.md)."""
        content = asdict(self)
        content["rows"] = [asdict(row) | {"speedup": row.speedup} for row in self.rows]
        return document("ScalingResult", content)

    def to_csv_text(self) -> str:
        """Give the rows as CSV, with a line of titles."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        names = [field.name for field in fields(ScalingRow)]
        writer.writerow(names)
        writer.writerows([getattr(row, name) for name in names] for row in self.rows)
        return out.getvalue()


def scaling(
    services: Sequence[int] = (10, 100, 1_000, 10_000),
    *,
    endpoints: int = 3,
    rounds: int = 5,
    seed: int = 1,
    connections: int | None = None,
) -> ScalingResult:
    """Measure new connections at each number of Services.

    ``connections`` is how many make a timed round; unless given, as many as keep a round of the scan short.
    The answers of both evaluators are compared while they are timed.
    """
    from kdp.experiments.machine import describe_machine

    if not services or min(services) < 1:
        raise bad_argument("scaling(services=...)", f"sizes of 1 or more are wanted, not {services!r}")
    if rounds < 1:
        raise bad_argument("scaling(rounds=...)", f"a number of rounds is 1 or more, not {rounds!r}")
    rows = [_measure(size, endpoints, rounds, seed, connections or _connections(size)) for size in services]
    command = f"kdp bench scaling --services {','.join(map(str, services))} --endpoints {endpoints}"
    command += f" --rounds {rounds} --seed {seed}"
    return ScalingResult(rows, endpoints, rounds, seed, describe_machine(), command)


def new_connections(rng: np.random.Generator, services: int, rows: int, round_number: int) -> Flows:
    """Give ``rows`` new connections to random Services; rounds share no five-tuple."""
    import numpy as np

    from kdp.experiments.synthetic import CLIENTS, first_cluster_ip
    from kdp.flows import Flows

    number = np.arange(rows) + round_number * rows
    # A port below 65536 and one of the clients for each: 8 × 64,512 connections before a tuple comes twice.
    assert rows * (round_number + 1) <= CLIENTS * 64_512, "the clients have no five-tuples left"
    clients = np.uint32(0x0A80000A) + (number // 64_512).astype(np.uint32)
    return Flows(
        src=clients,
        sport=(1024 + number % 64_512).astype(np.uint16),
        dst=(first_cluster_ip() + rng.integers(0, services, rows)).astype(np.uint32),
        dport=80,
        proto="tcp",
    )


def _connections(services: int) -> int:
    return max(200, min(20_000, BUDGET_RULES // max(services, 1)))


def _measure(services: int, endpoints: int, rounds: int, seed: int, connections: int) -> ScalingRow:
    import numpy as np

    from kdp.cluster import Cluster
    from kdp.experiments.synthetic import NODE, services_cluster

    sources = services_cluster(services, endpoints)
    clusters = {
        evaluator: Cluster.from_sources(sources, {"seed": seed, "evaluator": evaluator})
        for evaluator in ("scan", "indexed")
    }
    rng = np.random.default_rng(seed)
    times: dict[str, list[float]] = {"scan": [], "indexed": []}
    walked = []
    for round_number in range(rounds + 1):
        flows = new_connections(rng, services, connections, round_number)
        taken, counts = _send_both(clusters, flows)
        if round_number == 0:
            continue  # the first round builds the rules
        walked.append(counts)
        for evaluator, seconds in taken.items():
            times[evaluator].append(seconds / connections * 1e9)
    every = np.concatenate(walked)
    return ScalingRow(
        services=services,
        rules=clusters["scan"].rule_counts(NODE)["IPv4"]["nat"]["rules"],
        walked_mean=float(every.mean()),
        walked_max=int(every.max()),
        scan_ns=statistics.median(times["scan"]),
        indexed_ns=statistics.median(times["indexed"]),
        connections=connections,
    )


def _send_both(clusters: dict[str, Cluster], flows: Flows) -> tuple[dict[str, float], Any]:
    from kdp.experiments.synthetic import NODE

    taken, results = {}, {}
    for evaluator, cluster in clusters.items():
        node = cluster.node(NODE)
        started = time.perf_counter()
        results[evaluator] = node.send(flows)
        taken[evaluator] = time.perf_counter() - started
    scan, indexed = results["scan"].columns(), results["indexed"].columns()
    same = all((scan[name] == indexed[name]).all() for name in scan)
    assert same, "both evaluators give every packet the same verdict, addresses and count of rules"
    return taken, scan["rules_walked"]
