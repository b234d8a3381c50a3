"""Random Services on one node, and every kind of flow to them: what a kernel with kdp's rules is asked."""

from __future__ import annotations

import random
from typing import Any

TOPOLOGY: dict[str, Any] = {
    "devs": {
        "eth0": ["10.200.0.1/24", "fd00:200::1/64"],
        "eth1": ["192.168.77.5/24"],
        "cni0": ["10.1.0.254/24", "fd00:1::fe/64"],
    },
    "default": "eth0",
    "routes": [],
    "sysctl": {},
    "lo_addrs": [],
}
NODE_IPS = ["10.200.0.1", "192.168.77.5", "10.1.0.254", "fd00:200::1", "fd00:1::fe"]
SENDERS = {
    4: [
        ("cni0", "10.1.0.1"),
        ("cni0", "10.1.0.3"),
        ("cni0", "10.1.0.9"),
        ("eth0", "10.200.0.9"),
        ("eth0", "198.51.100.7"),
    ],
    6: [("cni0", "fd00:1::1"), ("cni0", "fd00:1::3"), ("eth0", "fd00:200::9"), ("eth0", "2001:db8::7")],
}
RANGES = ["10.0.0.0/8", "10.200.0.1/32", "198.51.100.0/24", "fd00::/8", "0.0.0.0/0", "172.16.0.0/12"]
PORTS = [
    ("TCP", 80),
    ("UDP", 53),
    ("TCP", 53),
    ("TCP", 81),
    *(("TCP", 30000 + i) for i in range(4)),
    ("TCP", 30900),
]


def service(rng: random.Random, at: int) -> dict[str, Any]:
    """One Service of both families, with frontends that no other one has."""
    policy = ["Cluster", "Local"]
    external = [f"203.0.113.{10 + at}", f"fd00:113::{at + 1}"] if rng.random() < 0.6 else []
    ingress = [{"ip": f"192.0.2.{at + 1}"}, {"ip": f"fd00:2::{at + 1}"}] if rng.random() < 0.6 else []
    node_port = 30000 + at if rng.random() < 0.7 else None
    affinity = {"clientIP": {"timeoutSeconds": 60}} if rng.random() < 0.3 else None
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "ns", "name": f"s{at}"},
        "spec": {
            "type": rng.choice(["NodePort", "LoadBalancer", "LoadBalancer"]),
            "clusterIP": f"172.30.0.{at + 1}",
            "clusterIPs": [f"172.30.0.{at + 1}", f"fd00:30::{at + 1}"],
            "ipFamilies": ["IPv4", "IPv6"],
            "ports": [
                {"name": "p", "port": 80, "protocol": "TCP", "nodePort": node_port},
                {"name": "q", "port": 53, "protocol": "UDP"},
            ],
            "externalIPs": external,
            "externalTrafficPolicy": rng.choice(policy),
            "internalTrafficPolicy": rng.choice(policy),
            "sessionAffinity": "ClientIP" if affinity else "None",
            "sessionAffinityConfig": affinity,
            "loadBalancerSourceRanges": rng.sample(RANGES, rng.choice([0, 0, 1, 2])),
            "healthCheckNodePort": 30900 + at,
        },
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def slice_of(rng: random.Random, at: int, of: int) -> dict[str, Any]:
    """A slice of Service ``of``, with endpoints in every condition."""
    prefix, kind = rng.choice([("10.1.0.", "IPv4"), ("fd00:1::", "IPv6")])
    maybe = [True, True, None, False]

    def endpoint(host: int) -> dict[str, Any]:
        conditions = {
            "ready": rng.choice(maybe),
            "serving": rng.choice(maybe),
            "terminating": rng.choice([None, False, True]),
        }
        return {
            "addresses": [f"{prefix}{host}"],
            "nodeName": rng.choice(["n1", "n2", None]),
            "conditions": conditions,
            "hints": {"forZones": [{"name": rng.choice(["z1", "z2"])}]} if rng.random() < 0.8 else None,
        }

    ports = [{"name": "p", "port": 8080, "protocol": "TCP"}, {"name": "q", "port": 5353, "protocol": "UDP"}]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": "ns", "name": f"e{at}", "labels": {"kubernetes.io/service-name": f"s{of}"}},
        "addressType": kind,
        "ports": ports,
        "endpoints": [endpoint(host) for host in rng.sample(range(1, 6), rng.randrange(4))],
    }


def objects(rng: random.Random, services: int) -> list[dict[str, Any]]:
    """Services, their slices, and the node n1 in zone z1."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}},
        "spec": {"podCIDRs": ["10.1.0.0/24", "fd00:1::/64"]},
    }
    made = [service(rng, at) for at in range(services)]
    return [node, *made, *(slice_of(rng, at, rng.randrange(services)) for at in range(2 * services))]


def proxy(rng: random.Random, releases: list[str]) -> dict[str, Any]:
    """A node's kube-proxy with options of every kind."""
    return {
        "mode": rng.choice(["iptables", "nftables"]),
        "version": rng.choice(releases),
        "nodeName": "n1",
        "nodeIPs": NODE_IPS,
        "primaryNodeIP": "10.200.0.1",
        "primaryNodeIPv6": "fd00:200::1",
        "detectLocal": rng.choice(
            [
                {"mode": "None"},
                {"mode": "ClusterCIDR", "clusterCIDR": "10.1.0.0/16,fd00:1::/48"},
                {"mode": "NodeCIDR"},
            ]
        ),
        "masqueradeAll": rng.random() < 0.3,
        "localhostNodePorts": rng.random() < 0.5,
        "nodePortAddresses": rng.choice([[], ["10.200.0.0/24"], ["0.0.0.0/0", "fd00:200::/64"]]),
        "serviceCIDRs": ["172.30.0.0/16", "fd00:30::/64"],
    }


def flow(rng: random.Random, services: int) -> tuple[str, dict[str, Any]]:
    """A flow by the device that it comes in by: any sender to any frontend, or beside them."""
    version = rng.choice([4, 4, 6])
    at = rng.randrange(services) + 1
    to = {
        4: [
            f"172.30.0.{at}",
            f"203.0.113.{at + 9}",
            f"192.0.2.{at}",
            "10.200.0.1",
            "192.168.77.5",
            "172.30.9.9",
            "10.1.0.2",
        ],
        6: [f"fd00:30::{at}", f"fd00:113::{at}", f"fd00:2::{at}", "fd00:200::1", "fd00:30::9:9", "fd00:1::2"],
    }
    device, source = rng.choice(SENDERS[version])
    protocol, port = rng.choice(PORTS)
    return device, {"from": source, "to": rng.choice(to[version]), "port": port, "protocol": protocol}
