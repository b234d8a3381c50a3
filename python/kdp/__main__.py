"""``python -m kdp``: the command line."""

from __future__ import annotations

from kdp.cli.main import main

if __name__ == "__main__":
    main()
