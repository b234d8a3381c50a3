"""The page of a Pod. Source: kubectl pkg/describe/describe.go, 1.33."""

from __future__ import annotations

from collections.abc import Iterator

from kdp.columns.column import age_of
from kdp.describe.containers import describe_containers
from kdp.describe.page import Json, Page, moment_text
from kdp.describe.volumes import describe_volumes, tolerations

__all__ = ["describe_pod", "describe_template"]


def describe_pod(page: Page, pod: Json) -> None:
    """Write a Pod."""
    spec, status = pod["spec"], pod.get("status", {})
    page.head(pod)
    for title, value in _who(spec):
        if value not in (None, ""):
            page.write(f"{title}:\t{value}")
    node = spec.get("nodeName")
    page.write(f"Node:\t{node}/{status.get('hostIP', '')}" if node else "Node:\t<none>")
    if status.get("startTime"):
        page.write(f"Start Time:\t{moment_text(status['startTime'])}")
    page.labelled(pod)
    for title, value in _how(page, pod):
        page.write(f"{title}:\t{value}")
    _addresses(page, status)
    owner = next(
        (each for each in pod["metadata"].get("ownerReferences") or [] if each.get("controller")), None
    )
    if owner:
        page.write(f"Controlled By:\t{owner['kind']}/{owner['name']}")
    if status.get("nominatedNodeName"):
        page.write(f"NominatedNodeName:\t{status['nominatedNodeName']}")
    if spec.get("initContainers"):
        statuses = status.get("initContainerStatuses") or []
        describe_containers(page, "Init Containers", spec["initContainers"], pod, statuses)
    describe_containers(
        page, "Containers", spec.get("containers") or [], pod, status.get("containerStatuses") or []
    )
    _conditions(page, spec, status)
    describe_volumes(page, spec.get("volumes") or [])
    page.write(f"QoS Class:\t{_quality(pod)}")
    page.labels("Node-Selectors", spec.get("nodeSelector"))
    page.listed("Tolerations", tolerations(spec.get("tolerations") or []))


def _who(spec: Json) -> Iterator[tuple[str, object]]:
    yield "Priority", spec.get("priority")
    yield "Priority Class Name", spec.get("priorityClassName")
    yield "Runtime Class Name", spec.get("runtimeClassName")
    yield "Service Account", spec.get("serviceAccountName")


def _how(page: Page, pod: Json) -> Iterator[tuple[str, object]]:
    meta, status = pod["metadata"], pod.get("status", {})
    if meta.get("deletionTimestamp") and status.get("phase") not in ("Failed", "Succeeded"):
        yield "Status", f"Terminating (lasts {age_of(meta['deletionTimestamp'], page.now)})"
        yield "Termination Grace Period", f"{meta.get('deletionGracePeriodSeconds', 0)}s"
    else:
        yield "Status", status.get("phase", "")
    for title, key in (("Reason", "reason"), ("Message", "message")):
        if status.get(key):
            yield title, status[key]
    profile = (pod["spec"].get("securityContext") or {}).get("seccompProfile")
    if profile:
        yield "SeccompProfile", profile.get("type", "")
        if profile.get("type") == "Localhost":
            yield "LocalhostProfile", profile.get("localhostProfile", "")
    yield "IP", status.get("podIP", "")


def _addresses(page: Page, status: Json) -> None:
    addresses = status.get("podIPs") or []
    page.write("IPs:" if addresses else "IPs:\t<none>")
    for each in addresses:
        page.write(f"IP:\t{each['ip']}", 1)


def _conditions(page: Page, spec: Json, status: Json) -> None:
    conditions = status.get("conditions") or []
    if spec.get("readinessGates"):
        page.write("Readiness Gates:")
        page.write("Type\tStatus", 1)
        found = {each["type"]: each["status"] for each in reversed(conditions)}
        for gate in spec["readinessGates"]:
            page.write(f"{gate['conditionType']} \t{found.get(gate['conditionType'], '<none>')} ", 1)
    if conditions:
        page.write("Conditions:")
        page.write("Type\tStatus", 1)
        for each in conditions:
            page.write(f"{each['type']} \t{each['status']} ", 1)


def _quality(pod: Json) -> str:
    """Source: kubectl pkg/util/qos, GetPodQOS."""
    given = pod.get("status", {}).get("qosClass")
    if given:
        return str(given)
    spec = pod["spec"]
    resources = [
        each.get("resources") or {}
        for each in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
    ]
    wanted = [
        (each.get(key) or {}).get(name)
        for each in resources
        for key in ("requests", "limits")
        for name in ("cpu", "memory")
    ]
    if not any(wanted):
        return "BestEffort"
    guaranteed = all(
        (each.get("limits") or {}).get(name)
        and (each.get("requests") or each["limits"]).get(name, each["limits"][name]) == each["limits"][name]
        for each in resources
        for name in ("cpu", "memory")
    )
    return "Guaranteed" if guaranteed else "Burstable"


def describe_template(page: Page, template: Json) -> None:
    """Write the template of a workload's Pods."""
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    page.write("Pod Template:")
    page.labels("  Labels", meta.get("labels"))
    if meta.get("annotations"):
        page.annotations("  Annotations", meta["annotations"])
    if spec.get("serviceAccountName"):
        page.write(f"Service Account:\t{spec['serviceAccountName']}", 1)
    if spec.get("initContainers"):
        describe_containers(page, "Init Containers", spec["initContainers"], None, (), "  ")
    describe_containers(page, "Containers", spec.get("containers") or [], None, (), "  ")
    describe_volumes(page, spec.get("volumes") or [], "  ")
    if spec.get("priorityClassName"):
        page.write(f"Priority Class Name:\t{spec['priorityClassName']}", 1)
    page.labels("  Node-Selectors", spec.get("nodeSelector"))
    page.listed("  Tolerations", tolerations(spec.get("tolerations") or []))
