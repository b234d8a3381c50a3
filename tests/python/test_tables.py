"""Published figures beside emulated ones: which agree, and which do not, row by row."""

from __future__ import annotations

from kdp.experiments.tables import table
from kdp.experiments.tables.slice_writes import slice_writes


def test_rule_counts_are_the_published_ones_but_for_rules_without_a_target() -> None:
    counts = table("T-01")
    assert len(counts.rows) == 84
    assert {
        (row.case.split(" ", 1)[1], row.quantity, int(row.emulated) - int(row.published))
        for row in counts.misses
    } == {
        (f"LoadBalancer {services} x {endpoints}", "nat rules", services)
        for services in (1, 10)
        for endpoints in (1, 2, 10)
    }


def test_probabilities_are_those_that_people_saw() -> None:
    probabilities = table("t-09")
    assert probabilities.misses == []
    assert "44988 endpoints" in probabilities.notes[-1]


def test_hints_are_refused_where_the_documents_say_so() -> None:
    assert table("T-10").misses == []


def test_writes_of_slices_are_the_published_ones() -> None:
    writes = slice_writes(endpoints=2000)
    found = {(row.case, row.quantity): row.emulated for row in writes.rows}
    assert found["create, 100 a slice", "writes"] == 20
    assert found["create, 100 a slice: object", "bytes at 100 B"] == "10 kB"
    assert found["update of one endpoint, 100 a slice", "bytes at 100 B"] == "50 MB"
    assert found["create or update, Endpoints since 1.22", "addresses in it"] == 1000
    # Source: the published reconciler run over the same life of a Pod: 5 and 3 writes for each one that is replaced.
    assert found["rolling update of 20, 100 a slice, every status", "writes"] == 100
    assert found["rolling update of 20, Endpoints, every status", "writes"] == 60


def test_a_table_is_text_and_data() -> None:
    hints = table("T-10")
    assert str(hints).splitlines()[3].split() == [
        "CASE",
        "QUANTITY",
        "PUBLISHED",
        "EMULATED",
        "CLASS",
        "AGREES",
        "NOTE",
    ]
    assert "5 of 5 agree" in str(hints)
    data = hints.to_json()
    assert (data["kind"], data["id"], data["rows"][0]["agrees"]) == ("Table", "T-10", True)
