"""The classic scrape jobs, which take Pods and Services by their annotations ``prometheus.io/scrape`` and so on.

Source: Prometheus 2.55, documentation/examples/prometheus-kubernetes.yml.
"""

from __future__ import annotations

from typing import Any

__all__ = ["classic_jobs"]

ADDRESS = r"([^:]+)(?::\d+)?;(\d+)"


def classic_jobs() -> dict[str, dict[str, Any]]:
    """Give the jobs ``kubernetes-service-endpoints`` and ``kubernetes-pods``, by name."""
    service, pod = _annotated("service"), _annotated("pod")
    scheme = {
        "source_labels": ["__meta_kubernetes_service_annotation_prometheus_io_scheme"],
        "action": "replace",
        "target_label": "__scheme__",
        "regex": "(https?)",
    }
    return {
        "kubernetes-service-endpoints": _job(
            "endpoints", [*service[:1], scheme, *service[1:], _copied("service_name", "service")]
        ),
        "kubernetes-pods": _job("pod", [*pod, _copied("pod_name", "pod")]),
    }


def _job(role: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kubernetes_sd_configs": [{"role": role}], "relabel_configs": rules}


def _annotated(kind: str) -> list[dict[str, Any]]:
    prefix = f"__meta_kubernetes_{kind}_annotation_prometheus_io"
    return [
        {"source_labels": [f"{prefix}_scrape"], "action": "keep", "regex": "true"},
        {
            "source_labels": [f"{prefix}_path"],
            "action": "replace",
            "target_label": "__metrics_path__",
            "regex": "(.+)",
        },
        {
            "source_labels": ["__address__", f"{prefix}_port"],
            "action": "replace",
            "target_label": "__address__",
            "regex": ADDRESS,
            "replacement": "$1:$2",
        },
        {"action": "labelmap", "regex": f"__meta_kubernetes_{kind}_label_(.+)"},
        _copied("namespace", "namespace"),
    ]


def _copied(label: str, target: str) -> dict[str, Any]:
    return {"source_labels": [f"__meta_kubernetes_{label}"], "action": "replace", "target_label": target}
