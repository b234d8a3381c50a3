"""Cases go to the core as JSON, and kinds that are not modelled yet stop with a name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import kdp
import pytest
from kdp import conformance


@pytest.mark.parametrize(
    "function",
    [conformance.run_dns, conformance.run_resolver, conformance.run_targets, conformance.explain_monitor],
)
def test_a_kind_that_is_not_modelled_yet_is_named(function: Callable[[Any], object]) -> None:
    with pytest.raises(kdp.UnsupportedError) as caught:
        function({})
    assert caught.value.code == "case-not-modelled"
    assert function.__name__ in str(caught.value)


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
