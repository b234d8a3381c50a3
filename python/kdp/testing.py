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
PORTS = (80, 443, 5353)

Row = tuple[int, int, int, int, int]
"""src, sport, dst, dport, proto."""


@st.composite
def cluster_objects(draw: st.DrawFn, /, *, services: int = 5, pods: int = 8) -> list[Manifest]:
    """Draw the objects of a cluster of two nodes: up to so many Services and Pods; some Services get no endpoint."""
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
                ready=draw(st.integers(0, 4)) > 0,
            )
        )
    for number in range(draw(st.integers(1, services))):
        chosen = draw(st.lists(st.sampled_from(PORTS), min_size=1, max_size=2, unique=True))
        objects.append(
            Service(
                f"svc-{number}",
                selector={"app": f"app-{number}"},
                cluster_ip=_text(FIRST_CLUSTER_IP + number),
                ports=[_service_port(port) for port in chosen],
                session_affinity=draw(st.sampled_from(["None", "None", "ClientIP"])),
            )
        )
    return objects


@st.composite
def clusters(draw: st.DrawFn, /, *, services: int = 5, pods: int = 8, **options: Any) -> Cluster:
    """Draw a loaded cluster; ``options`` are those of ``kdp.Cluster``."""
    seed = draw(st.integers(0, 2**32 - 1))
    return Cluster(draw(cluster_objects(services=services, pods=pods)), seed=seed, **options)


def packets(*, services: int = 5, pods: int = 8) -> st.SearchStrategy[Row]:
    """Draw five-tuples that fit ``clusters``: from Pods, nodes or outside, to Services, Pods or nobody."""
    pod_ips = [network + 10 + number for network in POD_NETWORKS for number in range(pods)]
    service_ips = [FIRST_CLUSTER_IP + number for number in range(services)]
    # Few clients and few ports, so that flows meet the same entries, and each other's.
    sources = st.sampled_from([*pod_ips, OUTSIDE + 7])
    targets = st.one_of(st.sampled_from(service_ips), st.sampled_from([*pod_ips, OUTSIDE + 9]))
    sports = st.one_of(st.integers(32768, 32800), st.integers(1, 65535))
    return st.tuples(sources, sports, targets, st.sampled_from(PORTS), st.sampled_from([6, 17]))


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


def _service_port(port: int) -> dict[str, object]:
    protocol = "UDP" if port == 5353 else "TCP"
    return {"name": f"p{port}", "port": port, "protocol": protocol, "targetPort": port + 8000}


def _text(address: int) -> str:
    return str(ipaddress.IPv4Address(address))
