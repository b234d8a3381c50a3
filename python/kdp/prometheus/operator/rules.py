"""The relabel rules that the operator writes for a monitor, in order.

Source: prometheus-operator 0.93.0, pkg/prometheus/promcfg.go, generateServiceMonitorConfig,
generatePodMonitorConfig, appendShardingRelabelingWithLabel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdp.prometheus.discovery import META, sanitize
from kdp.prometheus.world import Json, full_name

__all__ = ["copied", "endpoint_rules", "selector_rules", "service_rules", "sharding", "user_rules"]

Rules = list[dict[str, Any]]
FIRST = {"source_labels": ["job"], "target_label": "__tmp_prometheus_job_name"}
RUNNING = {"action": "drop", "source_labels": [f"{META}pod_phase"], "regex": "(Failed|Succeeded)"}


def service_rules(monitor: Json, endpoint: Json, role: str, pod_labels: Sequence[str]) -> Rules:
    """Give the rules of a ServiceMonitor's endpoint up to its own relabelings."""
    spec = monitor.get("spec") or {}
    slices = "endpointslice" if role == "endpointslice" else "endpoint"
    rules = [FIRST, *_unless_by_role(spec, "service"), *_service_port(endpoint, slices)]
    for kind in ("Node", "Pod"):
        sources = [f"{META}{slices}_address_target_kind", f"{META}{slices}_address_target_name"]
        rules.append({"source_labels": sources, "regex": f"{kind};(.*)", "target_label": kind.lower()})
    rules += [_copy("namespace", "namespace"), _copy("service_name", "service"), _copy("pod_name", "pod")]
    rules.append(_copy("pod_container_name", "container"))
    rules += [] if endpoint.get("filterRunning") is False else [RUNNING]
    rules += copied("service", spec.get("targetLabels") or ()) + copied("pod", pod_labels)
    return [*rules, _copy("service_name", "job"), *_job_label(spec, "service"), *_endpoint_label(endpoint)]


def endpoint_rules(monitor: Json, endpoint: Json, pod_labels: Sequence[str]) -> Rules:
    """Give the rules of a PodMonitor's endpoint up to its own relabelings."""
    spec = monitor.get("spec") or {}
    rules = [FIRST, *([] if endpoint.get("filterRunning") is False else [RUNNING])]
    rules += [*_unless_by_role(spec, "pod"), *_pod_port(endpoint)]
    rules += [
        _copy("namespace", "namespace"),
        _copy("pod_container_name", "container"),
        _copy("pod_name", "pod"),
    ]
    rules += copied("pod", pod_labels)
    rules.append({"target_label": "job", "replacement": full_name(monitor)})
    return [*rules, *_job_label(spec, "pod"), *_endpoint_label(endpoint)]


def selector_rules(selector: Json, role: str) -> Rules:
    """Turn a selector into rules. Values stand in the regular expressions as they are: ``a.b`` matches ``axb``."""
    rules = []
    pairs = selector.get("matchLabels") or {}
    requirements = [(key, "In", [str(pairs[key])]) for key in sorted(pairs)]
    for each in selector.get("matchExpressions") or ():
        values = [str(value) for value in each.get("values") or ()]
        requirements.append((each["key"], each["operator"], values))
    for key, operator, values in requirements:
        name = f"{META}{role}_label_{sanitize(key)}"
        present = f"{META}{role}_labelpresent_{sanitize(key)}"
        action = "keep" if operator in ("In", "Exists") else "drop"
        if operator in ("In", "NotIn"):
            regex, sources = f"({'|'.join(values)});true", [name, present]
        else:
            regex, sources = "true", [present]
        rules.append({"action": action, "source_labels": sources, "regex": regex})
    return rules


def _unless_by_role(spec: Json, role: str) -> Rules:
    """Leave the selector out where service discovery applies it."""
    by_role = spec.get("selectorMechanism") == "RoleSelector"
    return [] if by_role else selector_rules(spec.get("selector") or {}, role)


def _service_port(endpoint: Json, slices: str) -> Rules:
    if endpoint.get("port"):
        return [_keep(f"{slices}_port_name", endpoint["port"])]
    return _target_port(endpoint)


def _pod_port(endpoint: Json) -> Rules:
    if endpoint.get("port"):
        return [_keep("pod_container_port_name", endpoint["port"])]
    if endpoint.get("portNumber"):
        return [_keep("pod_container_port_number", endpoint["portNumber"])]
    return _target_port(endpoint)


def _target_port(endpoint: Json) -> Rules:
    """Keep a container port: a text is a name, even ``"8080"``, a number a number, and 0 is none."""
    port = endpoint.get("targetPort")
    if not port:
        return []
    return [_keep("pod_container_port_name" if isinstance(port, str) else "pod_container_port_number", port)]


def _endpoint_label(endpoint: Json) -> Rules:
    """Name the endpoint after its port or target port; a port number gives no label."""
    port = endpoint.get("port")
    if not port and endpoint.get("targetPort") is not None:
        port = str(endpoint["targetPort"])
    return [{"target_label": "endpoint", "replacement": port}] if port else []


def copied(role: str, labels: Sequence[str]) -> Rules:
    """Copy labels of a Service or Pod that are not empty."""
    return [
        {
            "source_labels": [f"{META}{role}_label_{sanitize(each)}"],
            "target_label": sanitize(each),
            "regex": "(.+)",
        }
        for each in labels
    ]


def _job_label(spec: Json, role: str) -> Rules:
    rules = copied(role, [spec["jobLabel"]] if spec.get("jobLabel") else ())
    return [{**each, "target_label": "job"} for each in rules]


def user_rules(relabelings: Sequence[Json]) -> Rules:
    """Write relabelings of an object as a configuration has them."""
    names = {
        "sourceLabels": "source_labels",
        "separator": "separator",
        "targetLabel": "target_label",
        "regex": "regex",
        "modulus": "modulus",
        "replacement": "replacement",
        "action": "action",
    }
    kept_empty = ("separator", "replacement")
    rules = []
    for each in relabelings:
        given = {
            names[field]: value
            for field, value in each.items()
            if field in names and value is not None and (value or field in kept_empty)
        }
        rules.append(given | ({"action": given["action"].lower()} if "action" in given else {}))
    return rules


def sharding(shards: int) -> Rules:
    """Keep the targets of one shard; relabelings can set the hash, or turn sharding off for a target."""
    return [
        {
            "source_labels": ["__address__", "__tmp_hash"],
            "target_label": "__tmp_hash",
            "regex": "(.+);",
            "action": "replace",
        },
        {
            "source_labels": ["__tmp_hash"],
            "target_label": "__tmp_hash",
            "modulus": shards,
            "action": "hashmod",
        },
        {
            "source_labels": ["__tmp_hash", "__tmp_disable_sharding"],
            "regex": "$(SHARD);|.+;.+",
            "action": "keep",
        },
    ]


def _copy(source: str, target: str) -> dict[str, Any]:
    return {"source_labels": [f"{META}{source}"], "target_label": target}


def _keep(source: str, regex: object) -> dict[str, Any]:
    return {"action": "keep", "source_labels": [f"{META}{source}"], "regex": regex}
