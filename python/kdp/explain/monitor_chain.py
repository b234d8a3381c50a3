"""The rest of a ServiceMonitor's way: whether a Prometheus selects it and accepts it, and what becomes of its targets.

Source: prometheus-operator 0.93.0, pkg/prometheus/resource_selector.go and promcfg.go; Prometheus 3.14.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdp.errors import KdpError
from kdp.explain.explanation import Evidence, Explanation, Finding, Fix
from kdp.explain.patch import kubectl_patch, nested
from kdp.prometheus.cluster_world import world_of
from kdp.prometheus.fault import Fault, faults
from kdp.prometheus.monitored import Monitored
from kdp.prometheus.operator.select import is_managed, select
from kdp.prometheus.selectors import requirements
from kdp.prometheus.world import Json, World, full_name

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["walk_chain"]

NO_PROMETHEUS = (
    "no Prometheus is among the objects: whether one selects this monitor is not known; its selector, namespaces and "
    "ports are as told"
)
# Links that the facts of the core tell of already, with what is nearest.
TOLD = ("service-label-mismatch", "wrong-namespace", "selector-matches-pods", "service-without-endpoints")


def walk_chain(cluster: Cluster, namespace: str, name: str, told: Explanation) -> Explanation:
    """Add to what is told of a monitor's selector the links before it and behind it."""
    world = world_of(cluster)
    monitor = world.find("ServiceMonitor", namespace, name)
    assert monitor is not None, "the facts are of a monitor that exists"
    every = world.all("Prometheus")
    if not every:
        return _with(told, notes=[NO_PROMETHEUS])
    try:
        broken = faults(world, every[0], monitor)
        chosen = next((each for each in every if _selects(world, each, monitor)), None)
        reached = _targets(world, chosen, monitor) if chosen else None
    except KdpError as error:
        return _with(told, notes=[f"whether Prometheus has targets from it is not known: {error}"])
    if any(fault.kind == "port-only-on-pod" for fault in broken):
        # The same cause, and more is known of it.
        told = _with(told, findings=[each for each in told.findings if each.rule != "port-not-found"])
    seen = {finding.rule for finding in told.findings}
    found = [
        each for fault in broken if not _is_told(fault, seen) for each in _finding(world, monitor, fault)
    ]
    if reached:
        assert chosen is not None, "targets are somebody's"
        return _works(told, found, chosen, reached)
    if not found:
        return told
    summary = told.summary if told.verdict == "broken" else "Prometheus has no target from it"
    before = [each for each in found if each.rule.startswith("monitor-")]
    behind = [each for each in found if each not in before]
    return _with(told, summary=summary, verdict="broken", findings=[*before, *told.findings, *behind])


def _works(told: Explanation, found: Sequence[Finding], chosen: Json, reached: Sequence[str]) -> Explanation:
    scraper = f"Prometheus {full_name(chosen)}"
    summary = (
        f"{told.summary}; {scraper} scrapes {len(reached)} target{'' if len(reached) == 1 else 's'} from it"
    )
    evidence = [*told.evidence, *(Evidence(scraper, "target", url) for url in reached[:10])]
    findings = [*told.findings, *found]
    verdict = "unknown" if findings else "works"
    return Explanation(told.object, verdict, summary, findings=findings, evidence=evidence, notes=told.notes)


def _with(told: Explanation, **changed: Any) -> Explanation:
    fields = {
        "verdict": told.verdict,
        "summary": told.summary,
        "findings": told.findings,
        "notes": told.notes,
    }
    return Explanation(told.object, evidence=told.evidence, **{**fields, **changed})


def _is_told(fault: Fault, seen: set[str]) -> bool:
    return fault.kind in TOLD or (fault.kind == "port-not-found" and "port-not-found" in seen)


def _selects(world: World, prometheus: Json, monitor: Json) -> bool:
    if not is_managed(prometheus):
        return False
    return any(
        full_name(each) == full_name(monitor) for each in select(world, prometheus, "ServiceMonitor").valid
    )


def _targets(world: World, prometheus: Json, monitor: Json) -> list[str]:
    found = Monitored(world, prometheus, monitor)
    return [each.target.url for job in found.jobs() for each in job.find(world) if each.target is not None]


