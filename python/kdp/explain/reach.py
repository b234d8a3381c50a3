"""What a Service with endpoints may still lack: readers that see only some of them, nodes that may not use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdp.explain.explanation import Evidence, Finding, Fix
from kdp.explain.patch import kubectl_patch

__all__ = ["reach_findings", "reach_notes"]

Json = Mapping[str, Any]
LISTED_MAX = 5
ZONE = "topology.kubernetes.io/zone"
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")


def reach_findings(name: str, facts: Json) -> Iterator[Finding]:
    """Look at capacity, policies and hints of a Service that has ready endpoints."""
    if facts["legacy"] and facts["legacy"]["overCapacity"]:
        yield _over_capacity(name, facts)
    if facts["local"] and facts["local"]["without"] and not facts["service"]["headless"]:
        yield from _local(name, facts["service"], facts["local"])
    yield from _hints(name, facts["service"], facts["hints"])


def _over_capacity(name: str, facts: Json) -> Finding:
    """Source: the Endpoints controller, truncateEndpoints: 1000 addresses, ready ones first."""
    legacy, service = facts["legacy"], facts["service"]
    kept = legacy["ready"] + legacy["notReady"]
    slices = len({each["ip"] for each in (*facts["endpoints"]["ready"], *facts["endpoints"]["notReady"])})
    endpoints = f"Endpoints {service['namespace']}/{service['name']}"
    label = f"kubernetes.io/service-name={service['name']}"
    return Finding(
        "endpoints-over-capacity",
        f"The Endpoints object holds {kept} addresses, as many as it may, of {slices}. kube-proxy and DNS read the "
        "EndpointSlices, which have all; whoever reads Endpoints (Prometheus by default) misses the rest.",
        [
            Evidence(
                endpoints,
                "metadata.annotations[endpoints.kubernetes.io/over-capacity]",
                legacy["overCapacity"],
            ),
            Evidence(name, "EndpointSlices", f"{slices} addresses"),
        ],
        [
            Fix(
                "have readers use the EndpointSlices (Prometheus: spec.serviceDiscoveryRole: EndpointSlice)",
                f"kubectl get endpointslices -n {service['namespace']} -l {label}",
            )
        ],
    )


def _local(name: str, service: Json, local: Json) -> Iterator[Finding]:
    without, number = local["without"], len(local["without"]) + len(local["ready"])
    nodes = ", ".join(without[:LISTED_MAX]) + (
        f" and {len(without) - LISTED_MAX} more" if len(without) > LISTED_MAX else ""
    )
    check = ", and the health check fails" if service["type"] == "LoadBalancer" else ""
    said = {
        "internal": "connections from there to its cluster IP are dropped",
        "external": f"what the outside sends there is dropped{check}",
    }
    costs = {
        "internal": "let every node use every endpoint; connections may cross nodes then",
        "external": "let every node use every endpoint; Pods no longer see the client's own address then",
    }
    for way in ("internal", "external"):
        if local[way]:
            field = f"{way}TrafficPolicy"
            yield Finding(
                "nodes-without-local-endpoint",
                f"{field} Local keeps each node to its own ready endpoints. {len(without)} of {number} nodes "
                f"{'has' if len(without) == 1 else 'have'} none ({nodes}): {said[way]}.",
                [
                    Evidence(name, f"spec.{field}", "Local"),
                    *(Evidence(f"Node {node}", "ready endpoints", 0) for node in without[:LISTED_MAX]),
                ],
                [
                    Fix(
                        costs[way],
                        kubectl_patch(
                            "service", service["namespace"], service["name"], {"spec": {field: "Cluster"}}
                        ),
                    )
                ],
            )


def _hints(name: str, service: Json, hints: Json) -> Iterator[Finding]:
    mode, distribution = hints["mode"], hints["distribution"]
    if mode and mode["value"] in ("Auto", "auto"):
        refusals = [each for each in hints["events"] if "TopologyAwareHintsDisabled" in each]
        if refusals:
            yield _refused(name, mode, refusals, hints)
        return
    if mode and not distribution:
        field = f"metadata.annotations[{mode['annotation']}]"
        patch = {"metadata": {"annotations": {mode["annotation"]: "Auto"}}}
        yield Finding(
            "hints-off",
            f"No endpoint gets hints: the annotation's value is {mode['value']!r}, and only Auto switches them on.",
            [Evidence(name, field, mode["value"])],
            [Fix("switch them on", kubectl_patch("service", service["namespace"], service["name"], patch))],
        )
    if distribution and distribution not in DISTRIBUTIONS:
        yield Finding(
            "hints-off",
            f"No endpoint gets hints: {distribution!r} is no traffic distribution that the controller knows.",
            [Evidence(name, "spec.trafficDistribution", distribution)],
            [_prefer_close(service)],
        )
    elif distribution:
        yield from _without_zone(name, distribution, hints)


def _prefer_close(service: Json) -> Fix:
    patch = {"spec": {"trafficDistribution": "PreferClose"}}
    return Fix("prefer the own zone", kubectl_patch("service", service["namespace"], service["name"], patch))


def _refused(name: str, mode: Json, refusals: list[str], hints: Json) -> Finding:
    """Give the controller's own words: it records them as an Event on the Service."""
    reasons = sorted({each.partition(": ")[2].rpartition(", addressType")[0] for each in refusals})
    without = [node["name"] for node in hints["nodes"] if not node["zone"]]
    evidence = [
        Evidence(name, f"metadata.annotations[{mode['annotation']}]", mode["value"]),
        *(Evidence(name, "event", each) for each in refusals),
        *(Evidence(f"Node {node}", f"metadata.labels.{ZONE}", None) for node in without[:LISTED_MAX]),
    ]
    return Finding(
        "hints-off",
        f"No endpoint gets hints, so traffic crosses zones: {'; '.join(reasons)}.",
        evidence,
        _zone_fixes(without)
        or [Fix("see how many endpoints and how much CPU each zone has", "kubectl get nodes -L " + ZONE)],
    )


def _without_zone(name: str, distribution: str, hints: Json) -> Iterator[Finding]:
    """Look for endpoints without hints: one of them is enough for every kube-proxy to pass hints over."""
    bare = [each for each in hints["endpoints"] if not each["zones"] and not each["nodes"]]
    if not bare:
        return
    nodes = sorted({each["node"] for each in bare if each["node"]})
    yield Finding(
        "hints-off",
        f"{len(bare)} of {len(hints['endpoints'])} ready endpoints have no zone and so no hint, and one is enough for "
        "kube-proxy to pass all hints over: their nodes have no zone.",
        [
            Evidence(name, "spec.trafficDistribution", distribution),
            *(Evidence(f"Node {node}", f"metadata.labels.{ZONE}", None) for node in nodes[:LISTED_MAX]),
        ],
        _zone_fixes(nodes),
    )


def _zone_fixes(nodes: list[str]) -> list[Fix]:
    if not nodes:
        return []
    return [Fix("say which zone the node is in", f"kubectl label node {nodes[0]} {ZONE}=ZONE")]


def reach_notes(facts: Json) -> list[str]:
    """Name the nodes that no hint means: kube-proxy lets them use every endpoint."""
    hints = facts["hints"]
    zones = {zone for each in hints["endpoints"] for zone in each["zones"]}
    if not zones:
        return []
    others = [node["name"] for node in hints["nodes"] if node["zone"] not in zones]
    if not others:
        return []
    return [
        f"no endpoint has a hint for the zone of {', '.join(others[:LISTED_MAX])}: they use every endpoint"
    ]
