"""Pods that a Service selects, and that are no endpoints: one finding for each cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kdp.explain.explanation import Evidence, Finding, Fix
from kdp.explain.patch import kubectl_patch, nested

__all__ = ["pod_findings"]

Json = Mapping[str, Any]
LISTED_MAX = 3


def pod_findings(name: str, facts: Json) -> list[Finding]:
    """Sort the selected Pods under what keeps each of them out, worst first."""
    service = facts["service"]
    groups: dict[str, list[Json]] = {}
    for pod in facts["selected"]["pods"]:
        cause = _cause(pod, publish=service["publishNotReadyAddresses"])
        if cause:
            groups.setdefault(cause, []).append(pod)
    findings = [RULES[cause](service, groups[cause]) for cause in RULES if cause in groups]
    return [*findings, *_unresolved_ports(name, facts)]


def _cause(pod: Json, *, publish: bool) -> str | None:
    """Give the first thing that keeps a Pod out. Source: the EndpointSlice controller, ShouldPodBeInEndpoints."""
    if pod["phase"] in ("Failed", "Succeeded"):
        return "pods-ended"
    if not pod["ips"]:
        return "pods-without-address"
    if publish:
        return None
    if pod["terminating"]:
        return "pods-terminating"
    return None if pod["ready"] else "pods-not-ready"


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
}


def _unresolved_ports(name: str, facts: Json) -> Iterator[Finding]:
    service = facts["service"]
    pods = facts["selected"]["pods"]
    for port in service["ports"]:
        lacking = [pod for pod in pods if port["index"] in pod["unresolved"]]
        if lacking:
            yield _unresolved(name, service, port, lacking)


def _unresolved(name: str, service: Json, port: Json, pods: list[Json]) -> Finding:
    pod = pods[0]
    field = f"spec.ports[{port['index']}].targetPort"
    have = [
        f"{each['name'] or each['number']} ({each['number']}/{each['protocol']})" for each in pod["ports"]
    ]
    fitting = [each for each in pod["ports"] if each["protocol"] == port["protocol"] and each["name"]]
    others = [
        {key: each[key] for key in ("name", "port", "protocol", "targetPort") if each[key] not in ("", None)}
        for each in service["ports"]
    ]
    fixes = []
    if fitting:
        others[port["index"]]["targetPort"] = fitting[0]["name"]
        why = f"name the container port that {pod['name']} has: {fitting[0]['name']}"
        patch = nested(["spec", "ports"], others)
        fixes = [Fix(why, kubectl_patch("service", service["namespace"], service["name"], patch))]
    return Finding(
        "target-port-not-found",
        f"The target port {port['targetPort']!r} ({port['protocol']}) is the name of no container port of "
        f"{_count(len(pods))}, so this port leads nowhere there.",
        [Evidence(name, field, port["targetPort"]), Evidence(_pod(pod), "spec.containers[*].ports", have)],
        fixes,
    )


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
