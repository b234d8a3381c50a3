"""kdp test: what it prints, its reports and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ROWS = [
    {"id": "good", "kind": "string", "selector": "a=b", "labels": {"a": "b"}, "expect": "match"},
    {"id": "b<ad", "kind": "string", "selector": "a=c", "labels": {"a": "b"}, "expect": "match"},
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "selectors.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_what_differs_is_printed(run: Run, rows: Path) -> None:
    done = run("test", str(rows))
    assert done.status == 1
    assert f"differs selectors selectors.json#b<ad  {rows}\n" in done.out
    assert '    result: want "match", got "nomatch"' in done.out
    assert "1 of 2 cases differ" in done.out
    assert "good" not in done.out


def test_equal_cases_exit_with_0(run: Run, rows: Path) -> None:
    done = run("test", str(rows), "--only", "good", "-v")
    assert (done.status, done.err) == (0, "")
    assert "equal   selectors selectors.json#good\n" in done.out
    assert "all 1 cases are equal" in done.out


def test_a_junit_report(run: Run, rows: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert run("test", str(rows), "--junit", str(report)).status == 1
    suites = ET.fromstring(report.read_text())  # noqa: S314 -- our own report
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    names = {case.get("name"): [each.tag for each in case] for case in suites.iter("testcase")}
    assert names == {"selectors.json#good": [], "selectors.json#b<ad": ["failure"]}


def test_the_test_anything_protocol(run: Run, rows: Path) -> None:
    done = run("test", str(rows), "--tap")
    assert done.status == 1
    assert done.out.splitlines()[:4] == [
        "TAP version 13",
        "1..2",
        "ok 1 - selectors selectors.json\\#good",
        "not ok 2 - selectors selectors.json\\#b<ad",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "error[usage]"),
        (("gone.json",), 1, "error[file-not-found]: gone.json"),
        (("{rows}", "--only", "nothing"), 2, "error[case-invalid]: no case has 'nothing'"),
        (("{rows}", "--junit", "/nowhere/report.xml"), 1, "error[output-failed]"),
    ],
)
def test_usage_is_checked(run: Run, rows: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = run("test", *(argument.format(rows=rows) for argument in arguments))
    assert done.status == status
    assert said in done.err
