"""Prometheus behind Services and Pods: what prometheus-operator configures, and what Prometheus then scrapes.

`operator` turns monitors into scrape jobs, `discovery` turns objects into target groups, `relabel` rewrites and drops
targets, `scrape` puts the three together, and `fault` says where the chain from a monitor to its targets breaks.
"""

from __future__ import annotations

from kdp.prometheus.fault import explain_monitor
from kdp.prometheus.targets import run_targets

__all__ = ["explain_monitor", "run_targets"]
