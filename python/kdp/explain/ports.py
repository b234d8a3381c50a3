"""Target ports by name: one that leads nowhere, and one that means several numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kdp.arguments import nearest
from kdp.explain.explanation import Evidence, Finding, Fix
from kdp.explain.patch import kubectl_patch

__all__ = ["port_findings"]

Json = Mapping[str, Any]
LISTED_MAX = 3


def port_findings(name: str, facts: Json) -> Iterator[Finding]:
    """Look at each port of the Service whose target is a name."""
    service = facts["service"]
    pods = [pod for pod in facts["selected"]["pods"] if pod["phase"] not in ("Failed", "Succeeded")]
    for port in service["ports"]:
        lacking = [pod for pod in pods if port["index"] in pod["unresolved"]]
        if lacking:
            yield _unresolved(name, service, port, lacking)
        numbers = Counter(pod["numbers"][port["index"]] for pod in pods if pod["numbers"][port["index"]])
        if len(numbers) > 1:
            yield _several(name, service, port, pods, numbers)


def _unresolved(name: str, service: Json, port: Json, pods: list[Json]) -> Finding:
    pod = pods[0]
    have = [
        f"{each['name'] or each['number']} ({each['number']}/{each['protocol']})" for each in pod["ports"]
    ]
    protocols = [each["protocol"] for each in pod["ports"] if each["name"] == port["targetPort"]]
    other = f"; a port of this name is {protocols[0]} there" if protocols else ""
    return Finding(
        "target-port-not-found",
        f"The target port {port['targetPort']!r} ({port['protocol']}) is the name of no container port of "
        f"{_count(len(pods))}, so this port leads nowhere there{other}.",
        [
            Evidence(name, _field(port), port["targetPort"]),
            Evidence(_pod(pod), "spec.containers[*].ports", have),
        ],
        list(_fixes(service, port, pod, protocols)),
    )


def _fixes(service: Json, port: Json, pod: Json, protocols: list[str]) -> Iterator[Fix]:
    """Name the container port that looks most like the one asked for, or else the only one."""
    if protocols:
        why = f"let the Service's port be {protocols[0]}, as the container's is"
        yield Fix(why, _patch(service, port, {"protocol": protocols[0]}))
        return
    names = [each["name"] for each in pod["ports"] if each["protocol"] == port["protocol"] and each["name"]]
    near = [*nearest(port["targetPort"], names), *names]
    if near:
        yield Fix(
            f"name the container port that {pod['name']} has: {near[0]}",
            _patch(service, port, {"targetPort": near[0]}),
        )


def _several(name: str, service: Json, port: Json, pods: list[Json], numbers: Counter[int]) -> Finding:
    said = ", ".join(f"{number} at {_count(count)}" for number, count in sorted(numbers.items()))
    most = min(numbers, key=lambda number: (-numbers[number], number))
    examples = [
        next(pod for pod in pods if pod["numbers"][port["index"]] == number) for number in sorted(numbers)
    ]
    fix = Fix(
        f"only if all of them listen on {most}: write the number",
        _patch(service, port, {"targetPort": most}),
    )
    return Finding(
        "target-port-differs",
        f"The target port {port['targetPort']!r} means several numbers: {said}. Each Pod gets its own, and the "
        "EndpointSlices are apart by number; during a rollout that is as it should be.",
        [
            Evidence(name, _field(port), port["targetPort"]),
            *(
                Evidence(_pod(pod), "spec.containers[*].ports", pod["numbers"][port["index"]])
                for pod in examples[:LISTED_MAX]
            ),
        ],
        [fix],
    )


def _patch(service: Json, port: Json, changed: Json) -> str:
    """Write a merge patch: it replaces the whole list, so all of the list is in it."""
    ports = [
        {key: each[key] for key in ("name", "port", "protocol", "targetPort") if each[key] not in ("", None)}
        for each in service["ports"]
    ]
    ports[port["index"]].update(changed)
    return kubectl_patch("service", service["namespace"], service["name"], {"spec": {"ports": ports}})


def _field(port: Json) -> str:
    return f"spec.ports[{port['index']}].targetPort"


def _count(number: int) -> str:
    return "1 Pod" if number == 1 else f"{number} Pods"


def _pod(pod: Json) -> str:
    return f"Pod {pod['namespace']}/{pod['name']}"
