"""What a real Prometheus found, against what kdp finds: jobs, targets, dropped targets, planted faults."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from kdp import conformance

from tests.prometheus.recorded import NAMES, canonical, digest, normal_job, question, read

OPERATED = [name for name in NAMES if not name.startswith("roles-")]
PLANTED = [name for name in NAMES if name.startswith("explain-")]


@cache
def found(name: str) -> dict[str, Any]:
    return conformance.run_targets(question(read(name)))


def keys(targets: list[dict[str, Any]], whole: set[str]) -> set[tuple[str, str, str]]:
    shown = ("discovered" if each["job"] in whole else "labels" for each in targets)
    return {
        (each["job"], each["url"], canonical(each[key])) for each, key in zip(targets, shown, strict=True)
    }


def test_there_are_cases_of_each_kind() -> None:
    assert len(NAMES) >= 23
    assert {read(name)["kind"] for name in NAMES} == {"targets", "explain", "roles"}


@pytest.mark.parametrize("name", OPERATED)
def test_the_same_monitors_are_selected(name: str) -> None:
    want, got = read(name)["expect"], found(name)
    assert got["managed"] == want["managed"]
    for kind in ("serviceMonitors", "podMonitors"):
        assert sorted(got["selected"][kind]) == sorted(want["selected"][kind])
    rejected = {each["monitor"] for each in got["selected"]["rejected"]}
    assert rejected == {each["monitor"] for each in want["selected"]["rejected"]}


@pytest.mark.parametrize("name", OPERATED)
def test_the_same_configuration_is_written(name: str) -> None:
    want, got = read(name)["expect"], found(name)
    assert got["global"] == want["global"]
    assert {job: normal_job(config) for job, config in got["jobs"].items()} == want["jobs"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_targets_are_scraped(name: str) -> None:
    want = read(name)["expect"]["targets"]
    whole = {each["job"] for each in want if "discovered" in each}
    assert keys(found(name)["targets"], whole) == keys(want, whole)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_targets_are_dropped(name: str) -> None:
    want, got = read(name)["expect"]["dropped"], found(name)["dropped"]
    assert {job: each["count"] for job, each in got.items()} == {
        job: each["count"] for job, each in want.items()
    }
    for job, each in want.items():
        if "digest" in each:
            assert digest(got[job]["discovered"]) == each["digest"], job


@pytest.mark.parametrize("name", ["random-34", "roles-random-2", "slices-and-endpoints"])
def test_the_order_of_objects_does_not_matter(name: str) -> None:
    case = question(read(name))
    random.Random(3).shuffle(case["objects"])  # noqa: S311 - an order, no secret
    again = conformance.run_targets(case)
    assert keys(again["targets"], set()) == keys(found(name)["targets"], set())
    for job, each in found(name)["dropped"].items():
        assert digest(again["dropped"][job]["discovered"]) == digest(each["discovered"])


@pytest.mark.parametrize("name", PLANTED)
def test_the_planted_fault_is_found_first(name: str) -> None:
    case = read(name)
    first, fault = conformance.explain_monitor(question(case))[0], case["fault"]
    assert first["kind"] == fault["kind"]
    right = [
        (fault["object"], fault["field"]),
        *((each["object"], each["field"]) for each in fault.get("also", ())),
    ]
    assert any(
        first["object"] == place and (first["field"] + ".").startswith(f"{field}.") for place, field in right
    )
