"""The recorded packet cases: what the Linux kernel made of packets, rule set by rule set."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

Case = dict[str, Any]

_FILE = Path(__file__).parents[1] / "cases/kernel/packets.json.gz"


@cache
def packet_cases() -> dict[str, Case]:
    """Every case by its name: ``topology``, ``scenario``, and ``observed``, the recorded run."""
    cases: list[Case] = json.loads(gzip.decompress(_FILE.read_bytes()))
    return {case["scenario"]["name"]: case for case in cases}


def named_numbers(case: Case) -> set[int]:
    """Ports and echo ids that a case's packets or rules name: none of them is a draw."""
    scenario = case["scenario"]
    ranges = [(first, last) for first, last, *_ in scenario.get("random_ports", [])]
    rules = [*scenario["rules"], *(rule for step in scenario["steps"] for rule in step.get("rules", []))]
    named = set(_numbers_of(scenario["steps"])) | set(scenario.get("known_ports", []))
    for _, text in rules:
        named |= {int(number) for number in re.findall(r"(?<![\w.])\d{1,5}(?![\w.])", text)}
    return {number for number in named if not any(first <= number <= last for first, last in ranges)}


def _numbers_of(value: Any) -> Iterator[int]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("sport", "dport", "id", "icmp_id") and isinstance(inner, int):
                yield inner
            else:
                yield from _numbers_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers_of(inner)
