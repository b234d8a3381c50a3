"""Why an endpoint of a ServiceMonitor has no target although its Services are found: port, Pods, relabelling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kdp.prometheus.discovery import META
from kdp.prometheus.operator.jobs import scrape_class_of
from kdp.prometheus.regex import anchored
from kdp.prometheus.relabel import apply
from kdp.prometheus.scrape import is_target
from kdp.prometheus.world import Json, reference

if TYPE_CHECKING:
    from kdp.prometheus.monitored import Monitored
    from kdp.prometheus.relabel import Rule
    from kdp.prometheus.scrape import Found, Job

__all__ = ["endpoint_faults"]

Fault = tuple[str, str, str]
OVER = ("Failed", "Succeeded")


def endpoint_faults(found: Monitored) -> Iterator[Fault]:
    """Give kind, object and field for each endpoint without a target."""
    endpoints = found.spec.get("endpoints") or ()
    for index, job in enumerate(found.jobs()):
        candidates = found.of_services(list(job.find(found.world)))
        if any(each.target is not None for each in candidates):
            continue
        where = f"spec.endpoints[{index}]"
        yield from (
            list(_port_faults(found, endpoints[index], where))
            or list(_address_faults(found, candidates))
            or list(_target_port_faults(found, endpoints[index], where, candidates))
            or list(_dropped(found, endpoints[index], where, candidates, job))
        )


def _port_faults(found: Monitored, endpoint: Json, where: str) -> Iterator[Fault]:
    """Compare the port's name, a regular expression, with the ports of the Services."""
    wanted = endpoint.get("port")
    if not wanted:
        return
    names = [
        str(port.get("name") or "")
        for service in found.services
        for port in (service.get("spec") or {}).get("ports") or ()
    ]
    if any(anchored(str(wanted)).fullmatch(name) for name in names):
        return
    on_pods = [str(port.get("name") or "") for port in _container_ports(found)]
    only_on_pod = any(anchored(str(wanted)).fullmatch(name) for name in on_pods if name)
    kind = "port-only-on-pod" if only_on_pod else "port-not-found"
    yield kind, reference(found.monitor), f"{where}.port"


def _address_faults(found: Monitored, candidates: Sequence[Found]) -> Iterator[Fault]:
    """Ask for Pods behind the Services, and for Pods that still run."""
    for service in found.services:
        pods = found.pods_behind(service)
        if pods and all(_phase(pod) in OVER for pod in pods):
            yield "pods-not-running", reference(pods[0]), "status.phase"
        elif not candidates:
            yield "service-without-endpoints", reference(service), "spec.selector"
    over = [each for each in candidates if each.discovered.get(f"{META}pod_phase") in OVER]
    if candidates and len(over) == len(candidates):
        names = {each.discovered[f"{META}pod_name"] for each in over}
        for pod in found.world.all("Pod"):
            if pod["metadata"]["name"] in names and _phase(pod) in OVER:
                yield "pods-not-running", reference(pod), "status.phase"


def _target_port_faults(
    found: Monitored, endpoint: Json, where: str, candidates: Sequence[Found]
) -> Iterator[Fault]:
    """Compare the target port with the container ports: a text with their names, a number with their numbers."""
    if endpoint.get("port"):
        label, field, wanted = _port_label(candidates), "port", str(endpoint["port"])
    elif endpoint.get("targetPort"):
        kind = "name" if isinstance(endpoint["targetPort"], str) else "number"
        label, field = f"{META}pod_container_port_{kind}", "targetPort"
        wanted = str(endpoint["targetPort"])
    else:
        return
    if not any(anchored(wanted).fullmatch(each.discovered.get(label, "")) for each in candidates):
        yield "port-not-found", reference(found.monitor), f"{where}.{field}"


def _port_label(candidates: Sequence[Found]) -> str:
    slices = any(f"{META}endpointslice_name" in each.discovered for each in candidates)
    return f"{META}{'endpointslice' if slices else 'endpoint'}_port_name"


def _dropped(
    found: Monitored, endpoint: Json, where: str, candidates: Sequence[Found], job: Job
) -> Iterator[Fault]:
    """Name the rule of the monitor, or of its scrape class, that drops the most targets last."""
    own = len(endpoint.get("relabelings") or ())
    scrape_class = scrape_class_of(found.prometheus, found.monitor)
    shared = len(scrape_class.get("relabelings") or ())
    # The namespace that is enforced stands between the monitor's rules and the three of sharding.
    first = len(job.rules) - 3 - found.enforces_namespace() - own
    dropping = Counter(each.dropped_by for each in candidates if each.dropped_by is not None)
    for index, _ in sorted(dropping.items(), key=lambda item: (-item[1], item[0])):
        if first <= index < first + own:
            yield "dropped-by-relabeling", reference(found.monitor), f"{where}.relabelings[{index - first}]"
        elif first - shared <= index < first:
            number = _class_index(found.prometheus, scrape_class)
            field = f"spec.scrapeClasses[{number}].relabelings[{index - first + shared}]"
            yield "dropped-by-relabeling", reference(found.prometheus), field
    for each in candidates:
        spoiled = _spoils(job.rules[: first + own], each)
        if spoiled is not None and spoiled >= first:
            yield "dropped-by-relabeling", reference(found.monitor), f"{where}.relabelings[{spoiled - first}]"


def _spoils(rules: Sequence[Rule], each: Found) -> int | None:
    """Give the first rule after which a target has no valid address, interval or timeout."""
    if each.dropped_by is not None:
        return None
    for index in range(len(rules)):
        if not is_target(apply(rules[: index + 1], each.discovered)[0]):
            return index
    return None


def _class_index(prometheus: Json, scrape_class: Json) -> int:
    classes = list((prometheus.get("spec") or {}).get("scrapeClasses") or ())
    return classes.index(scrape_class)


def _container_ports(found: Monitored) -> Iterator[Json]:
    for service in found.services:
        for pod in found.pods_behind(service):
            spec = pod.get("spec") or {}
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                yield from container.get("ports") or ()


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase") or "")
