"""``kubectl describe``'s pages over a cluster that is only objects."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kdp.describe.page import Page
from kdp.errors import UnsupportedError

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.objects import Manifest

__all__ = ["describe"]


def describe(cluster: Cluster, manifest: Manifest, now: datetime | None) -> str:
    """Give the page of an object; raises ``output-not-modelled`` for a kind that has none here."""
    from kdp.describe import network, node, pod, workload

    page, kind = Page(now), manifest["kind"]
    match kind:
        case "Service":
            slices = _sorted(
                cluster, "EndpointSlice", manifest, f"kubernetes.io/service-name={manifest.name}"
            )
            network.describe_service(page, manifest, slices)
        case "Endpoints":
            network.describe_endpoints(page, manifest)
        case "EndpointSlice":
            network.describe_slice(page, manifest)
        case "Pod":
            pod.describe_pod(page, manifest)
        case "Node":
            node.describe_node(
                page, manifest, _pods_on(cluster, manifest.name), _lease(cluster, manifest.name)
            )
        case "Deployment":
            workload.describe_deployment(page, manifest, _owned(cluster, "ReplicaSet", manifest))
        case "ReplicaSet":
            workload.describe_replica_set(page, manifest, _owned(cluster, "Pod", manifest))
        case "StatefulSet":
            workload.describe_stateful_set(page, manifest, _owned(cluster, "Pod", manifest))
        case _:
            known = "Service, Endpoints, EndpointSlice, Pod, Node, Deployment, ReplicaSet, StatefulSet"
            raise UnsupportedError(
                "output-not-modelled", f"describe {kind}: there is no page for it; there are {known}"
            )
    # A ReplicaSet's and Deployment's events are theirs alone; so are those of every other kind.
    page.events(_events(cluster, manifest))
    return page.text()


def _sorted(cluster: Cluster, kind: str, manifest: Manifest, selector: str | None = None) -> list[Manifest]:
    found = cluster.get(kind, namespace=manifest.namespace, selector=selector)
    return sorted(found, key=lambda each: each.name)


def _owned(cluster: Cluster, kind: str, manifest: Manifest) -> list[Manifest]:
    uid, name = manifest["metadata"].get("uid"), manifest.name

    def owns(each: Manifest) -> bool:
        owners = each["metadata"].get("ownerReferences") or []
        return any(
            one.get("controller")
            and one["kind"] == manifest["kind"]
            and one["name"] == name
            and one.get("uid") in (uid, None, "")
            for one in owners
        )

    return [each for each in _sorted(cluster, kind, manifest) if owns(each)]


def _pods_on(cluster: Cluster, node: str) -> list[Manifest]:
    fields = f"spec.nodeName={node},status.phase!=Succeeded,status.phase!=Failed"
    return sorted(cluster.get("Pod", fields=fields), key=lambda each: f"{each.namespace}/{each.name}")


def _lease(cluster: Cluster, node: str) -> Manifest | None:
    if not any(kind.kind == "Lease" for kind in cluster.custom_kinds):
        return None
    return next(
        (each for each in cluster.get("lease", namespace="kube-node-lease") if each.name == node), None
    )


def _events(cluster: Cluster, manifest: Manifest) -> list[Manifest]:
    uid = manifest["metadata"].get("uid")

    def concerns(event: Manifest) -> bool:
        about = event.get("involvedObject") or {}
        same = about.get("kind") == manifest["kind"] and about.get("name") == manifest.name
        return same and (not about.get("uid") or not uid or about["uid"] in (uid, manifest.name))

    namespaced = "namespace" in manifest["metadata"]
    events = cluster.get("Event", namespace=manifest.namespace if namespaced else None)
    return [
        each for each in sorted(events, key=lambda each: f"{each.namespace}/{each.name}") if concerns(each)
    ]
