"""Case files: one function for each kind of case, which gives what kdp does in the form of the case's expectation.

Each takes the parsed case; the core does the work, so that a case runs the same code as a packet does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kdp import _core
from kdp.conformance.packets import run_packets

__all__ = [
    "explain_monitor",
    "render_rules",
    "render_rules_after",
    "run_churn",
    "run_dns",
    "run_endpoints",
    "run_flows",
    "run_packets",
    "run_repack",
    "run_resolver",
    "run_selector",
    "run_slices",
    "run_targets",
    "run_tcp_sequences",
    "run_truncate",
]

Case = Mapping[str, Any]


def run_flows(case: Case) -> list[dict[str, Any]]:
    """Give ``{"verdict", "backends", "masquerade"}`` for each flow, in order."""
    answer: list[dict[str, Any]] = _run("run_flows", case)
    return answer


def render_rules(objects: Sequence[Case], proxy: Case) -> dict[str, str]:
    """Give the texts that load a node's rules into an empty kernel, by tool."""
    answer: dict[str, str] = _run("render_rules", {"objects": list(objects), "proxy": proxy})
    return answer


def render_rules_after(
    objects: Sequence[Case], objects_after: Sequence[Case], proxy: Case
) -> list[dict[str, str]]:
    """Give the texts after a full sync, then after the partial sync that the change causes."""
    question = {"objects": list(objects), "objects_after": list(objects_after), "proxy": proxy}
    answer: list[dict[str, str]] = _run("render_rules_after", question)
    return answer


def run_tcp_sequences(case: Case) -> list[list[dict[str, Any]]]:
    """Give the sequences again, each row with the state that the tracker has then."""
    answer: list[list[dict[str, Any]]] = _run("run_tcp_sequences", case)
    return answer


def run_slices(case: Case) -> dict[str, Any]:
    """Run an EndpointSlice controller scenario."""
    answer: dict[str, Any] = _run("run_slices", case)
    return answer


def run_endpoints(case: Case) -> dict[str, Any]:
    """Run an Endpoints controller scenario."""
    answer: dict[str, Any] = _run("run_endpoints", case)
    return answer


def run_selector(row: Case) -> dict[str, Any]:
    """Give ``{"result", "canonical"}`` of a selector row."""
    answer: dict[str, Any] = _run("run_selector", row)
    return answer


def run_churn(lines: Sequence[Case]) -> dict[str, Any]:
    """Count the writes of both controllers on a sequence of Pod events."""
    answer: dict[str, Any] = _run("run_churn", list(lines))
    return answer


def run_repack(row: Case) -> list[dict[str, Any]]:
    """Give the subsets in their canonical form."""
    answer: list[dict[str, Any]] = _run("run_repack", row)
    return answer


def run_truncate(row: Case) -> dict[str, Any]:
    """Cut subsets to the capacity of one object."""
    answer: dict[str, Any] = _run("run_truncate", row)
    return answer


def run_dns(case: Case) -> list[dict[str, Any]]:
    """Give a DNS server's answer to each of the case's queries, in order."""
    answer: list[dict[str, Any]] = _run("run_dns", case)
    return answer


def run_resolver(row: Case) -> dict[str, Any]:
    """Give ``{"steps", "result"}``: what a C library's resolver asks for a name, and what it finds."""
    answer: dict[str, Any] = _run("run_resolver", row)
    return answer


def run_targets(case: Case) -> dict[str, Any]:
    """Give the scrape jobs of a Prometheus, its targets, and what it drops."""
    from kdp.prometheus import run_targets as run

    return run(case)


def explain_monitor(case: Case) -> list[dict[str, str]]:
    """Say where the chain from a ServiceMonitor to its targets breaks, the most likely cause first."""
    from kdp.prometheus import explain_monitor as explain

    return explain(case)


def _run(function: str, case: object) -> Any:  # noqa: ANN401 -- JSON; each function states its form
    return json.loads(_core.conformance(function, json.dumps(case, default=_moment)))


def _moment(value: object) -> str:
    """Write a time that a YAML reader took for one, as the API does."""
    if isinstance(value, datetime):
        utc = value.astimezone(UTC) if value.tzinfo else value
        return utc.replace(tzinfo=None).isoformat() + "Z"
    raise TypeError(f"{value!r} is not JSON")
