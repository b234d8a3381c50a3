"""``kdp test``: case files through kdp, and what differs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdp.cli.session import Session
from kdp.errors import KdpError, UsageError

if TYPE_CHECKING:
    from kdp.ansi import Paint
    from kdp.casefiles import Case
    from kdp.casefiles.report import Outcome

__all__ = ["command"]

EXIT_DIFFERENT = 1
SHOWN = 5


@click.command("test")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--only", metavar="TEXT", help="Only cases whose name or kind has this text in it.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write a JUnit report too.")
@click.option("--tap", "as_tap", is_flag=True, help="Print the Test Anything Protocol.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Name the cases that are equal too, and all that differs."
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour; NO_COLOR switches it off too.",
)
def command(
    paths: tuple[str, ...], only: str | None, junit_file: str | None, as_tap: bool, verbose: bool, color: str
) -> int:
    """Run the case files of PATH (files, folders), and print what differs from what they expect.

    The kind of a file is told by its content: packets, tcp, flows, rules, slices, endpoints, selectors, repack,
    truncate, churn, dns, resolver, targets, faults (docs/case-files.md). Exit codes: 0 all equal, 1 something
    differs, 2 usage.

    \b
    kdp test cases/
    kdp test cases/kernel/snat_ip_range.json -v
    kdp test cases/ --junit report.xml --only dns
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.ansi import Paint
    from kdp.casefiles import find_cases
    from kdp.casefiles.report import junit, tap

    cases = [case for case in find_cases(paths) if only is None or only in f"{case.kind} {case.name}"]
    if not cases:
        raise UsageError("case-invalid", f"no case has {only!r} in its name or kind")
    paint = Paint(on=Session((), False, None, 1, None, None, color, quiet=True).colored)
    outcomes = []
    for outcome in _run(cases):
        outcomes.append(outcome)
        if not as_tap:
            _print(outcome, paint, verbose=verbose)
    if as_tap:
        click.echo("\n".join(tap(outcomes)))
    else:
        click.echo("\n".join(_summary(outcomes, paint)))
    if junit_file:
        try:
            Path(junit_file).write_text(junit(outcomes))
        except OSError as error:
            raise KdpError("output-failed", f"{junit_file}: cannot be written: {error.strerror}") from None
    return EXIT_DIFFERENT if any(outcome.differences for outcome in outcomes) else 0


def _run(cases: list[Case]) -> Iterator[Outcome]:
    """Run the cases one by one, with a line that says how far it is on a terminal."""
    from kdp.casefiles.report import Outcome

    shows = sys.stderr.isatty()
    for number, case in enumerate(cases, 1):
        if shows:
            click.echo(f"\r\x1b[K{number}/{len(cases)} {case.kind} {case.name}", err=True, nl=False)
        began = time.perf_counter()
        differences = case.run()
        if shows:
            click.echo("\r\x1b[K", err=True, nl=False)
        yield Outcome(case, differences, time.perf_counter() - began)


def _print(outcome: Outcome, paint: Paint, *, verbose: bool) -> None:
    case = outcome.case
    if outcome.differences:
        click.echo(f"{paint('red', 'differs')} {case.kind} {case.name}  {paint('dim', case.path)}")
        shown = outcome.differences if verbose else outcome.differences[:SHOWN]
        for what in shown:
            click.echo(f"    {what if verbose else _short(what)}")
        if len(shown) < len(outcome.differences):
            click.echo(f"    … and {len(outcome.differences) - len(shown)} more (-v shows all)")
    elif verbose:
        click.echo(f"{paint('green', 'equal')}   {case.kind} {case.name}")


def _short(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _summary(outcomes: list[Outcome], paint: Paint) -> Iterator[str]:
    from kdp.table import table_text

    rows = []
    for kind in dict.fromkeys(outcome.case.kind for outcome in outcomes):
        of_kind = [outcome for outcome in outcomes if outcome.case.kind == kind]
        equal = sum(not outcome.differences for outcome in of_kind)
        seconds = sum(outcome.seconds for outcome in of_kind)
        rows.append([kind, str(len(of_kind)), str(equal), str(len(of_kind) - equal), f"{seconds:.1f} s"])
    yield table_text(["KIND", "CASES", "EQUAL", "DIFFERENT", "TIME"], rows).rstrip("\n")
    different = sum(bool(outcome.differences) for outcome in outcomes)
    if different:
        yield paint("red", f"{different} of {len(outcomes)} cases differ")
    else:
        yield paint("green", f"all {len(outcomes)} cases are equal")
