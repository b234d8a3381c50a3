"""``kdp rules``: a node's rules, as iptables-save, iptables-restore, iptables -L -n or nft list ruleset have them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from kdp.arguments import nearest
from kdp.cli.proxy_options import proxy_options
from kdp.cli.session import Session, cluster_options, mode_option
from kdp.errors import UsageError

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["command"]

OPERANDS: dict[str, tuple[int, int]] = {
    "count": (0, 0),
    "diff": (2, 2),
    "check": (1, 1),
    "support": (1, 1000),
}
"""The verbs, with how many operands they take."""

TABLES = ("raw", "mangle", "nat", "filter", "security")


@click.command("rules")
@click.argument("words", nargs=-1, metavar="[count | diff A B | check FILE | support FILE...]")
@click.option("--node", metavar="NAME", help="Whose rules (default: the first node's).")
@mode_option
@proxy_options
@click.option("-4", "family", flag_value="IPv4", default="IPv4", help="The IPv4 rules (default).")
@click.option("-6", "family", flag_value="IPv6", help="The IPv6 rules.")
@click.option("-t", "--table", metavar="TABLE", help="Of this table only (default with --chain: nat).")
@click.option("--chain", metavar="NAME", help="One chain, as `iptables -t TABLE -L CHAIN -n` lists it.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["save", "restore", "list", "json"]),
    help="save (default), restore, list or json.",
)
@click.option("--against", multiple=True, metavar="FILE", help="With `check`: the objects, as -f.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 where diff, check or support find something.")
@cluster_options
def command(
    session: Session,
    words: tuple[str, ...],
    node: str | None,
    mode: str | None,
    family: str,
    table: str | None,
    chain: str | None,
    output: str | None,
    against: tuple[str, ...],
    exit_code: bool,
) -> int:
    """Print a node's rules; or count, compare and check them.

    \b
    kdp rules --node n1 -f dump.yaml > n1.save
    kdp rules --node n1 --chain KUBE-SERVICES -f dump.yaml
    kdp rules --node n1 --mode nftables -f dump.yaml > n1.nft
    kdp rules count --node n1 -f dump.yaml           # rules and chains by table
    kdp rules diff n1 n2 -f dump.yaml                # two nodes; or modes, releases (1.30 1.36), dumps
    kdp rules check live.save --against dump.yaml    # what a real node has and should not, and what it lacks
    kdp rules support node.save docker.nft           # all that kdp does not model, by line
    """  # noqa: D301 -- click keeps lines together after a backspace
    verb, operands = _verb(words)
    as_json = output == "json"
    if verb == "support":
        from kdp.cli.rules_support import support

        return support(operands, as_json=as_json, exit_code=exit_code)
    if verb == "diff":
        from kdp.cli.rules_diff import diff

        return diff(session, operands, mode=mode, node=node, as_json=as_json, exit_code=exit_code)
    if verb == "check":
        from kdp.cli.rules_check import check

        asked = replace(session, files=(*session.files, *against))
        return check(asked, operands, mode=mode, node=node, as_json=as_json, exit_code=exit_code)
    _print(session.load(mode=mode), verb, node, family, table, chain, output)
    return 0


def _verb(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    verb, operands = (words[0], words[1:]) if words else (None, ())
    if verb is not None and verb not in OPERANDS:
        near = nearest(verb, OPERANDS)
        hint = f"did you mean {near[0]}?" if near else f"these are: {', '.join(OPERANDS)}"
        raise click.UsageError(f"kdp rules has no {verb!r}; {hint}")
    least, most = OPERANDS[verb] if verb else (0, 0)
    if not least <= len(operands) <= most:
        raise click.UsageError(
            f"kdp rules {verb}: {len(operands)} arguments; kdp rules --help shows the forms"
        )
    return verb, operands


def _print(
    cluster: Cluster,
    verb: str | None,
    node: str | None,
    family: str,
    table: str | None,
    chain: str | None,
    output: str | None,
) -> None:
    form = output or ("list" if chain else "save")
    if cluster.mode == "nftables":
        from kdp.cli.rules_nft import print_nft

        print_nft(cluster, verb, node, form=form, table=table, chain=chain)
    elif verb == "count":
        _print_counts(cluster.rule_counts(node), as_json=form == "json")
    elif form == "list":
        click.echo(_listing(cluster, node, family, table or "nat", chain), nl=False)
    else:
        text = cluster.rules(node, family=family, form="restore" if form == "restore" else "save")
        text = _one_table(text, table) if table else text
        if form == "json":
            name = node or cluster.core.nodes()[0]
            data = _as_json(text, name, family, cluster.mode, chain)
            click.echo(json.dumps(data, indent=4, ensure_ascii=False))
        else:
            click.echo(_one_chain(text, chain) if chain else text, nl=False)


def _listing(cluster: Cluster, node: str | None, family: str, table: str, chain: str | None) -> str:
    if chain:
        return cluster.rules(node, family=family, form=f"{table} {chain}")
    saved = _one_table(cluster.rules(node, family=family), table)
    chains = [line[1:].split()[0] for line in saved.splitlines() if line.startswith(":")]
    return "\n".join(cluster.rules(node, family=family, form=f"{table} {name}") for name in chains)


def _one_table(text: str, table: str) -> str:
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        inside = line.rstrip() == f"*{table}" or (inside and not line.startswith("*"))
        if inside:
            lines.append(line)
    return "".join(lines)


def _one_chain(text: str, chain: str) -> str:
    kept = [
        line for line in text.splitlines(keepends=True) if line.startswith((f":{chain} ", f"-A {chain} "))
    ]
    if not kept:
        raise UsageError("argument-invalid", f"--chain {chain}: the rules have no chain of this name")
    return "".join(kept)


def _as_json(text: str, node: str, family: str, mode: str, chain: str | None) -> dict[str, Any]:
    from kdp.json_output import document

    tables: list[dict[str, Any]] = []
    for line in text.splitlines():
        if line.startswith("*"):
            tables.append({"table": line[1:], "chains": {}})
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            tables[-1]["chains"][name] = {"policy": None if policy == "-" else policy, "rules": []}
        elif line.startswith("-A "):
            tables[-1]["chains"][line.split()[1]]["rules"].append(line)
    for each in tables:
        chains = each["chains"].items()
        each["chains"] = [{"name": name, **rest} for name, rest in chains if chain in (None, name)]
    return document("Rules", {"node": node, "family": family, "mode": mode, "tables": tables})


def _print_counts(counts: dict[str, dict[str, dict[str, int]]], *, as_json: bool) -> None:
    if as_json:
        from kdp.json_output import document

        click.echo(json.dumps(document("RuleCounts", {"counts": counts}), indent=4))
        return
    from kdp.table import table_text

    rows = [
        [family, table, str(count["rules"]), str(count["chains"])]
        for family, tables in counts.items()
        for table, count in tables.items()
    ]
    click.echo(table_text(["FAMILY", "TABLE", "RULES", "CHAINS"], rows), nl=False)
