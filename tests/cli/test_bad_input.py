"""Bad input: each fault has its code, names its place, and leaves nothing half-loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec:\n  clusterIP: 10.96.0.7\n  ports: %s\n"
WEB = SERVICE % ("web", "[{port: 80}]")
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, here in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("kind: Service\n  apiVersion: v1\n", "yaml-syntax", "bad.yaml:"),
        (BOMB, "yaml-alias-bomb", "bad.yaml"),
        ("apiVersion: v1\nkind: Pod\nkind: Pod\n", "duplicate-key", "kind"),
        (SERVICE % ("web", "[{port: 70000}]"), "port-out-of-range", ".spec.ports[0].port"),
        (WEB + "---\n" + SERVICE % ("web2", "[{port: 80}]"), "duplicate-cluster-ip", "10.96.0.7"),
        (SERVICE % ("web", "[{name: a, port: 80}, {name: b, port: 80}]"), "duplicate-service-port", "80"),
        ("just a text\n", "not-an-object", "bad.yaml"),
    ],
)
def test_a_fault_has_a_code_and_a_place(run: Run, tmp_path: Path, text: str, code: str, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    done = run("get", "svc", "-f", str(path))
    assert done.status == 1
    assert done.err.startswith(f"error[{code}]: "), done.err
    assert said in done.err
    assert done.out == ""


def test_a_selector_that_is_not_valid(example: Run) -> None:
    done = example("get", "pods", "-l", "app in mysql")
    assert done.status in (1, 2)
    assert "app in mysql" in done.err


def test_empty_input_is_said(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nothing.yaml"
    path.write_text("\n")
    done = run("get", "svc", "-f", str(path))
    assert done.status == 2
    assert done.err.startswith("error[no-objects]: no objects: ")


def test_an_unknown_kind_is_kept_and_said_once(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "more.yaml"
    gateway = "apiVersion: example.test/v1\nkind: Gate\nmetadata: {name: %s}\n"
    path.write_text("---\n".join([gateway % "a", gateway % "b", WEB]))
    done = run("get", "svc", "-f", str(path))
    assert done.status == 0
    assert "web " in done.out
    assert done.err.count("Gate") == 1
    assert run("get", "svc", "-q", "-f", str(path)).err == ""


def test_a_pod_without_an_address_cannot_be_a_client(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "pod.json"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "uid": "1"},
        "status": {"phase": "Pending"},
    }
    path.write_text(json.dumps(pod))
    done = run("trace", "pod/a", "web:80", "-f", str(path))
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("error[pod-without-address]: ")


def test_garbage_ends_quickly(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "garbage.yaml"
    path.write_bytes(bytes(range(256)) * 40_000)
    done = run("get", "svc", "-f", str(path))
    assert done.status == 1
    assert done.err.startswith("error[")
    assert len(done.err) < 1000
