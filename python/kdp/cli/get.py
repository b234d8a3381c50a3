"""``kdp get``: objects in kubectl's own columns, or whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import click

from kdp.cli.get_output import Output, OutputOption, as_one, printer
from kdp.cli.get_wanted import Filters, Found, find, is_one, read_wanted
from kdp.cli.names import complete_object
from kdp.cli.session import Session, cluster_options

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.columns import Columns
    from kdp.kinds import KindNames
    from kdp.objects import Manifest

__all__ = ["command"]

MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
EXIT_MISSING = 1


@click.command("get")
@click.argument(
    "what",
    nargs=-1,
    required=True,
    metavar="TYPE[,TYPE...] [NAME...] | TYPE/NAME ...",
    shell_complete=complete_object,
)
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option(
    "-l", "--selector", metavar="SELECTOR", help="Only objects with these labels: app=web,tier!=db."
)
@click.option("--field-selector", metavar="SELECTOR", help="Only with these fields: status.phase=Running.")
@click.option(
    "-o",
    "--output",
    type=OutputOption(),
    default=Output(""),
    help="wide, json, yaml, name, jsonpath=..., jsonpath-file=..., custom-columns=TITLE:PATH,..., "
    "custom-columns-file=...",
)
@click.option("--sort-by", metavar="PATH", help="Order by a field: .metadata.creationTimestamp.")
@click.option("--no-headers", is_flag=True, help="No titles over the columns.")
@click.option("--show-labels", is_flag=True, help="Labels as the last column.")
@click.option(
    "-L",
    "--label-columns",
    metavar="LABELS",
    multiple=True,
    help="Labels with a column of their own: app,tier.",
)
@click.option("--show-kind", is_flag=True, help="The kind before each name.")
@click.option("--ignore-not-found", is_flag=True, help="A name that is not there is no error.")
@click.option("-w", "--watch", is_flag=True, help="Then print each change, while virtual time runs.")
@click.option(
    "--until", metavar="TIME", default="60s", show_default=True, help="With -w: how long time runs."
)
@click.option(
    "--script", metavar="FILE", help="With -w: an object of kind Script, whose steps are done at their times."
)
@click.option(
    "--now",
    metavar="TIME",
    help="The moment that AGE counts to, such as 2026-11-25T01:00:00Z (default: the newest time in the files).",
)
@cluster_options
def command(
    session: Session,
    what: Sequence[str],
    all_namespaces: bool,
    selector: str | None,
    field_selector: str | None,
    output: Output,
    sort_by: str | None,
    no_headers: bool,
    show_labels: bool,
    label_columns: Sequence[str],
    show_kind: bool,
    ignore_not_found: bool,
    now: str | None,
    watch: bool,
    until: str,
    script: str | None,
) -> int:
    """List objects in kubectl's own columns, or whole.

    \b
    kdp get svc,endpoints -n shop -f dump.yaml
    kdp get pods -l app=web -A -o wide -f dump.yaml
    kdp get pods -o jsonpath='{range .items[*]}{.metadata.name}{"\\t"}{.status.podIP}{"\\n"}{end}' -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    moment = parse_moment(now) if now else None
    write = None if output.is_table or output.form == "name" else printer(output, headers=not no_headers)
    cluster, sources = session.load_with_sources()
    wanted = read_wanted(cluster, what)
    if any(each.name for each in wanted):
        _check_names(all_namespaces=all_namespaces, filtered=bool(selector or field_selector))
    filters = Filters(None if all_namespaces else session.namespace_or_default, selector, field_selector)
    found = find(cluster, wanted, filters)
    if sort_by:
        found = _sorted(found, sort_by, output)
    objects = [each for group in found for each in group.objects]
    labels = [label for given in label_columns for label in given.split(",") if label]
    layout = Layout(
        all_namespaces,
        output.form == "wide",
        not no_headers,
        labels,
        show_labels,
        show_kind or len({each.kind for each in wanted}) > 1,
        moment or newest(sources),
    )
    if output.is_table:
        _print_tables(cluster, found, layout, session)
    elif output.form == "name":
        click.echo(
            "".join(f"{group.kind.resource}/{each.name}\n" for group in found for each in group.objects),
            nl=False,
        )
    elif write is not None and (objects or not is_one(wanted)):
        click.echo(write(as_one(objects, alone=is_one(wanted)) if output.is_whole else objects), nl=False)
    if watch:
        from kdp.cli.get_watch import watch_changes

        if len({each.kind for each in wanted}) != 1:
            raise click.UsageError("-w: one TYPE is watched at a time")
        show = _shows(cluster, wanted[0].kind, layout, output, write)
        watch_changes(cluster, wanted, filters, until, script, show)
    return 0 if ignore_not_found else _complain(found)


