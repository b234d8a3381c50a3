"""``kdp explain``: why a Service has no endpoints, why a ServiceMonitor finds no Service."""

from __future__ import annotations

import json

import click

from kdp.cli.names import complete_object
from kdp.cli.session import Session, cluster_options, mode_option

__all__ = ["command"]

EXIT_FINDING = 3


@click.command("explain")
@click.argument(
    "what", nargs=-1, required=True, metavar="TYPE/NAME | TYPE NAME", shell_complete=complete_object
)
@mode_option
@click.option("--via", metavar="NODE", help="With flow: the node that packets from outside come to first.")
@click.option(
    "--protocol", type=click.Choice(["tcp", "udp"]), default="tcp", show_default=True, help="With flow."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where there is a finding.")
@cluster_options
def command(
    session: Session,
    what: tuple[str, ...],
    mode: str | None,
    via: str | None,
    protocol: str,
    output: str,
    exit_code: bool,
) -> int:
    """Say why a Service has (no) endpoints, or a ServiceMonitor finds (no) Service, with the nearest fix.

    With label KEY=VALUE: everything that selects by that label. With access svc/NAME: what a client gets through the
    Service, and what a monitor gets from the API. With flow FROM TO:PORT: which rules decide about that
    connection, and what would be next if one of them were not there.

    \b
    kdp explain svc/checkout -n shop -f dump.yaml
    kdp explain servicemonitor/checkout -n shop -f dump.yaml --exit-code
    kdp explain label app=checkout -f dump.yaml
    kdp explain access svc/checkout -n shop -f dump.yaml
    kdp explain flow pod/web-1 checkout:80 -n shop -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    if what[0] == "flow":
        from kdp.cli.explain_flow import flow

        form = {"as_json": output == "json", "exit_code": exit_code}
        return flow(session, what[1:], mode=mode, via=via, protocol=protocol, **form)
    if len(what) > 2 or (len(what) == 2 and what[0] not in ("label", "access") and "/" in what[0] + what[1]):
        raise click.UsageError("one object at a time: TYPE/NAME or TYPE NAME")
    explanation = session.load(mode=mode).explain("/".join(what), namespace=session.namespace_or_default)
    if output == "json":
        click.echo(json.dumps(explanation.to_json(), indent=4, ensure_ascii=False))
    else:
        click.echo(
            explanation.text(color=session.colored, width=session.width), nl=False, color=session.colored
        )
    return EXIT_FINDING if exit_code and explanation.findings else 0
