"""``kdp diff``: what changes from one set of manifests to another: endpoints, rules, who reaches whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from kdp.cli.proxy_options import proxy_options
from kdp.cli.session import Session, cluster_options, mode_option

if TYPE_CHECKING:
    from kdp.ansi import Paint
    from kdp.cluster import Cluster
    from kdp.decisions import Difference

__all__ = ["command"]

EXIT_FINDING = 3


@dataclass(frozen=True)
class _Changes:
    """What differs: endpoints by Service, rules by node, decisions."""

    endpoints: dict[str, list[str]]
    rules: dict[str, tuple[int, int]]
    decisions: list[Difference]

    @property
    def services(self) -> list[str]:
        return list(dict.fromkeys([*self.endpoints, *(each.flow.service for each in self.decisions)]))


@click.command("diff")
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="These nodes alone. May be repeated.")
@click.option(
    "--lb-pool",
    "pools",
    multiple=True,
    metavar="CIDR",
    help="Where load-balancer addresses come from that a manifest has not. May be repeated.",
)
@mode_option
@click.option(
    "-o", "--output", type=click.Choice(["text", "wide", "json"]), default="text", show_default=True
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where something differs.")
@proxy_options
@cluster_options
def command(
    session: Session,
    before: str,
    after: str,
    nodes: tuple[str, ...],
    pools: tuple[str, ...],
    mode: str | None,
    output: str,
    exit_code: bool,
) -> int:
    """Say what the manifests AFTER (file or folder) change against BEFORE, by Service.

    Endpoints that come and go, rules of each node, and decisions: who can no longer reach whom, who newly can.

    \b
    kdp diff before/ after/
    kdp diff before/ after/ --lb-pool 198.51.100.0/28 --exit-code
    kdp diff live.yaml new.yaml --node n1 -o json
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.ansi import Paint
    from kdp.decisions.manifests import assign_load_balancers

    if session.files:
        raise click.UsageError("kdp diff takes BEFORE and AFTER, not -f")
    old, new = (session.make(session.read([path]), mode=mode) for path in (before, after))
    for line in assign_load_balancers((old, new), pools) if pools else ():
        if not session.quiet:
            click.echo(f"note: {line}", err=True)
    changes = _changes(old, new, nodes)
    if output == "json":
        click.echo(json.dumps(_as_json(changes), indent=4, ensure_ascii=False))
    else:
        text = _text(changes, Paint(on=session.colored), whole=output == "wide")
        click.echo("\n".join(text), color=session.colored)
    return EXIT_FINDING if exit_code and (changes.services or changes.rules) else 0


def _changes(before: Cluster, after: Cluster, nodes: Sequence[str]) -> _Changes:
    from kdp.decisions import differences
    from kdp.decisions.manifests import endpoint_changes

    both = [node.name for node in before.nodes if node.name in {each.name for each in after.nodes}]
    asked = [name for name in both if not nodes or name in nodes]
    for name in nodes:
        before.node(name), after.node(name)  # `no-such-object` names the nearest
    endpoints: dict[str, list[str]] = {}
    for service, line in endpoint_changes(before, after):
        endpoints.setdefault(service, []).append(line)
    rules = {node: _rule_counts(before, after, node) for node in asked}
    decisions = list(differences(before, after, nodes=asked))
    return _Changes(endpoints, {node: pair for node, pair in rules.items() if any(pair)}, decisions)


def _rule_counts(before: Cluster, after: Cluster, node: str) -> tuple[int, int]:
    """How many rules and elements of a node go, and how many come."""
    from kdp.rule_sets import read_nft, read_saved, rule_changes

    gone = come = 0
    for family in ("IPv4",) if before.mode == "nftables" else ("IPv4", "IPv6"):
        read = read_nft if before.mode == "nftables" else read_saved
        one, other = (read(cluster.rules(node, family=family)) for cluster in (before, after))
        for _, lines in rule_changes(one, other):
            gone += sum(line.startswith("- ") for line in lines)
            come += sum(line.startswith("+ ") for line in lines)
    return gone, come


def _text(changes: _Changes, paint: Paint, *, whole: bool) -> Iterator[str]:
    if not changes.services and not changes.rules:
        yield paint("green", "nothing differs: endpoints, rules and decisions are the same")
        return
    for service in changes.services:
        yield paint("bold", f"Service {service}")
        for line in changes.endpoints.get(service, ()):
            color = {"-": "red", "+": "green"}.get(line[0], "yellow")
            yield (
                f"  endpoint {paint(color, line)}"
                if not line.endswith("the Service")
                else f"  {paint(color, line)}"
            )
        of_service = [each for each in changes.decisions if each.flow.service == service]
        yield from _decisions(of_service, paint, whole=whole)
        yield ""
    for node, (gone, come) in changes.rules.items():
        yield f"rules of node {node}: {paint('red', f'-{gone}')} {paint('green', f'+{come}')}"


def _kinds(found: Sequence[Difference]) -> dict[str, list[Difference]]:
    kinds: dict[str, list[Difference]] = {
        "can no longer reach": [],
        "can newly reach": [],
        "is treated otherwise": [],
    }
    for each in found:
        lost, gained = each.lost, each.gained
        kind = "can no longer reach" if lost else "can newly reach" if gained else "is treated otherwise"
        kinds[kind].append(each)
    return {kind: differ for kind, differ in kinds.items() if differ}


def _decisions(found: Sequence[Difference], paint: Paint, *, whole: bool) -> Iterator[str]:
    from kdp.decisions.table import rows_of
    from kdp.table import table_text

    colors = {"can no longer reach": "red", "can newly reach": "green"}
    for kind, differ in _kinds(found).items():
        yield f"  {paint(colors.get(kind, 'yellow'), kind)}"
        rows = [
            [*row.cells()[2:4], row.frontend, row.port, *row.cells()[4:]]
            for row in rows_of(differ, whole=whole)
        ]
        text = table_text(["FROM", "NODES", "FRONTEND", "PORT", "BEFORE", "AFTER"], rows)
        yield from (f"    {line}" for line in text.splitlines())


def _as_json(changes: _Changes) -> dict[str, object]:
    from kdp.decisions.table import rows_of
    from kdp.json_output import document

    services = []
    for service in changes.services:
        of_service = [each for each in changes.decisions if each.flow.service == service]
        kinds = {
            kind: [row.to_json() for row in rows_of(each, whole=True)]
            for kind, each in _kinds(of_service).items()
        }
        services.append(
            {
                "service": service,
                "endpoints": changes.endpoints.get(service, []),
                "lost": kinds.get("can no longer reach", []),
                "gained": kinds.get("can newly reach", []),
                "changed": kinds.get("is treated otherwise", []),
            }
        )
    rules = {node: {"removed": gone, "added": come} for node, (gone, come) in changes.rules.items()}
    return document("ManifestDiff", {"services": services, "rules": rules})
