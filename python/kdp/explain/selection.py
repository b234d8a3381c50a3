"""No Pod has the labels that a Service asks for: the nearest Pod, what differs, and which side to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdp.explain.explanation import Evidence, Finding, Fix
from kdp.explain.patch import kubectl_patch, nested

__all__ = ["no_pod_matches"]

Json = Mapping[str, Any]
TEMPLATES = ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet")


def no_pod_matches(name: str, facts: Json) -> Finding:
    """Say why no Pod of the namespace is selected."""
    service = facts["service"]
    if facts["elsewhere"]["count"]:
        return _elsewhere(name, facts)
    if facts["namespacePods"] == 0:
        return Finding(
            "no-pods",
            f"The namespace {service['namespace']} has no Pod at all, and a Service selects in its own namespace only.",
        )
    near = [each for each in facts["nearest"] if _resembles(each, service)]
    if not near:
        return Finding(
            "no-pod-matches",
            f"None of the {facts['namespacePods']} Pods of namespace {service['namespace']} has a label that the "
            "selector asks for.",
        )
    return _nearest(name, service, near[0])


def _resembles(near: Json, service: Json) -> bool:
    """Tell whether a Pod has anything of the selector: a pair, or at least one of its keys."""
    missing = sum(each["found"] is None and each["slip"] is None for each in near["differences"])
    return missing < len(service["selector"])


def _elsewhere(name: str, facts: Json) -> Finding:
    service, elsewhere = facts["service"], facts["elsewhere"]
    spaces = ", ".join(elsewhere["namespaces"])
    first = elsewhere["pods"][0]
    more = f" and {elsewhere['count'] - 1} more" if elsewhere["count"] > 1 else ""
    return Finding(
        "pods-in-another-namespace",
        f"A Service selects Pods of its own namespace only. Pods with these labels are in {spaces}: "
        f"{first['name']}{more}.",
        [
            Evidence(name, "metadata.namespace", service["namespace"]),
            Evidence(_pod(first), "metadata.labels", first["labels"]),
        ],
        [
            Fix(
                f"make the Service in the namespace of its Pods; a namespace cannot be patched ({spaces})",
                f"kubectl get service {service['name']} -n {service['namespace']} -o yaml "
                f"| sed 's/namespace: {service['namespace']}$/namespace: {first['namespace']}/; /clusterIP/d; /uid:/d; "
                "/resourceVersion:/d' | kubectl create -f -",
            )
        ],
    )


def _nearest(name: str, service: Json, near: Json) -> Finding:
    pod, differences = near["pod"], near["differences"]
    evidence = []
    for each in differences:
        evidence.append(Evidence(name, f"spec.selector.{each['key']}", each["wanted"]))
        evidence.append(Evidence(_pod(pod), f"metadata.labels.{each['slip'] or each['key']}", _found(each)))
    return Finding(
        "selector-matches-no-pod",
        f"No Pod of namespace {service['namespace']} has every label of the selector. The nearest is {pod['name']}: "
        f"{_differ(differences)}.",
        evidence,
        _fixes(service, near),
    )


def _found(difference: Json) -> object:
    return difference["wanted"] if difference["slip"] else difference["found"]


def _differ(differences: list[Json]) -> str:
    said = [_difference(each) for each in differences]
    return (
        f"one label differs: {said[0]}" if len(said) == 1 else f"{len(said)} labels differ: {'; '.join(said)}"
    )


def _difference(each: Json) -> str:
    if each["slip"]:
        return f"{each['key']}={each['wanted']} is asked for, and the Pod has {each['slip']}={each['wanted']}"
    if each["found"] is None:
        return f"{each['key']}={each['wanted']} is asked for, and the Pod has no label {each['key']}"
    return f"{each['key']}={each['wanted']} is asked for, and the Pod has {each['key']}={each['found']}"


def _fixes(service: Json, near: Json) -> list[Fix]:
    """Change the Service where the Pod has something else, and the Pod's side where it lacks the label."""
    on_service, on_pod = _fix_on_service(service, near), _fix_on_pod(near)
    if any(each["found"] is None and each["slip"] is None for each in near["differences"]):
        return [on_pod, on_service]
    return [on_service, on_pod]


def _fix_on_service(service: Json, near: Json) -> Fix:
    pairs: dict[str, str | None] = {}
    for each in near["differences"]:
        pairs[each["key"]] = each["found"]
        if each["slip"]:
            pairs[each["slip"]] = each["wanted"]
    lacking = any(each["found"] is None and each["slip"] is None for each in near["differences"])
    why = (
        "take the pair out of the Service's selector, which then selects every Pod that has the rest"
        if lacking
        else "change the Service's selector to what the Pods have; it holds at once, selects "
        f"{_count(near['alike'])}, and no Pod restarts"
    )
    return Fix(
        why,
        kubectl_patch("service", service["namespace"], service["name"], nested(["spec", "selector"], pairs)),
    )


def _fix_on_pod(near: Json) -> Fix:
    pod = near["pod"]
    labels = {each["key"]: each["wanted"] for each in near["differences"]}
    owner = pod["owner"]
    if owner is None or owner["kind"] not in TEMPLATES:
        why = "change the Pod's labels; nobody owns this Pod, so the labels stay"
        return Fix(
            why, kubectl_patch("pod", pod["namespace"], pod["name"], nested(["metadata", "labels"], labels))
        )
    resource, name = owner["kind"].lower(), owner["name"]
    patch = nested(["spec", "template", "metadata", "labels"], labels)
    command = kubectl_patch(resource, pod["namespace"], name, patch)
    own = set((owner.get("selector") or {}).get("matchLabels") or {})
    if own & labels.keys():
        why = (
            f"change the label in the {owner['kind']}'s template; its own selector asks for "
            f"{', '.join(sorted(own & labels.keys()))} too and cannot be changed, so it must be made anew"
        )
        return Fix(
            why,
            f"kubectl get {resource} {name} -n {pod['namespace']} -o yaml   # change both, delete, create",
        )
    why = (
        f"write the label in the template of {owner['kind']} {name}, whose {_count(near['ofOwner'])} "
        f"{'is' if near['ofOwner'] == 1 else 'are'} then replaced; a label on the Pod alone is gone with the Pod"
    )
    return Fix(why, command)


def _count(number: int) -> str:
    return "1 Pod" if number == 1 else f"{number} Pods"


def _pod(pod: Json) -> str:
    return f"Pod {pod['namespace']}/{pod['name']}"
