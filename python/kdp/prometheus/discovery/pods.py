"""Role pod, and the labels of a Pod and its containers that other roles give too.

Source: Prometheus 3.14, discovery/kubernetes/pod.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kdp.prometheus.discovery.meta import META, Group, flag, join_host_port, object_labels
from kdp.prometheus.world import Json, meta, owner

if TYPE_CHECKING:
    from kdp.prometheus.discovery.view import View
    from kdp.prometheus.relabel import Labels

__all__ = ["container_port_labels", "containers", "other_ports", "pod_groups", "pod_labels"]

POD = f"{META}pod_"


def pod_groups(view: View) -> Iterator[Group]:
    """Give a group for each Pod with an address; a container without ports is a target without a port."""
    for pod in view.all("pod"):
        address = (pod.get("status") or {}).get("podIP")
        node = str((pod.get("spec") or {}).get("nodeName") or "")
        if not address or (view.attach.get("node") and view.find("node", "", node) is None):
            continue
        labels = pod_labels(view, pod) | {f"{META}namespace": str(meta(pod).get("namespace") or "")}
        labels |= view.node_labels(node) | view.namespace_labels(str(meta(pod).get("namespace") or ""))
        yield Group(labels, [target for each in containers(pod) for target in _targets(pod, address, *each)])


def containers(pod: Json) -> list[tuple[Json, bool]]:
    """Give containers, then init containers, each with whether it is one."""
    spec = pod.get("spec") or {}
    return [(each, False) for each in spec.get("containers") or ()] + [
        (each, True) for each in spec.get("initContainers") or ()
    ]


def pod_labels(view: View, pod: Json) -> Labels:
    """Give the labels that a Pod gives all its targets."""
    status = pod.get("status") or {}
    controller = owner(pod) or {}
    return (
        {
            f"{POD}ip": str(status.get("podIP") or ""),
            f"{POD}ready": _ready(status),
            f"{POD}phase": str(status.get("phase") or ""),
            f"{POD}node_name": str((pod.get("spec") or {}).get("nodeName") or ""),
            f"{POD}host_ip": str(status.get("hostIP") or ""),
            f"{POD}uid": str(meta(pod).get("uid") or ""),
            f"{POD}controller_kind": str(controller.get("kind") or ""),
            f"{POD}controller_name": str(controller.get("name") or ""),
        }
        | object_labels("pod", pod)
        | view.workload_labels(pod)
    )


def container_port_labels(container: Json, port: Json, protocol: object, *, init: bool) -> Labels:
    """Give the labels of a container and one of its ports."""
    return {
        f"{POD}container_name": str(container.get("name") or ""),
        f"{POD}container_image": str(container.get("image") or ""),
        f"{POD}container_port_name": str(port.get("name") or ""),
        f"{POD}container_port_number": str(port.get("containerPort", 0)),
        f"{POD}container_port_protocol": str(protocol or ""),
        f"{POD}container_init": flag(value=init),
    }


def other_ports(view: View, pod: Json, seen: Sequence[object]) -> Iterator[Labels]:
    """Give a target for each declared port that no endpoint of the Pod has: at the Pod's own address."""
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        return
    for container, init in containers(pod):
        for port in container.get("ports") or ():
            if port.get("containerPort", 0) not in seen:
                labels = container_port_labels(container, port, port.get("protocol"), init=init)
                labels["__address__"] = join_host_port(address, port.get("containerPort", 0))
                yield labels | pod_labels(view, pod)


def _targets(pod: Json, address: str, container: Json, init: bool) -> Iterator[Labels]:  # noqa: FBT001 - a pair's half
    status = (pod.get("status") or {}).get("initContainerStatuses" if init else "containerStatuses") or ()
    name = container.get("name")
    identity = next((each.get("containerID") for each in status if each.get("name") == name), None)
    shared = {f"{POD}container_id": str(identity or "")}
    if not container.get("ports"):
        yield shared | {
            "__address__": address,
            f"{POD}container_name": str(name or ""),
            f"{POD}container_image": str(container.get("image") or ""),
            f"{POD}container_init": flag(value=init),
        }
    for port in container.get("ports") or ():
        labels = container_port_labels(container, port, port.get("protocol"), init=init)
        yield shared | labels | {"__address__": join_host_port(address, port.get("containerPort", 0))}


def _ready(status: Json) -> str:
    conditions = status.get("conditions") or ()
    found = next((each for each in conditions if each.get("type") == "Ready"), {"status": "Unknown"})
    return str(found.get("status") or "").lower()
