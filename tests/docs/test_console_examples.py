"""Each ``console`` block of the documents: the command after ``$`` prints what stands below it.

``KDP_UPDATE=1 make golden`` writes what the command prints now. A line of three dots stands for any lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documents import PAGES, ROOT, Block, blocks

EXAMPLES = [block for page in PAGES for block in blocks(page, "console")]


def run(command: str) -> str:
    """Run a command in the repository's root, as a user does, and give what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def matches(printed: str, expected: str) -> bool:
    """Compare line for line, but for lines of three dots."""
    parts = [re.escape(part) for part in re.split(r"^\.\.\.\n", expected, flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*?".join(parts), printed) is not None


def write_down(block: Block, body: str) -> None:
    """Put the new body in the place of the old one."""
    text = block.page.read_text()
    old = f"```console\n{block.body}```"
    assert text.count(old) == 1, f"{block.name}: two blocks are the same"
    block.page.write_text(text.replace(old, f"```console\n{body}```"))


@pytest.mark.golden
@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.name)
def test_the_command_prints_what_the_page_shows(block: Block) -> None:
    first, _, expected = block.body.partition("\n")
    assert first.startswith("$ "), f"{block.name}: a console block begins with `$ ` and one command"
    printed = run(first.removeprefix("$ "))
    if os.environ.get("KDP_UPDATE") and not matches(printed, expected):
        write_down(block, f"{first}\n{printed}")
        return
    assert matches(printed, expected), (
        f"{block.name}: {first}\n--- the page\n{expected}--- printed\n{printed}"
    )
