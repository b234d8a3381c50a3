"""A Service without a selector: somebody else keeps its endpoints, as slices or as Endpoints that are mirrored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdp.explain.explanation import Evidence, Explanation, Finding, Fix

__all__ = ["explain_without_selector"]

Json = Mapping[str, Any]
MIRRORING = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"


def explain_without_selector(name: str, facts: Json, listed: list[Evidence]) -> Explanation:
    """Explain where its endpoints come from, or why none do. ``listed``: its ready endpoints."""
    evidence = [Evidence(name, "spec.selector", None)]
    ready = facts["endpoints"]["ready"]
    if ready:
        count = f"{len(ready)} ready endpoint{'' if len(ready) == 1 else 's'}"
        mirrored = MIRRORING in facts["managers"]
        source = (
            "its Endpoints object, which somebody keeps, is mirrored into EndpointSlices"
            if mirrored
            else "somebody else keeps its endpoints"
        )
        return Explanation(
            name, "works", f"it has no selector; {source}: {count}", evidence=[*evidence, *listed]
        )
    finding = _finding(facts, evidence)
    return Explanation(name, "broken", "it has no selector and no ready endpoints", findings=[finding])


def _finding(facts: Json, evidence: list[Evidence]) -> Finding:
    service, legacy = facts["service"], facts["legacy"]
    endpoints = f"Endpoints {service['namespace']}/{service['name']}"
    if facts["endpoints"]["notReady"]:
        return Finding(
            "endpoints-not-ready",
            "Whoever keeps its endpoints says of each that it is not ready.",
            [
                *evidence,
                *(Evidence("address", "", each["ip"]) for each in facts["endpoints"]["notReady"][:3]),
            ],
        )
    if legacy and legacy["ready"]:
        return _not_mirrored(service, legacy, endpoints, evidence)
    place = f"kubectl get endpointslices,endpoints -n {service['namespace']}"
    empty = [Evidence(endpoints, "subsets", [])] if legacy else []
    return Finding(
        "service-without-selector",
        "A Service without selector gets endpoints only from EndpointSlices that somebody writes for it, with the "
        f"label kubernetes.io/service-name={service['name']}, or from Endpoints of its name; there are none.",
        [*evidence, *empty],
        [Fix("see what there is", place)],
    )


def _not_mirrored(service: Json, legacy: Json, endpoints: str, evidence: list[Evidence]) -> Finding:
    command = f"kubectl label endpoints {service['name']} -n {service['namespace']} {SKIP}-"
    if legacy["skipsMirror"]:
        why, proof = f"it has the label {SKIP}", Evidence(endpoints, f"metadata.labels.{SKIP}", "true")
        fixes = [Fix("take the label away", command)]
    elif legacy["isLock"]:
        why, fixes = "it is a lock for the election of a leader", []
        proof = Evidence(endpoints, "metadata.annotations[control-plane.alpha.kubernetes.io/leader]", "set")
    else:
        why, fixes = "no slice of the mirroring controller is among the objects", []
        proof = Evidence(endpoints, "subsets", f"{legacy['ready']} addresses")
    return Finding(
        "endpoints-not-mirrored",
        "kube-proxy and DNS read EndpointSlices. The Endpoints object has addresses, and it is not mirrored into "
        f"slices: {why}.",
        [*evidence, proof],
        fixes,
    )