def _shows(
    cluster: Cluster, kind: KindNames, layout: Layout, output: Output, write: Callable[..., str] | None
) -> Callable[[Manifest, datetime], str]:
    """Give the text of one object at a moment, in the form that was asked for."""
    columns = _columns(cluster, kind)

    def text(each: Manifest, moment: datetime) -> str:
        if output.is_table:
            return _table(Found(kind, [each]), layout._replace(headers=False, now=moment), columns)
        if output.form == "name":
            return f"{kind.resource}/{each.name}\n"
        assert write is not None, "every other form has a printer"
        return write(as_one([each], alone=True) if output.is_whole else [each])

    return text


def _check_names(*, all_namespaces: bool, filtered: bool) -> None:
    if filtered:
        raise click.UsageError("a name and a selector exclude each other")
    if all_namespaces:
        raise click.UsageError(
            "an object cannot be had by its name across all namespaces: leave -A out, or the name"
        )


def _complain(found: Iterable[Found]) -> int:
    """Say what was not there, after what was."""
    missing = [error for group in found for error in group.missing]
    for error in missing:
        click.echo(f"error[{error.code}]: {error.message}", err=True)
    return EXIT_MISSING if missing else 0


def _sorted(found: Sequence[Found], path: str, output: Output) -> list[Found]:
    """Sort each table by itself, and other output over all kinds together, as kubectl does."""
    from kdp.printers.sorting import sort_by

    if output.is_table:
        return [Found(group.kind, sort_by(group.objects, path), group.missing) for group in found]
    kinds = {id(each): group.kind for group in found for each in group.objects}
    ordered = sort_by([each for group in found for each in group.objects], path)
    groups = [
        Found(kind, list(objects)) for kind, objects in groupby(ordered, key=lambda each: kinds[id(each)])
    ]
    missing = [Found(group.kind, [], group.missing) for group in found if group.missing]
    return groups + missing


class Layout(NamedTuple):
    """How tables are laid out."""

    namespaces: bool
    wide: bool
    headers: bool
    label_columns: Sequence[str]
    labels: bool
    with_kind: bool
    now: datetime | None


def _print_tables(cluster: Cluster, found: Sequence[Found], layout: Layout, session: Session) -> None:
    groups = [group for group in found if group.objects]
    missing = any(group.missing for group in found)
    if not groups and not missing and not session.quiet:
        everywhere = layout.namespaces or not all(group.kind.namespaced for group in found)
        where = "" if everywhere else f" in {session.namespace_or_default} namespace."
        click.echo(f"No resources found{where}", err=True)
    for at, group in enumerate(groups):
        if at and layout.headers:
            click.echo()
        click.echo(_table(group, layout, _columns(cluster, group.kind)), nl=False)


def _columns(cluster: Cluster, kind: KindNames) -> Columns:
    from kdp.columns import columns_of
    from kdp.custom_kinds import custom_columns_of

    return custom_columns_of(kind, cluster.get("crd")) or columns_of(kind.kind)


def _table(group: Found, layout: Layout, columns: Columns) -> str:
    from kdp.table import table_text

    shown = [each for each in columns if layout.wide or not each.wide]
    with_namespace = layout.namespaces and group.kind.namespaced
    prefix = f"{group.kind.resource}/" if layout.with_kind else ""
    titles = [*(["NAMESPACE"] if with_namespace else []), "NAME", *(each.title for each in shown)]
    titles += [label.rpartition("/")[2].upper() for label in layout.label_columns]
    rows = []
    for each in group.objects:
        row = [each.namespace] if with_namespace else []
        row += [prefix + each.name, *(column.cell(each, layout.now) for column in shown)]
        rows.append([*row, *_label_cells(each, layout)])
    return table_text([*titles, *(["LABELS"] if layout.labels else [])], rows, headers=layout.headers)


def _label_cells(each: Manifest, layout: Layout) -> list[str]:
    from kdp.columns.network import selector_text

    labels = each["metadata"].get("labels") or {}
    cells = [str(labels.get(label, "")) for label in layout.label_columns]
    return [*cells, selector_text(labels)] if layout.labels else cells


def newest(sources: Iterable[tuple[str, bytes]]) -> datetime | None:
    """Find the newest time in what was read: the moment of the dump, so that the same files give the same ages."""
    latest = max((max(MOMENT.findall(data), default=b"") for _, data in sources), default=b"")
    return datetime.fromisoformat(latest.decode()) if latest else None


def parse_moment(text: str) -> datetime:
    """Read a time with its zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time such as 2026-11-25T01:00:00Z", param_hint="--now"
        ) from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no zone: add Z for UTC", param_hint="--now")
    return moment
