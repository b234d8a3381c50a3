"""One list of error codes: the crates, kdp/errors.py and docs/errors.md have the same."""

from __future__ import annotations

import importlib.util
import pickle
import re
from pathlib import Path
from types import ModuleType

import pytest

LIST = re.compile(r"pub const CODES: &\[&str\] =\s*&\[(.*?)\];", re.DOTALL)
KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MADE_IN_PYTHON = re.compile(r"""\b(?:\w*Error|from_code|_complain)\(\s*["']([a-z0-9]+(?:-[a-z0-9]+)+)["']""")


@pytest.fixture(scope="module")
def errors(root: Path) -> ModuleType:
    """Import kdp/errors.py by its path: it needs no build."""
    spec = importlib.util.spec_from_file_location("kdp_errors_alone", root / "python/kdp/errors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def codes_of_crates(root: Path) -> dict[str, list[str]]:
    """Read the CODES of each crate that has an error.rs, without its comments."""
    found = {}
    for path in sorted(root.glob("rust/*/src/**/error.rs")):
        lists = LIST.findall(re.sub(r"//.*", "", path.read_text()))
        if path.parent.name != "src" and not lists:
            continue  # a part of a crate may leave its codes to the crate's own list
        assert lists, f"{path.relative_to(root)} has no `pub const CODES: &[&str] = &[...]`"
        found[str(path.relative_to(root / "rust"))] = [
            code for text in lists for code in re.findall(r'"([^"]*)"', text)
        ]
    return found


def codes_made_in_python(root: Path) -> set[str]:
    """Find the codes that Python code writes out where it makes an error."""
    made: set[str] = set()
    for path in sorted((root / "python/kdp").rglob("*.py")):
        if path.name != "errors.py":
            made.update(MADE_IN_PYTHON.findall(path.read_text()))
    return made


def codes_in_docs(root: Path) -> list[str]:
    """Read the headings of docs/errors.md, in order."""
    return re.findall(r"^## `?([^`\n]+)`?$", (root / "docs/errors.md").read_text(), re.MULTILINE)


def test_codes_are_kebab_case(errors: ModuleType) -> None:
    assert all(KEBAB.fullmatch(code) for code in errors.CODES)


def test_no_crate_lists_a_code_twice(root: Path) -> None:
    for crate, codes in codes_of_crates(root).items():
        assert len(codes) == len(set(codes)), f"kdp-{crate} lists a code twice"


def test_each_code_of_a_crate_has_a_class_in_python(root: Path, errors: ModuleType) -> None:
    in_crates = {code for codes in codes_of_crates(root).values() for code in codes}
    assert in_crates - errors.CODES.keys() == set()


def test_each_class_in_python_is_of_a_code_that_somebody_makes(root: Path, errors: ModuleType) -> None:
    made = {code for codes in codes_of_crates(root).values() for code in codes} | codes_made_in_python(root)
    assert errors.CODES.keys() - made == set(), "codes that nobody makes"
    assert made - errors.CODES.keys() == set(), "codes without a class"


def test_each_code_has_its_section_in_the_docs(root: Path, errors: ModuleType) -> None:
    headings = codes_in_docs(root)
    assert len(headings) == len(set(headings)), "a code is explained twice"
    assert set(headings) == set(errors.CODES)


def test_a_section_says_what_it_means_what_it_looks_like_and_what_to_do(root: Path) -> None:
    text = (root / "docs/errors.md").read_text()
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        code = section.splitlines()[0]
        assert "```" in section, f"{code} has no example message"
        assert "**What to do.**" in section, f"{code} does not say what to do"


def test_an_error_keeps_its_code_and_message_through_pickle() -> None:
    from kdp.errors import CODES, from_code

    for code, kind in CODES.items():
        again = pickle.loads(pickle.dumps(from_code(code, "Service default/web: a message")))  # noqa: S301 -- our own
        assert type(again) is kind
        assert (again.code, str(again)) == (code, "Service default/web: a message")
