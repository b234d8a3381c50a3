"""Churn: what happens to whom while things change.

Every count is of packets that went through a node's rules and connection tracking; none is from a formula. An answer
takes no virtual time: what takes time is what people wait for, events on their way, syncs, programs that start and
end, timeouts.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdp.actions import Action, core_action, read_steps
from kdp.durations import duration_text, parse_duration
from kdp.errors import KdpError, NotFoundError, UsageError
from kdp.experiments.traffic import Traffic
from kdp.json_output import document
from kdp.table import table_text

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["CAUSES", "ChurnResult", "churn"]

CAUSES = {
    "rejected": "the rules refuse: the Service has no endpoint",
    "listener-is-closed": "the Pod has had SIGTERM and takes no new connections",
    "program-has-ended": "the Pod's program has ended",
    "another-pod-has-the-address": "the connection's Pod is gone and another one has its address",
    "node-does-not-listen": "the node itself got it",
    "dead-address": "nobody has the address any more",
    "lost-node": "the node is cut off",
    "dropped": "a node drops it",
    "answer-lost": "the answer does not come back",
    "terminating": "a Pod that is about to end took it",
    "wrong-pod": "a Pod took it that the Service does not select",
}
_SAYS_NO = (
    "rejected",
    "listener-is-closed",
    "program-has-ended",
    "another-pod-has-the-address",
    "node-does-not-listen",
)
_SAYS_NOTHING = ("dead-address", "lost-node", "dropped", "answer-lost")
BEHIND = {
    "refused": _SAYS_NO,
    "reset": _SAYS_NO,
    "timed_out": _SAYS_NOTHING,
    "broken": _SAYS_NOTHING,
    "unanswered": _SAYS_NOTHING,
    "terminating": ("terminating",),
    "wrong": ("wrong-pod",),
}
"""Causes that may be behind a count."""

SHOWN = ("opened", "refused", "timed_out", "reset", "broken", "terminating", "wrong", "unanswered")
HURT = ("refused", "timed_out", "reset", "broken", "wrong")


@dataclass(frozen=True)
class ChurnResult:
    """What was counted. ``seconds``: one row of counts for each second in which something happened."""

    seconds: list[dict[str, int]]
    causes: dict[str, dict[str, Any]]
    endpoints: dict[str, int]
    walked: list[tuple[int, int]]
    stale_entries: int
    watchers: int
    until: int
    seed: int
    programming: dict[str, float] = field(default_factory=dict)

    def total(self, what: str) -> int:
        """Add a count up over all seconds."""
        return sum(row[what] for row in self.seconds)

    @property
    def work(self) -> dict[str, int]:
        """Say what the change cost: API writes, bytes, watch events, packets, rules walked."""
        writes, sent = self.total("slice_writes"), self.total("slice_bytes")
        return {
            "slice_writes": writes,
            "slice_bytes": sent,
            "slice_watch_events": writes * self.watchers,
            "slice_watch_bytes": sent * self.watchers,
            "endpoints_writes": self.total("endpoints_writes"),
            "endpoints_bytes": self.total("endpoints_bytes"),
            "packets": self.total("packets"),
            "rules_walked": self.total("rules_walked"),
        }

    @property
    def fairness(self) -> float:
        """Give Jain's index of the connections by endpoint: 1 is even, 1/n is all to one of n."""
        counts = list(self.endpoints.values())
        squares = sum(count * count for count in counts)
        return sum(counts) ** 2 / (len(counts) * squares) if squares else 1.0

    def walked_quantile(self, share: float) -> int:
        """Give the rules that a share (0 to 1) of the first packets walked at most, exact."""
        wanted = share * sum(count for _, count in self.walked)
        for rules, count in self.walked:
            wanted -= count
            if wanted <= 0:
                return rules
        return self.walked[-1][0] if self.walked else 0

    def why(self, what: str) -> str:
        """Say what was behind a count (``refused``) or a cause, with the first packet that shows it."""
        if what not in BEHIND and what not in CAUSES:
            known = ", ".join((*BEHIND, *CAUSES))
            raise UsageError("argument-invalid", f"run.why({what!r}): there is {known}")
        wanted = BEHIND.get(what, (what,))
        names = [name for name in self.causes if name in wanted]
        if what in BEHIND and not self.total(what):
            names = []
        if not names:
            return f"{what}: never\n"
        lines = []
        for name in names:
            cause = self.causes[name]
            first = cause["first"]
            arrived = f" > {first['arrived']}" if first["arrived"] else ""
            pod = f" ({first['pod']})" if first["pod"] else ""
            lines.append(
                f"{name}: {cause['count']:,} times: {CAUSES[name]}\n"
                f"  first at {duration_text(first['at'])}: {first['protocol']} {first['from']} > "
                f"{first['to']}{arrived}{pod}, at node {first['node']}\n"
            )
        return "".join(lines)

    def table(self, every: str | float = "1s") -> str:
        """Lay the counts out, a row for each ``every`` in which something happened."""
        step = max(1, parse_duration("run.table(every)", every) // 10**9)
        groups: dict[int, dict[str, int]] = {}
        for row in self.seconds:
            group = groups.setdefault(row["second"] // step * step, dict.fromkeys(row, 0))
            for name, count in row.items():
                group[name] += count
        titles = [
            "FROM",
            *(name.upper().replace("_", " ") for name in SHOWN),
            "BLACKHOLED",
            "SLICE WRITES",
            "WALKED",
        ]
        rows = [
            [
                f"{start}s",
                *(f"{group[name]:,}" for name in SHOWN),
                duration_text(group["blackholed_ns"] // 10**6 * 10**6),
                f"{group['slice_writes']:,}",
                f"{group['rules_walked']:,}",
            ]
            for start, group in sorted(groups.items())
        ]
        return table_text(titles, rows)

    def __str__(self) -> str:
        hurt = sum(self.total(name) for name in HURT)
        took = f"in {duration_text(self.until)} (seed {self.seed})"
        lines = [f"{self.total('opened'):,} connections opened, {hurt:,} hurt, {took}"]
        lines += [
            f"  {name.replace('_', ' ')}: {self.total(name):,}" for name in SHOWN[1:] if self.total(name)
        ]
        lines.append(f"  blackholed: {duration_text(self.total('blackholed_ns'))} together")
        lines.append(f"  fairness (Jain): {self.fairness:.3f} over {len(self.endpoints):,} endpoints")
        lines.append(f"  entries to nobody at the end: {self.stale_entries:,}")
        lines.append(
            "rules walked by a first packet and its answer: "
            f"median {self.walked_quantile(0.5):,}, 99 % {self.walked_quantile(0.99):,}, "
            f"most {self.walked_quantile(1):,}"
        )
        work = self.work
        lines.append(
            f"API writes: {work['slice_writes']:,} of EndpointSlices ({work['slice_bytes']:,} bytes, "
            f"{work['slice_watch_events']:,} events to {self.watchers:,} nodes), "
            f"{work['endpoints_writes']:,} of Endpoints ({work['endpoints_bytes']:,} bytes)"
        )
        if self.programming:
            shown = ", ".join(f"{name} {value:g} s" for name, value in self.programming.items())
            lines.append(f"network programming latency: {shown}")
        causes = "".join(self.why(name) for name in self.causes)
        return "\n".join(lines) + "\n" + causes

    def to_json(self) -> dict[str, Any]:
        """Give it as data (docs/json-output.md)."""
        return document(
            "ChurnResult",
            {
                "seed": self.seed,
                "until": self.until,
                "totals": {
                    name: self.total(name) for name in (*SHOWN, "answered", "closed", "blackholed_ns")
                },
                "work": self.work,
                "fairness": self.fairness,
                "staleEntries": self.stale_entries,
                "programming": self.programming,
                "causes": self.causes,
                "endpoints": self.endpoints,
                "walked": self.walked,
                "seconds": self.seconds,
            },
        )

    def to_csv_text(self) -> str:
        """Give the seconds as CSV, with a line of titles."""
        out = io.StringIO()
        writer = csv.DictWriter(
            out, list(self.seconds[0]) if self.seconds else ["second"], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(self.seconds)
        return out.getvalue()

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw connections by second into an SVG file. The same run is the same file."""
        from kdp.experiments.svg_chart import step_chart

        if not os.fspath(path).endswith(".svg"):
            raise UsageError("argument-invalid", f"run.plot({os.fspath(path)!r}): an .svg is drawn")
        lines = {name.replace("_", " "): [row[name] for row in self.seconds] for name in ("opened", *HURT)}
        shown = {name: counts for name, counts in lines.items() if any(counts)}
        text = step_chart(
            [row["second"] for row in self.seconds],
            shown,
            x_title="virtual seconds",
            y_title="connections a second",
        )
        try:
            Path(path).write_text(text)
        except OSError as error:
            raise KdpError(
                "output-failed", f"{os.fspath(path)}: cannot be written: {error.strerror}"
            ) from None


def churn(
    cluster: Cluster,
    *,
    do: Iterable[Action] = (),
    traffic: Traffic | Sequence[Traffic] = (),
    until: str | float,
    rebuild: bool = False,
) -> ChurnResult:
    """Let things change while clients talk, and count what becomes of them.

    ``do`` has actions with their times (``kdp.rollout("deploy/web", at="10s")``), ``traffic`` says who talks to whom.
    The cluster is at ``until`` afterwards. ``rebuild`` makes every node's rules anew before each packet: the counts
    are the same, and it takes far longer.
    """
    kinds = [traffic] if isinstance(traffic, Traffic) else list(traffic)
    end = parse_duration("churn(until=...)", until)
    if end < cluster.now:
        raise UsageError(
            "time-goes-back", f"churn(until={until!r}): it is {duration_text(cluster.now)} already"
        )
    actions = [
        {"at": step.at, "action": json.loads(core_action(step.action, find=cluster.namespace_of))}
        for step in read_steps(list(do))
    ]
    _check_targets(cluster, actions)
    plan = {
        "until": end,
        "actions": actions,
        "traffic": [each.plan(cluster) for each in kinds],
        "rebuild": rebuild,
    }
    told = json.loads(cluster.core.churn(json.dumps(plan)))
    cluster.forget_names()
    return ChurnResult(
        seconds=told["seconds"],
        causes=told["causes"],
        endpoints=told["endpoints"],
        walked=[(rules, count) for rules, count in told["walked"]],
        stale_entries=told["stale_entries"],
        watchers=len(cluster.core.nodes()),
        until=end,
        seed=cluster.seed,
        programming=_programming(cluster, told["nodes"]),
    )


def _check_targets(cluster: Cluster, actions: Iterable[Mapping[str, Any]]) -> None:
    """Fail before the run, not in the middle of it, where a workload or node is not there."""
    for timed in actions:
        action = timed["action"]
        if "kind" in action and action["kind"] != "Pod":
            cluster.core.get(action["kind"], action.get("namespace", ""), action["name"])
        elif action.get("node") and action["node"] not in cluster.core.nodes():
            raise NotFoundError("no-such-object", f"Node {action['node']}: there is none")


def _programming(cluster: Cluster, nodes: Iterable[str]) -> dict[str, float]:
    """Read SIG Scalability's network programming latency off the nodes' kube-proxies."""
    from kdp.experiments.histogram import quantiles

    texts = [cluster.core.proxy_metrics(node) for node in nodes]
    return quantiles(texts, "kubeproxy_network_programming_duration_seconds")
