"""Builders: keyword arguments in the API's own words, plain manifests out.

A builder is a ``dict``: print it, change it, dump it as JSON, or hand it to ``kdp.Cluster``. It writes only what it
was given; what an API server would add is added when the cluster is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from kdp.arguments import bad_argument, check_choice, check_ip, check_labels, check_name, check_port

__all__ = [
    "Deployment",
    "EndpointSlice",
    "Manifest",
    "Namespace",
    "Node",
    "Pod",
    "PortLike",
    "Service",
    "ServiceMonitor",
    "StatefulSet",
]

PortLike: TypeAlias = int | str | tuple[int, int | str] | Mapping[str, Any]
"""A port: ``80``, ``"80/UDP"``, ``"http:80"``, ``(80, 8080)`` for port and target port, or the API's own mapping."""

PROTOCOLS = ("TCP", "UDP", "SCTP")


class Manifest(dict[str, Any]):
    """An object as the API writes it."""

    @property
    def name(self) -> str:
        """Its ``metadata.name``."""
        return str(self["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its ``metadata.namespace``; ``default`` if it has none."""
        return str(self["metadata"].get("namespace", "default"))

    def manifest(self) -> dict[str, Any]:
        """Give it as a plain ``dict``, which is not a copy below the first level."""
        return dict(self)


class Namespace(Manifest):
    """A Namespace: ``kdp.Namespace("shop", labels={"team": "shop"})``."""

    def __init__(self, name: str, *, labels: Mapping[str, str] | None = None) -> None:
        super().__init__(_head("v1", "Namespace", name, None, labels))


class Node(Manifest):
    """A Node, ready, with an address: ``kdp.Node("n1", ip="192.0.2.11", pod_cidr="10.0.1.0/24", zone="a")``."""

    def __init__(
        self,
        name: str,
        *,
        ip: str | None = None,
        pod_cidr: str | None = None,
        zone: str | None = None,
        labels: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> None:
        own = check_labels("kdp.Node(labels=...)", labels)
        if zone is not None:
            own.setdefault("topology.kubernetes.io/zone", zone)
        super().__init__(_head("v1", "Node", name, None, own))
        if pod_cidr is not None:
            self["spec"] = {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]}
        status: dict[str, Any] = {}
        if not ready:
            status["conditions"] = [{"type": "Ready", "status": "False"}]
        if ip is not None:
            status["addresses"] = [{"type": "InternalIP", "address": check_ip("kdp.Node(ip=...)", ip)}]
        if status:
            self["status"] = status


class Pod(Manifest):
    """A Pod: ``kdp.Pod("web-1", labels={"app": "web"}, ip="10.0.1.5", node="n1", ports=[8080])``.

    Without ``ip`` or ``node`` the loader chooses them, and the Pod runs. ``ready=False`` gives one that runs and is not
    ready. A ``phase`` says that the Pod is as it stands: then nothing is chosen for it.
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "default",
        labels: Mapping[str, str] | None = None,
        ip: str | None = None,
        node: str | None = None,
        ports: Sequence[PortLike] = (),
        ready: bool = True,
        phase: str | None = None,
        image: str = "app",
    ) -> None:
        super().__init__(_head("v1", "Pod", name, namespace, labels))
        self["spec"] = _pod_spec("kdp.Pod(ports=...)", image, ports)
        if node is not None:
            self["spec"]["nodeName"] = check_name("kdp.Pod(node=...)", node)
        status: dict[str, Any] = {}
        if phase is not None:
            phases = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
            status["phase"] = check_choice("kdp.Pod(phase=...)", phase, phases)
        if phase is not None or not ready:
            status["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]
        if ip is not None:
            address = check_ip("kdp.Pod(ip=...)", ip)
            status |= {"podIP": address, "podIPs": [{"ip": address}]}
        if status:
            self["status"] = status


class Service(Manifest):
    """A Service: ``kdp.Service("mysql", namespace="shop", selector={"app": "mysql"}, ports=[3306])``.

    ``cluster_ip="None"`` makes it headless. Without ``selector`` nobody manages its endpoints.
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "default",
        selector: Mapping[str, str] | None = None,
        ports: Sequence[PortLike] = (),
        type: str = "ClusterIP",  # noqa: A002 -- the API's own word
        cluster_ip: str | None = None,
        labels: Mapping[str, str] | None = None,
        session_affinity: str | None = None,
        external_name: str | None = None,
        internal_traffic_policy: str | None = None,
        external_traffic_policy: str | None = None,
        publish_not_ready_addresses: bool | None = None,
    ) -> None:
        super().__init__(_head("v1", "Service", name, namespace, labels))
        types = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
        spec: dict[str, Any] = {"type": check_choice("kdp.Service(type=...)", type, types)}
        if selector is not None:
            spec["selector"] = check_labels("kdp.Service(selector=...)", selector)
        if ports:
            spec["ports"] = [_service_port(port, alone=len(ports) == 1) for port in ports]
        if cluster_ip is not None:
            headless = cluster_ip == "None"
            spec["clusterIP"] = "None" if headless else check_ip("kdp.Service(cluster_ip=...)", cluster_ip)
        given = {
            "sessionAffinity": session_affinity,
            "externalName": external_name,
            "internalTrafficPolicy": internal_traffic_policy,
            "externalTrafficPolicy": external_traffic_policy,
            "publishNotReadyAddresses": publish_not_ready_addresses,
        }
        self["spec"] = spec | {key: value for key, value in given.items() if value is not None}


class Deployment(Manifest):
    """A Deployment: ``kdp.Deployment("web", replicas=3, labels={"app": "web"}, ports=[8080])``.

    ``labels`` are those of its Pods and of its selector; ``app: NAME`` unless given.
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "default",
        replicas: int = 1,
        labels: Mapping[str, str] | None = None,
        ports: Sequence[PortLike] = (),
        image: str = "app",
    ) -> None:
        super().__init__(_workload("Deployment", name, namespace, replicas, labels, ports, image))


class StatefulSet(Manifest):
    """A StatefulSet: ``kdp.StatefulSet("db", replicas=3, service_name="db", ports=[5432])``."""

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "default",
        replicas: int = 1,
        service_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        ports: Sequence[PortLike] = (),
        image: str = "app",
    ) -> None:
        super().__init__(_workload("StatefulSet", name, namespace, replicas, labels, ports, image))
        self["spec"]["serviceName"] = service_name or name


class EndpointSlice(Manifest):
    """An EndpointSlice that somebody else manages.

    ``kdp.EndpointSlice("db-1", service="db", addresses=["192.0.2.7"], ports=[5432])``
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "default",
        service: str,
        addresses: Sequence[str],
        ports: Sequence[PortLike],
        address_type: str = "IPv4",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        own = check_labels("kdp.EndpointSlice(labels=...)", labels)
        own.setdefault("kubernetes.io/service-name", check_name("kdp.EndpointSlice(service=...)", service))
        super().__init__(_head("discovery.k8s.io/v1", "EndpointSlice", name, namespace, own))
        self["addressType"] = check_choice(
            "kdp.EndpointSlice(address_type=...)", address_type, ("IPv4", "IPv6", "FQDN")
        )
        self["endpoints"] = [
            {
                "addresses": [check_ip("kdp.EndpointSlice(addresses=...)", address)],
                "conditions": {"ready": True},
            }
            for address in addresses
        ]
        self["ports"] = [_slice_port(port) for port in ports]


class ServiceMonitor(Manifest):
    """A ServiceMonitor: ``kdp.ServiceMonitor("mysql", match_labels={"app": "mysql"}, ports=["metrics"])``.

    ``ports`` are names of Service ports; ``namespaces`` are those to look into, its own unless given.
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "default",
        match_labels: Mapping[str, str],
        ports: Sequence[str] = (),
        namespaces: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(_head("monitoring.coreos.com/v1", "ServiceMonitor", name, namespace, labels))
        spec: dict[str, Any] = {
            "selector": {"matchLabels": check_labels("kdp.ServiceMonitor(match_labels=...)", match_labels)},
            "endpoints": [{"port": check_name("kdp.ServiceMonitor(ports=...)", port)} for port in ports],
        }
        if namespaces is not None:
            spec["namespaceSelector"] = {"matchNames": list(namespaces)}
        self["spec"] = spec


def _head(
    api_version: str, kind: str, name: str, namespace: str | None, labels: Mapping[str, str] | None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": check_name(f"kdp.{kind}(name=...)", name)}
    if namespace is not None:
        metadata["namespace"] = check_name(f"kdp.{kind}(namespace=...)", namespace)
    if labels:
        metadata["labels"] = check_labels(f"kdp.{kind}(labels=...)", labels)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _workload(
    kind: str,
    name: str,
    namespace: str,
    replicas: int,
    labels: Mapping[str, str] | None,
    ports: Sequence[PortLike],
    image: str,
) -> dict[str, Any]:
    own = check_labels(f"kdp.{kind}(labels=...)", labels) or {"app": name}
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
        raise bad_argument(f"kdp.{kind}(replicas=...)", f"a number of Pods is 0 or more, not {replicas!r}")
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": own},
        "template": {
            "metadata": {"labels": dict(own)},
            "spec": _pod_spec(f"kdp.{kind}(ports=...)", image, ports),
        },
    }
    return _head("apps/v1", kind, name, namespace, own) | {"spec": spec}


def _pod_spec(place: str, image: str, ports: Iterable[PortLike]) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "app", "image": image}
    listed = [_container_port(place, port) for port in ports]
    if listed:
        container["ports"] = listed
    return {"containers": [container]}


def _container_port(place: str, port: PortLike) -> dict[str, Any]:
    if isinstance(port, Mapping):
        return dict(port)
    name, number, protocol, target = _read_port(place, port)
    if target is not None:
        raise bad_argument(place, f"{port!r}: a container's port has no target port")
    named = {"name": name} if name else {}
    return named | {"containerPort": number, "protocol": protocol}


def _service_port(port: PortLike, *, alone: bool) -> dict[str, Any]:
    if isinstance(port, Mapping):
        return dict(port)
    name, number, protocol, target = _read_port("kdp.Service(ports=...)", port)
    if not name and not alone:
        # The API wants a name as soon as there are two ports. Source: Kubernetes API, ServicePort.name.
        name = f"port-{number}" if protocol == "TCP" else f"port-{number}-{protocol.lower()}"
    named = {"name": name} if name else {}
    return named | {"port": number, "protocol": protocol, "targetPort": number if target is None else target}


def _slice_port(port: PortLike) -> dict[str, Any]:
    if isinstance(port, Mapping):
        return dict(port)
    name, number, protocol, _ = _read_port("kdp.EndpointSlice(ports=...)", port)
    return {"name": name, "port": number, "protocol": protocol}


def _read_port(place: str, port: PortLike) -> tuple[str, int, str, int | str | None]:
    """Read ``80``, ``"http:80/UDP"`` or ``(80, 8080)`` as name, number, protocol and target port."""
    if isinstance(port, tuple):
        if len(port) != 2:
            raise bad_argument(place, f"{port!r}: a pair is port and target port")
        target = port[1] if isinstance(port[1], str) else check_port(place, port[1])
        return "", check_port(place, port[0]), "TCP", target
    if not isinstance(port, str):
        return "", check_port(place, port), "TCP", None
    rest, _, protocol = port.partition("/")
    name, _, number = rest.rpartition(":")
    if not number.isascii() or not number.isdigit():
        raise bad_argument(place, f'{port!r} is no port: write 80, "80/UDP", "http:80" or (80, 8080)')
    return (
        name,
        check_port(place, int(number)),
        check_choice(place, (protocol or "TCP").upper(), PROTOCOLS),
        None,
    )
