"""``kdp trace``: seven steps from a name to an answer."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING

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
