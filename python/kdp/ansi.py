"""Colour for terminals, and for nothing else."""

from __future__ import annotations

__all__ = ["Paint"]

CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}


class Paint:
    """``paint("green", text)``: the text in that colour, or as it is where colour is off."""

    def __init__(self, *, on: bool) -> None:
        self.on = on

    def __call__(self, color: str, text: str) -> str:
        """Paint a text."""
        return f"\x1b[{CODES[color]}m{text}\x1b[0m" if self.on and text else text
