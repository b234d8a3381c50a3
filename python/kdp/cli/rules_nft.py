"""``kdp rules --mode nftables``: the rule set whole, one chain or set of it, as JSON, or counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from kdp.errors import UsageError
from kdp.rule_sets import RuleChain, count_nft, read_nft

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["print_nft"]


def print_nft(
    cluster: Cluster, verb: str | None, node: str | None, *, form: str, table: str | None, chain: str | None
) -> None:
    """Print. ``form``: ``save`` and ``restore`` are the text of nft; ``list`` goes by chain, ``json`` is data."""
    text = cluster.rules(node)
    if verb == "count":
        _print_counts(text, as_json=form == "json")
        return
    if form in ("save", "restore") and not table and not chain:
        click.echo(text, nl=False)
        return
    found = {key: each for key, each in read_nft(text).items() if _wanted(key, table, chain)}
    if not found:
        asked = " ".join(filter(None, (table and f"--table {table}", chain and f"--chain {chain}")))
        raise UsageError("argument-invalid", f"{asked}: the rules have nothing of this name")
    if form == "json":
        click.echo(json.dumps(_as_json(found, node or cluster.core.nodes()[0]), indent=4, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(found)))


def _wanted(key: tuple[str, str], table: str | None, chain: str | None) -> bool:
    """A table by its name, or by its family and name; a chain, set or map by its name."""
    of, name = key
    return table in (None, of, of.partition(" ")[2]) and chain in (None, name, name.partition(" ")[2])


def _lines(found: dict[tuple[str, str], RuleChain]) -> list[str]:
    lines: list[str] = []
    for (table, name), each in found.items():
        head = f" ({'; '.join(each.head)})" if each.head else ""
        what = "rule" if each.kind == "chain" else "element"
        count = f"{len(each.rules)} {what}{'' if len(each.rules) == 1 else 's'}"
        lines += ["", f"{table} {name}{head}, {count}"] + [
            f"  {at}  {rule}" for at, rule in enumerate(each.rules, 1)
        ]
    return lines[1:]


def _as_json(found: dict[tuple[str, str], RuleChain], node: str) -> dict[str, Any]:
    from kdp.json_output import document

    tables: dict[str, dict[str, Any]] = {}
    for (table, name), each in found.items():
        of = tables.setdefault(table, {"table": table, "chains": [], "sets": []})
        bare = name.partition(" ")[2]
        if each.kind == "chain":
            of["chains"].append({"name": bare, "policy": _policy(each), "rules": each.rules})
        else:
            of["sets"].append({"name": bare, "kind": each.kind, "head": each.head, "elements": each.rules})
    return document(
        "Rules", {"node": node, "family": None, "mode": "nftables", "tables": list(tables.values())}
    )


def _policy(chain: RuleChain) -> str | None:
    """``accept`` or ``drop`` of a base chain."""
    words = " ".join(chain.head).replace(";", "").split()
    return words[words.index("policy") + 1] if "policy" in words else None


def _print_counts(text: str, *, as_json: bool) -> None:
    counts = count_nft(text)
    if as_json:
        from kdp.json_output import document

        click.echo(json.dumps(document("RuleCounts", {"counts": counts}), indent=4))
        return
    from kdp.table import table_text

    keys = ("rules", "chains", "sets", "maps", "elements")
    rows = [
        [family, table, *(str(count[key]) for key in keys)]
        for family, tables in counts.items()
        for table, count in tables.items()
    ]
    click.echo(table_text(["FAMILY", "TABLE", *(key.upper() for key in keys)], rows), nl=False)
