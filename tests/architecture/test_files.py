"""Files of one idea: short enough to be read, named after what is inside, introduced in a sentence."""

from __future__ import annotations

import ast
import re
from pathlib import Path

LINES_MAX = 700
NAMES_THAT_SAY_NOTHING = re.compile(r"(utils?|helpers?|managers?|common|misc)")
CODE = {".rs", ".py", ".pyi"}
# Paths of somebody's machine, put together here so that this file does not name one itself.
MACHINE_PATHS = re.compile(
    "|".join(["/wor" + "k/", "/roo" + "t/", "/hom" + "e/", r"\.\./sha" + "red", "/Use" + "rs/"])
)


def test_no_file_of_code_is_too_long(root: Path, tracked: list[Path]) -> None:
    lengths = {path: len((root / path).read_bytes().splitlines()) for path in tracked if path.suffix in CODE}
    too_long = {str(path): lines for path, lines in lengths.items() if lines >= LINES_MAX}
    assert not too_long, "which two ideas live in each of these?"


def test_a_name_says_what_is_inside(tracked: list[Path]) -> None:
    nameless = [
        path
        for path in tracked
        if path.suffix in CODE
        for part in path.with_suffix("").parts
        if NAMES_THAT_SAY_NOTHING.fullmatch(part)
    ]
    assert not nameless


def test_each_crate_begins_with_what_it_is(root: Path) -> None:
    for path in sorted(root.glob("rust/*/src/lib.rs")):
        assert path.read_text().startswith("//! "), f"{path.relative_to(root)} has no introduction"


def test_each_python_module_begins_with_what_it_is(root: Path, tracked: list[Path]) -> None:
    for path in (path for path in tracked if path.suffix == ".py"):
        tree = ast.parse((root / path).read_text())
        assert ast.get_docstring(tree), f"{path} has no introduction"


def test_no_file_names_a_path_of_a_machine(root: Path, tracked: list[Path]) -> None:
    for path in tracked:
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # compressed case data
        for number, line in enumerate(text.splitlines(), 1):
            assert not MACHINE_PATHS.search(line), (
                f"{path}:{number}: a path that a user does not have: {line.strip()}"
            )


def test_no_test_is_ignored(root: Path, tracked: list[Path]) -> None:
    """A wrong answer of today is asserted with its deviation, so that the day it changes is noticed."""
    ignored = re.compile(r"^\s*#\[ignore|^\s*@pytest\.mark\.(skip|xfail)\b", re.MULTILINE)
    for path in (path for path in tracked if path.suffix in CODE):
        assert not ignored.search((root / path).read_text()), f"{path} ignores a test"
