"""``kdp get`` and ``kdp describe`` print what a real kubectl printed of the same objects (tests/cases/kubectl)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

CASES = Path(__file__).resolve().parents[1] / "cases" / "kubectl"
NOW = "2026-11-25T00:00:00Z"
NO_NEWLINE = "\n\\ no newline at the end\n"


def recorded(name: str) -> Iterator[tuple[str, str]]:
    """Give each command line of a recording with what it printed."""
    for part in ("\n" + (CASES / name).read_text(encoding="utf-8")).split("\n$ kubectl ")[1:]:
        command, _, out = part.partition("\n")
        yield command, out


def printed(run: Run, command: str) -> str:
    done = run(*shlex.split(command), "-n", "shop", "-q", "-f", str(CASES / "world.yaml"), "--now", NOW)
    assert done.err == ""
    return done.out


def same(out: str, expected: str) -> bool:
    """Compare; a blank line stands between recordings."""
    if NO_NEWLINE in expected:
        return out == expected.partition(NO_NEWLINE)[0]
    return out == expected or out + "\n" == expected or out == expected + "\n"


@pytest.mark.parametrize(("command", "expected"), list(recorded("get.txt")))
def test_get(run: Run, command: str, expected: str) -> None:
    out = printed(run, command)
    assert same(out, expected), f"{out}\n--- kubectl:\n{expected}"


@pytest.mark.parametrize(("command", "expected"), list(recorded("describe.txt")))
def test_describe(run: Run, command: str, expected: str) -> None:
    out = printed(run, command)
    assert same(out, expected), f"{out}\n--- kubectl:\n{expected}"
