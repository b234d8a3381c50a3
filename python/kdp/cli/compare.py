"""``kdp compare``: what changes for connections when kube-proxy runs in another mode."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from kdp.cli.proxy_options import proxy_options
from kdp.cli.session import Session, cluster_options

if TYPE_CHECKING:
    from kdp.ansi import Paint
    from kdp.decisions import Difference

__all__ = ["command"]

EXIT_FINDING = 3


@click.command("compare")
@click.option(
    "--modes",
    default="iptables,nftables",
    show_default=True,
    metavar="MODE,MODE",
    help="The mode of today and the one to go to.",
)
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="These nodes alone. May be repeated.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "wide", "json"]), default="text", show_default=True
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where something differs.")
@proxy_options
@cluster_options
def command(session: Session, modes: str, nodes: tuple[str, ...], output: str, exit_code: bool) -> int:
    """Say for which flows another mode of kube-proxy decides otherwise, why, and what to change.

    Asked are all classes of flows: from a Pod, an endpoint, the node itself and outside, to every frontend of every
    Service, at every node. Rules that are printed are the rules that are asked.

    \b
    kdp compare --modes iptables,nftables -f dump.yaml
    kdp compare --modes iptables,nftables -f dump.yaml --exit-code -o json
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.ansi import Paint
    from kdp.decisions import differences

    pair = [mode.strip() for mode in modes.split(",")]
    if len(pair) != 2:
        raise click.UsageError(f"--modes {modes}: two modes are compared, as in iptables,nftables")
    before, sources = session.load_with_sources(mode=pair[0])
    after = session.make(sources, mode=pair[1])
    found = list(differences(before, after, nodes=nodes or None))
    if output == "json":
        click.echo(json.dumps(_as_json(found, pair), indent=4, ensure_ascii=False))
    else:
        text = _text(found, pair, Paint(on=session.colored), whole=output == "wide")
        click.echo("\n".join(text), color=session.colored)
    return EXIT_FINDING if exit_code and found else 0


def _by_reason(found: Sequence[Difference]) -> dict[str, list[Difference]]:
    from kdp.decisions.modes import REASONS, reason_of

    by_reason: dict[str, list[Difference]] = {name: [] for name in REASONS}
    for each in found:
        by_reason[reason_of(each)].append(each)
    return {name: differ for name, differ in by_reason.items() if differ}


def _text(found: Sequence[Difference], modes: Sequence[str], paint: Paint, *, whole: bool) -> Iterator[str]:
    from kdp.decisions.modes import REASONS
    from kdp.decisions.table import rows_of
    from kdp.table import table_text

    if not found:
        yield paint("green", f"{modes[0]} and {modes[1]} decide alike, for every class of flows")
        return
    services = len({each.flow.service for each in found})
    yield paint("bold", f"{len(found)} classes of flows of {services} Services differ")
    titles = ["SERVICE PORT", "FRONTEND", "FROM", "NODES", modes[0].upper(), modes[1].upper()]
    for name, differ in _by_reason(found).items():
        why, change = REASONS[name]
        yield ""
        yield paint("yellow", f"{name}: {why}")
        yield f"  change: {change}"
        text = table_text(titles, [row.cells() for row in rows_of(differ, whole=whole)])
        yield from (f"  {line}" for line in text.splitlines())


def _as_json(found: Sequence[Difference], modes: Sequence[str]) -> dict[str, object]:
    from kdp.decisions.modes import REASONS
    from kdp.decisions.table import rows_of
    from kdp.json_output import document

    reasons = [
        {
            "reason": name,
            "why": REASONS[name][0],
            "change": REASONS[name][1],
            "classes": len(differ),
            "differences": [row.to_json() for row in rows_of(differ, whole=True)],
        }
        for name, differ in _by_reason(found).items()
    ]
    return document("ModeComparison", {"modes": list(modes), "classes": len(found), "reasons": reasons})
