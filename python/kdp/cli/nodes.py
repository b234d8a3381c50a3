"""``kdp nodes matrix``: what becomes of connections to one Service, node by node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from kdp.cli.proxy_options import proxy_options
from kdp.cli.session import Session, cluster_options, mode_option
from kdp.errors import UsageError
from kdp.kinds import find_kind

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.decisions import Decision, FlowClass

__all__ = ["command"]

EXIT_FINDING = 3


@click.command("nodes")
@click.argument("verb", type=click.Choice(["matrix"]), metavar="matrix")
@click.argument("service", metavar="svc/NAME")
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="These nodes alone. May be repeated.")
@mode_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where a frontend does not deliver.")
@proxy_options
@cluster_options
def command(
    session: Session,
    verb: str,
    service: str,
    nodes: tuple[str, ...],
    mode: str | None,
    output: str,
    exit_code: bool,
) -> int:
    """Say for each node, kind of source and frontend of a Service: deliver, drop or reject, and to whom.

    \b
    kdp nodes matrix svc/checkout -n shop -f dump.yaml
    kdp nodes matrix svc/checkout -n shop --node n1 --mode nftables -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    del verb
    from kdp.decisions import decide, flow_classes

    cluster = session.load(mode=mode)
    name = _service(cluster, service, session)
    found = [
        (flow, decide(cluster, flow)) for flow in flow_classes(cluster, nodes=nodes or None, services=[name])
    ]
    asked = [(flow, decision) for flow, decision in found if flow.frontend != "other port"]
    if not asked:
        raise UsageError(
            "no-cluster-ip", f"Service {name}: it has no cluster IP, so nodes have no rules for it"
        )
    if output == "json":
        from kdp.json_output import document

        rows = [_as_json(flow, decision) for flow, decision in asked]
        click.echo(
            json.dumps(document("NodeMatrix", {"service": name, "rows": rows}), indent=4, ensure_ascii=False)
        )
    else:
        click.echo(_text(asked), nl=False)
    missed = any(decision.verdict != "deliver" for _, decision in asked)
    return EXIT_FINDING if exit_code and missed else 0


def _service(cluster: Cluster, text: str, session: Session) -> str:
    kind, slash, name = text.partition("/")
    if not slash or find_kind(kind).kind != "Service":
        raise UsageError("argument-invalid", f"{text}: a Service is wanted, as in svc/checkout")
    found = cluster.service(name if "/" in name else f"{session.namespace_or_default}/{name}")
    return f"{found.namespace}/{found.name}"


def _as_json(flow: FlowClass, decision: Decision) -> dict[str, object]:
    return {
        "node": flow.node,
        "port": flow.port,
        "frontend": flow.frontend,
        "target": flow.target,
        "source": flow.source,
        **decision.to_json(),
    }


def _text(asked: list[tuple[FlowClass, Decision]]) -> str:
    from kdp.table import table_text

    rows = []
    for flow, decision in asked:
        backends = ", ".join(decision.backends) or decision.reason or ""
        where, masqueraded = f"{flow.frontend} {flow.target}", decision.masqueraded or "-"
        rows.append(
            [
                flow.node,
                flow.port,
                where,
                flow.source,
                decision.verdict,
                masqueraded,
                backends,
            ]
        )
    titles = ["NODE", "PORT", "FRONTEND", "FROM", "VERDICT", "MASQUERADED", "ENDPOINTS"]
    return table_text(titles, rows)
