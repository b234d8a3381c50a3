"""``kdp describe``: objects at length, in kubectl's own text."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kdp.cli.get import newest, parse_moment
from kdp.cli.get_wanted import Filters, find, read_wanted
from kdp.cli.names import complete_object
from kdp.cli.session import Session, cluster_options

__all__ = ["command"]

EXIT_MISSING = 1


@click.command("describe")
@click.argument(
    "what",
    nargs=-1,
    required=True,
    metavar="TYPE[,TYPE...] [NAME...] | TYPE/NAME ...",
    shell_complete=complete_object,
)
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option("-l", "--selector", metavar="SELECTOR", help="Only objects with these labels.")
@click.option(
    "--now", metavar="TIME", help="The moment that ages count to (default: the newest time in the files)."
)
@cluster_options
def command(
    session: Session, what: Sequence[str], all_namespaces: bool, selector: str | None, now: str | None
) -> int:
    """Tell of objects at length, as kubectl describe does.

    \b
    kdp describe svc/checkout -n shop -f dump.yaml
    kdp describe pods -l app=checkout -n shop -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.describe import describe

    moment = parse_moment(now) if now else None
    cluster, sources = session.load_with_sources()
    wanted = read_wanted(cluster, what)
    if selector is not None and any(each.name for each in wanted):
        raise click.UsageError("a name and a selector exclude each other")
    found = find(cluster, wanted, Filters(None if all_namespaces else session.namespace_or_default, selector))
    objects = [each for group in found for each in group.objects]
    moment = moment or newest(sources)
    click.echo("\n\n".join(describe(cluster, each, moment) for each in objects), nl=False)
    missing = [error for group in found for error in group.missing]
    for error in missing:
        click.echo(f"error[{error.code}]: {error.message}", err=True)
    if not objects and not missing and not session.quiet:
        where = "" if all_namespaces else f" in {session.namespace_or_default} namespace."
        click.echo(f"No resources found{where}", err=True)
    return EXIT_MISSING if missing else 0
