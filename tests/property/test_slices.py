"""Pods and Services change at random; the slices are what a plain count of the Pods says, also after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kdp
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

if TYPE_CHECKING:
    from collections.abc import Mapping

APPS = st.sampled_from(["web", "db"])
NUMBERS = st.integers(0, 7)
#: What one endpoint says: address, Pod, ready, serving.
Said = tuple[str, str, bool, bool]


def pod(number: int, app: str, address: int, *, ready: bool, phase: str, leaving: bool) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "name": f"p{number}",
        "namespace": "d",
        "labels": {"app": app},
        "uid": f"u{number}",
    }
    if leaving:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
        "status": {"phase": phase, "podIP": f"10.0.1.{address + 1}", "conditions": [condition]},
    }


class Controllers(RuleBasedStateMachine):
    """The model is the Pods' own manifests, and the selector of each Service."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = kdp.Cluster([kdp.Node("n1", ip="192.0.2.11", pod_cidr="10.0.1.0/24")])
        self.pods: dict[str, dict[str, Any]] = {}
        self.services: dict[str, str] = {}

    @rule(
        number=NUMBERS,
        app=APPS,
        address=st.integers(0, 9),
        ready=st.booleans(),
        phase=st.sampled_from(["Running", "Running", "Failed"]),
        leaving=st.booleans(),
    )
    def put_pod(self, number: int, app: str, address: int, *, ready: bool, phase: str, leaving: bool) -> None:
        """Make or change a Pod, with whatever address."""
        made = pod(number, app, address, ready=ready, phase=phase, leaving=leaving)
        before = self.pods.get(made["metadata"]["name"])
        if phase == "Failed" and before is not None and not leaving:
            # A Pod that ends turns unready; its phase alone would go unnoticed, as in a real cluster.
            made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.cluster.put(made)
        self.pods[made["metadata"]["name"]] = made

    @rule(number=NUMBERS)
    def delete_pod(self, number: int) -> None:
        """Delete a Pod, if it is there."""
        if self.pods.pop(f"p{number}", None) is not None:
            self.cluster.delete("pod", f"p{number}", namespace="d")

    @rule(name=st.sampled_from(["one", "two"]), app=APPS)
    def put_service(self, name: str, app: str) -> None:
        """Make a Service, or select other Pods."""
        self.cluster.put(
            kdp.Service(
                name,
                namespace="d",
                cluster_ip=f"10.96.0.{len(name) + ord(name[0])}",
                selector={"app": app},
                ports=[80],
            )
        )
        self.services[name] = app

    @invariant()
    def slices_are_the_count(self) -> None:
        """Count the Pods anew."""
        for name, app in self.services.items():
            assert endpoints(self.cluster, name) == sorted(self.wanted(app))

    @invariant()
    def a_restart_writes_nothing(self) -> None:
        """Start controllers over the objects as they are."""
        kinds = ("nodes", "pods", "services", "endpointslices", "endpoints")
        objects = [each for kind in kinds for each in self.cluster.get(kind)]
        again = kdp.Cluster([bare(each) for each in objects], complete=False)
        for name in self.services:
            assert endpoints(again, name) == endpoints(self.cluster, name)

    def wanted(self, app: str) -> list[Said]:
        """Say what a Service with this selector should have."""
        said = []
        for each in self.pods.values():
            status, meta = each["status"], each["metadata"]
            if meta["labels"]["app"] == app and status["phase"] == "Running":
                serving = status["conditions"][0]["status"] == "True"
                ready = serving and "deletionTimestamp" not in meta
                said.append((status["podIP"], meta["name"], ready, serving))
        return said


def bare(manifest: Mapping[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return {**manifest, "metadata": meta}


def endpoints(cluster: kdp.Cluster, service: str) -> list[Said]:
    slices = cluster.get("endpointslices", selector=f"kubernetes.io/service-name={service}")
    found = [each for one in slices for each in one.get("endpoints") or []]
    return sorted(
        (
            each["addresses"][0],
            each["targetRef"]["name"],
            each["conditions"]["ready"],
            each["conditions"]["serving"],
        )
        for each in found
    )


TestControllers = Controllers.TestCase
TestControllers.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
