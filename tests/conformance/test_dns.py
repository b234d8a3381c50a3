"""What a real CoreDNS answered, and what real C libraries asked, against what kdp says."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kdp import conformance

CASES = Path(__file__).parents[1] / "cases" / "dns"
SECTIONS = ("answers", "authority", "additional")


def read(path: Path) -> Any:  # noqa: ANN401 -- JSON
    with gzip.open(path, "rt") as file:
        return json.load(file)


SERVERS = sorted(CASES.glob("dns-*.json.gz"))
ROWS = [
    pytest.param(row, id=f"{row['libc']}-{row['id']}")
    for path in sorted(CASES.glob("resolver-*.json.gz"))
    for row in read(path)["rows"]
]


def differs(want: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """Flags and sections that differ; a cut section holds part of the whole one, as long as recorded."""
    wrong = [key for key in ("rcode", "aa", "tc", "ra", "edns") if want.get(key) != got.get(key)]
    for section in SECTIONS:
        whole, held = Counter(want[section]), Counter(got[section])
        if want["tc"]:
            low, high = want["count"][section]
            slack = high - low
            fits = not held - whole and low - slack <= held.total() <= high + slack
        else:
            fits = whole == held
        if not fits:
            wrong.append(section)
    return wrong


@pytest.mark.parametrize("path", SERVERS, ids=lambda path: path.name.removesuffix(".json.gz"))
def test_a_server_answers_as_coredns(path: Path) -> None:
    case = read(path)
    pairs = zip(case["queries"], conformance.run_dns(case), strict=True)
    wrong = [(query["name"], query["type"], differs(query["expect"], got)) for query, got in pairs]
    assert [row for row in wrong if row[2]] == []


@pytest.mark.parametrize("row", ROWS)
def test_a_resolver_asks_as_the_real_one(row: dict[str, Any]) -> None:
    got = conformance.run_resolver(row)
    want = row["expect"]
    assert got["steps"] == want["steps"]
    assert got["result"]["error"] == want["result"]["error"]
    assert got["result"].get("canonical") == want["result"].get("canonical")
    assert sorted(got["result"]["addresses"]) == sorted(want["result"]["addresses"])


def test_enough_cases_are_there() -> None:
    assert len(SERVERS) >= 19
    assert len(ROWS) >= 140
