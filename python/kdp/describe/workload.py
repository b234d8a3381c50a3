"""Pages of Deployment, ReplicaSet and StatefulSet. Source: kubectl pkg/describe/describe.go, 1.33."""

from __future__ import annotations

from collections.abc import Sequence

from kdp.columns.workload import label_selector_text
from kdp.describe.page import Json, Page, moment_text
from kdp.describe.pod import describe_template

__all__ = ["describe_deployment", "describe_replica_set", "describe_stateful_set"]

PHASES = (("Running", "Running"), ("Waiting", "Pending"), ("Succeeded", "Succeeded"), ("Failed", "Failed"))


def describe_deployment(page: Page, deployment: Json, sets: Sequence[Json]) -> None:
    """Write a Deployment. ``sets``: the ReplicaSets that it owns."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    page.head(deployment)
    page.write(f"CreationTimestamp:\t{moment_text(deployment['metadata'].get('creationTimestamp'))}")
    page.labelled(deployment)
    page.write(f"Selector:\t{label_selector_text(spec.get('selector'))}")
    counts = [f"{spec.get('replicas', 1)} desired"]
    names = (("updated", "updatedReplicas"), ("total", "replicas"), ("available", "availableReplicas"))
    counts += [
        f"{status.get(key, 0)} {word}" for word, key in (*names, ("unavailable", "unavailableReplicas"))
    ]
    page.write(f"Replicas:\t{' | '.join(counts)}")
    strategy = spec.get("strategy") or {}
    page.write(f"StrategyType:\t{strategy.get('type', '')}")
    page.write(f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}")
    rolling = strategy.get("rollingUpdate")
    if rolling:
        least, most = rolling.get("maxUnavailable"), rolling.get("maxSurge")
        page.write(f"RollingUpdateStrategy:\t{least} max unavailable, {most} max surge")
    describe_template(page, spec.get("template") or {})
    if status.get("conditions"):
        page.write("Conditions:")
        page.write("Type\tStatus\tReason", 1)
        page.write("----\t------\t------", 1)
        for each in status["conditions"]:
            page.write(f"{each['type']} \t{each['status']}\t{each.get('reason', '')}", 1)
    new = [each for each in sets if _is_newest(spec.get("template") or {}, each)][:1]
    old = [each for each in sets if each not in new]
    if sets:
        page.write(f"OldReplicaSets:\t{_sets(old)}")
        page.write(f"NewReplicaSet:\t{_sets(new)}")


def _is_newest(template: Json, found: Json) -> bool:
    """Compare templates but for the hash label. Source: deployment/util, EqualIgnoreHash."""
    other = found["spec"].get("template") or {}
    return _without_hash(template) == _without_hash(other)


def _without_hash(template: Json) -> Json:
    meta = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != "pod-template-hash"}
    return {"metadata": {**meta, "labels": labels}, "spec": template.get("spec")}


def _sets(found: Sequence[Json]) -> str:
    texts = [
        f"{each['metadata']['name']} "
        f"({(each.get('status') or {}).get('replicas', 0)}/{each['spec'].get('replicas', 1)} replicas created)"
        for each in found
    ]
    return ", ".join(texts) or "<none>"


def describe_replica_set(page: Page, found: Json, pods: Sequence[Json]) -> None:
    """Write a ReplicaSet. ``pods``: those that it owns."""
    page.head(found)
    page.write(f"Selector:\t{label_selector_text(found['spec'].get('selector'))}")
    page.labelled(found)
    owner = next(
        (each for each in found["metadata"].get("ownerReferences") or [] if each.get("controller")), None
    )
    if owner:
        page.write(f"Controlled By:\t{owner['kind']}/{owner['name']}")
    status = found.get("status") or {}
    page.write(f"Replicas:\t{status.get('replicas', 0)} current / {found['spec'].get('replicas', 1)} desired")
    page.write(f"Pods Status:\t{_phases(pods)}")
    describe_template(page, found["spec"].get("template") or {})


def describe_stateful_set(page: Page, found: Json, pods: Sequence[Json]) -> None:
    """Write a StatefulSet. ``pods``: those that it owns."""
    spec, status = found["spec"], found.get("status") or {}
    page.head(found)
    page.write(f"CreationTimestamp:\t{moment_text(found['metadata'].get('creationTimestamp'))}")
    page.write(f"Selector:\t{label_selector_text(spec.get('selector'))}")
    page.labelled(found)
    page.write(f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    strategy = spec.get("updateStrategy") or {}
    page.write(f"Update Strategy:\t{strategy.get('type', '')}")
    rolling = strategy.get("rollingUpdate") or {}
    if rolling.get("partition") is not None:
        page.write(f"Partition:\t{rolling['partition']}", 1)
        if rolling.get("maxUnavailable") is not None:
            page.write(f"MaxUnavailable:\t{rolling['maxUnavailable']}", 1)
    page.write(f"Pods Status:\t{_phases(pods)}")
    describe_template(page, spec.get("template") or {})
    _claims(page, spec.get("volumeClaimTemplates") or [])


def _claims(page: Page, claims: Sequence[Json]) -> None:
    page.write("Volume Claims:" if claims else "Volume Claims:\t<none>")
    for each in claims:
        meta, spec = each.get("metadata") or {}, each.get("spec") or {}
        page.write(f"Name:\t{meta.get('name', '')}", 1)
        page.write(f"StorageClass:\t{spec.get('storageClassName') or ''}", 1)
        page.labels("Labels", meta.get("labels"), "  ")
        page.labels("Annotations", meta.get("annotations"), "  ")
        size = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "<default>")
        page.write(f"Capacity:\t{size}", 1)
        page.write(f"Access Modes:\t[{' '.join(spec.get('accessModes') or [])}]", 1)


def _phases(pods: Sequence[Json]) -> str:
    phases = [str((each.get("status") or {}).get("phase", "")) for each in pods]
    return " / ".join(f"{phases.count(phase)} {word}" for word, phase in PHASES)
