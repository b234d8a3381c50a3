"""``kdp explain flow FROM TO:PORT``: which rules decide about a connection, and what would be next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kdp.cli.session import Session
    from kdp.cluster import Cluster

__all__ = ["flow"]

EXIT_FINDING = 3


def flow(
    session: Session,
    ends: Sequence[str],
    *,
    mode: str | None,
    via: str | None,
    protocol: str,
    as_json: bool,
    exit_code: bool,
) -> int:
    """Explain one connection; exit with 3 under ``exit_code`` where it is not delivered."""
    from dataclasses import replace

    from kdp.cli.trace import client_of, target_of
    from kdp.explain.flow import explain_flow

    if len(ends) != 2:
        raise click.UsageError("kdp explain flow takes FROM and TO:PORT, as in: flow pod/web-1 checkout:80")
    cluster, sources = session.load_with_sources(mode=mode)
    client, namespace = client_of(cluster, ends[0], session)
    asked = {
        "source": client,
        "to": target_of(cluster, ends[1]),
        "namespace": namespace,
        "protocol": protocol,
        "via": via,
    }
    quiet = replace(session, quiet=True)

    def make() -> Cluster:
        return quiet.make(sources, mode=mode)

    found = explain_flow(make, asked)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=4, ensure_ascii=False))
    else:
        click.echo(found.text(color=session.colored), nl=False, color=session.colored)
    return EXIT_FINDING if exit_code and found.trace.verdict != "delivered" else 0
