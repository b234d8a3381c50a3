"""What a label holds together: everything that selects by it, and what would come loose without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kdp.arguments import bad_argument
from kdp.explain.explanation import Evidence, Explanation
from kdp.prometheus.selectors import Requirement, accepts, requirements

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.objects import Manifest

__all__ = ["explain_label"]

Json = Mapping[str, Any]
LISTED_MAX = 20


class _Use(NamedTuple):
    """A selector somewhere in an object: where, of what kind of object, in which namespaces, and what it is for."""

    field: str
    selects: str
    namespaces: Sequence[str] | None
    selector: Json
    effect: str
    is_map: bool = False


def explain_label(cluster: Cluster, text: str) -> Explanation:
    """Explain ``KEY=VALUE``: who has the label, and who selects by it."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise bad_argument("explain(what=...)", f"label {text!r}: write label/KEY=VALUE")
    holders = {kind: _holders(cluster, kind, key, value) for kind in ("Pod", "Service", "Namespace")}
    evidence = [
        evidence
        for kind in SELECTING
        for each in cluster.get(kind)
        for use in SELECTING[kind](each)
        for evidence in _evidence(each, use, holders[use.selects], key, value)
    ]
    users = len({each.object for each in evidence})
    selecting = (
        f"{_count(users, 'object')} {'selects' if users == 1 else 'select'} by it"
        if users
        else "nothing selects by it"
    )
    verdict = "works" if evidence else "unknown"
    summary = f"{_worn(holders)}; {selecting}"
    return Explanation(
        f"label {text}", verdict, summary, evidence=evidence, notes=_notes(cluster, key, value)
    )


def _worn(holders: Mapping[str, Sequence[Manifest]]) -> str:
    wearers = {kind: len(found) for kind, found in holders.items() if found}
    if not wearers:
        return "nobody has it"
    listed = " and ".join(_count(number, kind) for kind, number in wearers.items())
    return f"{listed} {'has' if sum(wearers.values()) == 1 else 'have'} it"


def _notes(cluster: Cluster, key: str, value: str) -> list[str]:
    """Say where Pods have it from: a label that is changed on a Pod alone comes back with the next one."""
    makers = [
        _name(each) for kind in TEMPLATES for each in cluster.get(kind) if _template(each).get(key) == value
    ]
    if not makers:
        return []
    return [
        f"new Pods get it from the template of {', '.join(makers[:LISTED_MAX])} (.spec.template.metadata.labels)"
    ]


def _holders(cluster: Cluster, kind: str, key: str, value: str) -> list[Manifest]:
    return [each for each in cluster.get(kind) if _labels(each).get(key) == value]


def _evidence(
    each: Manifest, use: _Use, holders: Sequence[Manifest], key: str, value: str
) -> Iterator[Evidence]:
    """Say what a selector does with this label, if it names its key and takes its value."""
    named = [one for one in requirements(use.selector) if one.key == key and one.accepts({key: value})]
    if not named or (named[0].operator in ("NotIn", "DoesNotExist") and value):
        return
    selected = [
        holder
        for holder in holders
        if (use.namespaces is None or holder.namespace in use.namespaces)
        and accepts(use.selector, _labels(holder))
    ]
    path = named[0].path.removeprefix("matchLabels.") if use.is_map else named[0].path
    value_text = f"{_written(named[0])} ({use.effect} {_count(len(selected), use.selects)})"
    yield Evidence(_name(each), f"{use.field}.{path}", value_text)


def _written(one: Requirement) -> str:
    return one.values[0] if one.operator == "=" else f"{one.operator} {', '.join(one.values)}".rstrip()


def _service(each: Manifest) -> Iterator[_Use]:
    pairs = each["spec"].get("selector")
    if pairs and each["spec"].get("type") != "ExternalName":
        yield _Use("spec.selector", "Pod", [each.namespace], {"matchLabels": pairs}, "sends to", is_map=True)


def _workload(each: Manifest) -> Iterator[_Use]:
    yield _Use("spec.selector", "Pod", [each.namespace], each["spec"].get("selector") or {}, "owns")


def _replication_controller(each: Manifest) -> Iterator[_Use]:
    pairs = each["spec"].get("selector") or {}
    yield _Use("spec.selector", "Pod", [each.namespace], {"matchLabels": pairs}, "owns", is_map=True)


def _budget(each: Manifest) -> Iterator[_Use]:
    yield _Use(
        "spec.selector", "Pod", [each.namespace], each["spec"].get("selector") or {}, "protects from eviction"
    )


def _policy(each: Manifest) -> Iterator[_Use]:
    """Source: Kubernetes API, networking/v1 NetworkPolicy: peers without namespaceSelector are of its own namespace."""
    spec = each["spec"]
    yield _Use("spec.podSelector", "Pod", [each.namespace], spec.get("podSelector") or {}, "restricts")
    for way, side in (("ingress", "from"), ("egress", "to")):
        for at, rule in enumerate(spec.get(way) or ()):
            for number, peer in enumerate(rule.get(side) or ()):
                field = f"spec.{way}[{at}].{side}[{number}]"
                if peer.get("podSelector") is not None:
                    spaces = None if peer.get("namespaceSelector") is not None else [each.namespace]
                    yield _Use(
                        f"{field}.podSelector", "Pod", spaces, peer["podSelector"], f"lets {WAYS[side]}"
                    )
                if peer.get("namespaceSelector") is not None:
                    yield _Use(
                        f"{field}.namespaceSelector",
                        "Namespace",
                        None,
                        peer["namespaceSelector"],
                        f"lets {side}",
                    )


def _monitor(each: Manifest) -> Iterator[_Use]:
    kind = "Service" if each["kind"] == "ServiceMonitor" else "Pod"
    spaces = each["spec"].get("namespaceSelector") or {}
    names = None if spaces.get("any") else spaces.get("matchNames") or [each.namespace]
    yield _Use("spec.selector", kind, names, each["spec"].get("selector") or {}, "scrapes")


WAYS = {"from": "in", "to": "out to"}
SELECTING: dict[str, Callable[[Manifest], Iterator[_Use]]] = {
    "Service": _service,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "ReplicationController": _replication_controller,
    "Job": _workload,
    "PodDisruptionBudget": _budget,
    "NetworkPolicy": _policy,
    "ServiceMonitor": _monitor,
    "PodMonitor": _monitor,
}
TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicationController")


def _template(each: Manifest) -> Json:
    template = each["spec"].get("template") or {}
    found: Json = (template.get("metadata") or {}).get("labels") or {}
    return found


def _labels(each: Manifest) -> Mapping[str, str]:
    found: Mapping[str, str] = each["metadata"].get("labels") or {}
    return found


def _name(each: Manifest) -> str:
    return f"{each['kind']} {each.namespace}/{each.name}"


def _count(number: int, kind: str) -> str:
    return f"1 {kind}" if number == 1 else f"{number} {kind}s"
