"""Which monitors a Prometheus selects, and which of these the operator refuses.

Source: prometheus-operator 0.93.0, pkg/prometheus/resource_selector.go; pkg/operator/operator.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdp.errors import UnsupportedError, ValidationError
from kdp.prometheus import selectors
from kdp.prometheus.operator.checks import Refusal, refusal
from kdp.prometheus.world import Json, World, full_name, meta, reference

__all__ = ["Selected", "is_managed", "namespaces_of", "select", "stop_at_unmodelled"]

PREFIXES = {"ServiceMonitor": "serviceMonitor", "PodMonitor": "podMonitor"}
UNMODELLED = {"Probe": "probe", "ScrapeConfig": "scrapeConfig"}


@dataclass(frozen=True, slots=True)
class Selected:
    """The monitors of one kind that a Prometheus selects: those that count, by ``namespace/name``, and the rest."""

    valid: Sequence[Json]
    rejected: Sequence[tuple[Json, Refusal]]


def is_managed(prometheus: Json) -> bool:
    """Tell whether the operator writes a configuration: not where all four selectors are null."""
    spec = prometheus.get("spec") or {}
    prefixes = [*PREFIXES.values(), *UNMODELLED.values()]
    return any(spec.get(f"{prefix}Selector") is not None for prefix in prefixes)


def namespaces_of(world: World, prometheus: Json, kind: str) -> list[str]:
    """Give the namespaces that monitors of a kind are taken from; without a selector, the Prometheus' own."""
    field = f"{(PREFIXES | UNMODELLED)[kind]}NamespaceSelector"
    selector = (prometheus.get("spec") or {}).get(field)
    if selector is None:
        return [str(meta(prometheus).get("namespace") or "")]
    _check_selector(prometheus, field, selector)
    return sorted(name for name, labels in world.namespaces().items() if selectors.accepts(selector, labels))


def select(world: World, prometheus: Json, kind: str) -> Selected:
    """Select monitors of a kind by namespace and label, then refuse those that are not valid as a whole."""
    found = sorted(_chosen(world, prometheus, kind), key=full_name)
    judged = [(each, refusal(world, prometheus, each)) for each in found]
    return Selected(
        [each for each, why in judged if why is None],
        [(each, why) for each, why in judged if why is not None],
    )


def stop_at_unmodelled(world: World, prometheus: Json) -> None:
    """Raise ``UnsupportedError`` where the Prometheus selects a kind of object that is not modelled."""
    for kind in UNMODELLED:
        for each in _chosen(world, prometheus, kind):
            raise UnsupportedError("case-not-modelled", f"{reference(each)}: a {kind} is not modelled")


def _chosen(world: World, prometheus: Json, kind: str) -> list[Json]:
    field = f"{(PREFIXES | UNMODELLED)[kind]}Selector"
    selector = (prometheus.get("spec") or {}).get(field)
    if selector is None:
        return []
    _check_selector(prometheus, field, selector)
    spaces = namespaces_of(world, prometheus, kind)
    return [
        each
        for each in world.all(kind)
        if meta(each).get("namespace") in spaces and selectors.accepts(selector, meta(each).get("labels"))
    ]


def _check_selector(prometheus: Json, field: str, selector: Json) -> None:
    path = selectors.fault(selector)
    if path is not None:
        raise ValidationError(
            "value-not-allowed", f"{reference(prometheus)} .spec.{field}.{path}: not a valid selector"
        )
