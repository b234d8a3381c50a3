"""A node's kube-proxy as a process: its metrics page, its health servers, its failures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdp.arguments import check_choice

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["HealthAnswer", "ProxyRef"]


@dataclass(frozen=True)
class HealthAnswer:
    """What a Service's health-check node port answers.

    ``status`` is 200 where the node has a ready endpoint of the Service and kube-proxy is healthy, else 503.
    """

    port: int
    status: int
    headers: dict[str, str]
    body: str

    @property
    def local_endpoints(self) -> int:
        """How many ready endpoints of the Service are on the node: the answer's weight."""
        return int(self.headers["X-Load-Balancing-Endpoint-Weight"])


class ProxyRef:
    """The kube-proxy of a node."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._core = cluster.core
        self._node = node

    def __repr__(self) -> str:
        return f"<kube-proxy on {self._node}>"

    def metrics(self) -> str:
        """Give its metrics page in Prometheus' text format, under kube-proxy's names. Times are virtual."""
        return self._core.proxy_metrics(self._node)

    def metric(self, name: str, **labels: str) -> float:
        """Give one value of the metrics page; the labels given must be among its own. Raises ``KeyError``."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        for line in self.metrics().splitlines():
            series, _, value = line.rpartition(" ")
            found, _, own = series.partition("{")
            if found == name and all(label in own for label in wanted):
                return float(value)
        raise KeyError(name)

    def health(
        self, service: str, *, namespace: str = "default", family: str = "IPv4"
    ) -> HealthAnswer | None:
        """Ask the health-check node port of a Service; ``None`` where it has no such port."""
        check_choice("ProxyRef.health(family=...)", family, ("IPv4", "IPv6"))
        answer = json.loads(self._core.proxy_service_health(self._node, namespace, service, family))
        return HealthAnswer(**answer) if answer else None

    def healthz(self) -> int:
        """Ask ``/healthz``: 503 while a sync waits too long, or while the node is going away."""
        return self._core.proxy_healthz(self._node, live=False)

    def livez(self) -> int:
        """Ask ``/livez``: 503 while a sync waits too long."""
        return self._core.proxy_healthz(self._node, live=True)

    def refuse(self, syncs: int = 1) -> None:
        """Let the kernel refuse so many of its next syncs: rules stay as they are, and the next sync is a full one."""
        self._core.proxy_refuse(self._node, syncs)

    def restart(self) -> None:
        """Start it anew: it forgets what it knew, and finds the rules that it wrote."""
        self._core.proxy_restart(self._node)
