"""The documents agree with the tree: deviations, dependencies, links."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
REQUIREMENT_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def deviations_in_code(root: Path, tracked: list[Path]) -> set[str]:
    """Find each id that a comment of the code marks."""
    places = [
        path for path in tracked if path.suffix in {".rs", ".py"} and path.parts[0] in {"rust", "python"}
    ]
    return {
        name
        for path in places
        for name in re.findall(r"DEVIATION\(([a-z0-9-]+)\)", (root / path).read_text())
    }


def deviations_in_docs(root: Path) -> list[str]:
    """Read the first column of the table."""
    return re.findall(r"^\| `([a-z0-9-]+)` \|", (root / "docs/deviations.md").read_text(), re.MULTILINE)


def test_each_deviation_in_the_code_has_a_row_and_each_row_a_place(root: Path, tracked: list[Path]) -> None:
    rows = deviations_in_docs(root)
    assert len(rows) == len(set(rows)), "a deviation has two rows"
    assert set(rows) == deviations_in_code(root, tracked)


def test_each_dependency_has_its_reason_in_the_architecture(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = {
        name
        for name in tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["dependencies"]
        if not name.startswith("kdp-")
    }
    for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
        found = REQUIREMENT_NAME.match(requirement)
        assert found, requirement
        wanted.add(found.group())
    section = (root / "ARCHITECTURE.md").read_text().split("## Dependencies", 1)[1].split("\n## ", 1)[0]
    given = {
        name
        for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert given == wanted


def anchors(page: Path) -> set[str]:
    """List the anchors that the headings of a page make, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", CODE_BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_link_of_a_page_leads_somewhere(root: Path, tracked: list[Path]) -> None:
    for page in (path for path in tracked if path.suffix == ".md"):
        for target in LINK.findall(CODE_BLOCK.sub("", (root / page).read_text())):
            if target.startswith(("https://", "mailto:")):
                continue
            name, _, anchor = target.partition("#")
            there = (root / page).parent / name if name else root / page
            assert there.exists(), f"{page}: the link to {target} leads nowhere"
            if anchor and there.suffix == ".md":
                assert anchor in anchors(there), f"{page}: {name or page} has no heading #{anchor}"
