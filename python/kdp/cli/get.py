"""``kdp get``: objects in kubectl's own columns, or whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kdp.cli.session import Session, cluster_options
from kdp.kinds import KindNames, find_kind

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.objects import Manifest

__all__ = ["command"]

MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ALL = "svc,deployments,replicasets,statefulsets,pods"


class Wanted(NamedTuple):
    """A kind, and the name of one object or ``None`` for all of them."""

    kind: KindNames
    name: str | None


class Found(NamedTuple):
    """What was found of one kind."""

    kind: KindNames
    objects: list[Manifest]


@click.command("get")
@click.argument("what", nargs=-1, required=True, metavar="TYPE[,TYPE...] [NAME...] | TYPE/NAME ...")
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option(
    "-l", "--selector", metavar="SELECTOR", help="Only objects with these labels: app=web,tier!=db."
)
@click.option(
    "-o", "--output", type=click.Choice(["wide", "json", "yaml", "name"]), help="The form of output."
)
@click.option("--no-headers", is_flag=True, help="No titles over the columns.")
@click.option("--show-labels", is_flag=True, help="Labels as the last column.")
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
    output: str | None,
    no_headers: bool,
    show_labels: bool,
    now: str | None,
) -> None:
    """List objects in kubectl's own columns, or whole.

    \b
    kdp get svc,endpoints -n shop -f dump.yaml
    kdp get pods -l app=web -A -o wide -f dump.yaml
    kdp get pod/web-1 -o yaml -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    wanted = _read(what)
    if selector is not None and any(each.name for each in wanted):
        raise click.UsageError("a name and -l exclude each other")
    moment = _parse_moment(now) if now else None
    cluster, sources = session.load_with_sources()
    found = _find(cluster, wanted, None if all_namespaces else session.namespace_or_default, selector)
    if output in ("json", "yaml"):
        _print_whole([each for group in found for each in group.objects], output, alone=_is_one(wanted))
    elif output == "name":
        for group in found:
            for each in group.objects:
                click.echo(f"{group.kind.resource}/{each.name}")
    else:
        layout = Layout(
            all_namespaces, output == "wide", not no_headers, show_labels, moment or _newest(sources)
        )
        _print_tables(found, layout, session)


def _read(what: Sequence[str]) -> list[Wanted]:
    """Read ``TYPE,TYPE NAME...`` or ``TYPE/NAME...``, as kubectl does."""
    if any("/" in word for word in what):
        pairs = [word.partition("/") for word in what]
        odd = next(
            (word for word, (kind, _, name) in zip(what, pairs, strict=True) if not kind or not name), None
        )
        if odd is not None:
            raise click.UsageError(f"{odd!r}: beside TYPE/NAME, every argument is TYPE/NAME")
        return [Wanted(find_kind(kind), name) for kind, _, name in pairs]
    kinds = [find_kind(word) for word in (ALL if what[0] == "all" else what[0]).split(",") if word]
    if not kinds:
        raise click.UsageError("no TYPE: for example svc, pods, endpoints")
    if len(what) > 1:
        return [Wanted(kind, name) for kind in kinds for name in what[1:]]
    return [Wanted(kind, None) for kind in kinds]


def _is_one(wanted: Sequence[Wanted]) -> bool:
    return len(wanted) == 1 and wanted[0].name is not None


def _find(
    cluster: Cluster, wanted: Sequence[Wanted], namespace: str | None, selector: str | None
) -> list[Found]:
    """Fetch what is wanted; neighbours of one kind become one group."""
    found: list[Found] = []
    for kind, name in wanted:
        space = namespace if kind.namespaced else None
        objects = cluster.get(kind.kind, name, namespace=space, selector=selector)
        if name and found and found[-1].kind is kind:
            found[-1].objects.extend(objects)
        else:
            found.append(Found(kind, objects))
    return found


def _print_whole(objects: list[Manifest], output: str, *, alone: bool) -> None:
    whole: dict[str, Any] = {
        "apiVersion": "v1",
        "items": objects,
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }
    value = objects[0] if alone else whole
    if output == "yaml":
        from kdp.manifest_yaml import to_yaml

        click.echo(to_yaml(value), nl=False)
    else:
        click.echo(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False))


class Layout(NamedTuple):
    """How tables are laid out."""

    namespaces: bool
    wide: bool
    headers: bool
    labels: bool
    now: datetime | None


def _print_tables(found: Sequence[Found], layout: Layout, session: Session) -> None:
    groups = [group for group in found if group.objects]
    if not groups and not session.quiet:
        where = "" if layout.namespaces else f" in {session.namespace_or_default} namespace"
        if not any(group.kind.namespaced for group in found):
            where = ""
        click.echo(f"No resources found{where}.", err=True)
    for at, group in enumerate(groups):
        if at:
            click.echo()
        click.echo(_table(group, layout, with_kind=len(found) > 1), nl=False)


def _table(group: Found, layout: Layout, *, with_kind: bool) -> str:
    from kdp.columns import columns_of
    from kdp.columns.network import selector_text
    from kdp.table import table_text

    columns = [each for each in columns_of(group.kind.kind) if layout.wide or not each.wide]
    with_namespace = layout.namespaces and group.kind.namespaced
    prefix = f"{group.kind.resource}/" if with_kind else ""
    titles = [*(["NAMESPACE"] if with_namespace else []), "NAME", *(each.title for each in columns)]
    rows = []
    for each in group.objects:
        row = [each.namespace] if with_namespace else []
        row += [prefix + each.name, *(column.cell(each, layout.now) for column in columns)]
        if layout.labels:
            row.append(selector_text(each["metadata"].get("labels")))
        rows.append(row)
    return table_text([*titles, *(["LABELS"] if layout.labels else [])], rows, headers=layout.headers)


def _newest(sources: Iterable[tuple[str, bytes]]) -> datetime | None:
    """Find the newest time in what was read: the moment of the dump, so that the same files give the same ages."""
    newest = max((max(MOMENT.findall(data), default=b"") for _, data in sources), default=b"")
    return datetime.fromisoformat(newest.decode()) if newest else None


def _parse_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time such as 2026-11-25T01:00:00Z", param_hint="--now"
        ) from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no zone: add Z for UTC", param_hint="--now")
    return moment
