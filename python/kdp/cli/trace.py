"""``kdp trace``: one connection with every step, or every outcome with its probability."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from kdp.cli.proxy_options import proxy_options
from kdp.cli.session import Session, cluster_options, mode_option
from kdp.errors import NotFoundError, UsageError
from kdp.kinds import find_kind

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["client_of", "command", "target_of"]

EXIT_FINDING = 3


@click.command("trace")
@click.argument("ends", nargs=-1, required=True, metavar="[FROM] TO")
@click.option("--from", "source", metavar="FROM", help="Who connects, in place of the first argument.")
@click.option("--via", metavar="NODE", help="The node that packets from outside come to first.")
@click.option("--explore", is_flag=True, help="Every outcome with its probability.")
@mode_option
@proxy_options
@click.option("--protocol", type=click.Choice(["tcp", "udp"]), default="tcp", show_default=True)
@click.option(
    "--sport",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="The client's port (default: chosen by the seed).",
)
@click.option(
    "-o", "--output", type=click.Choice(["text", "wide", "json"]), default="text", show_default=True
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where the packet is not delivered.")
@cluster_options
def command(
    session: Session,
    ends: tuple[str, ...],
    source: str | None,
    via: str | None,
    explore: bool,
    mode: str | None,
    protocol: str,
    sport: int | None,
    output: str,
    exit_code: bool,
) -> int:
    """Follow a connection FROM a Pod (pod/NAME), a node (node/NAME) or an outside address TO a HOST:PORT.

    HOST is a name as the client's resolver finds it, an address, or node/NAME for a node port.

    \b
    kdp trace pod/web-1 checkout:80 -n shop -f dump.yaml
    kdp trace 203.0.113.9 node/n1:30080 -f dump.yaml
    kdp trace pod/web-1 checkout:80 --explore -n shop -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    source, to = _ends(ends, source)
    if via and "/" in source:
        raise click.UsageError(f"--via says where packets from outside come in; {source} is inside")
    cluster = session.load(mode=mode)
    client, namespace = client_of(cluster, source, session)
    target = target_of(cluster, to)
    asked: dict[str, Any] = {"namespace": namespace, "protocol": protocol, "sport": sport, "via": via}
    if explore:
        exploration = cluster.explore(client, target, **asked)
        missed = any(each.verdict != "delivered" for each in exploration.outcomes)
        text, data = exploration.text(color=session.colored), exploration.data
    else:
        trace = cluster.connect(client, target, **asked)
        missed = trace.verdict != "delivered"
        text = trace.text(width=session.width, color=session.colored, wide=output == "wide")
        data = trace.data
    if output == "json":
        click.echo(json.dumps(data, indent=4, ensure_ascii=False))
    else:
        click.echo(text, nl=False, color=session.colored)
    return EXIT_FINDING if exit_code and missed else 0


def _ends(ends: tuple[str, ...], source: str | None) -> tuple[str, str]:
    wanted = 1 if source else 2
    if len(ends) != wanted:
        form = "TO" if source else "FROM TO"
        raise click.UsageError(
            f"{len(ends)} argument{'' if len(ends) == 1 else 's'} where {form} is wanted, as in: pod/web-1 checkout:80"
        )
    return (source, ends[0]) if source else (ends[0], ends[1])


def client_of(cluster: Cluster, text: str, session: Session) -> tuple[str, str]:
    """Read who connects: what the core takes, and the namespace that its short names mean."""
    kind, slash, name = text.partition("/")
    if not slash:
        return _address(text), session.namespace_or_default
    resource = find_kind(kind).kind
    if resource == "Node":
        return f"node/{cluster.node(name).name}", session.namespace_or_default
    if resource != "Pod":
        raise UsageError(
            "argument-invalid", f"{text}: FROM is pod/NAME, node/NAME or an address, not a {resource}"
        )
    given, slash, rest = name.partition("/")
    if slash:
        name, namespace = rest, given
    else:
        namespace = session.namespace or "default"
    pod = cluster.pod(f"{namespace}/{name}")
    return f"pod/{pod.namespace}/{pod.name}", pod.namespace


def _address(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        hint = f"did you mean pod/{text}?"
        raise UsageError(
            "argument-invalid", f"{text!r} is no address; FROM is pod/NAME, node/NAME or an address; {hint}"
        ) from None


def target_of(cluster: Cluster, text: str) -> str:
    """Give ``HOST:PORT``; ``node/NAME:PORT`` becomes the node's own address."""
    if not text.startswith(("node/", "no/", "nodes/")):
        return text
    name, colon, port = text.partition("/")[2].rpartition(":")
    if not colon:
        raise UsageError("argument-invalid", f"{text!r} has no port: write node/NAME:PORT")
    node = cluster.get("Node", cluster.node(name).name)[0]
    addresses = [
        each["address"]
        for each in node.get("status", {}).get("addresses") or []
        if each["type"] == "InternalIP"
    ]
    if not addresses:
        raise NotFoundError(
            "no-such-object", f"Node {name} .status.addresses: it has no InternalIP to connect to"
        )
    return f"[{addresses[0]}]:{port}" if ":" in addresses[0] else f"{addresses[0]}:{port}"
