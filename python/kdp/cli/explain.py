"""``kdp explain``: why a Service has no endpoints, why a ServiceMonitor finds no Service."""

from __future__ import annotations

import json

import click

from kdp.cli.session import Session, cluster_options

__all__ = ["command"]

EXIT_FINDING = 3


@click.command("explain")
@click.argument("what", nargs=-1, required=True, metavar="TYPE/NAME | TYPE NAME")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where there is a finding.")
@cluster_options
def command(session: Session, what: tuple[str, ...], output: str, exit_code: bool) -> int:
    """Say why a Service has (no) endpoints, or a ServiceMonitor finds (no) Service, with the nearest fix.

    With label KEY=VALUE: everything that selects by that label.

    \b
    kdp explain svc/checkout -n shop -f dump.yaml
    kdp explain servicemonitor/checkout -n shop -f dump.yaml --exit-code
    kdp explain label app=checkout -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    if len(what) > 2 or (len(what) == 2 and what[0] != "label" and "/" in what[0] + what[1]):
        raise click.UsageError("one object at a time: TYPE/NAME or TYPE NAME")
    explanation = session.load().explain("/".join(what), namespace=session.namespace_or_default)
    if output == "json":
        click.echo(json.dumps(explanation.to_json(), indent=4, ensure_ascii=False))
    else:
        click.echo(
            explanation.text(color=session.colored, width=session.width), nl=False, color=session.colored
        )
    return EXIT_FINDING if exit_code and explanation.findings else 0
