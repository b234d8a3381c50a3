"""Who talks to whom in an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdp.arguments import bad_argument, check_choice
from kdp.durations import parse_duration
from kdp.errors import NotFoundError

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["Traffic"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Connections to Services: ``Traffic(to="shop/checkout:80", rate=5_000, hold="2s")``.

    ``to``: ``NAMESPACE/NAME:PORT`` or ``NAME:PORT``, or several of them, of which each connection draws one.
    ``source``: Pods that send (``NAMESPACE/NAME`` or ``NAME``), of which each connection draws one; the
    first Pod that is no endpoint of ``to`` if nothing is said.

    ``rate``: connections a second whatever becomes of them (an open loop); or ``clients``, each of which begins anew
    when it is done (a closed loop). A connection is held for ``hold`` and asks every ``interval``; a client waits
    ``timeout`` for an answer, sending again as TCP does. ``ports``: source ports that a client goes through before it
    takes the first one again.
    """

    to: str | Sequence[str]
    source: str | Sequence[str] = ()
    protocol: str = "tcp"
    rate: float | None = None
    clients: int | None = None
    begin: str | float = 0
    hold: str | float = "1s"
    interval: str | float = "250ms"
    timeout: str | float = "5s"
    ports: int = 28_232

    def plan(self, cluster: Cluster) -> dict[str, Any]:
        """Write it in the core's form; raises ``no-such-object`` for a Service or Pod that is not there."""
        check_choice("Traffic(protocol=...)", self.protocol, ("tcp", "udp"))
        if (self.rate is None) == (self.clients is None):
            raise bad_argument("Traffic(rate=..., clients=...)", "one of the two is needed")
        targets = [_target(cluster, text) for text in _listed(self.to)]
        sources = [cluster.pod(text) for text in _listed(self.source)]
        clients = [{"namespace": pod.namespace, "name": pod.name} for pod in sources]
        loop = {"rate": self.rate} if self.rate is not None else {"clients": self.clients}
        times = {
            name: parse_duration(f"Traffic({name}=...)", getattr(self, name))
            for name in ("begin", "hold", "interval", "timeout")
        }
        return {
            "to": targets,
            "from": clients or _others(cluster, targets),
            "protocol": self.protocol,
            "ports": self.ports,
            **loop,
            **times,
        }


def _listed(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _target(cluster: Cluster, text: str) -> dict[str, Any]:
    name, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise bad_argument("Traffic(to=...)", f"{text!r} is no NAME:PORT or NAMESPACE/NAME:PORT")
    service = cluster.service(name)
    return {"namespace": service.namespace, "name": service.name, "port": int(port)}


def _others(cluster: Cluster, targets: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Find Pods that are no endpoints of the targets."""
    own = set()
    for target in targets:
        for piece in cluster.get("endpointslices", namespace=target["namespace"]):
            if piece["metadata"].get("labels", {}).get("kubernetes.io/service-name") == target["name"]:
                own |= {
                    endpoint["targetRef"]["name"]
                    for endpoint in piece.get("endpoints") or []
                    if "targetRef" in endpoint
                }
    free = [
        {"namespace": namespace, "name": name}
        for namespace, name in (text.split("/") for text in cluster.endpoint_names.values())
        if name not in own
    ]
    if not free:
        raise NotFoundError(
            "no-such-object",
            "Traffic(source=...): every Pod is an endpoint of what is asked for: name a Pod that sends",
        )
    return free[:1]
