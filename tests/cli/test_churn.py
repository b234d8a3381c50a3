"""``kdp churn``, ``kdp get -w`` and ``kdp bench churn`` as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kdp.cli.main import main

SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
SCRIPT = """
apiVersion: kdp.dev/v1alpha1
kind: Script
metadata: {name: rollout}
steps:
- {at: 10s, rollout: deploy/web, image: "web:2"}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "shop.yaml").write_text(SHOP)
    (tmp_path / "rollout.yaml").write_text(SCRIPT)
    return str(tmp_path / "shop.yaml"), str(tmp_path / "rollout.yaml")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


def test_each_write_of_a_script_is_printed(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str]
) -> None:
    status, out, _ = run(capsys, "churn", *files, "-q")
    lines = out.splitlines()
    assert status == 0
    assert lines[-2].startswith("EndpointSlice: 10 writes (0 create, 10 update, 0 delete)"), "5 for each Pod"
    assert lines[-1].startswith("Endpoints: 6 writes (0 create, 6 update, 0 delete)"), "3 for each Pod"
    assert lines[0].startswith("12.01s  update  endpointslice/web-")
    assert "not ready > ready" in out
    assert "ready > terminating, serving" in out


def test_the_same_as_data(capsys: pytest.CaptureFixture[str], files: tuple[str, str]) -> None:
    _, out, _ = run(capsys, "churn", *files, "-q", "-o", "json", "--until", "12.5s")
    writes = json.loads(out)
    assert [(each["when"], each["verb"], each["object"]["kind"]) for each in writes] == [
        ("12.01s", "update", "EndpointSlice"),
        ("12.01s", "update", "Endpoints"),
    ]


def test_a_case_of_pod_events_costs_what_the_published_controllers_write(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    setup = {
        "service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "default", "uid": "u"},
            "spec": {
                "clusterIP": "10.96.0.10",
                "clusterIPs": ["10.96.0.10"],
                "ipFamilies": ["IPv4"],
                "selector": {"app": "web"},
                "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
            },
        },
        "nodes": [{"name": "n1", "zone": "a"}],
        "maxEndpointsPerSlice": 100,
        "podDefaults": {"namespace": "default", "labels": {"app": "web"}, "uid": "uid-<pod>"},
    }
    pod = {"op": "apply", "pod": "web-1", "node": "n1", "phase": "Running", "ip": "10.1.0.1", "hash": "h"}
    lines = [
        setup,
        {"step": 0, "events": []},
        {"step": 1, "events": [{**pod, "ready": False, "readyAt": "2024-01-01T00:00:00Z"}]},
        {"step": 2, "events": [{**pod, "ready": True, "readyAt": "2024-01-01T00:00:05Z"}]},
        {"step": 3, "events": [{"op": "delete", "pod": "web-1"}]},
    ]
    path = tmp_path / "one.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    _, out, _ = run(capsys, "churn", str(path))
    assert out.count("step 1  ") == out.count("step 2  ") == out.count("step 3  ") == 2
    assert "step 3  update  endpoints/web -n default  -10.1.0.1 (web-1)" in out
    path.write_text("{")
    status, _, err = run(capsys, "churn", str(path))
    assert (status, "json-syntax" in err) == (1, True)


def test_a_watch_prints_each_change_after_the_list(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str]
) -> None:
    shop, script = files
    _, out, _ = run(capsys, "get", "pods", "-w", "--until", "20s", "--script", script, "-f", shop, "-q")
    lines = out.splitlines()
    assert lines[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    states = [line.split()[2] for line in lines[3:]]
    assert states[0] == "Pending"
    assert {"Running", "Terminating"} <= set(states)
    _, named, _ = run(capsys, "get", "pods", "-w", "--script", script, "-o", "name", "-f", shop, "-q")
    assert named.splitlines()[3].startswith("pod/web-")
    _, other, _ = run(
        capsys, "get", "pods", "-w", "-n", "other", "--script", script, "-o", "name", "-f", shop, "-q"
    )
    assert other == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("churn", "{shop}"), "kind Script"),
        (("churn", "{shop}", "{script}", "--until", "soon"), "90s"),
        (("churn", "nowhere.jsonl"), "no such file"),
        (("get", "pods,svc", "-w", "-f", "{shop}"), "one TYPE"),
        (("get", "pods", "-w", "--script", "{shop}", "-f", "{shop}"), "kind Script"),
        (("bench", "churn", "--rate", "fast"), "1000/s"),
        (("bench", "churn", "--services", "1,2"), "one number"),
        (("bench", "churn", "--until", "later", "--services", "1"), "90s"),
    ],
)
def test_what_is_wrong_is_said(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], arguments: tuple[str, ...], says: str
) -> None:
    filled = [each.format(shop=files[0], script=files[1]) for each in arguments]
    status, _, err = run(capsys, *filled)
    assert status != 0
    assert says in err


def test_bench_churn_prints_the_same_for_the_same_seed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ("bench", "churn", "--services", "20", "--endpoints", "3", "--rate", "100/s", "--until", "6s")
    first = run(capsys, *arguments, "--evaluator", "both", "--plot", str(tmp_path / "run.svg"))
    assert "601 connections opened" in first[1]
    assert first[2].count("virtual seconds in") == 2
    assert run(capsys, *arguments)[1] == first[1]
    assert (tmp_path / "run.svg").read_text().startswith("<svg")
