"""Rules of kube-proxy's nftables mode for random Services: kdp writes them, and both sides load the text.

Whether kdp writes what kube-proxy writes is another test's question. Endpoints are chosen by turns (``numgen inc``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdp.conformance import render_rules

if TYPE_CHECKING:
    from tests.kernel.kube_iptables import ServicePort
    from tests.kernel.place import Place


def kube_nft(place: Place, services: list[ServicePort]) -> str:
    """What ``nft -f`` takes: the table of the place's family."""
    objects = [one for service in services for one in _objects(place, service)]
    proxy = {
        "mode": "nftables",
        "version": "1.33",
        "nodeName": "here",
        "nodeIPs": place.own,
        "primaryNodeIP" if place.family == 4 else "primaryNodeIPv6": place.own[0],
        "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": place.pod_network},
        "masqueradeAll": False,
        "localhostNodePorts": False,
        "nodePortAddresses": [],
    }
    text = render_rules(objects, proxy)["nft"]
    return text.replace("numgen random mod", "numgen inc mod")


def _objects(place: Place, service: ServicePort) -> list[dict[str, Any]]:
    """A Service and its EndpointSlice."""
    name = service.name.lower()
    family = "IPv4" if place.family == 4 else "IPv6"
    proto = service.proto.upper()
    port: dict[str, Any] = {"port": service.port, "protocol": proto, "targetPort": service.target}
    if service.node_port:
        port["nodePort"] = service.node_port
    spec: dict[str, Any] = {
        "type": "NodePort" if service.node_port else "ClusterIP",
        "clusterIP": service.address,
        "clusterIPs": [service.address],
        "ipFamilies": [family],
        "ports": [port],
        "externalIPs": service.external,
        "sessionAffinity": "ClientIP" if service.affinity else "None",
        "externalTrafficPolicy": "Local" if service.local and service.node_port else None,
    }
    endpoints = [
        {
            "addresses": [pod],
            "conditions": {"ready": True},
            "nodeName": "here" if pod in service.pods_here else "there",
        }
        for pod in service.pods
    ]
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": family,
        "ports": [{"name": "", "port": service.target, "protocol": proto}],
        "endpoints": endpoints,
    }
    named = {"name": name, "namespace": "default"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": named,
            "spec": {key: value for key, value in spec.items() if value},
        },
        slice_,
    ]
