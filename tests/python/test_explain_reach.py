"""What a Service with endpoints lacks, and who selects by a label: over small clusters."""

from __future__ import annotations

from typing import Any

import kdp
import pytest
from kdp.errors import UsageError


def test_more_endpoints_than_one_object_may_hold() -> None:
    pods = [
        kdp.Pod(f"p{at}", labels={"app": "web"}, ip=f"10.{at // 250}.1.{at % 250 + 1}", node="n1")
        for at in range(1003)
    ]
    cluster = kdp.Cluster([kdp.Service("web", selector={"app": "web"}, ports=[80]), *pods])
    told = cluster.explain("svc/web")
    assert told.verdict == "works"
    [finding] = told.findings
    assert finding.rule == "endpoints-over-capacity"
    assert "holds 1000 addresses, as many as it may, of 1003" in finding.summary


def selecting() -> list[dict[str, Any]]:
    def made(kind: str, version: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
        meta = {"name": name, "namespace": "default"} | metadata
        return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}

    labels = {"matchLabels": {"app": "db"}}
    return [
        made("PodDisruptionBudget", "policy/v1", "pdb", {"selector": labels}),
        made("PodMonitor", "monitoring.coreos.com/v1", "pm", {"selector": labels, "podMetricsEndpoints": []}),
        made(
            "NetworkPolicy",
            "networking.k8s.io/v1",
            "np",
            {
                "podSelector": {
                    "matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "web"]}]
                },
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}],
            },
        ),
        made(
            "NetworkPolicy", "networking.k8s.io/v1", "not", {"podSelector": {"matchLabels": {"app": "web"}}}
        ),
        kdp.ServiceMonitor("sm", match_labels={"app": "db"}, ports=["http"]),
        kdp.Service("db", selector={"app": "db"}, ports=[80], labels={"app": "db"}),
        kdp.Deployment("db", labels={"app": "db"}, replicas=2),
    ]


def test_everything_that_selects_by_a_label() -> None:
    told = kdp.Cluster(selecting()).explain("label/app=db")
    assert told.summary.startswith("2 Pods and 1 Service have it; ")
    found = {(each.object, each.field): str(each.value) for each in told.evidence}
    policy = "NetworkPolicy default/np"
    assert found[policy, "spec.podSelector.matchExpressions[0]"] == "In db, web (restricts 2 Pods)"
    assert found[policy, "spec.ingress[0].from[0].podSelector.matchLabels.app"] == "db (lets in 2 Pods)"
    assert found["Service default/db", "spec.selector.app"] == "db (sends to 2 Pods)"
    assert found["ServiceMonitor default/sm", "spec.selector.matchLabels.app"] == "db (scrapes 1 Service)"
    for name in ("PodDisruptionBudget default/pdb", "PodMonitor default/pm", "Deployment default/db"):
        assert (name, "spec.selector.matchLabels.app") in found
    assert not any(each.object == "NetworkPolicy default/not" for each in told.evidence)
    assert "the template of Deployment default/db" in told.notes[0]


def test_a_label_that_nobody_has_or_selects_by() -> None:
    told = kdp.Cluster(selecting()).explain("label/app=nothing")
    assert (told.verdict, told.summary) == ("unknown", "nobody has it; nothing selects by it")


def test_a_label_is_a_key_and_a_value() -> None:
    with pytest.raises(UsageError) as error:
        kdp.Cluster(selecting()).explain("label/app")
    assert error.value.code == "argument-invalid"
