"""Why a ServiceMonitor finds no Service: its selector against the Services' own labels.

The links before and behind it are told by ``monitor_chain``.
Source: prometheus-operator 0.93.0, pkg/prometheus/promcfg.go, generateServiceMonitorConfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdp.explain.explanation import Evidence, Explanation, Finding, Fix
from kdp.explain.patch import kubectl_patch, nested

__all__ = ["explain_monitor"]

Json = Mapping[str, Any]


def explain_monitor(facts: Json) -> Explanation:
    """Explain a ServiceMonitor from the core's facts."""
    monitor = facts["monitor"]
    name = f"ServiceMonitor {monitor['namespace']}/{monitor['name']}"
    count = facts["selected"]["count"]
    if not count:
        finding = _no_service(name, facts)
        summary = "it selects no Service, so Prometheus has no target from it"
        return Explanation(name, "broken", summary, findings=[finding])
    services = facts["selected"]["services"]
    findings = [finding for service in services for finding in _service_findings(name, monitor, service)]
    evidence = [Evidence(_service(each), "metadata.labels", each["labels"]) for each in services]
    summary = f"it selects {'1 Service' if count == 1 else f'{count} Services'}"
    broken = bool(findings) and len({finding.evidence[0].object for finding in findings}) > 0 and count == 1
    verdict = "broken" if broken else "unknown" if findings else "works"
    return Explanation(name, verdict, summary, findings=findings, evidence=evidence)


def _no_service(name: str, facts: Json) -> Finding:
    monitor = facts["monitor"]
    if facts["elsewhere"]["count"]:
        return _wrong_namespace(name, facts)
    near = [each for each in facts["nearest"] if _resembles(each, monitor)]
    if facts["pods"]["count"] and not (near and len(near[0]["differences"]) == 1):
        return _matches_pods(name, facts)
    if not near:
        spaces = _spaces(monitor)
        return Finding(
            "no-service-matches",
            f"No Service {spaces} has a label that the selector asks for.",
            [
                Evidence(name, each["path"], each["values"] or each["operator"])
                for each in monitor["requirements"]
            ],
        )
    return _label_mismatch(name, facts, near[0])


def _resembles(near: Json, monitor: Json) -> bool:
    missing = sum(each["found"] is None for each in near["differences"])
    return missing < len(monitor["requirements"])


def _label_mismatch(name: str, facts: Json, near: Json) -> Finding:
    service, differences = near["service"], near["differences"]
    evidence = []
    for each in differences:
        evidence.append(Evidence(name, each["path"], _asked(each)))
        evidence.append(Evidence(_service(service), f"metadata.labels.{each['key']}", each["found"]))
    head = "one label differs" if len(differences) == 1 else f"{len(differences)} labels differ"
    said = "; ".join(_difference(each) for each in differences)
    summary = (
        f"The selector is compared with the labels of Services (not of Pods, nor with a Service's own selector). "
        f"The nearest is {service['namespace']}/{service['name']}: {head}: {said}."
    )
    return Finding(
        "service-label-mismatch", summary, evidence, _label_fixes(facts["monitor"], service, differences)
    )


def _asked(difference: Json) -> object:
    if difference["operator"] == "In" and len(difference["values"]) == 1:
        return difference["values"][0]
    return f"{difference['operator']} {', '.join(difference['values'])}".rstrip()


def _difference(each: Json) -> str:
    found = "has no such label" if each["found"] is None else f"has {each['key']}={each['found']}"
    return f"{each['key']}={_asked(each)} is asked for, and the Service {found}"


def _label_fixes(monitor: Json, service: Json, differences: list[Json]) -> list[Fix]:
    """Change the monitor where the Service has another value, the Service where it lacks the label."""
    if any(each["operator"] != "In" or len(each["values"]) != 1 for each in differences):
        return []
    labels = {each["key"]: each["values"][0] for each in differences}
    on_service = Fix(
        "change the Service's labels; other monitors and `kubectl get -l` may read them",
        kubectl_patch(
            "service", service["namespace"], service["name"], nested(["metadata", "labels"], labels)
        ),
    )
    if any(each["found"] is None for each in differences):
        return [on_service]
    if not all(each["path"].startswith("spec.selector.matchLabels.") for each in differences):
        return [on_service]
    found = {each["key"]: each["found"] for each in differences}
    on_monitor = Fix(
        "change the monitor's selector; nothing else reads it",
        kubectl_patch(
            "servicemonitor",
            monitor["namespace"],
            monitor["name"],
            nested(["spec", "selector", "matchLabels"], found),
        ),
    )
    return [on_monitor, on_service]


