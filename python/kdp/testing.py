"""Hypothesis strategies for clusters and flows: for the tests of those who use kdp, and for its own.

``hypothesis`` must be installed; it comes with the ``dev`` extra.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kdp.cluster import Cluster
from kdp.objects import Manifest, Node, Pod, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdp.flows import Flows

__all__ = ["cluster_objects", "clusters", "flow_rows", "flows", "packets", "to_flows"]

NODES = ("n1", "n2")
POD_NETWORKS = (0x0A000100, 0x0A000200)
FIRST_CLUSTER_IP = 0x0A600001
OUTSIDE = 0xCB007100
TCP, UDP = 6, 17
PORTS = ((80, TCP), (443, TCP), (5353, UDP))
"""Port and protocol of the Services; the Pods listen 8000 above."""

Row = tuple[int, int, int, int, int]
"""src, sport, dst, dport, proto."""


@st.composite
def cluster_objects(draw: st.DrawFn, /, *, services: int = 5, pods: int = 8) -> list[Manifest]:
    """Draw a cluster of two nodes: so many Services, up to so many Pods; a Service may have no endpoint."""
    objects: list[Manifest] = [
        Node(name, ip=f"192.0.2.{11 + at}", pod_cidr=f"{_text(POD_NETWORKS[at])}/24")
        for at, name in enumerate(NODES)
    ]
    for number in range(draw(st.integers(1, pods))):
        node = draw(st.integers(0, 1))
        objects.append(
            Pod(
                f"pod-{number}",
                labels={"app": f"app-{draw(st.integers(0, services - 1))}"},
                ip=_text(POD_NETWORKS[node] + 10 + number),
                node=NODES[node],
                ready=draw(st.integers(0, 7)) > 0,
            )
        )
    affinities = draw(
        st.lists(st.sampled_from(["None", "None", "ClientIP"]), min_size=services, max_size=services)
    )
    objects += [_service(number, affinity) for number, affinity in enumerate(affinities)]
    return objects


@st.composite
def clusters(draw: st.DrawFn, /, *, services: int = 5, pods: int = 8, **options: Any) -> Cluster:
    """Draw a loaded cluster; ``options`` are those of ``kdp.Cluster``."""
    seed = draw(st.integers(0, 2**32 - 1))
    return Cluster(draw(cluster_objects(services=services, pods=pods)), seed=seed, **options)


@st.composite
def packets(draw: st.DrawFn, /, *, services: int = 5, pods: int = 8) -> Row:
    """Draw a five-tuple that fits ``clusters``: from a Pod or outside, mostly to a Service, else to a Pod or nobody."""
    # Few clients and few ports, so that flows meet the same entries, and each other's.
    src = draw(st.sampled_from([*_pod_ips(pods), OUTSIDE + 7]))
    sport = draw(st.one_of(st.integers(32768, 32771), st.integers(1, 65535)))
    dport, proto = draw(st.sampled_from(PORTS))
    if draw(st.integers(0, 3)):
        return src, sport, FIRST_CLUSTER_IP + draw(st.integers(0, services - 1)), dport, proto
    dst = draw(st.sampled_from([*_pod_ips(pods), OUTSIDE + 9]))
    return src, sport, dst, draw(st.sampled_from([dport, dport + 8000])), proto


def _pod_ips(pods: int) -> list[int]:
    return [network + 10 + number for network in POD_NETWORKS for number in range(pods)]


def flow_rows(*, services: int = 5, pods: int = 8, max_size: int = 100) -> st.SearchStrategy[list[Row]]:
    """Draw lists of five-tuples; the same one may come again, and then is the connection's next segment."""
    return st.lists(packets(services=services, pods=pods), max_size=max_size)


def flows(*, services: int = 5, pods: int = 8, max_size: int = 100) -> st.SearchStrategy[Flows]:
    """Draw batches of flows."""
    return flow_rows(services=services, pods=pods, max_size=max_size).map(to_flows)


def to_flows(rows: Sequence[Row]) -> Flows:
    """Make columns of rows."""
    import numpy as np

    from kdp.flows import Flows

    table = np.array(rows, dtype=np.uint32).reshape(len(rows), 5)
    return Flows(
        src=table[:, 0],
        sport=table[:, 1].astype(np.uint16),
        dst=table[:, 2],
        dport=table[:, 3].astype(np.uint16),
        proto=table[:, 4].astype(np.uint8),
    )


def _service(number: int, session_affinity: str) -> Service:
    return Service(
        f"svc-{number}",
        selector={"app": f"app-{number}"},
        cluster_ip=_text(FIRST_CLUSTER_IP + number),
        ports=[_service_port(port, protocol) for port, protocol in PORTS],
        session_affinity=session_affinity,
    )


def _service_port(port: int, protocol: int) -> dict[str, object]:
    name = {TCP: "TCP", UDP: "UDP"}[protocol]
    return {"name": f"p{port}", "port": port, "protocol": name, "targetPort": port + 8000}


def _text(address: int) -> str:
    return str(ipaddress.IPv4Address(address))
