"""Shells complete kinds, and the names of objects in the files that the line names."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from kdp.cli.main import cli

from tests.cli.conftest import EXAMPLE


@pytest.mark.parametrize(
    ("line", "incomplete", "words"),
    [
        ("get", "end", ["endpoints", "endpointslices"]),
        (f"get -f {EXAMPLE} -n blog-system svc", "mysql-s", ["mysql-service"]),
        (f"describe -f {EXAMPLE} -n blog-system", "svc/mysql-e", ["svc/mysql-exporter"]),
        (f"explain -f {EXAMPLE} -n monitoring", "smon/", ["smon/mysql-exporter"]),
        (f"get -f {EXAMPLE} nodes", "", ["node-1", "node-2"]),
        (f"get -f {EXAMPLE} nothing", "", []),
        ("get svc", "my", []),
        (f"get -f {Path(EXAMPLE) / 'nowhere.yaml'} svc", "my", []),
    ],
)
def test_words_are_completed(line: str, incomplete: str, words: list[str]) -> None:
    complete = ShellComplete(cli, {}, "kdp", "_KDP_COMPLETE")
    found = complete.get_completions(line.split(), incomplete)
    assert [each.value for each in found] == words
