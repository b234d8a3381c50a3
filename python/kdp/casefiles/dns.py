"""Answers of a DNS server, and what resolvers ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kdp import conformance
from kdp.casefiles.case import without_answers
from kdp.casefiles.differences import multiset, same

__all__ = ["compare_dns", "compare_resolver"]

Json = Mapping[str, Any]

SECTIONS = ("answers", "authority", "additional")
FLAGS = ("rcode", "aa", "tc", "ra", "edns")


def compare_dns(case: Json) -> Iterator[str]:
    """Each query's answer: flags, and sections as multisets of records."""
    got = conformance.run_dns(without_answers(case))
    for number, (query, have) in enumerate(zip(case["queries"], got, strict=True)):
        place = f"query {number} ({query['name']} {query['type']}, {query['transport']})"
        want = query["expect"]
        for flag in FLAGS:
            yield from same(f"{place}: {flag}", want.get(flag), have.get(flag))
        for section in SECTIONS:
            wanted, found = ([_record(text) for text in of.get(section) or ()] for of in (want, have))
            if want["tc"]:
                yield from _part(f"{place}: {section}", wanted, found, want["count"][section])
            else:
                yield from multiset(f"{place}: {section}", wanted, found)


def _record(text: str) -> str:
    """A record with single blanks; the serial number of an SOA is the server's own."""
    fields = text.split()
    if len(fields) > 6 and fields[3] == "SOA":
        fields[6] = "0"
    return " ".join(fields)


def _part(place: str, want: Sequence[str], have: Sequence[str], count: Sequence[int]) -> Iterator[str]:
    """A section that was cut: part of the whole one, as long as recorded (looser where recordings varied)."""
    yield from (
        f"{place}: not expected {each}" for each in sorted((Counter(have) - Counter(want)).elements())
    )
    low, high = count
    slack = high - low
    if not low - slack <= len(have) <= high + slack:
        yield f"{place}: {len(have)} records before the cut, want {low} to {high}"


def compare_resolver(row: Json) -> Iterator[str]:
    """The steps of a resolver's walk in order, and what it finds."""
    got, want = conformance.run_resolver(without_answers(row)), row["expect"]
    steps, wanted = [list(step) for step in got.get("steps") or ()], want["steps"]
    for number in range(max(len(steps), len(wanted))):
        pair = (found[number] if number < len(found) else None for found in (wanted, steps))
        yield from same(f"step {number}", *pair)
    result = got.get("result") or {}
    for key in ("error", "canonical"):
        yield from same(f"result: {key}", want["result"].get(key), result.get(key))
    addresses = (sorted(of.get("addresses") or ()) for of in (want["result"], result))
    yield from same("result: addresses", *addresses)
