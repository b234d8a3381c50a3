"""What ``kdp get`` and ``kdp describe`` are asked for: kinds and names, read as kubectl reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import click

from kdp.errors import NotFoundError

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.kinds import KindNames
    from kdp.objects import Manifest

__all__ = ["Filters", "Found", "Wanted", "find", "is_one", "read_wanted"]

# The order is that of discovery: the core group, then others. Source: kubectl, category "all", 1.33.
ALL = (
    "pods,replicationcontrollers,services,daemonsets,deployments,replicasets,statefulsets,"
    "horizontalpodautoscalers,cronjobs,jobs"
)


class Wanted(NamedTuple):
    """A kind, and the name of one object or ``None`` for all of them."""

    kind: KindNames
    name: str | None


class Filters(NamedTuple):
    """Which objects: of one namespace or of all (``None``), with labels, with fields."""

    namespace: str | None
    selector: str | None = None
    fields: str | None = None


@dataclass
class Found:
    """What was found of one kind, and what was not."""

    kind: KindNames
    objects: list[Manifest]
    missing: list[NotFoundError] = field(default_factory=list)


def read_wanted(cluster: Cluster, what: Sequence[str]) -> list[Wanted]:
    """Read ``TYPE,TYPE NAME...`` or ``TYPE/NAME...``; ``all`` means the kinds of workloads and Services."""
    if any("/" in word for word in what):
        pairs = [word.partition("/") for word in what]
        odd = next(
            (word for word, (kind, _, name) in zip(what, pairs, strict=True) if not (kind and name)), None
        )
        if odd is not None:
            raise click.UsageError(f"{odd!r}: beside TYPE/NAME, every argument is TYPE/NAME")
        return [Wanted(cluster.kind(kind), name) for kind, _, name in pairs]
    words = [
        word for given in what[0].split(",") for word in (ALL if given == "all" else given).split(",") if word
    ]
    kinds = list(dict.fromkeys(cluster.kind(word) for word in words))
    if not kinds:
        raise click.UsageError("no TYPE: for example svc, pods, endpoints")
    if len(what) > 1:
        return [Wanted(kind, name) for kind in kinds for name in what[1:]]
    return [Wanted(kind, None) for kind in kinds]


def is_one(wanted: Sequence[Wanted]) -> bool:
    """Tell whether one object is asked for by its name."""
    return len(wanted) == 1 and wanted[0].name is not None


def find(cluster: Cluster, wanted: Sequence[Wanted], filters: Filters) -> list[Found]:
    """Fetch what is wanted; neighbours of one kind become one group. A name that is not there is kept as its error."""
    found: list[Found] = []
    for kind, name in wanted:
        if not (name and found and found[-1].kind == kind):
            found.append(Found(kind, []))
        try:
            found[-1].objects.extend(_of(cluster, kind, name, filters))
        except NotFoundError as error:
            found[-1].missing.append(error)
    return found


def _of(cluster: Cluster, kind: KindNames, name: str | None, filters: Filters) -> Iterator[Manifest]:
    space = filters.namespace if kind.namespaced else None
    objects = cluster.get(kind, name, namespace=space, selector=filters.selector, fields=filters.fields)
    # An API server lists by its storage's keys: NAMESPACE/NAME.
    yield from sorted(
        objects, key=lambda each: f"{each.namespace}/{each.name}" if kind.namespaced else each.name
    )
