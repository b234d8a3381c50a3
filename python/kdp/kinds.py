"""Kinds by all the names that people give them: ``svc``, ``services``, ``Service``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

    @property
    def path(self) -> str:
        """Its name for the core: ``Service``, ``apps/Deployment``."""
        return f"{self.group}/{self.kind}" if self.group else self.kind

    @property
    def names(self) -> set[str]:
        """All the names that find it, in small letters."""
        plain = {self.plural, self.kind.lower(), *self.short}
        return plain | {f"{name}.{self.group}" for name in plain} if self.group else plain


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
    KindNames("DaemonSet", "daemonsets", "apps", ("ds",)),
    KindNames("ServiceMonitor", "servicemonitors", "monitoring.coreos.com", ("smon",)),
    KindNames("PodMonitor", "podmonitors", "monitoring.coreos.com", ("pmon",)),
    KindNames("Prometheus", "prometheuses", "monitoring.coreos.com", ("prom",)),
    KindNames("ConfigMap", "configmaps", "", ("cm",)),
    KindNames("Secret", "secrets", ""),
    KindNames("ServiceAccount", "serviceaccounts", "", ("sa",)),
    KindNames("Event", "events", "", ("ev",)),
    KindNames("PersistentVolume", "persistentvolumes", "", ("pv",), namespaced=False),
    KindNames("PersistentVolumeClaim", "persistentvolumeclaims", "", ("pvc",)),
    KindNames("ReplicationController", "replicationcontrollers", "", ("rc",)),
    KindNames("Job", "jobs", "batch"),
    KindNames("CronJob", "cronjobs", "batch", ("cj",)),
    KindNames("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", ("hpa",)),
    KindNames("PodDisruptionBudget", "poddisruptionbudgets", "policy", ("pdb",)),
    KindNames("NetworkPolicy", "networkpolicies", "networking.k8s.io", ("netpol",)),
    KindNames("Ingress", "ingresses", "networking.k8s.io", ("ing",)),
    KindNames("IngressClass", "ingressclasses", "networking.k8s.io", namespaced=False),
    KindNames("ServiceCIDR", "servicecidrs", "networking.k8s.io", namespaced=False),
    KindNames("IPAddress", "ipaddresses", "networking.k8s.io", ("ip",), namespaced=False),
    KindNames("StorageClass", "storageclasses", "storage.k8s.io", ("sc",), namespaced=False),
    KindNames(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        ("crd", "crds"),
        namespaced=False,
    ),
)


def _by_name(kinds: Iterable[KindNames]) -> dict[str, KindNames]:
    return {name: kind for kind in kinds for name in kind.names}


_KNOWN = _by_name(KINDS)


def find_kind(name: str, others: Sequence[KindNames] = ()) -> KindNames:
    """Find a kind by its plural, singular or short name, with or without its group; letters' case is free.

    ``others`` are kinds besides those that every cluster has.
    """
    known = _by_name(others) | _KNOWN if others else _KNOWN
    kind = known.get(name.lower())
    if kind is None:
        near = nearest(name.lower(), known)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        listed = ", ".join(kind.plural for kind in (*KINDS, *others))
        raise NotFoundError(
            "kind-unknown", f"{name}: kdp has no resource of this name{hint} (it has {listed})"
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
