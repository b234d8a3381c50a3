"""Pods that a Service selects, and that are no endpoints: one finding for each cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kdp.explain.explanation import Evidence, Finding, Fix
from kdp.explain.patch import kubectl_patch, nested
from kdp.explain.ports import port_findings

__all__ = ["pod_findings"]

Json = Mapping[str, Any]
LISTED_MAX = 3


def pod_findings(name: str, facts: Json) -> list[Finding]:
    """Sort the selected Pods under what keeps each of them out, worst first."""
    service = facts["service"]
    endpoints = facts["endpoints"]
    listed = {each["ip"] for each in (*endpoints["ready"], *endpoints["notReady"])}
    groups: dict[str, list[Json]] = {}
    for pod in facts["selected"]["pods"]:
        cause = _cause(pod, service, listed)
        if cause:
            groups.setdefault(cause, []).append(pod)
    findings = [RULES[cause](service, groups[cause]) for cause in RULES if cause in groups]
    return [*findings, *port_findings(name, facts)]


def _cause(pod: Json, service: Json, listed: set[str]) -> str | None:
    """Give the first thing that keeps a Pod out. Source: the EndpointSlice controller, ShouldPodBeInEndpoints."""
    if pod["phase"] in ("Failed", "Succeeded"):
        return "pods-ended"
    if not pod["ips"]:
        return "pods-without-address"
    if not any(_family(ip) in service["families"] for ip in pod["ips"]):
        return "pods-of-other-family"
    if not (pod["nodeKnown"] or service["publishNotReadyAddresses"] or listed.intersection(pod["ips"])):
        return "pods-on-unknown-node"
    return None if service["publishNotReadyAddresses"] else _unready(pod)


def _unready(pod: Json) -> str | None:
    if pod["terminating"]:
        return "pods-terminating"
    return None if pod["ready"] else "pods-not-ready"


def _family(ip: str) -> str:
    return "IPv6" if ":" in ip else "IPv4"


def _ended(_: Json, pods: list[Json]) -> Finding:
    phases = " and ".join(sorted({pod["phase"] for pod in pods}))
    return Finding(
        "pods-ended",
        f"{_many(pods)} in phase {phases}: a Pod that has ended is no endpoint, and does not come back.",
        [Evidence(_pod(pod), "status.phase", pod["phase"]) for pod in pods[:LISTED_MAX]],
        _restart(pods),
    )


def _without_address(_: Json, pods: list[Json]) -> Finding:
    return Finding(
        "pods-without-address",
        f"{_many(pods)} without an address yet: {_scheduled(pods)}.",
        [
            evidence
            for pod in pods[:LISTED_MAX]
            for evidence in (Evidence(_pod(pod), "status.podIP", None), *_waiting(pod))
        ],
    )


def _of_other_family(service: Json, pods: list[Json]) -> Finding:
    wanted = " and ".join(service["families"])
    found = " and ".join(sorted({_family(ip) for pod in pods for ip in pod["ips"]}))
    name = f"Service {service['namespace']}/{service['name']}"
    dual = {"ipFamilyPolicy": "PreferDualStack"}
    fix = Fix(
        "let the Service have both families, where the cluster has both",
        kubectl_patch("service", service["namespace"], service["name"], {"spec": dual}),
    )
    return Finding(
        "pods-of-other-family",
        f"{_many(pods)} without an address of the Service's family: it is {wanted}, and what they have is {found}.",
        [
            Evidence(name, "spec.ipFamilies", service["families"]),
            *(Evidence(_pod(pod), "status.podIPs", pod["ips"]) for pod in pods[:LISTED_MAX]),
        ],
        [fix],
    )


def _on_unknown_node(_: Json, pods: list[Json]) -> Finding:
    names = sorted({pod["node"] or "none" for pod in pods})
    return Finding(
        "pods-on-unknown-node",
        f"{_many(pods)} on a Node that the cluster does not have ({', '.join(names)}): the EndpointSlice controller "
        "leaves such Pods out and tries again.",
        [Evidence(_pod(pod), "spec.nodeName", pod["node"] or None) for pod in pods[:LISTED_MAX]],
        [Fix("see which Nodes there are", "kubectl get nodes")],
    )


def _terminating(_: Json, pods: list[Json]) -> Finding:
    return Finding(
        "pods-terminating",
        f"{_many(pods)} being deleted: a terminating Pod gets no new connections.",
        [Evidence(_pod(pod), "metadata.deletionTimestamp", "set") for pod in pods[:LISTED_MAX]],
    )


def _not_ready(service: Json, pods: list[Json]) -> Finding:
    publish = nested(["spec", "publishNotReadyAddresses"], True)  # noqa: FBT003 -- a value of JSON
    return Finding(
        "pods-not-ready",
        f"{_many(pods)} not ready: an endpoint that is not ready gets no new connections.",
        [evidence for pod in pods[:LISTED_MAX] for evidence in (_ready_condition(pod), *_waiting(pod))],
        [
            Fix(
                f"see why the readiness probe of {pods[0]['name']} fails",
                f"kubectl describe pod {pods[0]['name']} -n {pods[0]['namespace']}",
            ),
            Fix(
                "only if clients can live with Pods that are not ready: publish their addresses as well",
                kubectl_patch("service", service["namespace"], service["name"], publish),
            ),
        ],
    )


RULES: dict[str, Callable[[Json, list[Json]], Finding]] = {
    "pods-not-ready": _not_ready,
    "pods-terminating": _terminating,
    "pods-ended": _ended,
    "pods-without-address": _without_address,
    "pods-of-other-family": _of_other_family,
    "pods-on-unknown-node": _on_unknown_node,
}


def _restart(pods: list[Json]) -> list[Fix]:
    owner = pods[0]["owner"]
    if owner is None or owner["kind"] not in ("Deployment", "StatefulSet"):
        return []
    resource = owner["kind"].lower()
    command = f"kubectl rollout restart {resource} {owner['name']} -n {pods[0]['namespace']}"
    return [Fix(f"have {owner['kind']} {owner['name']} make new Pods", command)]


def _ready_condition(pod: Json) -> Evidence:
    reason = pod.get("readyMessage")
    return Evidence(_pod(pod), "status.conditions[type=Ready]", f"False ({reason})" if reason else "False")


def _waiting(pod: Json) -> list[Evidence]:
    return [
        Evidence(
            _pod(pod),
            f"status.containerStatuses[name={each['container']}].state.waiting.reason",
            each["reason"],
        )
        for each in pod["waiting"]
    ]


def _scheduled(pods: list[Json]) -> str:
    if all(not pod["node"] for pod in pods):
        return "no node has taken " + ("it" if len(pods) == 1 else "them")
    return "the kubelet gives one when the Pod's network is up"


def _many(pods: list[Json]) -> str:
    return f"{_count(len(pods))} of the selector {'is' if len(pods) == 1 else 'are'}"


def _count(number: int) -> str:
    return "1 Pod" if number == 1 else f"{number} Pods"


def _pod(pod: Json) -> str:
    return f"Pod {pod['namespace']}/{pod['name']}"