def _finding(world: World, monitor: Json, fault: Fault) -> Iterator[Finding]:
    kind, _, name = fault.object.partition("/")
    place = Evidence(f"{kind} {name}", fault.field, _value(world, fault))
    rules = {
        "monitor-not-selected": _not_selected,
        "monitor-namespace-not-selected": _namespace_not_selected,
    }
    if fault.kind in rules:
        yield rules[fault.kind](world, monitor, fault, place)
        return
    sentence = {
        "monitor-rejected": "The operator refuses the whole monitor: this field is not valid, or what it names is not "
        "there.",
        "port-only-on-pod": "No port of the Service has this name; a container port has. A monitor's port is the name "
        "of a Service port; targetPort would be the container's.",
        "port-not-found": "No container of the Pods declares this port.",
        "pods-not-running": "The Pods behind the Service have ended; the operator's rules drop them (filterRunning).",
        "dropped-by-relabeling": "This rule drops every target that was found, or leaves it without an address.",
    }.get(fault.kind)
    if sentence is not None:
        yield Finding(fault.kind, sentence, [place], list(_see(fault, monitor)))


def _see(fault: Fault, monitor: Json) -> Iterator[Fix]:
    space, _, name = full_name(monitor).partition("/")
    if fault.kind == "port-only-on-pod":
        yield Fix(
            "name the container's port as targetPort in place of port",
            f"kubectl edit servicemonitor {name} -n {space}   # {fault.field} -> targetPort",
        )
    elif fault.kind == "dropped-by-relabeling":
        yield Fix("see what each rule drops", "kdp targets --dropped -f ...")


def _not_selected(world: World, monitor: Json, fault: Fault, place: Evidence) -> Finding:
    kind, _, name = fault.object.partition("/")
    space, _, plain = full_name(monitor).partition("/")
    if kind == "Prometheus":
        patch = nested(["spec", "serviceMonitorSelector"], {})
        owner, _, own = name.partition("/")
        return Finding(
            fault.kind,
            f"Prometheus {name} has no serviceMonitorSelector, and without one it selects no monitor.",
            [place],
            [Fix("let it select every monitor", kubectl_patch("prometheus", owner, own, patch))],
        )
    key = fault.field.removeprefix("metadata.labels.")
    asked = _asked(world, key)
    fixes = []
    if asked:
        patch = nested(["metadata", "labels"], {key: asked[1]})
        fixes = [Fix("give the monitor the label", kubectl_patch("servicemonitor", space, plain, patch))]
    by = f"Prometheus {asked[0]} asks for {key}={asked[1]}" if asked else "no Prometheus accepts its labels"
    return Finding(fault.kind, f"No Prometheus selects the monitor: {by}.", [place], fixes)


def _namespace_not_selected(world: World, monitor: Json, fault: Fault, place: Evidence) -> Finding:
    owner, _, own = fault.object.partition("/")[2].partition("/")
    space = full_name(monitor).partition("/")[0]
    selector = ((world.find("Prometheus", owner, own) or {}).get("spec") or {}).get(
        "serviceMonitorNamespaceSelector"
    )
    pairs: Mapping[str, str] = (selector or {}).get("matchLabels") or {}
    labels = world.namespaces().get(space, {})
    missing = [(key, value) for key, value in pairs.items() if labels.get(key) != value]
    patch = nested(["spec", "serviceMonitorNamespaceSelector"], {})
    fixes = [
        Fix("label the namespace", f"kubectl label namespace {space} {key}={value}")
        for key, value in missing[:1]
    ]
    fixes.append(Fix("let it look into every namespace", kubectl_patch("prometheus", owner, own, patch)))
    return Finding(
        fault.kind,
        f"Prometheus {owner}/{own} takes no monitors from namespace {space}.",
        [place, Evidence(f"Namespace {space}", "metadata.labels", dict(labels))],
        fixes,
    )


def _asked(world: World, key: str) -> tuple[str, str] | None:
    """Find a Prometheus that asks for a value of the label."""
    for each in world.all("Prometheus"):
        for one in requirements((each.get("spec") or {}).get("serviceMonitorSelector") or {}):
            if one.key == key and one.values and one.operator in ("=", "In"):
                return full_name(each), one.values[0]
    return None


def _value(world: World, fault: Fault) -> object:
    """Give what stands at the fault's field; ``None``: nothing does."""
    from kdp.printers.jsonpath import JsonPath

    kind, _, name = fault.object.partition("/")
    space, _, plain = name.rpartition("/")
    found = world.find(kind, space, plain)
    if fault.field.startswith("metadata.labels."):
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        return labels.get(fault.field.removeprefix("metadata.labels."))
    try:
        values = JsonPath(f"{{.{fault.field}}}").find(found)
    except KdpError:
        return None
    return values[0][0] if values and values[0] else None
