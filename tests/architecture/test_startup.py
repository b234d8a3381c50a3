"""The command line stays light: what draws and what counts is imported where it is used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"numpy", "rich", "matplotlib", "kdp.experiments", "concurrent.futures.process"}


def test_the_command_line_imports_nothing_heavy() -> None:
    program = "import sys, kdp.cli.main; print(*sorted(sys.modules), sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not HEAVY & set(loaded)