def _wrong_namespace(name: str, facts: Json) -> Finding:
    monitor = facts["monitor"]
    found = facts["elsewhere"]["services"]
    spaces = sorted({each["namespace"] for each in found})
    names = sorted({*(monitor["namespaces"] or []), *spaces})
    patch = nested(["spec", "namespaceSelector", "matchNames"], names)
    given = monitor["namespaceSelector"]["matchNames"]
    return Finding(
        "wrong-namespace",
        f"The Service with these labels is in namespace {', '.join(spaces)}, and the monitor looks "
        f"{_spaces(monitor)} only"
        + ("." if given else ", its own namespace, because it has no namespaceSelector."),
        [
            Evidence(name, "spec.namespaceSelector", given or None),
            Evidence(_service(found[0]), "metadata.labels", found[0]["labels"]),
        ],
        [
            Fix(
                f"have the monitor look into {', '.join(spaces)} too",
                kubectl_patch("servicemonitor", monitor["namespace"], monitor["name"], patch),
            )
        ],
    )


def _matches_pods(name: str, facts: Json) -> Finding:
    pod = facts["pods"]["pods"][0]
    monitor = facts["monitor"]
    evidence = [
        Evidence(name, each["path"], each["values"] or each["operator"]) for each in monitor["requirements"]
    ]
    return Finding(
        "selector-matches-pods",
        f"The selector matches labels of Pods ({pod['namespace']}/{pod['name']}), and of no Service; a ServiceMonitor "
        "selects Services by the Services' own labels.",
        [*evidence, Evidence(f"Pod {pod['namespace']}/{pod['name']}", "metadata.labels", pod["labels"])],
    )


def _service_findings(name: str, monitor: Json, service: Json) -> list[Finding]:
    findings = []
    ports = {port["name"] for port in service["ports"]}
    for endpoint in monitor["endpoints"]:
        # A port name of a monitor is a regular expression; one that looks like one is left alone.
        wanted = endpoint["port"]
        if wanted and wanted not in ports and wanted.replace("-", "").isalnum():
            findings.append(_no_port(name, monitor, service, endpoint))
    if not service["readyEndpoints"]:
        findings.append(
            Finding(
                "service-without-endpoints",
                f"The Service {service['namespace']}/{service['name']} has no ready endpoints.",
                [Evidence(_service(service), "spec.selector", service["selector"])],
                [Fix("see why", f"kdp explain svc/{service['name']} -n {service['namespace']} -f ...")],
            )
        )
    return findings


def _no_port(name: str, monitor: Json, service: Json, endpoint: Json) -> Finding:
    named = [port["name"] for port in service["ports"] if port["name"]]
    have = [f"{port['port']} ({port['name'] or 'unnamed'})" for port in service["ports"]]
    fixes = []
    if len(monitor["endpoints"]) == 1 and len(named) == 1:
        patch = nested(["spec", "endpoints"], [{"port": named[0]}])
        fixes = [
            Fix(
                f"name the port that the Service has: {named[0]} (a merge patch replaces the whole list: keep the rest "
                "of the entry)",
                kubectl_patch("servicemonitor", monitor["namespace"], monitor["name"], patch),
            )
        ]
    return Finding(
        "port-not-found",
        f"No port of Service {service['namespace']}/{service['name']} has the name {endpoint['port']}.",
        [
            Evidence(name, f"spec.endpoints[{endpoint['index']}].port", endpoint["port"]),
            Evidence(_service(service), "spec.ports", have),
        ],
        fixes,
    )


def _spaces(monitor: Json) -> str:
    spaces = monitor["namespaces"]
    return "in any namespace" if spaces is None else f"in namespace {', '.join(spaces)}"


def _service(service: Json) -> str:
    return f"Service {service['namespace']}/{service['name']}"
