"""Rule sets as what they hold, to count and to compare: chains with their rules, sets with their elements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["RuleChain", "Rules", "count_nft", "read_nft", "read_saved", "rule_changes", "split_elements"]

UNORDERED = {"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"}
"""Chains that kube-proxy fills in the random order of a Go map."""


@dataclass
class RuleChain:
    """A chain, or a set or map of nftables. ``head``: policy, hook, type; ``rules``: rules in order, or elements."""

    kind: str
    head: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


Rules = dict[tuple[str, str], RuleChain]
"""By table and name."""


def read_saved(text: str) -> Rules:
    """What iptables-save prints."""
    found: Rules = {}
    table = ""
    for line in text.splitlines():
        bare = re.sub(r"^\[\d+:\d+\] ", "", line.strip())
        if bare.startswith("*"):
            table = bare[1:]
        elif bare.startswith(":"):
            name, policy = bare[1:].split()[:2]
            found[table, name] = RuleChain("chain", [] if policy == "-" else [f"policy {policy}"])
        elif bare.startswith("-A "):
            found.setdefault((table, bare.split()[1]), RuleChain("chain")).rules.append(bare)
    return found


def read_nft(text: str) -> Rules:
    """What ``nft list ruleset`` prints."""
    found: Rules = {}
    table, inside = "", None
    for line in _logical_lines(text):
        words = line.split()
        if line.startswith("table ") and line.endswith("{"):
            table = line.removeprefix("table ").removesuffix(" {")
        elif line == "}":
            inside = None
        elif inside is None and line.endswith("{"):
            inside = found.setdefault((table, f"{words[0]} {words[1]}"), RuleChain(words[0]))
        elif inside is not None:
            _put(inside, line)
    return found


def _put(into: RuleChain, line: str) -> None:
    if into.kind == "chain":
        is_head = line.startswith(("policy ", "comment ")) or (line.startswith("type ") and " hook " in line)
        (into.head if is_head else into.rules).append(line)
    elif line.startswith("elements = {"):
        into.rules += split_elements(line.removeprefix("elements = {").removesuffix("}"))
    else:
        into.head.append(line)


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without indent; what braces hold over several lines (but for blocks) is one."""
    whole = ""
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        whole = f"{whole} {bare}" if whole else bare
        opens = whole.split()[0] in (
            "table",
            "chain",
            "set",
            "map",
            "counter",
            "quota",
            "limit",
            "ct",
            "flowtable",
        )
        if (whole.endswith("{") and opens) or whole.count("{") <= whole.count("}"):
            yield whole
            whole = ""


def split_elements(elements: str) -> list[str]:
    """Elements at the commas outside of quotes and braces; how long they still live is left out."""
    parts = re.findall(r'(?:"[^"]*"|\{[^}]*\}|[^,"{])+', elements)
    return [re.sub(r" expires \S+", "", part.strip()) for part in parts if part.strip()]


def count_nft(text: str) -> dict[str, dict[str, dict[str, int]]]:
    """By family and table: how many rules, chains, sets, maps and elements."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for (table, _), chain in read_nft(text).items():
        family, name = table.split(" ", 1)
        of = counts.setdefault(family, {}).setdefault(
            name, {"rules": 0, "chains": 0, "sets": 0, "maps": 0, "elements": 0}
        )
        if f"{chain.kind}s" in of:
            of[f"{chain.kind}s"] += 1
            of["rules" if chain.kind == "chain" else "elements"] += len(chain.rules)
    return counts


def rule_changes(before: Rules, after: Rules) -> Iterator[tuple[str, list[str]]]:
    """By chain or set, in a few lines: rules that are gone (``-``), new (``+``) or in another order."""
    for key in dict.fromkeys([*before, *after]):
        one, other = before.get(key), after.get(key)
        was, now = (chain.rules if chain else [] for chain in (one, other))
        lines = [f"- {rule}" for rule in _left(was, now)] + [f"+ {rule}" for rule in _left(now, was)]
        if one is None or other is None:
            lines = [
                f"{'-' if other is None else '+'} the {(one or other or RuleChain('chain')).kind}",
                *lines,
            ]
        elif not lines and was != now and _ordered(key[1], one):
            lines = ["  the same rules in another order"]
        if one and other and sorted(one.head) != sorted(other.head):
            lines = [f"  {', '.join(one.head)} -> {', '.join(other.head)}", *lines]
        if lines:
            yield " ".join(key), lines


def _ordered(name: str, chain: RuleChain) -> bool:
    return chain.kind == "chain" and name not in UNORDERED


def _left(rules: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """Those of ``rules`` that ``others`` do not have, as often as they do not, in order."""
    spare = Counter(others)
    for rule in rules:
        if spare[rule]:
            spare[rule] -= 1
        else:
            yield rule
