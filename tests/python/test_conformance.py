"""Cases go to the core as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kdp import conformance

if TYPE_CHECKING:
    import pytest


def test_a_selector_row_is_decided_by_the_core() -> None:
    row = {"kind": "string", "selector": "app in (web, db)", "labels": {"app": "db"}}
    assert conformance.run_selector(row) == {"result": "match", "canonical": "app in (db,web)"}


def test_times_that_a_yaml_reader_made_are_texts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(kind: str, text: str) -> str:
        asked.append((kind, text))
        return "{}"

    monkeypatch.setattr("kdp._core.conformance", answer)
    conformance.run_slices({"at": datetime(2026, 11, 25, 1, 0, tzinfo=UTC)})
    assert asked == [("run_slices", '{"at": "2026-11-25T01:00:00Z"}')]
