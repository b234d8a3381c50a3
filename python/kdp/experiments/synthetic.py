"""Clusters of any size, as JSON text: many Services, each with endpoints, and one node with clients."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdp.sources import Source

__all__ = ["CLIENTS", "NODE", "first_cluster_ip", "services_cluster"]

NODE = "n1"
CLIENTS = 8
"""Client Pods on the node."""

_FIRST_CLUSTER_IP = int(ipaddress.IPv4Address("10.96.0.10"))
_FIRST_ENDPOINT_IP = int(ipaddress.IPv4Address("10.129.0.1"))


def first_cluster_ip() -> int:
    """Give the cluster IP of the first Service; the others follow it one by one."""
    return _FIRST_CLUSTER_IP


def services_cluster(services: int, endpoints: int) -> list[Source]:
    """Write a cluster of ``services`` Services of ``endpoints`` endpoints each, port 80, on another node.

    Endpoints are given as EndpointSlices, without Pods: rules are made of nothing else, and the text stays small.
    """
    objects = [*_nodes(), *_clients()]
    for number in range(services):
        objects += [_service(number), _slice(number, endpoints)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    return [(f"{services} Services", text.encode())]


def _nodes() -> list[dict[str, object]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
            "status": {
                "addresses": [{"type": "InternalIP", "address": address}],
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        for name, cidr, address in (
            (NODE, "10.128.0.0/16", "192.0.2.11"),
            ("n2", "10.129.0.0/16", "192.0.2.12"),
        )
    ]


def _clients() -> list[dict[str, object]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"client-{number}", "namespace": "default"},
            "spec": {"nodeName": NODE, "containers": [{"name": "client", "image": "client"}]},
            "status": {
                "phase": "Running",
                "podIP": f"10.128.0.{number + 10}",
                "podIPs": [{"ip": f"10.128.0.{number + 10}"}],
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        for number in range(CLIENTS)
    ]


def _service(number: int) -> dict[str, object]:
    address = str(ipaddress.IPv4Address(_FIRST_CLUSTER_IP + number))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"svc-{number:05}", "namespace": "default"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address,
            "clusterIPs": [address],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
        },
    }


def _slice(number: int, endpoints: int) -> dict[str, object]:
    first = _FIRST_ENDPOINT_IP + number * endpoints
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"svc-{number:05}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": f"svc-{number:05}"},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [str(ipaddress.IPv4Address(first + at))],
                "conditions": {"ready": True},
                "nodeName": "n2",
            }
            for at in range(endpoints)
        ],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
