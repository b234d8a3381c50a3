"""Roles endpoints and endpointslice: the addresses behind Services, and the other ports of the Pods there.

Source: Prometheus 3.14, discovery/kubernetes/endpoints.go and endpointslice.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdp.prometheus.discovery.meta import META, Group, join_host_port, object_labels, sanitize, truth
from kdp.prometheus.discovery.pods import container_port_labels, containers, other_ports, pod_labels
from kdp.prometheus.relabel import Labels
from kdp.prometheus.world import Json, meta

if TYPE_CHECKING:
    from kdp.prometheus.discovery.view import View

__all__ = ["endpoints_groups", "slice_groups"]

ENDPOINT = f"{META}endpoint_"
SLICE = f"{META}endpointslice_"


def endpoints_groups(view: View) -> Iterator[Group]:
    """Give a group for each Endpoints object. Addresses that are not ready are targets too."""
    for item in view.all("endpoints"):
        namespace = str(meta(item).get("namespace") or "")
        service = view.find("service", namespace, str(meta(item)["name"]))
        labels = {f"{META}namespace": namespace} | (object_labels("service", service) if service else {})
        labels |= object_labels("endpoints", item) | view.namespace_labels(namespace)
        yield Group(labels, _Pods(view).targets(_addresses(view, item)))


def slice_groups(view: View) -> Iterator[Group]:
    """Give a group for each EndpointSlice, without targets where its family is a Service's second one."""
    for item in view.all("endpointslice"):
        namespace = str(meta(item).get("namespace") or "")
        labels = {f"{META}namespace": namespace, f"{SLICE}address_type": str(item.get("addressType") or "")}
        labels |= object_labels("endpointslice", item)
        name = (meta(item).get("labels") or {}).get("kubernetes.io/service-name")
        service = view.find("service", namespace, name) if name is not None else None
        labels |= (object_labels("service", service) if service else {}) | view.namespace_labels(namespace)
        skipped = service is not None and _is_second_family(service, item)
        yield Group(labels, [] if skipped else _Pods(view).targets(_slice_addresses(view, item)))


# An address as a target: its labels, the reference to its Pod, its port, and whose protocol names the container's.
Address = tuple[Labels, Json | None, Json]


class _Pods:
    """The Pods that a group has met, each with the ports that endpoints cover."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._seen: dict[tuple[str, str], tuple[Json, list[object]]] = {}

    def targets(self, addresses: Iterator[Address]) -> list[Labels]:
        found = [self._target(*each) for each in addresses]
        for pod, ports in self._seen.values():
            found.extend(other_ports(self._view, pod, ports))
        return found

    def _target(self, labels: Labels, reference: Json | None, port: Json) -> Labels:
        pod = self._view.pod_of(reference)
        if pod is None:
            return labels
        key = (str(meta(pod).get("namespace")), str(meta(pod)["name"]))
        self._seen.setdefault(key, (pod, []))[1].append(port.get("port"))
        return labels | pod_labels(self._view, pod) | _container(pod, port)


def _container(pod: Json, port: Json) -> Labels:
    """Name the container of an endpoint's port: the last one that declares it."""
    found: Labels = {}
    for container, init in containers(pod):
        ports = [
            each for each in container.get("ports") or () if each.get("containerPort", 0) == port.get("port")
        ]
        if ports:
            # Role endpoints writes the endpoint port's protocol, role endpointslice the container port's.
            protocol = (
                port["protocol_of_endpoint"] if "protocol_of_endpoint" in port else ports[0].get("protocol")
            )
            found |= container_port_labels(container, ports[0], protocol, init=init)
    return found


def _addresses(view: View, item: Json) -> Iterator[Address]:
    for subset in item.get("subsets") or ():
        for port in subset.get("ports") or ():
            for ready, addresses in (("true", "addresses"), ("false", "notReadyAddresses")):
                for address in subset.get(addresses) or ():
                    labels = _address_labels(view, address, port) | {f"{ENDPOINT}ready": ready}
                    told = {**port, "protocol_of_endpoint": port.get("protocol")}
                    yield labels, address.get("targetRef"), told


def _address_labels(view: View, address: Json, port: Json) -> Labels:
    reference, node = address.get("targetRef"), address.get("nodeName")
    labels = {
        "__address__": join_host_port(str(address.get("ip") or ""), port.get("port", 0)),
        f"{ENDPOINT}port_name": str(port.get("name") or ""),
        f"{ENDPOINT}port_protocol": str(port.get("protocol") or ""),
        f"{ENDPOINT}hostname": str(address.get("hostname") or ""),
        **truth(f"{ENDPOINT}node_name", node),
        **_reference(ENDPOINT, reference),
    }
    if node is None and reference and reference.get("kind") == "Node":
        node = reference.get("name")
    return labels | view.node_labels(node)


def _slice_addresses(view: View, item: Json) -> Iterator[Address]:
    for endpoint in item.get("endpoints") or ():
        for port in item.get("ports") or ():
            for address in endpoint.get("addresses") or ():
                yield _slice_labels(view, address, endpoint, port), endpoint.get("targetRef"), port


def _slice_labels(view: View, address: str, endpoint: Json, port: Json) -> Labels:
    number, reference = port.get("port"), endpoint.get("targetRef")
    labels = {"__address__": address if number is None else join_host_port(address, number)}
    labels |= truth(f"{SLICE}port_name", port.get("name")) | truth(f"{SLICE}port", number)
    labels |= truth(f"{SLICE}port_protocol", port.get("protocol"))
    labels |= truth(f"{SLICE}port_app_protocol", port.get("appProtocol"))
    for condition in ("ready", "serving", "terminating"):
        value = (endpoint.get("conditions") or {}).get(condition)
        labels |= truth(f"{SLICE}endpoint_conditions_{condition}", value)
    labels |= truth(f"{SLICE}endpoint_hostname", endpoint.get("hostname"))
    labels |= truth(f"{SLICE}endpoint_node_name", endpoint.get("nodeName"))
    labels |= truth(f"{SLICE}endpoint_zone", endpoint.get("zone")) | _reference(SLICE, reference)
    for key, value in (endpoint.get("deprecatedTopology") or {}).items():
        labels[f"{SLICE}endpoint_topology_{sanitize(key)}"] = str(value)
        labels[f"{SLICE}endpoint_topology_present_{sanitize(key)}"] = "true"
    is_node = reference is not None and reference.get("kind") == "Node"
    return labels | view.node_labels(
        reference.get("name") if is_node and reference else endpoint.get("nodeName")
    )


def _reference(prefix: str, reference: Json | None) -> Labels:
    if reference is None:
        return {}
    return {
        f"{prefix}address_target_kind": str(reference.get("kind") or ""),
        f"{prefix}address_target_name": str(reference.get("name") or ""),
    }


def _is_second_family(service: Json, item: Json) -> bool:
    """Tell whether a slice repeats a dual-stack Service's endpoints in its second family."""
    spec = service.get("spec") or {}
    families = spec.get("ipFamilies") or ()
    if spec.get("ipFamilyPolicy") not in ("PreferDualStack", "RequireDualStack") or not families:
        return False
    return bool(item.get("addressType") != families[0])
