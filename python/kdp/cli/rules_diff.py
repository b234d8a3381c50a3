"""``kdp rules diff A B``: two nodes, modes, releases or dumps, in rules and in decisions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdp.errors import UsageError

if TYPE_CHECKING:
    from kdp.ansi import Paint
    from kdp.cli.session import Session
    from kdp.cluster import Cluster
    from kdp.decisions import Difference, FlowClass
    from kdp.rule_sets import Rules

__all__ = ["diff"]

EXIT_FINDING = 3
MODES = ("iptables", "nftables", "ipvs")


@dataclass(frozen=True)
class _Side:
    """One of the two: its name, its cluster, the node whose rules are looked at."""

    name: str
    cluster: Cluster
    node: str

    def rules(self) -> Rules:
        from kdp.rule_sets import read_nft, read_saved

        if self.cluster.mode == "nftables":
            return read_nft(self.cluster.rules(self.node))
        both = {
            family: read_saved(self.cluster.rules(self.node, family=family)) for family in ("IPv4", "IPv6")
        }
        named = {(table, chain): rules for (table, chain), rules in both["IPv4"].items()}
        return named | {(f"IPv6 {table}", chain): rules for (table, chain), rules in both["IPv6"].items()}


def diff(
    session: Session,
    operands: Sequence[str],
    *,
    mode: str | None,
    node: str | None,
    as_json: bool,
    exit_code: bool,
) -> int:
    """Compare. The kind of the two operands is told by what they are: files, modes, releases, else names of nodes."""
    from kdp.ansi import Paint
    from kdp.rule_sets import rule_changes

    one, other = _sides(session, operands, mode, node)
    is_comparable = one.cluster.mode == other.cluster.mode
    changes = list(rule_changes(one.rules(), other.rules())) if is_comparable else []
    decisions = _decisions(one, other)
    if as_json:
        click.echo(
            json.dumps(_as_json(one, other, changes, decisions, is_comparable), indent=4, ensure_ascii=False)
        )
    else:
        text = _text(one, other, changes, decisions, is_comparable, Paint(on=session.colored))
        click.echo("\n".join(text), color=session.colored)
    return EXIT_FINDING if exit_code and (changes or decisions) else 0


def _sides(
    session: Session, operands: Sequence[str], mode: str | None, node: str | None
) -> tuple[_Side, _Side]:
    kinds = [_kind(text) for text in operands]
    if kinds[0] != kinds[1]:
        raise UsageError(
            "argument-invalid",
            f"kdp rules diff: {operands[0]!r} is a {kinds[0]}, {operands[1]!r} a {kinds[1]}: two of one kind compare",
        )
    if kinds[0] == "file":
        made = [session.make(session.read([path]), mode=mode) for path in operands]
    elif kinds[0] == "node":
        cluster = session.load(mode=mode)
        return tuple(_Side(f"node {name}", cluster, cluster.node(name).name) for name in operands)  # type: ignore[return-value]  # two of two
    else:
        option = "mode" if kinds[0] == "mode" else "k8s"
        first, sources = session.load_with_sources(**{"mode": mode, option: operands[0]})
        made = [first, session.make(sources, **{"mode": mode, option: operands[1]})]
    name = node or made[0].core.nodes()[0]
    for cluster in made:
        cluster.node(name)  # `no-such-object` names the nearest
    return _Side(operands[0], made[0], name), _Side(operands[1], made[1], name)


def _kind(text: str) -> str:
    if text in MODES:
        return "mode"
    if re.fullmatch(r"v?1\.\d+", text):
        return "release"
    return "file" if "/" in text or Path(text).exists() else "node"


def _decisions(one: _Side, other: _Side) -> list[Difference]:
    """Decisions at the node; of two nodes of one cluster those of classes that both have."""
    from kdp.decisions import decide, differences, flow_classes
    from kdp.decisions.compare import Difference

    if one.cluster is not other.cluster:
        return list(differences(one.cluster, other.cluster, nodes=[one.node]))
    sides = [_here(flow_classes(one.cluster, nodes=[side.node])) for side in (one, other)]
    found = []
    for key in (key for key in sides[0] if key in sides[1]):
        pair = [decide(one.cluster, side[key]) for side in sides]
        if pair[0] != pair[1]:
            found.append(Difference(sides[0][key], *pair))
    return found


def _here(flows: Iterable[FlowClass]) -> dict[tuple[object, ...], FlowClass]:
    """Classes by what two nodes have in common: of a node's own address that it is the first or the second."""
    found: dict[tuple[object, ...], FlowClass] = {}
    for flow in flows:
        address = "" if flow.frontend == "node port" else flow.address
        key = (flow.service, flow.port, flow.frontend, address, flow.source)
        ordinal = next(number for number in count() if (*key, number) not in found)
        found[*key, ordinal] = flow
    return found


Changes = Sequence[tuple[str, list[str]]]


def _text(
    one: _Side,
    other: _Side,
    changes: Changes,
    decisions: Sequence[Difference],
    is_comparable: bool,
    paint: Paint,
) -> Iterator[str]:
    from kdp.decisions.table import rows_of
    from kdp.table import table_text

    yield (
        paint("bold", f"{one.name} -> {other.name}, rules of node {one.node}")
        if one.node == other.node
        else paint("bold", f"{one.name} -> {other.name}")
    )
    if not is_comparable:
        counts = (
            f"{sum(len(each.rules) for each in side.rules().values())} of {side.name}"
            for side in (one, other)
        )
        yield f"rules: {' and '.join(counts)}; rules of two languages are compared by what they decide"
    for chain, lines in changes:
        yield paint("yellow", chain)
        for line in lines:
            yield f"  {paint({'-': 'red', '+': 'green'}.get(line[0], 'dim'), line)}"
    if is_comparable and not changes:
        yield "rules: the same"
    yield ""
    if not decisions:
        yield "decisions: the same for every class of flows"
        return
    yield f"decisions: {len(decisions)} classes of flows differ"
    titles = ["SERVICE PORT", "FRONTEND", "FROM", "NODES", one.name.upper(), other.name.upper()]
    yield table_text(titles, [row.cells() for row in rows_of(decisions)]).rstrip("\n")


def _as_json(
    one: _Side, other: _Side, changes: Changes, decisions: Sequence[Difference], is_comparable: bool
) -> dict[str, Any]:
    from kdp.decisions.table import rows_of
    from kdp.json_output import document

    rules = [{"chain": chain, "lines": lines} for chain, lines in changes] if is_comparable else None
    content = {
        "before": one.name,
        "after": other.name,
        "rules": rules,
        "decisions": [row.to_json() for row in rows_of(decisions, whole=True)],
    }
    return document("RuleDiff", content)
