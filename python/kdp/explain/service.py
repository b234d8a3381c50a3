"""Why a Service has the endpoints that it has, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdp.explain.explanation import Evidence, Explanation, Finding, Fix
from kdp.explain.mirror import explain_without_selector
from kdp.explain.patch import kubectl_patch
from kdp.explain.pods import pod_findings
from kdp.explain.reach import reach_findings, reach_notes
from kdp.explain.selection import no_pod_matches

__all__ = ["explain_service"]

Json = Mapping[str, Any]
LISTED_MAX = 10


def explain_service(facts: Json) -> Explanation:
    """Explain a Service from the core's facts."""
    service = facts["service"]
    name = f"Service {service['namespace']}/{service['name']}"
    ready = facts["endpoints"]["ready"]
    if service["type"] == "ExternalName":
        return _external_name(name, service)
    if service["selector"] is None:
        return explain_without_selector(name, facts, _listed(ready))
    findings = _findings(name, facts)
    if ready and findings and not any(each.get("port") for each in ready):
        return Explanation(
            name,
            "broken",
            "its endpoints have no port, so connections to it are rejected",
            findings=findings,
            evidence=[_selector(name, service), *_listed(ready)],
            notes=_notes(service),
        )
    if ready:
        return Explanation(
            name,
            "works",
            _endpoint_sentence(facts),
            findings=[*findings, *reach_findings(name, facts)],
            evidence=[_selector(name, service), *_listed(ready)],
            notes=[*_notes(service), *reach_notes(facts)],
        )
    return Explanation(
        name,
        "broken",
        "it has no endpoints, so connections to it are rejected",
        findings=findings or [_unexplained(name, facts)],
        evidence=[_selector(name, service)],
        notes=_notes(service),
    )


def _findings(name: str, facts: Json) -> list[Finding]:
    if facts["selected"]["count"] == 0:
        return [no_pod_matches(name, facts)]
    return pod_findings(name, facts)


def _external_name(name: str, service: Json) -> Explanation:
    evidence = [
        Evidence(name, "spec.type", "ExternalName"),
        Evidence(name, "spec.externalName", service["externalName"]),
    ]
    target = service["externalName"]
    summary = (
        f"it is of type ExternalName: DNS answers with the name {target}; no rule and no endpoint follow"
    )
    findings = [_ignored_selector(name, service)] if service["selector"] else []
    return Explanation(name, "works", summary, findings=findings, evidence=evidence)


def _ignored_selector(name: str, service: Json) -> Finding:
    patch = {"spec": {"type": "ClusterIP", "externalName": None}}
    return Finding(
        "external-name-ignores-selector",
        "The selector has no effect: a Service of type ExternalName is only a name in DNS.",
        [_selector(name, service), Evidence(name, "spec.type", "ExternalName")],
        [
            Fix(
                "if Pods are meant: let it have a cluster IP",
                kubectl_patch("service", service["namespace"], service["name"], patch),
            )
        ],
    )


def _endpoint_sentence(facts: Json) -> str:
    ready, waiting = ({each["ip"] for each in facts["endpoints"][key]} for key in ("ready", "notReady"))
    text = f"it has {_count(len(ready), 'ready endpoint')}"
    if waiting:
        text += f", and {_count(len(waiting), 'endpoint')} not ready"
    return text


def _selector(name: str, service: Json) -> Evidence:
    return Evidence(name, "spec.selector", service["selector"])


def _listed(ready: list[Json]) -> list[Evidence]:
    listed = [Evidence(_who(each), "", _where(each)) for each in ready[:LISTED_MAX]]
    if len(ready) > LISTED_MAX:
        listed.append(Evidence("and", "", f"{len(ready) - LISTED_MAX} more"))
    return listed


def _who(endpoint: Json) -> str:
    return f"Pod {endpoint['namespace']}/{endpoint['name']}" if endpoint.get("name") else "address"


def _where(endpoint: Json) -> str:
    port = endpoint.get("port")
    ip = f"[{endpoint['ip']}]" if ":" in endpoint["ip"] else endpoint["ip"]
    address = f"{ip}:{port}" if port else endpoint["ip"]
    return f"{address} on node {endpoint['node']}" if endpoint.get("node") else address


def _notes(service: Json) -> list[str]:
    if service["headless"]:
        return [
            "it is headless: DNS answers with the addresses of the endpoints, and no node has rules for it"
        ]
    return []


def _unexplained(name: str, facts: Json) -> Finding:
    """Say so where the objects do not tell: an EndpointSlice that the controller would not have left like this."""
    count = facts["selected"]["count"]
    return Finding(
        "endpoints-stale",
        f"{_count(count, 'Pod')} of its selector could be endpoints, but its EndpointSlices do not have them: the "
        "Pods have no address of the Service's family, the slices are given as they are, or the change is still "
        "under way.",
        [Evidence(name, "spec.selector", facts["service"]["selector"])],
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
