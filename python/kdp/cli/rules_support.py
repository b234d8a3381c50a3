"""``kdp rules support``: everything in files of rules that kdp does not model, or cannot read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from kdp import _core
from kdp.errors import LoadError

__all__ = ["support"]

EXIT_FINDING = 3


def support(paths: Sequence[str], *, as_json: bool, exit_code: bool) -> int:
    """Print the findings of each file, in the order of its lines."""
    from kdp.sources import from_paths

    files = [_of_file(name, data) for name, data in from_paths(paths)]
    found = sum(len(each["findings"]) for each in files)
    if as_json:
        from kdp.json_output import document

        click.echo(json.dumps(document("RuleSupport", {"files": files}), indent=4, ensure_ascii=False))
    else:
        for each in files:
            _print(each)
    return EXIT_FINDING if exit_code and found else 0


def _of_file(name: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LoadError("source-not-text", f"{name}: it is not UTF-8 text") from None
    return {"file": name, **json.loads(_core.rules_support("auto", text, name))}


def _print(each: dict[str, Any]) -> None:
    for finding in each["findings"]:
        message = finding["message"].removeprefix(f"{each['file']}:{finding['line']}: ")
        click.echo(f"{each['file']}:{finding['line']}: {message}")
        click.echo(f"    {finding['text'].strip()}")
    count = len(each["findings"])
    said = "everything is modelled" if not count else f"{count} thing{'s' if count > 1 else ''} not modelled"
    click.echo(f"{each['file']} ({each['kind']}): {said}")
