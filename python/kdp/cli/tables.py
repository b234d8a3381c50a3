"""``kdp tables``: published figures beside emulated ones."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

__all__ = ["command"]


@click.command("tables")
@click.argument("names", nargs=-1, metavar="[ID...]")
@click.option("--full", is_flag=True, help="Also what takes minutes.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(names: Sequence[str], full: bool, output: str) -> None:
    """Make published tables again: each figure beside what kdp's controllers and proxy make of the same case.

    \b
    T-01  rules of kube-proxy in iptables mode
    T-02  writes and bytes of Endpoints and EndpointSlices
    T-09  probabilities in iptables mode
    T-10  topology-aware hints

    The class of a figure is E (exact: counts, bytes) or R (a ratio or a shape). A figure that does not agree stays.
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.experiments.tables import TABLES, table

    made = (table(name, full=full) for name in names or TABLES)
    if output == "json":
        whole = [each.to_json() for each in made]
        click.echo(json.dumps(whole[0] if len(whole) == 1 else whole, indent=4))
        return
    for at, each in enumerate(made):
        click.echo(f"{chr(10) if at else ''}{each}", nl=False)
