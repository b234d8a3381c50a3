"""``kdp trace``: seven steps from a name to an answer."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import kdp
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

WAY = ("trace", "pod/was", "mysql-service:3306", "-n", "blog-system")
ENDPOINTS = {"10.0.1.5", "10.0.1.8", "10.0.2.3"}


def test_the_article_in_seven_steps(example: Run) -> None:
    done = example(*WAY)
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0].startswith(
        "delivered: Pod blog-system/was to mysql-service:3306 reaches Pod blog-system/mysql-"
    )
    assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5.", "6.", "7."]
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in done.out
    assert any("KUBE-SERVICES" in line for line in lines)


def test_the_answer_comes_from_the_address_that_was_asked(example: Run) -> None:
    data = json.loads(example(*WAY, "-o", "json").out)
    assert data["verdict"] == "delivered"
    assert data["request"]["dst"] == "10.99.1.1"
    assert data["delivered"]["dst"] in ENDPOINTS
    assert data["answer"]["src"] == data["delivered"]["dst"]
    assert (data["reply"]["src"], data["reply"]["sport"]) == ("10.99.1.1", 3306)
    assert data["reply"]["dport"] == data["request"]["sport"]


def test_the_same_seed_gives_the_same_bytes(example: Run) -> None:
    assert example(*WAY, "--seed", "7").out == example(*WAY, "--seed", "7").out


def test_seeds_reach_every_endpoint(example: Run) -> None:
    reached = {
        json.loads(example(*WAY, "-o", "json", "--seed", str(n)).out)["endpoint"]["ip"] for n in range(30)
    }
    assert reached == ENDPOINTS


def test_every_outcome_has_its_exact_probability(example: Run) -> None:
    data = json.loads(example(*WAY, "--explore", "-o", "json").out)
    assert {outcome["endpoint"]["ip"] for outcome in data["outcomes"]} == ENDPOINTS
    assert sum(Fraction(outcome["exact"]) for outcome in data["outcomes"]) == 1
    assert all(abs(outcome["share"] - 1 / 3) < 1e-9 for outcome in data["outcomes"])


@pytest.mark.parametrize("source", ["node/node-2", "pod/monitoring/prometheus-k8s-0"])
def test_others_may_ask_by_address(example: Run, source: str) -> None:
    data = json.loads(example("trace", "--from", source, "10.99.1.1:3306", "-o", "json").out)
    assert data["verdict"] == "delivered"
    assert data["endpoint"]["ip"] in ENDPOINTS


def test_a_name_that_dns_does_not_know_is_an_outcome(example: Run) -> None:
    done = example("trace", "pod/was", "mysql:3306", "-n", "blog-system", "--exit-code")
    assert done.status == 3
    assert done.out.startswith("name-not-found: ")
    assert "NXDOMAIN" in done.out


def test_colour_is_for_those_who_want_it(example: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[32mdelivered" in example(*WAY, "--color", "always").out
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert "\x1b" in example(*WAY).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in example(*WAY).out


def test_from_outside_through_a_node_port(run: Run, tmp_path: Path) -> None:
    objects = [
        kdp.Node("n1", ip="192.0.2.11", pod_cidr="10.0.1.0/24"),
        kdp.Node("n2", ip="192.0.2.12", pod_cidr="10.0.2.0/24"),
        kdp.Service(
            "web",
            type="NodePort",
            selector={"app": "web"},
            ports=[{"port": 80, "targetPort": 8080, "nodePort": 30080}],
        ),
        kdp.Pod("web-1", labels={"app": "web"}, ip="10.0.2.5", node="n2"),
    ]
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    done = run("trace", "203.0.113.9", "node/n1:30080", "-f", str(path), "-o", "json", "-q")
    data = json.loads(done.out)
    assert (data["verdict"], data["endpoint"]["name"]) == ("delivered", "web-1")
    assert data["delivered"]["src"] == "192.0.2.11", (
        "the first node stands for the client, so that answers come back to it"
    )
    assert (data["reply"]["src"], data["reply"]["sport"]) == ("192.0.2.11", 30080)
    assert data["reply"]["dst"] == "203.0.113.9"


def test_a_name_that_is_almost_right_comes_with_the_nearest(example: Run) -> None:
    done = example("trace", "pod/was", "mysql-servic:3306", "-n", "blog-system", "-o", "json")
    data = json.loads(done.out)
    assert data["verdict"] == "name-not-found"
    assert data["reason"].endswith("nearest Services of namespace blog-system: mysql-service")


def test_a_node_port_that_nobody_has_is_not_called_delivered(example: Run) -> None:
    done = example("trace", "203.0.113.9", "node/node-1:31999", "-o", "json", "--exit-code")
    data = json.loads(done.out)
    assert (data["verdict"], data["answer"], data["endpoint"]) == ("unknown", None, None)
    assert "no Pod of its network declares tcp port 31999" in data["reason"]
    assert done.status == 3


def test_via_is_for_packets_from_outside(example: Run) -> None:
    done = example(*WAY, "--via", "node-2")
    assert done.status == 2
    assert "--via" in done.err
