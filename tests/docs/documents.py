"""The examples of the documents: their code blocks, in order, with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and the line it begins on."""

    page: Path
    language: str
    body: str
    line: int

    @property
    def name(self) -> str:
        """Say where it is, as an editor understands it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, language: str) -> list[Block]:
    """List the blocks of a page that are of one language."""
    text = page.read_text()
    return [
        Block(page, language, found["body"], text.count("\n", 0, found.start()) + 2)
        for found in BLOCK.finditer(text)
        if found["language"] == language
    ]
