"""The classes of flows of a cluster: who connects, to which frontend of which Service, at which node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["FRONTENDS", "SOURCES", "FlowClass", "flow_classes"]

Json = Mapping[str, Any]

FRONTENDS = (
    "cluster IP",
    "external IP",
    "load balancer IP",
    "node port",
    "node port of localhost",
    "other port",
)
"""``other port``: the cluster IP with a port that the Service does not have."""

SOURCES = ("pod", "endpoint", "node", "outside", "outside in range")
"""A Pod of the node that is no endpoint; one that is (hairpin); the node itself; somebody outside of the cluster, whose
address lies in none (or in one) of ``loadBalancerSourceRanges``."""

OUTSIDE = ("198.51.100.77", "203.0.113.77", "192.0.2.177", "2001:db8:ffff::77", "2001:db8:fffe::77")
"""Addresses of documentation (RFC 5737, RFC 3849)."""

ASKED = ("TCP", "UDP")


@dataclass(frozen=True, order=True)
class FlowClass:
    """A class. ``source`` is its kind; ``asks`` and ``target`` are what stands for it: who connects, and ``HOST:PORT``.

    ``port`` is the service port as text (``http 80/TCP``); ``address`` is the frontend's, empty for a cluster IP, which
    may differ between two clusters.
    """

    service: str
    port: str
    frontend: str
    address: str
    node: str
    source: str
    asks: str
    target: str
    protocol: str

    @property
    def key(self) -> tuple[str, ...]:
        """What two clusters have in common of a class."""
        return (self.service, self.port, self.frontend, self.address, self.node, self.source)

    @property
    def via(self) -> str | None:
        """The node that packets from outside come to."""
        return self.node if self.source.startswith("outside") else None


def flow_classes(
    cluster: Cluster, *, nodes: Sequence[str] | None = None, services: Sequence[str] | None = None
) -> Iterator[FlowClass]:
    """Every class of a cluster, Service by Service; of these ``nodes`` and ``services`` (``NAMESPACE/NAME``) only.

    Headless and ExternalName Services have no rules and no classes, SCTP is not asked.
    """
    world = _World(cluster, nodes)
    for service in cluster.get("Service"):
        name = f"{service['metadata'].get('namespace', 'default')}/{service['metadata']['name']}"
        if (services is None or name in services) and _has_rules(service):
            for port in service["spec"].get("ports") or ():
                if port.get("protocol", "TCP") in ASKED:
                    yield from _of_port(world, name, service, port)


def _has_rules(service: Json) -> bool:
    spec = service["spec"]
    return spec.get("type") != "ExternalName" and spec.get("clusterIP") not in (None, "", "None")


class _World:
    """Nodes with their addresses and Pods; endpoints by Service."""

    def __init__(self, cluster: Cluster, nodes: Sequence[str] | None) -> None:
        names = [node.name for node in cluster.nodes]
        self.nodes = names if nodes is None else [cluster.node(name).name for name in nodes]
        self.addresses = {name: _node_addresses(cluster, name) for name in self.nodes}
        self.pods: dict[str, list[tuple[str, list[str]]]] = {name: [] for name in self.nodes}
        for pod in cluster.get("Pod"):
            self._add_pod(pod)
        self.endpoints: dict[str, set[str]] = {}
        for one in cluster.get("EndpointSlice"):
            service = (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
            ends = self.endpoints.setdefault(f"{one['metadata'].get('namespace')}/{service}", set())
            ends.update(
                address for each in one.get("endpoints") or () for address in each.get("addresses") or ()
            )

    def _add_pod(self, pod: Json) -> None:
        node, status = pod["spec"].get("nodeName"), pod.get("status") or {}
        ips = [each["ip"] for each in status.get("podIPs") or ()] or [status.get("podIP")]
        known = [ip for ip in ips if ip]
        ended = status.get("phase") in ("Succeeded", "Failed")
        if node in self.pods and known and not ended and not pod["spec"].get("hostNetwork"):
            self.pods[node].append((f"pod/{pod['metadata']['namespace']}/{pod['metadata']['name']}", known))


def _node_addresses(cluster: Cluster, name: str) -> list[str]:
    """A node's own addresses on devices, and that of its bridge: all of them answer node ports, or may."""
    import json

    devices: Mapping[str, Sequence[str]] = json.loads(cluster.core.topology(name))["devs"]
    return [text.partition("/")[0] for addresses in devices.values() for text in addresses]


def _of_port(world: _World, name: str, service: Json, port: Json) -> Iterator[FlowClass]:
    label = f"{port['name']} " if port.get("name") else ""
    label += f"{port['port']}/{port.get('protocol', 'TCP')}"
    protocol = port.get("protocol", "TCP").lower()
    for node in world.nodes:
        for frontend, address, number in _frontends(world, service, port, node):
            shown = "" if frontend in ("cluster IP", "other port") else address
            target = f"[{address}]:{number}" if ":" in address else f"{address}:{number}"
            for source, asks in _sources(world, name, service, node, frontend, address):
                yield FlowClass(name, label, frontend, shown, node, source, asks, target, protocol)


def _frontends(world: _World, service: Json, port: Json, node: str) -> Iterator[tuple[str, str, int]]:
    """Kind, address and port of each way to a service port at a node."""
    spec = service["spec"]
    cluster_ips = spec.get("clusterIPs") or [spec["clusterIP"]]
    yield from (("cluster IP", address, port["port"]) for address in cluster_ips)
    yield from (("external IP", address, port["port"]) for address in spec.get("externalIPs") or ())
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    yield from (("load balancer IP", each["ip"], port["port"]) for each in ingress if each.get("ip"))
    if port.get("nodePort"):
        families = {_family(address) for address in cluster_ips}
        own = [address for address in world.addresses[node] if _family(address) in families]
        yield from (("node port", address, port["nodePort"]) for address in own)
        if "IPv4" in families:
            yield ("node port of localhost", "127.0.0.1", port["nodePort"])
    if port is (spec.get("ports") or [port])[0]:
        taken = {each["port"] for each in spec.get("ports") or ()}
        free = next(number for number in range(9, 65536) if number not in taken)
        yield from (("other port", address, free) for address in cluster_ips)


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _sources(
    world: _World, name: str, service: Json, node: str, frontend: str, target: str
) -> Iterator[tuple[str, str]]:
    """Kind and representative of everybody who may connect."""
    family = _family(target)
    if frontend != "node port of localhost":
        ends = world.endpoints.get(name, set())
        pods = [(pod, ips) for pod, ips in world.pods[node] if any(_family(ip) == family for ip in ips)]
        for kind, is_endpoint in (("pod", False), ("endpoint", True)):
            found = next((pod for pod, ips in pods if bool(ends & set(ips)) is is_endpoint), None)
            if found:
                yield kind, found
    if any(_family(address) == family for address in world.addresses[node]):
        yield "node", f"node/{node}"
    if frontend != "node port of localhost":
        ranges = [text.strip() for text in service["spec"].get("loadBalancerSourceRanges") or ()]
        yield from _outsiders(ranges, family)


def _outsiders(ranges: Iterable[str], family: str) -> Iterator[tuple[str, str]]:
    networks = [ip_network(text, strict=False) for text in ranges if _family(text) == family]
    candidates = [address for address in OUTSIDE if _family(address) == family]
    inside = [address for address in candidates if any(ip_address(address) in each for each in networks)]
    outside = [address for address in candidates if address not in inside]
    if outside:
        yield "outside", outside[0]
    if networks:
        yield "outside in range", inside[0] if inside else str(next(networks[0].hosts()))
