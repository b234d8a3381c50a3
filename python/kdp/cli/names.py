"""Completion of kinds and object names in shells, from the files that the line names already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    import click

__all__ = ["complete_object"]


def complete_object(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ``TYPE``, ``TYPE NAME`` and ``TYPE/NAME``; names need ``-f`` before the word."""
    from kdp.errors import KdpError

    given: Sequence[str] = ctx.params.get(param.name or "") or ()
    try:
        words = list(_words(ctx, given, incomplete))
    except KdpError:
        return []  # a shell's prompt is no place for a complaint
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _words(ctx: click.Context, given: Sequence[str], incomplete: str) -> Iterator[str]:
    from kdp.kinds import KINDS

    kind, slash, _ = incomplete.partition("/")
    if slash:
        yield from (f"{kind}/{name}" for name in _names(ctx, kind))
    elif given and "/" not in given[0]:
        yield from _names(ctx, given[0])
    else:
        yield from (kind.plural for kind in KINDS)


def _names(ctx: click.Context, kind: str) -> list[str]:
    from kdp.cluster import Cluster

    files = [path for path in ctx.params.get("files") or () if path != "-"]
    if not files:
        return []
    cluster = Cluster.load(files, recursive=bool(ctx.params.get("recursive")))
    found = cluster.kind(kind)
    everywhere = ctx.params.get("all_namespaces") or not found.namespaced
    space = None if everywhere else ctx.params.get("namespace") or "default"
    return sorted(each.name for each in cluster.get(found, namespace=space))
