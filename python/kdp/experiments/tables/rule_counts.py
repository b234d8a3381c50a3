"""T-01: how many rules kube-proxy writes in iptables mode, counted in what it would write."""

from __future__ import annotations

import re
from typing import Any

from kdp.conformance import render_rules
from kdp.experiments.tables.table import Row, Table

__all__ = ["rule_counts"]

# Source: kubernetes pkg/proxy/iptables/number_generated_rules_test.go (0d173114): services, endpoints of each, filter
# and nat rules of ClusterIP Services, filter and nat rules of LoadBalancer Services.
PUBLISHED = (
    (0, 0, 3, 5, 3, 5),
    (1, 0, 4, 5, 7, 5),
    (1, 1, 3, 10, 4, 16),
    (1, 2, 3, 13, 4, 19),
    (1, 10, 3, 37, 4, 43),
    (10, 0, 13, 5, 43, 5),
    (10, 1, 3, 55, 13, 115),
    (10, 2, 3, 85, 13, 145),
    (10, 10, 3, 325, 13, 385),
)
# What the test's proxier is: no node ports on loopback, Pods known by a CIDR.
PROXY = {
    "mode": "iptables",
    "localhostNodePorts": False,
    "nodeName": "test-node",
    "nodeIPs": ["192.168.0.2"],
    "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": "10.0.0.0/8"},
}
KINDS = ("ClusterIP", "LoadBalancer")
RELEASES = ("1.30", "1.36")
# The jumps out of the kernel's own chains, and the rule that protects loopback, are made apart and not counted there.
APART = re.compile(r"-A (?:INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING|KUBE-FIREWALL) ")
Json = dict[str, Any]


def rule_counts() -> Table:
    """Count the rules of the table's clusters, as the first and the last release that is emulated write them."""
    table = Table(
        "T-01",
        "Rules of one full sync in iptables mode",
        "kubernetes, pkg/proxy/iptables/number_generated_rules_test.go (0d173114), PR #110503",
        notes=[
            (
                "LoadBalancer nat rules: each Service has one more now, a rule at the end of its KUBE-FW chain that "
                "has a comment and no target; without those the counts are the published ones"
            ),
        ],
    )
    for release in RELEASES:
        for services, endpoints, *counts in PUBLISHED:
            for kind, (filter_count, nat_count) in zip(KINDS, (counts[:2], counts[2:]), strict=True):
                found = _count(services, endpoints, kind, release)
                case = f"{release} {kind} {services} x {endpoints}"
                table.rows.append(Row(case, "filter rules", filter_count, found["filter"]))
                table.rows.append(Row(case, "nat rules", nat_count, found["nat"]))
                if found["inert"]:
                    table.rows.append(
                        Row(case, "nat rules with a target", nat_count, found["nat"] - found["inert"])
                    )
    return table


def _count(services: int, endpoints: int, kind: str, release: str) -> dict[str, int]:
    objects = [each for at in range(services) for each in (_service(at, kind), _slice(at, endpoints))]
    text = render_rules(objects, PROXY | {"release": release})["iptables"]
    counts = {"filter": 0, "nat": 0, "inert": 0}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A ") and table in counts and not APART.match(line):
            counts[table] += 1
            counts["inert"] += " -j " not in line
    return counts


def _service(at: int, kind: str) -> Json:
    port: Json = {"name": "8080", "protocol": "TCP", "port": 80 + at, "targetPort": 8080}
    spec: Json = {
        "type": kind,
        "clusterIP": f"10.0.0.{at + 1}",
        "clusterIPs": [f"10.0.0.{at + 1}"],
        "ipFamilies": ["IPv4"],
        "internalTrafficPolicy": "Cluster",
        "sessionAffinity": "None",
        "ports": [port],
    }
    service: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"svc{at}", "namespace": "namespace"},
        "spec": spec,
    }
    if kind == "LoadBalancer":
        port["nodePort"] = 30000 + at
        spec |= {
            "externalIPs": ["1.2.3.4"],
            "loadBalancerSourceRanges": ["1.2.3.4/28"],
            "externalTrafficPolicy": "Cluster",
            "healthCheckNodePort": 32010 + at,
        }
        service["status"] = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
    return service


def _slice(at: int, endpoints: int) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"svc{at}",
            "namespace": "namespace",
            "labels": {"kubernetes.io/service-name": f"svc{at}"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "8080", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [f"172.16.0.{each + 1}"], "conditions": {}} for each in range(endpoints)],
    }
