"""``kdp rules check FILE``: the rules of a real node against those that its cluster's objects ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from kdp.errors import UsageError

if TYPE_CHECKING:
    from kdp.ansi import Paint
    from kdp.cli.session import Session
    from kdp.cluster import Cluster
    from kdp.decisions import Difference
    from kdp.rule_files import RuleFile
    from kdp.rule_sets import RuleChain, Rules

__all__ = ["check"]

EXIT_FINDING = 3
CANARY = re.compile("KUBE-(PROXY|KUBELET)-CANARY|KUBE-KUBELET|KUBE-IPTABLES-HINT|KUBE-FIREWALL")
"""Chains that the kubelet makes, and that kube-proxy only looks for."""


def check(
    session: Session,
    operands: Sequence[str],
    *,
    mode: str | None,
    node: str | None,
    as_json: bool,
    exit_code: bool,
) -> int:
    """Compare kube-proxy's own chains and tables, and ask both rule sets for every class of flows."""
    from kdp.ansi import Paint
    from kdp.rule_files import read_rule_files
    from kdp.rule_sets import rule_changes

    (file,) = read_rule_files(session.read(operands))
    if file.tool == "ipset":
        raise UsageError("argument-invalid", f"{file.name}: sets of ipset alone say nothing about kube-proxy")
    expected, sources = session.load_with_sources(
        mode=mode or ("nftables" if file.tool == "nft" else "iptables")
    )
    real = session.make(sources, mode=expected.mode)
    name = node or expected.core.nodes()[0]
    real.core.replace_rules(expected.node(name).name, file.tool, file.text, file.name)
    changes = list(rule_changes(_rules(expected, name, file), _rules(real, name, file)))
    decisions = _decisions(expected, real, name, file)
    if as_json:
        click.echo(json.dumps(_as_json(name, changes, decisions), indent=4, ensure_ascii=False))
    else:
        click.echo("\n".join(_text(file.name, name, changes, decisions, Paint(on=session.colored))))
    return EXIT_FINDING if exit_code and (changes or decisions) else 0


def _rules(cluster: Cluster, node: str, file: RuleFile) -> Rules:
    """kube-proxy's part of a node's rules, as kdp lists them: both sides are spelled alike."""
    from kdp.rule_sets import read_nft, read_saved

    if file.tool == "nft":
        found = read_nft(cluster.rules(node))
        return {
            key: each
            for key, each in found.items()
            if key[0].endswith(" kube-proxy") and not _is_dynamic(each)
        }
    family = "IPv6" if file.tool == "ip6tables" else "IPv4"
    kept: Rules = {}
    for (table, chain), each in read_saved(cluster.rules(node, family=family)).items():
        rules = [rule for rule in each.rules if "KUBE-" in rule and not CANARY.search(rule)]
        if chain.startswith("KUBE-") and not CANARY.search(chain):
            kept[table, chain] = each
        elif rules:
            each.rules, each.head = rules, []  # a base chain: the jumps into kube-proxy's chains
            kept[table, chain] = each
    return kept


def _is_dynamic(each: RuleChain) -> bool:
    return any(head.startswith("flags") and "dynamic" in head for head in each.head)


def _decisions(expected: Cluster, real: Cluster, node: str, file: RuleFile) -> list[Difference]:
    from kdp.decisions import differences

    found = differences(expected, real, nodes=[node])
    if file.tool == "nft":
        return list(found)
    wanted = ":" if file.tool == "ip6tables" else "."
    return [each for each in found if wanted in each.flow.target]


Changes = Sequence[tuple[str, list[str]]]


def _text(
    file: str, node: str, changes: Changes, decisions: Sequence[Difference], paint: Paint
) -> Iterator[str]:
    from kdp.decisions.table import rows_of
    from kdp.table import table_text

    if not changes and not decisions:
        yield paint(
            "green", f"{file}: node {node} has the rules that its objects ask for, and decides as they say"
        )
        return
    lines = [line for _, each in changes for line in each]
    lacks, extra = (sum(line.startswith(f"{sign} ") for line in lines) for sign in "-+")
    yield paint("bold", f"{file}: node {node} lacks {lacks} (-) and has {extra} that it should not have (+)")
    for chain, told in changes:
        yield paint("yellow", chain)
        for line in told:
            yield f"  {paint({'-': 'red', '+': 'green'}.get(line[0], 'dim'), line)}"
    yield ""
    if not decisions:
        yield "no class of flows is decided otherwise by that"
        return
    yield paint("bold", f"{len(decisions)} classes of flows are decided otherwise")
    titles = ["SERVICE PORT", "FRONTEND", "FROM", "NODES", "SHOULD", "DOES"]
    yield table_text(titles, [row.cells() for row in rows_of(decisions)]).rstrip("\n")


def _as_json(node: str, changes: Changes, decisions: Sequence[Difference]) -> dict[str, Any]:
    from kdp.decisions.table import rows_of
    from kdp.json_output import document

    content = {
        "node": node,
        "rules": [{"chain": chain, "lines": lines} for chain, lines in changes],
        "decisions": [row.to_json() for row in rows_of(decisions, whole=True)],
    }
    return document("RuleCheck", content)
