"""Kinds by all the names that people give them: ``svc``, ``services``, ``Service``."""

from __future__ import annotations

from typing import NamedTuple

from kdp.arguments import nearest
from kdp.errors import NotFoundError, UsageError

__all__ = ["KINDS", "KindNames", "find_kind", "split_reference"]


class KindNames(NamedTuple):
    """The names of a kind."""

    kind: str
    plural: str
    group: str
    short: tuple[str, ...] = ()
    namespaced: bool = True

    @property
    def resource(self) -> str:
        """Its singular name with its group, as kubectl prints it: ``deployment.apps``."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()


# Source: kubectl api-resources, Kubernetes 1.33, and prometheus-operator's custom resource definitions.
KINDS = (
    KindNames("Service", "services", "", ("svc",)),
    KindNames("Endpoints", "endpoints", "", ("ep",)),
    KindNames("EndpointSlice", "endpointslices", "discovery.k8s.io"),
    KindNames("Pod", "pods", "", ("po",)),
    KindNames("Node", "nodes", "", ("no",), namespaced=False),
    KindNames("Namespace", "namespaces", "", ("ns",), namespaced=False),
    KindNames("Deployment", "deployments", "apps", ("deploy",)),
    KindNames("ReplicaSet", "replicasets", "apps", ("rs",)),
    KindNames("StatefulSet", "statefulsets", "apps", ("sts",)),
    KindNames("ServiceMonitor", "servicemonitors", "monitoring.coreos.com", ("smon",)),
    KindNames("Prometheus", "prometheuses", "monitoring.coreos.com", ("prom",)),
)

_BY_NAME = {
    name: kind
    for kind in KINDS
    for plain in (kind.plural, kind.kind.lower(), *kind.short)
    for name in ({plain, f"{plain}.{kind.group}"} if kind.group else {plain})
}


def find_kind(name: str) -> KindNames:
    """Find a kind by its plural, singular or short name, with or without its group; letters' case is free."""
    kind = _BY_NAME.get(name.lower())
    if kind is None:
        near = nearest(name.lower(), _BY_NAME)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        known = ", ".join(kind.plural for kind in KINDS)
        raise NotFoundError(
            "kind-unknown", f"{name}: kdp has no resource of this name{hint} (it has {known})"
        )
    return kind


def split_reference(text: str) -> tuple[str | None, str]:
    """Split ``NAMESPACE/NAME`` or ``NAME``."""
    namespace, slash, name = text.partition("/")
    if not slash:
        namespace, name = "", text
    if not name or "/" in name or (slash and not namespace):
        raise UsageError("argument-invalid", f"{text!r} is no name: write NAME or NAMESPACE/NAME")
    return namespace or None, name
