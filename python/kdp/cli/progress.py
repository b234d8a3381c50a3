"""A line that says that something large is being loaded, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["loading"]

LARGE_BYTES = 5_000_000


@contextmanager
def loading(size: int, *, quiet: bool) -> Iterator[None]:
    """Show a spinner while ``size`` bytes are being loaded; it is gone when the work is done."""
    if quiet or size < LARGE_BYTES or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"loading {size / 1e6:,.0f} MB"):
        yield
