"""What one discoverer sees: the objects of its namespaces that its selectors let through, and attached metadata."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from kdp.errors import UnsupportedError
from kdp.prometheus.discovery.meta import META, object_labels
from kdp.prometheus.selectors import parse
from kdp.prometheus.world import Json, World, meta, owner

if TYPE_CHECKING:
    from kdp.prometheus.relabel import Labels

__all__ = ["View"]

ROLE_KINDS = {
    "endpoints": "Endpoints",
    "endpointslice": "EndpointSlice",
    "ingress": "Ingress",
    "node": "Node",
    "pod": "Pod",
    "service": "Service",
}
# Fields that each kind can be listed by. Source: Kubernetes 1.36, pkg/apis/core/v1/conversion.go.
FIELDS = {
    "node": ("spec.unschedulable",),
    "pod": (
        *("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
        *("spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    ),
    "service": ("spec.clusterIP", "spec.type"),
}


class View:
    """One namespace, or all of them (None), as a ``kubernetes_sd_configs`` entry looks at it."""

    def __init__(self, world: World, config: Json, namespace: str | None) -> None:
        self._world = world
        self._namespace = namespace
        self._selectors = {each["role"]: each for each in config.get("selectors") or ()}
        self.attach: Json = config.get("attach_metadata") or {}

    def all(self, role: str) -> Sequence[Json]:
        """Give the objects of a role."""
        return list(self._seen(role).values())

    def find(self, role: str, namespace: str, name: str) -> Json | None:
        """Give one object, if it is seen."""
        return self._seen(role).get((namespace, name))

    def pod_of(self, reference: Json | None) -> Json | None:
        """Give the Pod that an address refers to, if it is seen."""
        if not reference or reference.get("kind") != "Pod":
            return None
        return self.find("pod", str(reference.get("namespace") or ""), str(reference.get("name") or ""))

    def node_labels(self, name: str | None) -> Labels:
        """Give a Node's labels where they are attached."""
        if not self.attach.get("node") or name is None:
            return {}
        node = self.find("node", "", name)
        return object_labels("node", node) if node else {}

    def namespace_labels(self, name: str) -> Labels:
        """Give a Namespace's labels and annotations where they are attached."""
        found = self._world.find("Namespace", "", name) if self.attach.get("namespace") else None
        return object_labels("namespace", found, named=False) if found else {}

    def workload_labels(self, pod: Json) -> Labels:
        """Give the Deployment, Job and CronJob of a Pod where they are attached.

        Source: Prometheus 3.14, discovery/kubernetes/pod.go, podLabels.
        """
        controller = owner(pod) or {}
        kind, name = controller.get("kind"), str(controller.get("name") or "")
        found: Labels = {}
        if kind == "ReplicaSet" and self.attach.get("deployment"):
            found |= self._owner_label("ReplicaSet", pod, name, "Deployment")
        if kind == "Job" and self.attach.get("job"):
            found[f"{META}pod_job_name"] = name
        if kind == "Job" and self.attach.get("cronjob"):
            found |= self._owner_label("Job", pod, name, "CronJob")
        return found

    def _owner_label(self, kind: str, pod: Json, name: str, above: str) -> Labels:
        item = self._world.find(kind, str(meta(pod).get("namespace") or ""), name)
        controller = owner(item) if item else None
        if controller is None or controller.get("kind") != above:
            return {}
        return {f"{META}pod_{above.lower()}_name": str(controller.get("name") or "")}

    @cached_property
    def _cache(self) -> dict[str, dict[tuple[str, str], Json]]:
        return {}

    def _seen(self, role: str) -> dict[tuple[str, str], Json]:
        if role not in self._cache:
            self._cache[role] = {
                (str(meta(each).get("namespace") or ""), str(meta(each)["name"])): each
                for each in self._world.all(ROLE_KINDS[role])
                if self._is_seen(role, each)
            }
        return self._cache[role]

    def _is_seen(self, role: str, item: Json) -> bool:
        if role != "node" and self._namespace is not None and meta(item).get("namespace") != self._namespace:
            return False
        selector = self._selectors.get(role) or {}
        labels = meta(item).get("labels") or {}
        fields = [part for part in str(selector.get("field") or "").split(",") if part]
        return all(each.accepts(labels) for each in parse(str(selector.get("label") or ""))) and all(
            _field_accepts(role, part, item) for part in fields
        )


def _field_accepts(role: str, part: str, item: Json) -> bool:
    path, differs, wanted = part.partition("!=")
    if not differs:
        path, _, wanted = part.replace("==", "=").partition("=")
    if path not in ("metadata.name", "metadata.namespace", *FIELDS.get(role, ())):
        raise UnsupportedError(
            "case-not-modelled",
            f"kubernetes_sd_configs selector of role {role}: field {path} is not modelled",
        )
    value: object = item
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    written = str(value).lower() if isinstance(value, bool) else str(value or "")
    if path in ("spec.unschedulable", "spec.hostNetwork"):
        written = written or "false"
    return (written == wanted) != bool(differs)
