"""``kdp churn``: each write of Endpoints and EndpointSlices that a sequence of events causes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from kdp.cli.session import Session, cluster_options
from kdp.errors import LoadError, UsageError

__all__ = ["command"]

KINDS = ("endpointslices", "endpoints")
VERBS = {"ADDED": "create", "MODIFIED": "update", "DELETED": "delete"}


class Write(NamedTuple):
    """A write: when, what, and the object before and after."""

    when: str
    verb: str
    object: dict[str, Any]
    before: dict[str, Any] | None


@click.command("churn")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option("--until", metavar="TIME", help="How long time runs (default: a minute after the last step).")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The form."
)
@click.option("--summary", is_flag=True, help="The sums alone.")
@cluster_options
def command(session: Session, paths: Sequence[str], until: str | None, output: str, summary: bool) -> None:
    """Print each write of Endpoints and EndpointSlices that events cause.

    FILE is a sequence of Pod events (a case of tests/cases/endpoints/churn, JSON lines), or manifests with an object of
    kind Script among them, whose steps are done at their times.

    \b
    kdp churn rolling-10-25-25.jsonl
    kdp churn shop.yaml rollout.yaml --until 60s
    """  # noqa: D301 -- click keeps lines together after a backspace
    lines = _case(paths)
    writes = list(_writes_of_case(lines) if lines else _writes_of_script(session, paths, until))
    if output == "json":
        click.echo(json.dumps([_as_json(each) for each in writes], indent=4))
        return
    if not summary:
        for each in writes:
            click.echo(_line(each))
    click.echo(_sums(writes), nl=False)


def _case(paths: Sequence[str]) -> list[Any] | None:
    """Read JSON lines; ``None`` if the file holds manifests."""
    if len(paths) != 1 or not paths[0].endswith(".jsonl"):
        return None
    try:
        text = Path(paths[0]).read_text()
    except FileNotFoundError:
        raise LoadError("file-not-found", f"{paths[0]}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError("file-unreadable", f"{paths[0]}: cannot be read: {error}") from None
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise LoadError("json-syntax", f"{paths[0]}:{number}:{error.colno}: {error.msg}") from None
    return lines


def _writes_of_case(lines: list[Any]) -> Iterator[Write]:
    from kdp import _core

    for each in json.loads(_core.conformance("list_churn", json.dumps(lines))):
        yield Write(f"step {each['step']}", VERBS[each["type"]], each["object"], each["before"])


def _writes_of_script(session: Session, paths: Sequence[str], until: str | None) -> Iterator[Write]:
    from dataclasses import replace

    from kdp.actions import read_steps
    from kdp.durations import duration_text
    from kdp.script import script_of

    cluster = replace(session, files=(*session.files, *paths)).load()
    script = script_of(cluster)
    if not script:
        raise UsageError("action-refused", f"{', '.join(paths)}: no object of kind Script says what to do")
    last = read_steps(script)[-1].at
    end = until if until is not None else last / 10**9 + 60
    for event in cluster.events(KINDS, until=end, script=script):
        yield Write(duration_text(event.at), VERBS[event.type], dict(event.object), event.before)


def _line(write: Write) -> str:
    from kdp.slice_changes import changes

    meta = write.object["metadata"]
    after = None if write.verb == "delete" else write.object
    kind = write.object["kind"].lower()
    return f"{write.when}  {write.verb}  {kind}/{meta['name']} -n {meta['namespace']}  {changes(write.before, after)}"


def _sums(writes: Sequence[Write]) -> str:
    lines = []
    for kind in ("EndpointSlice", "Endpoints"):
        own = [each for each in writes if each.object["kind"] == kind]
        counts = ", ".join(
            f"{sum(each.verb == verb for each in own)} {verb}" for verb in ("create", "update", "delete")
        )
        sizes = sum(_size(each.object) for each in own if each.verb != "delete")
        lines.append(f"{kind}: {len(own)} writes ({counts}), {sizes:,} bytes of JSON\n")
    return "".join(lines)


def _size(written: dict[str, Any]) -> int:
    return len(json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode())


def _as_json(write: Write) -> dict[str, Any]:
    from kdp.slice_changes import changes

    after = None if write.verb == "delete" else write.object
    return {
        "when": write.when,
        "verb": write.verb,
        "changed": changes(write.before, after),
        "object": write.object,
    }
