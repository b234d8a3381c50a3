"""What the tests of the command line share: a way to run it, and the example's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from kdp.cli.main import main

EXAMPLE = str(Path(__file__).resolve().parents[2] / "examples" / "mysql")


class Done(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Give a function that runs a command line in this process."""

    def command(*arguments: str) -> Done:
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return command


@pytest.fixture
def example(run: Run) -> Run:
    """Give a function that runs a command over the example's cluster."""

    def command(*arguments: str) -> Done:
        return run(*arguments, "-f", EXAMPLE)

    return command
