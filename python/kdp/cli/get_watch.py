"""``kdp get -w``: each change of what is listed, while virtual time runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kdp.cli.get_wanted import Filters, Wanted
    from kdp.cluster import Cluster
    from kdp.objects import Manifest
    from kdp.running import Event

__all__ = ["watch_changes"]


def watch_changes(
    cluster: Cluster,
    wanted: Sequence[Wanted],
    filters: Filters,
    until: str,
    script: str | None,
    show: Callable[[Manifest, datetime], str],
) -> None:
    """Let time run and print each object that changes, if it is among those that were asked for.

    An object that goes is printed once more, as it was: kubectl does so too.
    """
    from kdp.script import read_script, script_of

    steps = read_script(script) if script else script_of(cluster)
    kind = wanted[0].kind
    names = {each.name for each in wanted if each.name}
    for event in cluster.events([kind.path], until=until, script=steps):
        if (not names or event.object.name in names) and _passes(cluster, event, filters):
            moment = datetime.fromisoformat(cluster.core.moment(event.at))
            click.echo(show(event.object, moment), nl=False)


def _passes(cluster: Cluster, event: Event, filters: Filters) -> bool:
    """Tell whether namespace, labels and fields are those that were asked for."""
    meta = event.object["metadata"]
    space = meta.get("namespace")
    if space is not None and filters.namespace not in (None, space):
        return False
    if filters.selector is None and filters.fields is None:
        return True
    if event.type == "DELETED":
        return False  # It is no longer there to be asked.
    listed = cluster.get(
        event.object["kind"], namespace=space, selector=filters.selector, fields=filters.fields
    )
    return any(each.name == event.object.name for each in listed)
