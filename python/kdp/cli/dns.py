"""``kdp dns``: what a Pod's resolver asks, and what cluster DNS answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from kdp.cli.session import Session, cluster_options

__all__ = ["command"]

EXIT_FINDING = 3


@click.group("dns")
def command() -> None:
    """Ask cluster DNS as a Pod does."""


@command.command("resolve")
@click.argument("name")
@click.option(
    "--from", "source", metavar="FROM", required=True, help="Who asks: pod/NAME, node/NAME or an address."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where there is no address.")
@cluster_options
def resolve_command(session: Session, name: str, source: str, output: str, exit_code: bool) -> int:
    """Resolve NAME through the search list, as a Pod's resolver does: every query with its answer.

    \b
    kdp dns resolve checkout --from pod/web-1 -n shop -f dump.yaml
    kdp dns resolve db.shop.svc.cluster.local. --from pod/web-1 -n shop -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.cli.trace import client_of

    cluster = session.load()
    client, _ = client_of(cluster, source, session)
    found = cluster.resolve(name, client)
    if output == "json":
        click.echo(json.dumps(found, indent=4, ensure_ascii=False))
    else:
        click.echo("".join(_lines(found)), nl=False)
    return EXIT_FINDING if exit_code and found["answer"] is None else 0


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    from kdp.table import table_text

    conf = found["resolvConf"]
    asks = "asks the cluster's DNS" if conf["clusterDns"] else "does not ask the cluster's DNS"
    policy = f"dnsPolicy {found['dnsPolicy']}; " if found["dnsPolicy"] else ""
    yield f"{_who(found['from'])} {asks} for {found['name']}\n"
    yield f"{policy}search {' '.join(conf['search']) or '<none>'}; ndots {conf['ndots']}\n"
    if found["queries"]:
        rows = [[query["name"], query["type"], _answer(query)] for query in found["queries"]]
        yield f"\n{table_text(['QUERY', 'TYPE', 'ANSWER'], rows)}"
    count = len(found["queries"])
    after = f"after {count} {'query' if count == 1 else 'queries'}"
    yield (
        f"\n{found['answer']}, {after}\n"
        if found["answer"]
        else f"\nno address, {after}: {found['reason']}\n"
    )


def _answer(query: Mapping[str, Any]) -> str:
    answers = ", ".join(query["answers"])
    return answers or ("NODATA" if query["rcode"] == "NOERROR" else str(query["rcode"]))


def _who(client: Mapping[str, Any]) -> str:
    if client.get("kind") == "pod":
        return f"Pod {client['namespace']}/{client['name']}"
    return f"Node {client['name']}" if client.get("kind") == "node" else str(client.get("ip"))
