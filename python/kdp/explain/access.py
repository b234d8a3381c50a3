"""Two ways to the Pods behind a Service: a client gets one of them, a monitor gets them all from the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from kdp.errors import KdpError
from kdp.explain.explanation import Evidence, Explanation, Finding, Fix

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["explain_access"]

Json = Mapping[str, Any]
LISTED_MAX = 10


def explain_access(cluster: Cluster, namespace: str, name: str) -> Explanation:
    """Put side by side what a client gets through a Service and what a monitor gets from the API."""
    facts = json.loads(cluster.core.facts("Service", namespace, name))
    service = facts["service"]
    title = f"Service {namespace}/{name}"
    listed = _listed(facts)
    client = _client(cluster, facts)
    if client is None or not service["ports"] or service["type"] == "ExternalName":
        why = (
            "no Pod and no node to ask from"
            if client is None
            else "it has no port or no endpoints of its own"
        )
        return Explanation(
            title, "unknown", f"what a client gets is not known: {why}", evidence=_evidence(listed, {})
        )
    shares, notes = _shares(cluster, facts, client)
    families = {_family(ip) for ip in shares}
    reached = [ip for ip in listed if shares.get(ip)]
    # Of a family that could not be asked for nothing is known.
    missed = {
        ip: each
        for ip, each in listed.items()
        if not shares.get(ip) and (not families or _family(ip) in families)
    }
    taken = "the client's choice of" if service["headless"] else "one of"
    summary = (
        f"through the Service a connection gets {taken} {_count(len(reached), 'address')}; from the API a monitor gets "
        f"{_count(len(listed), 'address')}"
    )
    if len(reached) > 1:
        notes.append(
            "a monitor that scrapes the Service's own address gets another Pod each time, under one name: its counters "
            "jump"
        )
    return Explanation(
        title,
        "works" if reached else "broken",
        summary,
        findings=[_missed(missed)] if missed else [],
        evidence=_evidence(listed, shares),
        notes=[f"asked from {client}", *notes],
    )


def _listed(facts: Json) -> dict[str, Json]:
    """Give each address that the API lists, ready or not, once."""
    found: dict[str, Json] = {}
    for key in ("ready", "notReady"):
        for each in facts["endpoints"][key]:
            found.setdefault(each["ip"], {**each, "ready": key == "ready"})
    return found


def _client(cluster: Cluster, facts: Json) -> str | None:
    """Choose a Pod that is not behind the Service, of its own namespace if there is one; else a node."""
    own = {pod["name"] for pod in facts["selected"]["pods"]}
    space = facts["service"]["namespace"]
    pods = json.loads(cluster.core.endpoints())
    near = [pod for pod in pods if pod["namespace"] == space and pod["name"] not in own]
    far = [pod for pod in pods if pod["namespace"] != space]
    for pod in (*near, *far):
        return f"pod/{pod['namespace']}/{pod['name']}"
    names = cluster.core.nodes()
    return f"node/{names[0]}" if names else None


def _shares(cluster: Cluster, facts: Json, client: str) -> tuple[dict[str, str], list[str]]:
    """Give the share of new connections by address, and what could not be asked.

    A headless Service has no rules: DNS gives the addresses that are ready.
    """
    service = facts["service"]
    if service["headless"]:
        return {each["ip"]: "by DNS" for each in facts["endpoints"]["ready"]}, []
    manifest = cluster.get("Service", service["name"], namespace=service["namespace"])[0]
    port = service["ports"][0]
    found: dict[str, Fraction] = {}
    notes = []
    for ip in manifest["spec"].get("clusterIPs") or [service["clusterIP"]]:
        target = f"[{ip}]:{port['port']}" if ":" in ip else f"{ip}:{port['port']}"
        asked = {"namespace": service["namespace"], "protocol": port["protocol"].lower()}
        try:
            outcomes = cluster.explore(client, target, **asked)
        except KdpError as error:
            notes.append(f"{target} was not asked: {error}")
            continue
        for outcome in outcomes:
            if outcome.verdict == "delivered" and outcome.endpoint is not None:
                known = found.get(outcome.endpoint.ip, Fraction(0))
                found[outcome.endpoint.ip] = known + Fraction(outcome.data["probability"])
    return {ip: str(share) for ip, share in found.items()}, notes


def _evidence(listed: Mapping[str, Json], shares: Mapping[str, str]) -> list[Evidence]:
    found = [
        Evidence(_who(each), "", f"{ip}: {_through(shares.get(ip))}; from the API {_state(each)}")
        for ip, each in listed.items()
    ]
    if len(found) > LISTED_MAX:
        return [*found[:LISTED_MAX], Evidence("and", "", f"{len(found) - LISTED_MAX} more")]
    return found


def _through(share: str | None) -> str:
    return f"through the Service {share}" if share else "through the Service never"


def _state(each: Json) -> str:
    return "ready" if each["ready"] else "not ready, and still a target"


def _missed(missed: Mapping[str, Json]) -> Finding:
    """Source: Prometheus 3.14, discovery/kubernetes: addresses that are not ready are targets too."""
    return Finding(
        "monitor-misses-pods",
        f"A monitor that scrapes through the Service never sees {_count(len(missed), 'address')} that the API lists.",
        [
            Evidence(_who(each), "status", f"{ip}, {_state(each)}")
            for ip, each in list(missed.items())[:LISTED_MAX]
        ],
        [
            Fix(
                "scrape what the API lists: a ServiceMonitor, or kubernetes_sd_configs with role endpointslice",
                "kdp targets -f ...",
            )
        ],
    )


def _family(ip: str) -> str:
    return "IPv6" if ":" in ip else "IPv4"


def _who(each: Json) -> str:
    return f"Pod {each['namespace']}/{each['name']}" if each.get("name") else "address"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}es"
