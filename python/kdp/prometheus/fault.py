"""Where the chain from a ServiceMonitor to its targets breaks: the most likely cause first.

The chain is walked as the operator and Prometheus walk it: the monitor is selected, is valid, looks into a namespace,
matches Services, names a port, and its targets survive relabelling.
Source: prometheus-operator 0.93.0, pkg/prometheus/promcfg.go; Prometheus 3.14, discovery/kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from kdp.errors import NotFoundError, UnsupportedError
from kdp.prometheus import selectors
from kdp.prometheus.endpoint_fault import endpoint_faults
from kdp.prometheus.monitored import Monitored
from kdp.prometheus.operator.jobs import namespaces_of_monitor
from kdp.prometheus.operator.select import is_managed, namespaces_of, select
from kdp.prometheus.targets import prometheus_of
from kdp.prometheus.world import Json, World, full_name, meta, reference

__all__ = ["Fault", "explain_monitor", "faults"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What breaks: a kind of cause, ``Kind/namespace/name``, and the path of a field there."""

    kind: str
    object: str
    field: str


def explain_monitor(case: Json) -> list[dict[str, str]]:
    """Give ``{"kind", "object", "field"}`` of each cause that is found, the most likely one first."""
    if case.get("kind") != "explain":
        kind = case.get("kind")
        raise UnsupportedError(
            "case-not-modelled", f"kdp.conformance.explain_monitor: cases of kind {kind!r} are not modelled"
        )
    world = World(case["objects"])
    namespace, _, name = case["monitor"].partition("/")
    monitor = world.find("ServiceMonitor", namespace, name)
    if monitor is None:
        raise NotFoundError("no-such-object", f"ServiceMonitor {namespace}/{name} does not exist")
    return [asdict(each) for each in faults(world, prometheus_of(world, case), monitor)]


def faults(world: World, prometheus: Json, monitor: Json) -> list[Fault]:
    """Walk the chain; the first link that breaks ends the walk."""
    chosen = _selecting(world, prometheus, monitor)
    if chosen is None:
        return list(_unselected(world, prometheus, monitor))
    for each, why in select(world, chosen, "ServiceMonitor").rejected:
        if full_name(each) == full_name(monitor):
            return [Fault("monitor-rejected", reference(monitor), why.field)]
    found = Monitored(world, chosen, monitor)
    if not found.services:
        return _no_service(world, found)
    return [Fault(*each) for each in endpoint_faults(found)]


def _selecting(world: World, prometheus: Json, monitor: Json) -> Json | None:
    """Give the Prometheus that selects the monitor: the one asked, or another."""
    for each in (prometheus, *world.all("Prometheus")):
        chosen = select(world, each, "ServiceMonitor") if is_managed(each) else None
        if chosen is None:
            continue
        monitors = [*chosen.valid, *(one for one, _ in chosen.rejected)]
        if any(full_name(one) == full_name(monitor) for one in monitors):
            return each
    return None


def _unselected(world: World, prometheus: Json, monitor: Json) -> Iterator[Fault]:
    spec = prometheus.get("spec") or {}
    selector = spec.get("serviceMonitorSelector")
    if selector is None:
        yield Fault("monitor-not-selected", reference(prometheus), "spec.serviceMonitorSelector")
        return
    if meta(monitor).get("namespace") not in namespaces_of(world, prometheus, "ServiceMonitor"):
        spaces = spec.get("serviceMonitorNamespaceSelector")
        labels = world.namespaces().get(str(meta(monitor).get("namespace")), {})
        field = _deepest("spec.serviceMonitorNamespaceSelector", spaces, labels)
        yield Fault("monitor-namespace-not-selected", reference(prometheus), field)
    labels = meta(monitor).get("labels") or {}
    for each in selectors.requirements(selector):
        if not each.accepts(labels):
            yield Fault("monitor-not-selected", reference(monitor), f"metadata.labels.{each.key}")


def _deepest(field: str, selector: Json | None, labels: Mapping[str, str] | None) -> str:
    """Give the path of the first requirement that labels miss; without labels, of the first one."""
    missed = [
        each for each in selectors.requirements(selector or {}) if labels is None or not each.accepts(labels)
    ]
    return f"{field}.{missed[0].path}" if missed else field


def _no_service(world: World, found: Monitored) -> list[Fault]:
    monitor = found.monitor
    if any(found.selects(each) for each in world.all("Service")):
        names = ((monitor.get("spec") or {}).get("namespaceSelector") or {}).get("matchNames")
        field = "spec.namespaceSelector.matchNames" if names else "spec.namespaceSelector"
        return [Fault("wrong-namespace", reference(monitor), field)]
    selector = (monitor.get("spec") or {}).get("selector") or {}
    spaces = namespaces_of_monitor(found.prometheus, monitor) or list(world.namespaces())
    services = [each for each in world.all("Service") if meta(each).get("namespace") in spaces]
    pods = [
        each
        for each in world.all("Pod")
        if meta(each).get("namespace") in spaces and selectors.accepts(selector, meta(each).get("labels"))
    ]
    mismatches = _mismatches(selector, services, pods)
    field = _deepest("spec.selector", selector, None)
    matching_pods = [Fault("selector-matches-pods", reference(monitor), field)] if pods else []
    if mismatches or matching_pods:
        return mismatches + matching_pods
    # No label resembles: perhaps the Service with nearly these labels is elsewhere.
    elsewhere = _mismatches(selector, world.all("Service"), [])
    return elsewhere or [Fault("service-label-mismatch", reference(monitor), "spec.selector")]


def _mismatches(selector: Json, services: Sequence[Json], pods: Sequence[Json]) -> list[Fault]:
    """Give the labels of the nearest Service that differ. Where Pods have the labels, only values count as a slip."""
    behind = (
        [each for each in services if any(_stands_before(each, pod) for pod in pods)] if pods else services
    )
    near = []
    for each in behind:
        labels = meta(each).get("labels") or {}
        missed = [one for one in selectors.requirements(selector) if not one.accepts(labels)]
        absent = sum(one.key not in labels for one in missed)
        if (pods and absent) or absent == len(selectors.requirements(selector)):
            continue
        edits = sum(
            min((edit_distance(value, str(labels.get(one.key, ""))) for value in one.values), default=9)
            for one in missed
        )
        near.append((len(missed), absent, edits, full_name(each), each, missed))
    if not near:
        return []
    *_, service, missed = min(near, key=lambda item: item[:4])
    found = [
        one.key for one in sorted(missed, key=lambda one: one.key not in (meta(service).get("labels") or {}))
    ]
    return [Fault("service-label-mismatch", reference(service), f"metadata.labels.{key}") for key in found]


def _stands_before(service: Json, pod: Json) -> bool:
    pairs = (service.get("spec") or {}).get("selector") or {}
    same = meta(service).get("namespace") == meta(pod).get("namespace")
    return bool(pairs) and same and selectors.accepts({"matchLabels": pairs}, meta(pod).get("labels"))


def edit_distance(one: str, other: str) -> int:
    """Count the letters to change, add or leave out."""
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, 1):
        above, row = row, [index]
        for column, against in enumerate(other, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != against)))
    return row[-1]
