"""The Python of the documents and of the docstrings runs, and its assertions hold."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
from typing import TYPE_CHECKING, Any

import kdp
import pytest

from tests.docs.documents import PAGES, ROOT, blocks

if TYPE_CHECKING:
    from pathlib import Path

WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]
MODULES = sorted(module.name for module in pkgutil.walk_packages(kdp.__path__, "kdp."))


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    for block in blocks(page, "python"):
        # Blank lines in front make a traceback name the line of the page.
        code = compile("\n" * (block.line - 1) + block.body, str(page.relative_to(ROOT)), "exec")
        exec(code, names)  # noqa: S102 -- the examples of our own documents


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0, f"doctest of {name}: see above"
