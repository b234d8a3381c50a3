"""``kdp proxy``: what a node's kube-proxy says about itself: its metrics page, its health servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from kdp.cli.proxy_options import proxy_options
from kdp.cli.session import Session, cluster_options, mode_option
from kdp.errors import NotFoundError, UsageError
from kdp.kinds import find_kind

if TYPE_CHECKING:
    from kdp.cluster import NodeRef

__all__ = ["command"]


@click.command("proxy")
@click.argument("verb", type=click.Choice(["metrics", "health"]), metavar="metrics|health")
@click.argument("service", required=False, metavar="[svc/NAME]")
@click.option("--node", metavar="NAME", help="Whose kube-proxy (default: the first node's).")
@click.option("-4", "family", flag_value="IPv4", default="IPv4", help="The IPv4 server (default).")
@click.option("-6", "family", flag_value="IPv6", help="The IPv6 server.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), help="text (default) or json, of health."
)
@mode_option
@proxy_options
@cluster_options
def command(
    session: Session,
    verb: str,
    service: str | None,
    node: str | None,
    family: str,
    output: str | None,
    mode: str | None,
) -> None:
    """Print a node's kube-proxy's metrics page, or what its health servers answer.

    \b
    kdp proxy metrics --node n1 -f dump.yaml
    kdp proxy health svc/web --node n1 -f dump.yaml   # the Service's health-check node port
    kdp proxy health --node n1 -f dump.yaml           # kube-proxy's own: /healthz, /livez
    """  # noqa: D301 -- click keeps lines together after a backspace
    if verb == "metrics" and (service or output):
        raise click.UsageError("metrics prints the whole page of a node, as text")
    cluster = session.load(mode=mode)
    found = cluster.node(node) if node else next(iter(cluster.nodes), None)
    if found is None:
        raise NotFoundError(
            "no-such-object", "Node: the cluster has none, so there is no kube-proxy; add a Node or a Pod"
        )
    if verb == "metrics":
        click.echo(found.proxy.metrics(), nl=False)
    elif service:
        _service(session, found, service, family, as_json=output == "json")
    else:
        _own(found, as_json=output == "json")


def _own(node: NodeRef, *, as_json: bool) -> None:
    answers = {"/healthz": node.proxy.healthz(), "/livez": node.proxy.livez()}
    if as_json:
        from kdp.json_output import document

        click.echo(json.dumps(document("ProxyHealth", {"node": node.name, "answers": answers}), indent=4))
    else:
        for path, status in answers.items():
            click.echo(f"{path} {status}")


def _service(session: Session, node: NodeRef, text: str, family: str, *, as_json: bool) -> None:
    kind, slash, name = text.rpartition("/")
    if slash and find_kind(kind).kind != "Service":
        raise UsageError("argument-invalid", f"{text}: health is asked of a Service, as in svc/web")
    namespace = session.namespace or node.cluster.namespace_of("Service", name)
    answer = node.proxy.health(name, namespace=namespace, family=family)
    if answer is None:
        why = "only a LoadBalancer Service with externalTrafficPolicy: Local has one"
        raise UsageError(
            "no-health-check", f"Service {namespace}/{name}: it has no health-check node port; {why}"
        )
    if as_json:
        from kdp.json_output import document

        data = {"node": node.name, "port": answer.port, "status": answer.status, "headers": answer.headers}
        click.echo(json.dumps(document("ServiceHealth", data | {"body": json.loads(answer.body)}), indent=4))
        return
    click.echo(f"port {answer.port}: {answer.status}")
    for header, value in answer.headers.items():
        click.echo(f"{header}: {value}")
    click.echo(f"\n{answer.body}")
